//! The content of a file as a step type declares it: each value is literal, or exactly one
//! parameter. The engine does the rest, so such a type has no scripts.

use std::collections::BTreeMap;

use runbook_model::StepType;
use runbook_model::step_type::{Content, Output, Param, Part, Shape};

use crate::diagnostic::{Code, did_you_mean};
use crate::fields::{Cx, Fields, one_of};
use crate::keys::Section;
use crate::source::Span;
use crate::yaml::{Kind, Node};

/// What the engine gives for every content: name, shape, help.
const OUTPUTS: &[(&str, Shape, &str)] = &[
    ("path", Shape::String, "the file, as given"),
    (
        "sha256",
        Shape::String,
        "the digest of what is in the file, in hex; none of a secret text",
    ),
    (
        "existed",
        Shape::Bool,
        "whether the file was there before the first change",
    ),
    (
        "seen",
        Shape::String,
        "which version of the file was looked at: a change replaces no other",
    ),
];

/// Keys that do not go together with `content`, and why not.
const ALONE: &[(&str, &str)] = &[
    ("check", "the engine compares and swaps the file by itself"),
    ("apply", "the engine compares and swaps the file by itself"),
    ("undo", "the engine compares and swaps the file by itself"),
    ("functions", "there is no script that could call them"),
    ("probe", "a content is there to be written"),
    ("always", "the engine compares first"),
    (
        "outputs",
        "the engine gives `path`, `sha256`, `existed` and `seen`",
    ),
];

/// Reports keys that a type with a content cannot have.
pub(super) fn stands_alone(cx: &mut Cx<'_>, fields: &Fields<'_>) {
    for (key, why) in ALONE {
        if let Some(span) = fields.key_span(key) {
            let message = format!("a type with `content` has no `{key}`");
            cx.error(Code::Conflict, message, span, "", Some((*why).to_owned()));
        }
    }
}

/// Reads `content`, if the type has it.
pub(super) fn read(
    cx: &mut Cx<'_>,
    fields: &Fields<'_>,
    params: &BTreeMap<String, Param>,
) -> Option<Content> {
    let entry = fields.entry("content")?;
    let of = Fields::read(cx, Section::Content, &entry.value, entry.key.span)?;
    let later = ["merge_yaml", "merge_json", "set_ini", "line", "block"];
    let is_later = later.iter().any(|key| entry.value.get(key).is_some());
    if entry.value.get("text").is_none() && !is_later {
        let help = Some("Its whole text. Like `text: '{{text}}'`".to_owned());
        cx.error(
            Code::MissingKey,
            "`content` needs `text`",
            entry.key.span,
            "here",
            help,
        );
    }
    let mut reader = Reader { cx, params };
    let mut part =
        |key, wanted: &Wanted| of.node(key).and_then(|node| reader.part(key, node, wanted));
    let path = part("path", &PATH);
    let text = part("text", &TEXT);
    let (owner, group) = (part("owner", &WORD), part("group", &WORD));
    let mode = part("mode", &MODE);
    let create_only = part("create_only", &FLAG);
    let validate = part("validate", &COMMAND);
    Some(Content {
        path: path?,
        text: text?,
        owner,
        group,
        mode,
        create_only,
        validate,
    })
}

/// What a value may be.
struct Wanted {
    /// Shapes of a parameter.
    shapes: &'static [Shape],
    /// Words for them.
    words: &'static [&'static str],
    /// Why a literal is not one, if it is not.
    literal: fn(&Node) -> Option<&'static str>,
    /// A secret parameter may be used.
    secret: bool,
}

const PATH: Wanted = Wanted {
    shapes: &[Shape::Path],
    words: &["path"],
    literal: path,
    secret: false,
};
const TEXT: Wanted = Wanted {
    shapes: &[Shape::String],
    words: &["string"],
    literal: |_| None,
    secret: true,
};
const WORD: Wanted = Wanted {
    shapes: &[Shape::String, Shape::Enum],
    words: &["string", "enum"],
    literal: |_| None,
    secret: false,
};
const MODE: Wanted = Wanted {
    literal: mode,
    ..WORD
};
const FLAG: Wanted = Wanted {
    shapes: &[Shape::Bool],
    words: &["bool"],
    literal: flag,
    secret: false,
};
const COMMAND: Wanted = Wanted {
    shapes: &[Shape::List],
    words: &["list"],
    literal: command,
    secret: false,
};

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

struct Reader<'a, 'c> {
    cx: &'a mut Cx<'c>,
    params: &'a BTreeMap<String, Param>,
}

impl Reader<'_, '_> {
    fn part(&mut self, key: &str, node: &Node, wanted: &Wanted) -> Option<Part> {
        if node.has_error() {
            return None;
        }
        if let Some(name) = node.as_str().and_then(parameter) {
            return self.param(key, name, node.site(), wanted);
        }
        if node.has_template() {
            let help = Some("everything else belongs to the `with` of a step".to_owned());
            let message = format!("`{key}` is literal, or exactly one `{{{{parameter}}}}`");
            self.cx
                .error(Code::NoTemplateHere, message, node.site(), "", help);
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
        Some(Part::Literal(node.to_value()))
    }

    fn param(&mut self, key: &str, name: &str, at: Span, wanted: &Wanted) -> Option<Part> {
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
            self.cx.error(Code::Conflict, message, at, "", None);
            return None;
        }
        if param.secret && !wanted.secret {
            let help = Some("only `text` may be a secret".to_owned());
            self.cx.error(
                Code::Conflict,
                format!("`{key}` is shown, and `{name}` is a secret"),
                at,
                "",
                help,
            );
            return None;
        }
        Some(Part::Param(name.to_owned()))
    }
}

/// Adds what follows from a content: the outputs, and the resource key of the file.
pub(super) fn describe(step_type: &mut StepType) {
    let Some(content) = &step_type.content else {
        return;
    };
    let key = match &content.path {
        Part::Param(name) => format!("file:{{{{{name}}}}}"),
        Part::Literal(path) => format!("file:{}", path.as_str().unwrap_or_default()),
    };
    if !step_type.writes.contains(&key) {
        step_type.writes.push(key);
    }
    for (name, shape, help) in OUTPUTS {
        let output = Output {
            shape: *shape,
            secret: false,
            help: (*help).to_owned(),
        };
        step_type.outputs.insert((*name).to_owned(), output);
    }
}
