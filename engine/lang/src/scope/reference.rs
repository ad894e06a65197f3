//! References: which names a template or a condition reads, and where it says so.

use std::fmt;
use std::ops::Range;

use crate::value::shown;

/// One part of a path such as `steps.survey.on[h].outputs`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Segment {
    /// A name, a literal key, or the position in a list in decimal.
    Name(String),
    /// A key that is known only during evaluation, or every element of what is iterated.
    Any,
}

impl Segment {
    /// The name, if it is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Any => None,
        }
    }
}

/// A name that a text reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The whole path, from its root.
    pub path: Vec<Segment>,
    /// The bytes of the text that say it.
    pub range: Range<usize>,
    /// Whether the text copes with its absence: inside `default`, or behind `has(…)`.
    pub guarded: bool,
}

impl Reference {
    /// The first name: `inputs`, `steps`, ….
    pub fn root(&self) -> &str {
        self.path.first().and_then(Segment::name).unwrap_or("")
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&path_text(&self.path))
    }
}

/// A path as an expression would write it; `[*]` stands for any element.
pub fn path_text(path: &[Segment]) -> String {
    let mut out = String::new();
    for segment in path {
        match segment {
            Segment::Any => out.push_str("[*]"),
            Segment::Name(name) if is_plain(name) || out.is_empty() => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(&shown(name));
            }
            Segment::Name(name) if name.bytes().all(|b| b.is_ascii_digit()) => {
                out.push_str(&format!("[{}]", shown(name)));
            }
            Segment::Name(name) => {
                out.push_str("[\"");
                out.push_str(&shown(name));
                out.push_str("\"]");
            }
        }
    }
    out
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_like_expressions() {
        let name = |n: &str| Segment::Name(n.to_owned());
        assert_eq!(
            path_text(&[
                name("steps"),
                name("x"),
                Segment::Any,
                name("a b"),
                name("0"),
                name("3.8")
            ]),
            "steps.x[*][\"a b\"][0][\"3.8\"]"
        );
    }
}
