//! The values of a content: each is literal, or exactly one parameter.

use std::collections::BTreeMap;

use runbook_model::step_type::{Param, Piece, Shape};

use crate::diagnostic::{Code, did_you_mean};
use crate::fields::{Cx, one_of, pattern};
use crate::source::Span;
use crate::yaml::{Kind, Node};

/// What a value may be.
pub(super) struct Wanted {
    /// Shapes of a parameter.
    shapes: &'static [Shape],
    /// Words for them.
    words: &'static [&'static str],
    /// Why a literal is not one, if it is not.
    literal: fn(&Node) -> Option<&'static str>,
    /// A secret parameter may be used.
    secret: bool,
}

pub(super) const PATH: Wanted = Wanted {
    shapes: &[Shape::Path],
    words: &["path"],
    literal: path,
    secret: false,
};
pub(super) const TEXT: Wanted = Wanted {
    shapes: &[Shape::String],
    words: &["string"],
    literal: |_| None,
    secret: true,
};
pub(super) const LINE: Wanted = Wanted {
    literal: line,
    ..TEXT
};
pub(super) const WORD: Wanted = Wanted {
    shapes: &[Shape::String, Shape::Enum],
    words: &["string", "enum"],
    literal: |_| None,
    secret: false,
};
pub(super) const MODE: Wanted = Wanted {
    literal: mode,
    ..WORD
};
pub(super) const FLAG: Wanted = Wanted {
    shapes: &[Shape::Bool],
    words: &["bool"],
    literal: flag,
    secret: false,
};
pub(super) const COMMAND: Wanted = Wanted {
    shapes: &[Shape::List],
    words: &["list"],
    literal: command,
    secret: false,
};

pub(super) const NAME: Wanted = Wanted {
    literal: line,
    ..WORD
};
pub(super) const PATTERN: Wanted = Wanted {
    literal: regex,
    ..WORD
};
pub(super) const STATE: Wanted = Wanted {
    literal: state,
    ..WORD
};
/// A parameter that holds maps.
const MAP: Wanted = Wanted {
    shapes: &[Shape::Json, Shape::Map],
    words: &["json", "map"],
    literal: |_| None,
    secret: true,
};
/// A parameter in a map.
const ANY: Wanted = Wanted {
    shapes: &[
        Shape::String,
        Shape::Int,
        Shape::Bool,
        Shape::Enum,
        Shape::Path,
        Shape::Duration,
        Shape::Size,
        Shape::List,
        Shape::Map,
        Shape::Json,
    ],
    words: &[],
    literal: |_| None,
    secret: true,
};

fn line(node: &Node) -> Option<&'static str> {
    node.as_str()?
        .contains(['\n', '\r'])
        .then_some("is one line")
}

fn regex(node: &Node) -> Option<&'static str> {
    pattern(node.as_str()?)
        .is_err()
        .then_some("is a regular expression, and this is none")
}

fn state(node: &Node) -> Option<&'static str> {
    let word = node.as_str()?;
    (!matches!(word, "present" | "absent")).then_some("is `present` or `absent`, or one parameter")
}

fn path(node: &Node) -> Option<&'static str> {
    (!node.as_str()?.starts_with('/')).then_some("is a path from `/`")
}

fn mode(node: &Node) -> Option<&'static str> {
    let mode = node.as_str()?;
    let octal =
        matches!(mode.len(), 3 | 4) && mode.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    (!octal).then_some("is three or four octal digits, like '0644'")
}

fn flag(node: &Node) -> Option<&'static str> {
    (!matches!(node.kind, Kind::Bool(_))).then_some("is true, false or one parameter")
}

fn command(node: &Node) -> Option<&'static str> {
    let words = node
        .as_seq()
        .filter(|words| !words.is_empty() && words.iter().all(|word| word.as_str().is_some()));
    match words {
        None => Some("is a list of words, or one parameter"),
        Some(words) if !words.iter().any(|word| word.as_str() == Some("{}")) => {
            Some("has no `{}`, which stands for the new file")
        }
        Some(_) => None,
    }
}

/// The name in a text that is exactly one `{{name}}`.
fn parameter(text: &str) -> Option<&str> {
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?.trim();
    (!name.contains(['{', '}'])).then_some(name)
}

/// Reads parts.
pub(super) struct Reader<'a, 'c> {
    pub(super) cx: &'a mut Cx<'c>,
    pub(super) params: &'a BTreeMap<String, Param>,
}

