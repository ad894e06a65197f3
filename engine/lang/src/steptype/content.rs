//! The content of a file as a step type declares it: its whole text, or one change to what is
//! there. The engine does the rest, so such a type has no scripts.

mod piece;

use std::collections::BTreeMap;

use runbook_model::StepType;
use runbook_model::step_type::{Block, Content, InFile, Line, Output, Param, Piece, Shape, What};

use crate::diagnostic::Code;
use crate::fields::{Cx, Fields};
use crate::keys::Section;
use crate::yaml::{Entry, Key};
use piece::{COMMAND, FLAG, LINE, MODE, NAME, PATH, PATTERN, Reader, STATE, TEXT, WORD, Wanted};

/// What may be in a file: one of these.
const WHATS: &[&str] = &[
    "text",
    "yaml",
    "merge_yaml",
    "merge_json",
    "set_ini",
    "line",
    "block",
];

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
    ("progress", "there is no output"),
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
    exactly_one(cx, &entry.key, entry.value.as_map().unwrap_or_default());
    let mut reader = Reader { cx, params };
    let path = piece(&mut reader, &of, "path", &PATH);
    let what = what(&mut reader, &of);
    let (owner, group) = (
        piece(&mut reader, &of, "owner", &WORD),
        piece(&mut reader, &of, "group", &WORD),
    );
    let mode = piece(&mut reader, &of, "mode", &MODE);
    let create_only = piece(&mut reader, &of, "create_only", &FLAG);
    let validate = piece(&mut reader, &of, "validate", &COMMAND);
    Some(Content {
        path: path?,
        what: what?,
        owner,
        group,
        mode,
        create_only,
        validate,
    })
}

/// Reports a content that says nothing, or two things, of what is in the file.
fn exactly_one(cx: &mut Cx<'_>, content: &Key, entries: &[Entry]) {
    let is_what = |e: &&Entry| WHATS.contains(&e.key.value.as_str());
    let mut given = entries.iter().filter(is_what);
    let Some(first) = given.next() else {
        let help = Some(
            "Its whole text, like `text: '{{text}}'`, or all of its `yaml`, or a change to what is there: `merge_yaml`, `merge_json`, `set_ini`, `line` or `block`"
                .to_owned(),
        );
        let message = "`content` does not say what is in the file";
        return cx.error(Code::MissingKey, message, content.span, "here", help);
    };
    for other in given {
        let message = format!(
            "`{}` and `{}` do not go together in one content",
            first.key.value, other.key.value
        );
        let help = Some("two ways to one file would not agree: make it two types".to_owned());
        cx.error(Code::Conflict, message, other.key.span, "", help);
    }
}

/// Reads `progress`, if the type has it: a pattern, or the parameter that is one.
pub(super) fn progress(
    cx: &mut Cx<'_>,
    fields: &Fields<'_>,
    params: &BTreeMap<String, Param>,
) -> Option<Piece> {
    let node = fields.node("progress")?;
    Reader { cx, params }.piece("progress", node, &PATTERN)
}

fn piece(
    reader: &mut Reader<'_, '_>,
    of: &Fields<'_>,
    key: &str,
    wanted: &Wanted,
) -> Option<Piece> {
    of.node(key)
        .and_then(|node| reader.piece(key, node, wanted))
}

/// What is in the file; none if something is wrong with it.
fn what(reader: &mut Reader<'_, '_>, of: &Fields<'_>) -> Option<What> {
    let maps = |reader: &mut Reader<'_, '_>, key: &str| reader.maps(key, of.node(key)?);
    if let Some(node) = of.node("text") {
        return reader.first_of("text", node, &TEXT).map(What::Text);
    }
    if let Some(entry) = of.entry("line") {
        return line(reader, entry);
    }
    if let Some(entry) = of.entry("block") {
        return block(reader, entry);
    }
    maps(reader, "yaml")
        .map(What::Yaml)
        .or_else(|| maps(reader, "merge_yaml").map(What::MergeYaml))
        .or_else(|| maps(reader, "merge_json").map(What::MergeJson))
        .or_else(|| maps(reader, "set_ini").map(What::SetIni))
}

fn line(reader: &mut Reader<'_, '_>, entry: &Entry) -> Option<What> {
    let of = Fields::read(reader.cx, Section::Line, &entry.value, entry.key.span)?;
    if of.node("text").is_none() && of.node("match").is_none() {
        let help = Some("Like `text: '{{text}}'`".to_owned());
        let message = "`line` needs `text`, or `match` where it is only taken out";
        reader
            .cx
            .error(Code::MissingKey, message, entry.key.span, "here", help);
        return None;
    }
    Some(What::Line(Line {
        text: piece(reader, &of, "text", &LINE),
        matching: piece(reader, &of, "match", &PATTERN),
        place: place(reader, &of),
    }))
}

fn block(reader: &mut Reader<'_, '_>, entry: &Entry) -> Option<What> {
    let of = Fields::read(reader.cx, Section::Block, &entry.value, entry.key.span)?;
    let name = piece(reader, &of, "name", &NAME);
    let text = piece(reader, &of, "text", &TEXT);
    let comment = piece(reader, &of, "comment", &WORD);
    let place = place(reader, &of);
    Some(What::Block(Block {
        name: name?,
        text,
        comment,
        place,
    }))
}

fn place(reader: &mut Reader<'_, '_>, of: &Fields<'_>) -> InFile {
    let literal = |key| of.node(key).is_some_and(|node| !node.has_template());
    if let (true, true, Some(span)) = (literal("after"), literal("before"), of.key_span("before")) {
        let message = "`after` and `before` do not go together";
        let help = Some("leave one of them out".to_owned());
        reader.cx.error(Code::Conflict, message, span, "", help);
    }
    InFile {
        after: piece(reader, of, "after", &PATTERN),
        before: piece(reader, of, "before", &PATTERN),
        state: piece(reader, of, "state", &STATE),
    }
}

/// Adds what follows from a content: the outputs, and the resource key of the file.
pub(super) fn describe(step_type: &mut StepType) {
    let Some(content) = &step_type.content else {
        return;
    };
    let key = match &content.path {
        Piece::Param(name) => format!("file:{{{{{name}}}}}"),
        Piece::Literal(path) => format!("file:{}", path.as_str().unwrap_or_default()),
        Piece::Map(_) | Piece::List(_) => return,
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
