//! The one table of keys: what may be written where, in which shape, and what it means.
//!
//! Reading, suggestions and "not supported yet" follow from it, and so will the JSON Schema and the
//! manual: every `doc` is a sentence for people.

mod language;
mod names;
mod others;
mod shape;
mod testing;

pub use names::{Name, RESERVED};
pub use shape::{Section, Shape, Since, Word};

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Where it may be written.
    pub section: Section,
    /// Its name.
    pub name: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    /// It must be given.
    pub required: bool,
    /// Whether the language has it already.
    pub since: Since,
    /// What it means, a sentence.
    pub doc: &'static str,
    /// A value as it may be written.
    pub example: &'static str,
}

/// The keys of a section, in the order in which they are explained.
pub fn of(section: Section) -> impl Iterator<Item = &'static Key> {
    language::KEYS
        .iter()
        .chain(others::KEYS)
        .chain(testing::KEYS)
        .filter(move |key| key.section == section)
}

/// One key of a section.
#[must_use]
pub fn find(section: Section, name: &str) -> Option<&'static Key> {
    of(section).find(|key| key.name == name)
}

/// The section where a key of this name may be written, for a hint.
#[must_use]
pub fn home(name: &str) -> Option<Section> {
    language::KEYS
        .iter()
        .chain(others::KEYS)
        .chain(testing::KEYS)
        .find(|key| key.name == name)
        .map(|key| key.section)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Diagnostics;
    use crate::fields::{Cx, conforms};
    use crate::source::Sources;

    #[test]
    fn every_key_is_explained_and_stands_once() {
        for section in Section::ALL {
            let mut names: Vec<_> = of(*section).map(|k| k.name).collect();
            assert!(!names.is_empty(), "{section:?} has no keys");
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{section:?} has a key twice");
            for key in of(*section) {
                assert!(
                    key.doc.ends_with('.') && key.doc.starts_with(char::is_uppercase),
                    "{section:?} {}: {}",
                    key.name,
                    key.doc
                );
                assert!(
                    !key.example.is_empty(),
                    "{section:?} {} has no example",
                    key.name
                );
            }
        }
    }

    #[test]
    fn every_example_has_the_shape_of_its_key() {
        for key in Section::ALL
            .iter()
            .flat_map(|s| of(*s))
            .filter(|k| k.since == Since::Now)
        {
            let mut sources = Sources::new();
            let source = sources.add(key.name, key.example.as_bytes()).unwrap();
            let mut diagnostics = Diagnostics::new();
            let node = crate::yaml::read(&source, &mut diagnostics);
            let mut cx = Cx::new(&source, &mut diagnostics);
            assert!(
                conforms(&mut cx, key.name, &key.shape, &node),
                "{:?} {}",
                key.section,
                key.name
            );
            assert_eq!(diagnostics.render(&sources), "");
        }
    }
}
