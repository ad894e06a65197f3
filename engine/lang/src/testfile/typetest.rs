//! Tests of a step type, under `tests:` in its file.

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::step_type::{StepType, TypeKind};
use serde_json::Value;

use super::{Glob, Words, commands, texts_of, words};
use crate::diagnostic::{Code, Diagnostics, did_you_mean};
use crate::fields::{Cx, Fields};
use crate::keys::Section;
use crate::source::{Source, Span, Spanned};
use crate::steptype::check_params;
use crate::yaml::{self, Entry, Node};

/// What a check says, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// Wanted state is there.
    Satisfied,
    /// It is not.
    Differs,
    /// It does not apply here.
    Skipped,
    /// There is no verdict.
    Error,
}

impl Said {
    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Satisfied => "satisfied",
            Self::Differs => "differs",
            Self::Skipped => "skipped",
            Self::Error => "error",
        }
    }

    pub(super) fn read(word: &str) -> Option<Self> {
        [Self::Satisfied, Self::Differs, Self::Skipped, Self::Error]
            .into_iter()
            .find(|said| said.word() == word)
    }
}

/// What a command says.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The call, with what it gets as input.
    pub run: Words,
    /// What it prints.
    pub stdout: String,
    /// What it prints as an error.
    pub stderr: String,
    /// How it ends.
    pub status: u8,
    /// Files that it writes.
    pub writes: BTreeMap<String, String>,
    /// The fact that is true from then on.
    pub sets: Option<String>,
    /// It answers only if this is true.
    pub after: Option<String>,
    /// It answers only if this is not true.
    pub until: Option<String>,
}

impl Answer {
    /// Whether the command changes something. `sleep` only lets time pass, so that others may.
    #[must_use]
    pub fn changes(&self) -> bool {
        (self.sets.is_some() && self.run.name() != "sleep") || !self.writes.is_empty()
    }
}

/// A test.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeTest {
    /// What it shows.
    pub title: Spanned<String>,
    /// The parameters.
    pub with: BTreeMap<String, Value>,
    /// The parameters are wrong, and nothing runs.
    pub refused: bool,
    /// Files before; none as the text is a directory.
    pub files: BTreeMap<String, Option<String>>,
    /// Commands that are there and say nothing.
    pub commands: Vec<String>,
    /// What commands say.
    pub answers: Vec<Answer>,
    /// What the check says; nothing for a type without one.
    pub check: Option<Said>,
    /// The reasons, if they are looked at.
    pub reasons: Option<Vec<String>>,
    /// Outputs that are looked at.
    pub outputs: BTreeMap<String, Value>,
    /// A part of the error.
    pub fails: Option<String>,
    /// Whether apply may run.
    pub apply: bool,
    /// The commands of the apply, if they are looked at.
    pub applies: Option<Vec<Words>>,
    /// What the check says after the apply.
    pub then: Said,
    /// The commands of the undo, if it is tried.
    pub undoes: Option<Vec<Words>>,
    /// Files at the end; none is one that is not there.
    pub becomes: BTreeMap<String, Option<String>>,
    /// Modes of files at the end.
    pub modes: BTreeMap<String, u32>,
    /// Commands that the type can do without, and why.
    pub optional: BTreeMap<String, String>,
    /// It runs on a real host only.
    pub real: bool,
}

impl TypeTest {
    /// Every command that is there.
    #[must_use]
    pub fn named(&self) -> BTreeSet<&str> {
        let answering = self.answers.iter().map(|answer| answer.run.name());
        answering
            .chain(self.commands.iter().map(String::as_str))
            .collect()
    }
}

/// Reads the tests of a type from its file.
pub fn parse_tests(step_type: &StepType, source: &Source) -> (Vec<TypeTest>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let tree = yaml::read(source, &mut diagnostics);
    let at = tree.as_map().and_then(|e| e.first()).map(|e| e.key.span);
    let mut cx = Cx::new(source, &mut diagnostics);
    let mut tests: Vec<TypeTest> = Vec::new();
    if let Some(fields) = Fields::read(&mut cx, Section::Type, &tree, at.unwrap_or_default()) {
        for item in fields.items("tests") {
            let Some(test) = test(&mut cx, step_type, item) else {
                continue;
            };
            match tests.iter().find(|t| t.title.value == test.title.value) {
                Some(first) => cx.twice(
                    "the test",
                    &test.title.value,
                    test.title.span,
                    first.title.span,
                ),
                None => tests.push(test),
            }
        }
    }
    diagnostics.sort();
    (tests, diagnostics)
}

