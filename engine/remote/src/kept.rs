//! Files that a check registers for undo: what it saw of each, as it is on record.

use runbook_model::text::printable;

/// How the names of such records begin; no other name that a check captures can be a variable's and begin so.
const MARK: &str = "file:";

/// A file that is kept before the first change of an instance, or that was not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What the check calls it.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: String,
    /// `absent`, or `file UID GID MODE SIZE SHA256`.
    pub(crate) state: String,
}

/// A record of a file that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what was captured of a file cannot be read: `{}`", printable(.0))]
pub struct InvalidKept(String);

impl Kept {
    /// Reads a captured value; none where it is not about a file.
    ///
    /// # Errors
    /// It is about a file, and says something else than a check can say of one.
    pub fn of(name: &str, value: &str) -> Option<Result<Self, InvalidKept>> {
        let name = name.strip_prefix(MARK)?;
        let at = value.find(" /");
        let kept = at.map(|at| (&value[..at], &value[at + 1..]));
        let kept = kept.filter(|(state, path)| is_state(state) && !path.contains('\0'));
        Some(match kept.filter(|_| is_name(name)) {
            Some((state, path)) => Ok(Self {
                name: name.to_owned(),
                path: path.to_owned(),
                state: state.to_owned(),
            }),
            None => Err(InvalidKept(format!("{name} {value}"))),
        })
    }

    /// Whether there was a file.
    pub(crate) fn is_there(&self) -> bool {
        self.state != "absent"
    }

    /// Owner and group as numbers, and mode; empty where there was no file.
    pub(crate) fn meta(&self) -> [String; 3] {
        let mut words = self.state.split(' ').skip(1).map(str::to_owned);
        std::array::from_fn(|_| words.next().unwrap_or_default())
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn is_state(state: &str) -> bool {
    let words: Vec<&str> = state.split(' ').collect();
    let number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    match words.as_slice() {
        ["absent"] => true,
        ["file", numbers @ .., sum] => {
            numbers.len() == 4
                && numbers.iter().all(|word| number(word))
                && sum.len() == 64
                && sum.bytes().all(|b| b.is_ascii_hexdigit())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_of_files_are_told_from_others() {
        let sum = "0".repeat(64);
        assert_eq!(Kept::of("now", "absent /x"), None);
        let kept = Kept::of("file:conf", &format!("file 0 4 640 12 {sum} /etc/a b /c"));
        let kept = kept.unwrap().unwrap();
        assert_eq!(
            (kept.name.as_str(), kept.path.as_str()),
            ("conf", "/etc/a b /c")
        );
        assert_eq!(kept.meta(), ["0", "4", "640"]);
        let absent = Kept::of("file:conf", "absent /etc/x").unwrap().unwrap();
        assert!(!absent.is_there());
        assert_eq!(absent.meta(), ["", "", ""]);
        for (name, value) in [
            ("file:conf", "absent"),
            ("file:conf", "absent etc/x"),
            ("file:conf", "file 0 4 640 /etc/x"),
            ("file:Conf", "absent /etc/x"),
            ("file:", "absent /etc/x"),
            ("file:a;b", "absent /etc/x"),
        ] {
            assert!(Kept::of(name, value).unwrap().is_err(), "{name} {value}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(name: String, value: String) {
            let _ = Kept::of(&format!("{MARK}{name}"), &value);
        }
    }
}