impl Reader<'_, '_> {
    /// A value that is literal, or exactly one parameter.
    pub(super) fn piece(&mut self, key: &str, node: &Node, wanted: &Wanted) -> Option<Piece> {
        if node.has_error() {
            return None;
        }
        if let Some(name) = node.as_str().and_then(parameter) {
            return self.param(key, name, node.site(), wanted);
        }
        if node.has_template() {
            self.no_template(key, node.site());
            return None;
        }
        if let Some(why) = (wanted.literal)(node) {
            self.cx.error(
                Code::BadValue,
                format!("`{key}` {why}"),
                node.site(),
                "",
                None,
            );
            return None;
        }
        Some(Piece::Literal(node.to_value()))
    }

    /// Such a value, or a list of them of which the first that is given counts.
    pub(super) fn first_of(&mut self, key: &str, node: &Node, wanted: &Wanted) -> Option<Piece> {
        let Kind::Seq(items) = &node.kind else {
            return self.piece(key, node, wanted);
        };
        let parts: Vec<_> = items
            .iter()
            .map(|item| self.piece(key, item, wanted))
            .collect();
        parts.into_iter().collect::<Option<_>>().map(Piece::List)
    }

    /// A map whose values may be parameters, one parameter, or a list of these.
    pub(super) fn maps(&mut self, key: &str, node: &Node) -> Option<Vec<Piece>> {
        match &node.kind {
            Kind::Seq(items) => {
                let parts: Vec<_> = items.iter().map(|item| self.map(key, item)).collect();
                parts.into_iter().collect()
            }
            _ => self.map(key, node).map(|piece| vec![piece]),
        }
    }

    fn map(&mut self, key: &str, node: &Node) -> Option<Piece> {
        match &node.kind {
            Kind::Map(_) => self.tree(key, node),
            Kind::Error => None,
            _ => match node.as_str().and_then(parameter) {
                Some(name) => self.param(key, name, node.site(), &MAP),
                None => {
                    let message = format!("`{key}` is a map, one parameter, or a list of these");
                    self.cx
                        .error(Code::BadValue, message, node.site(), "", None);
                    None
                }
            },
        }
    }

    /// A value of such a map.
    fn tree(&mut self, key: &str, node: &Node) -> Option<Piece> {
        match &node.kind {
            Kind::Error => None,
            Kind::Map(entries) => {
                let mut map = BTreeMap::new();
                let mut whole = true;
                for entry in entries {
                    if entry.key.value.contains("{{") {
                        self.no_template(key, entry.key.span);
                        whole = false;
                    }
                    match self.tree(key, &entry.value) {
                        Some(piece) => {
                            map.insert(entry.key.value.clone(), piece);
                        }
                        None => whole = false,
                    }
                }
                whole.then_some(Piece::Map(map))
            }
            Kind::Seq(items) => {
                let parts: Vec<_> = items.iter().map(|item| self.tree(key, item)).collect();
                parts.into_iter().collect::<Option<_>>().map(Piece::List)
            }
            _ => self.piece(key, node, &ANY),
        }
    }

    fn no_template(&mut self, key: &str, at: Span) {
        let help = Some("everything else belongs to the `with` of a step".to_owned());
        let message = format!("`{key}` is literal, or exactly one `{{{{parameter}}}}`");
        self.cx.error(Code::NoTemplateHere, message, at, "", help);
    }

    fn param(&mut self, key: &str, name: &str, at: Span, wanted: &Wanted) -> Option<Piece> {
        let Some(param) = self.params.get(name) else {
            let help = did_you_mean(name, self.params.keys().map(String::as_str));
            self.cx.error(
                Code::UnknownParameter,
                format!("no parameter `{name}`"),
                at,
                "",
                help,
            );
            return None;
        };
        if !wanted.shapes.contains(&param.shape) {
            let words: Vec<_> = wanted
                .words
                .iter()
                .map(|word| format!("`{word}`"))
                .collect();
            let message = format!(
                "`{key}` takes a parameter of the type {}, and `{name}` is none",
                one_of(&words)
            );
            let help = Some(format!(
                "change the type of `{name}`, or name another parameter"
            ));
            self.cx.error(Code::Conflict, message, at, "", help);
            return None;
        }
        if param.secret && !wanted.secret {
            let help = Some("only what is written into the file may be a secret".to_owned());
            self.cx.error(
                Code::Conflict,
                format!("`{key}` is shown, and `{name}` is a secret"),
                at,
                "",
                help,
            );
            return None;
        }
        Some(Piece::Param(name.to_owned()))
    }
}