fn test(cx: &mut Cx<'_>, step_type: &StepType, node: &Node) -> Option<TypeTest> {
    let at = first_key(node);
    let fields = Fields::read(cx, Section::TypeTest, node, at)?;
    let title = fields.text("test")?;
    let with: Vec<Entry> = fields.map("with").into_iter().cloned().collect();
    let with_at = fields.key_span("with").unwrap_or(at);
    let refused = fields.key_span("refused");
    match refused {
        Some(at) => refuses(
            cx,
            step_type,
            &with,
            with_at,
            &plain(fields.texts("refused")),
            at,
        ),
        None => check_params(step_type, &with, with_at, cx.source, cx.diagnostics),
    }
    fits_kind(cx, step_type, &fields, at);
    for (name, _) in super::values(&fields, "outputs") {
        if !step_type.outputs.contains_key(&name.value) {
            let help = did_you_mean(&name.value, step_type.outputs.keys().map(String::as_str));
            let message = format!("`{}` has no output `{}`", step_type.name, name.value);
            cx.error(Code::UnknownName, message, name.span, "", help);
        }
    }
    let mut written = Vec::new();
    for item in fields.items("answers") {
        flatten(item, &mut written);
    }
    let answers: Vec<Answer> = written.iter().filter_map(|item| answer(cx, item)).collect();
    facts_are_set(cx, &written, &answers);
    let said = |name| fields.text(name).and_then(|word| Said::read(&word.value));
    Some(TypeTest {
        title,
        with: with
            .iter()
            .map(|e| (e.key.value.clone(), e.value.to_value()))
            .collect(),
        refused: refused.is_some(),
        files: files(cx, &fields, "files"),
        commands: commands(cx, &fields, "commands"),
        answers,
        check: said("check"),
        reasons: fields
            .entry("reasons")
            .map(|_| plain(fields.texts("reasons"))),
        outputs: super::values(&fields, "outputs")
            .into_iter()
            .map(|(name, value)| (name.value, value))
            .collect(),
        fails: fields.text("fails").map(|text| text.value),
        apply: fields.bool("apply").unwrap_or(true),
        applies: calls(cx, &fields, "applies"),
        then: said("then").unwrap_or(Said::Satisfied),
        undoes: calls(cx, &fields, "undoes"),
        becomes: files(cx, &fields, "becomes"),
        modes: modes(cx, &fields),
        optional: fields
            .map("optional")
            .into_iter()
            .filter_map(|e| Some((e.key.value.clone(), e.value.as_str()?.to_owned())))
            .collect(),
        real: fields.bool("real").unwrap_or(false),
    })
}

/// The parameters of a test must be refused with these messages.
fn refuses(
    cx: &mut Cx<'_>,
    step_type: &StepType,
    with: &[Entry],
    with_at: Span,
    wanted: &[String],
    at: Span,
) {
    let mut found = Diagnostics::new();
    check_params(step_type, with, with_at, cx.source, &mut found);
    found.sort();
    let messages: Vec<_> = found.iter().map(|d| d.message.clone()).collect();
    let same = messages.len() == wanted.len()
        && messages
            .iter()
            .zip(wanted)
            .all(|(is, part)| is.contains(part));
    if !same || wanted.is_empty() {
        let message = match messages.as_slice() {
            [] => "nothing is wrong with these parameters".to_owned(),
            some => format!("what is wrong with these parameters: {}", some.join("; ")),
        };
        cx.error(Code::BadValue, message, at, "here", None);
    }
}

/// What is expected must be something that a type of this kind can do.
fn fits_kind(cx: &mut Cx<'_>, step_type: &StepType, fields: &Fields<'_>, at: Span) {
    let real = fields.bool("real").unwrap_or(false);
    let refused = fields.entry("refused").is_some();
    let mut refuse = |names: &[&str], why: &str| {
        for (name, span) in names.iter().filter_map(|n| Some((n, fields.key_span(n)?))) {
            let help = Some(format!("leave `{name}` out"));
            cx.error(
                Code::Conflict,
                format!("{why} has no `{name}`"),
                span,
                "",
                help,
            );
        }
    };
    if real {
        refuse(
            &[
                "files", "commands", "answers", "applies", "undoes", "becomes", "modes", "optional",
            ],
            "a test on a real host",
        );
    }
    if refused {
        refuse(
            &[
                "files", "commands", "answers", "check", "reasons", "outputs", "fails", "apply",
                "applies", "then", "undoes", "becomes", "modes", "optional", "real",
            ],
            "a test of refused parameters",
        );
        return;
    }
    match step_type.kind {
        TypeKind::Probe => refuse(&["apply", "applies", "then", "undoes"], "a test of a probe"),
        TypeKind::Always => refuse(
            &["check", "reasons", "apply", "then"],
            "a test of a type that runs `always`",
        ),
        _ => {}
    }
    if step_type.scripts.undo.is_empty() {
        refuse(&["undoes"], "a test of a type without `undo`");
    }
    if step_type.kind != TypeKind::Always && fields.entry("check").is_none() && !fields.incomplete {
        let help = Some("a test says what the check must say: `check: satisfied`".to_owned());
        cx.error(Code::MissingKey, "a test needs `check`", at, "here", help);
    }
}

