//! Rules for names.

/// Words that a condition cannot use as a name.
pub const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// The longest name, in bytes.
const LONGEST: usize = 64;

/// What a name may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// Of a step, an input, a variable, a group: usable in templates and conditions.
    Id,
    /// Of a runbook: hyphens as well.
    Runbook,
    /// Of a step type: ids joined by dots.
    Type,
    /// Of a parameter: a shell variable.
    Param,
    /// Of a host.
    Host,
    /// Of a part of a value, as some program's configuration spells it.
    Field,
    /// Of an entry that only people read.
    Free,
}

impl Name {
    /// Why this is not such a name.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(self, text: &str) -> Result<(), &'static str> {
        match self {
            Self::Id if RESERVED.contains(&text) => {
                Err("this word belongs to the language of conditions")
            }
            Self::Id if !id(text, "") => Err("a name is a-z, then a-z, 0-9 and _, at most 64"),
            Self::Runbook if !id(text, "-") => {
                Err("the name of a runbook is a-z, then a-z, 0-9, _ and -, at most 64")
            }
            Self::Type if text.len() > LONGEST || !text.split('.').all(|part| id(part, "")) => Err(
                "the name of a step type is like `podman.image`: a-z, 0-9 and _, joined by dots",
            ),
            Self::Param if !id(text, "") => {
                Err("a parameter is a-z, then a-z, 0-9 and _, at most 64")
            }
            Self::Param if text.starts_with("before_") || text.starts_with("rb_") => {
                Err("names that start with `before_` or `rb_` belong to the engine")
            }
            Self::Host if text == runbook_model::id::CONTROL => {
                Err("`control` is the controller itself")
            }
            Self::Host => match runbook_model::HostName::new(text) {
                Ok(_) => Ok(()),
                Err(error) => Err(error.rule),
            },
            Self::Field if !field(text) => {
                Err("a name is a letter or `_`, then letters, digits, `_`, `.` and `-`, at most 64")
            }
            Self::Free if text.is_empty() || text.len() > LONGEST => Err("1 to 64 characters"),
            _ => Ok(()),
        }
    }

    /// The rule as a regular expression, for an editor; [`check`](Self::check) is stricter.
    #[must_use]
    pub fn pattern(self) -> &'static str {
        match self {
            Self::Id | Self::Param => "^[a-z][a-z0-9_]{0,63}$",
            Self::Runbook => "^[a-z][a-z0-9_-]{0,63}$",
            Self::Type => "^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)*$",
            Self::Host => "^[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$",
            Self::Field => "^[A-Za-z_][A-Za-z0-9_.-]{0,63}$",
            Self::Free => "^.{1,64}$",
        }
    }

    /// The name brought into shape, if that is all that is wrong.
    #[must_use]
    pub fn repaired(self, text: &str) -> Option<String> {
        let joint = if self == Self::Type { "." } else { "_" };
        let mut repaired = text.to_lowercase().replace([' ', '/'], joint);
        if !matches!(self, Self::Runbook | Self::Host | Self::Field) {
            repaired = repaired.replace('-', "_");
        }
        (repaired != text && self.check(&repaired).is_ok()).then_some(repaired)
    }
}

fn field(text: &str) -> bool {
    text.len() <= LONGEST
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

fn id(text: &str, more: &str) -> bool {
    text.len() <= LONGEST
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || more.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_their_rules() {
        assert!(Name::Id.check("dump_valid").is_ok());
        for bad in [
            "",
            "Dump",
            "dump-valid",
            "9a",
            "in",
            "a b",
            "ä",
            &"a".repeat(65),
        ] {
            assert!(Name::Id.check(bad).is_err(), "{bad}");
        }
        assert!(Name::Runbook.check("quay-geo-upgrade").is_ok());
        assert!(Name::Type.check("gate.approve").is_ok() && Name::Type.check("copy").is_ok());
        assert!(Name::Type.check("podman.").is_err() && Name::Type.check("a..b").is_err());
        assert!(Name::Param.check("as").is_ok() && Name::Param.check("before_now").is_err());
        assert!(Name::Host.check("control").is_err() && Name::Host.check("-oX").is_err());
        assert_eq!(
            Name::Id.repaired("Dump-Valid").as_deref(),
            Some("dump_valid")
        );
        assert_eq!(Name::Id.repaired("in"), None);
        assert_eq!(
            Name::Type.repaired("Podman/Image").as_deref(),
            Some("podman.image")
        );
    }
}
