//! The keys of all sections, to be looked up; a test may add its own.

use super::shape::Section;
use super::{Key, language, others, testing};

/// Keys.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    parts: &'static [&'static [Key]],
    more: &'static [Key],
}

/// The keys of the language.
pub const STANDARD: Table = Table {
    parts: &[language::KEYS, others::KEYS, testing::KEYS],
    more: &[],
};

impl Table {
    /// The same table with more keys; what it had before as additions is gone.
    #[must_use]
    pub const fn and(self, more: &'static [Key]) -> Self {
        Self { more, ..self }
    }

    /// All keys.
    pub fn all(self) -> impl Iterator<Item = &'static Key> {
        self.parts.iter().copied().flatten().chain(self.more)
    }

    /// The keys of a section, in the order in which they are explained.
    pub fn of(self, section: Section) -> impl Iterator<Item = &'static Key> {
        self.all().filter(move |key| key.section == section)
    }

    /// One key of a section.
    #[must_use]
    pub fn find(self, section: Section, name: &str) -> Option<&'static Key> {
        self.of(section).find(|key| key.name == name)
    }

    /// The section where a key of this name may be written, for a hint.
    #[must_use]
    pub fn home(self, name: &str) -> Option<Section> {
        self.all()
            .find(|key| key.name == name)
            .map(|key| key.section)
    }
}