/// A condition on a fact that nothing sets would silently never hold, or always.
fn facts_are_set(cx: &mut Cx<'_>, written: &[&Node], answers: &[Answer]) {
    let set: BTreeSet<&str> = answers.iter().filter_map(|a| a.sets.as_deref()).collect();
    for item in written {
        for key in ["after", "until"] {
            let Some(node) = item.get(key) else { continue };
            let Some(name) = node.as_str().filter(|name| !set.contains(name)) else {
                continue;
            };
            let help = did_you_mean(name, set.iter().copied())
                .or_else(|| Some(format!("one of the answers has `sets: {name}`")));
            let message = format!("no answer sets the fact `{name}`");
            cx.error(Code::UnknownName, message, node.site(), "", help);
        }
    }
}

/// Answers, those in lists too.
fn flatten<'n>(node: &'n Node, found: &mut Vec<&'n Node>) {
    match node.as_seq() {
        Some(items) => items.iter().for_each(|item| flatten(item, found)),
        None => found.push(node),
    }
}

fn answer(cx: &mut Cx<'_>, node: &Node) -> Option<Answer> {
    let fields = Fields::read(cx, Section::Answer, node, first_key(node))?;
    let label = |name| {
        let text = fields.text(name).map(|t| t.value).unwrap_or_default();
        if text.is_empty() || text.ends_with('\n') {
            text
        } else {
            text + "\n"
        }
    };
    let name = |name| fields.text(name).map(|t| t.value);
    let mut stdout = label("stdout");
    if let Some(node) = fields.node("words") {
        let words = texts_of(cx, node).into_iter();
        stdout = words.map(|word| word + "\0").collect::<String>() + "\n";
    }
    if let (Some(span), true) = (fields.key_span("words"), fields.entry("stdout").is_some()) {
        cx.error(
            Code::Conflict,
            "an answer has `stdout` or `words`",
            span,
            "",
            None,
        );
    }
    let status = fields.int("status").map_or(0, |n| n.value);
    let writes = files(cx, &fields, "writes");
    let mut run = words(cx, fields.node("run")?)?;
    run.input = fields.text("stdin").map(|t| Glob(t.value)).or(run.input);
    Some(Answer {
        run,
        stdout,
        stderr: label("stderr"),
        status: u8::try_from(status).unwrap_or(u8::MAX),
        writes: writes
            .into_iter()
            .map(|(name, text)| (name, text.unwrap_or_default()))
            .collect(),
        sets: name("sets"),
        after: name("after"),
        until: name("until"),
    })
}

/// The commands of `applies` and `undoes`.
fn calls(cx: &mut Cx<'_>, fields: &Fields<'_>, key: &str) -> Option<Vec<Words>> {
    fields.entry(key)?;
    let calls = fields.items(key);
    Some(
        calls
            .into_iter()
            .filter_map(|call| words(cx, call))
            .collect(),
    )
}

/// Files by name, in the directory of the test.
fn files(cx: &mut Cx<'_>, fields: &Fields<'_>, key: &str) -> BTreeMap<String, Option<String>> {
    let mut files = BTreeMap::new();
    for entry in fields.map(key) {
        let name = &entry.key.value;
        if !is_inside(name) {
            let help = Some("a file is named from there, like `etc/motd`".to_owned());
            let message = format!("`{name}` is not in the directory of the test");
            cx.error(Code::BadValue, message, entry.key.span, "", help);
            continue;
        }
        let value = &entry.value;
        match value.as_str() {
            Some(text) if !name.ends_with('/') => {
                _ = files.insert(name.clone(), Some(text.to_owned()))
            }
            None if value.is_null() => _ = files.insert(name.clone(), None),
            _ => cx.error(
                Code::WrongType,
                format!("`{name}` is a text, or nothing"),
                value.site(),
                "",
                None,
            ),
        }
    }
    files
}

fn is_inside(name: &str) -> bool {
    let name = name.strip_suffix('/').unwrap_or(name);
    !name.contains('\0') && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn modes(cx: &mut Cx<'_>, fields: &Fields<'_>) -> BTreeMap<String, u32> {
    let mut modes = BTreeMap::new();
    for entry in fields.map("modes") {
        let mode = entry.value.as_str().unwrap_or_default();
        match u32::from_str_radix(mode, 8)
            .ok()
            .filter(|mode| *mode <= 0o7777)
        {
            Some(mode) if is_inside(&entry.key.value) => {
                _ = modes.insert(entry.key.value.clone(), mode)
            }
            _ => cx.error(
                Code::BadValue,
                "a mode is octal digits in quotes, of a file in the directory of the test",
                entry.value.site(),
                "",
                None,
            ),
        }
    }
    modes
}

pub(super) fn plain(texts: Vec<Spanned<String>>) -> Vec<String> {
    texts.into_iter().map(|text| text.value).collect()
}

/// Where a missing key of a map is reported.
pub(super) fn first_key(node: &Node) -> Span {
    node.as_map()
        .and_then(|e| e.first())
        .map_or(node.site(), |e| e.key.span)
}
