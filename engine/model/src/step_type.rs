//! A step type as the plan stores it: what a `uses:` names, with everything that will run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Value;

/// A step type, loaded and checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepType {
    /// `podman.image`, the same as the stem of its file.
    pub name: String,
    /// One line.
    pub summary: String,
    /// More, as Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// `shipped`, `engine`, or the path of a file beside the runbook.
    pub origin: String,
    /// SHA-256 of the file's text, in hex; empty for the engine's own types.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// What it is able to do.
    pub kind: TypeKind,
    /// Parameters by name.
    pub params: BTreeMap<String, Param>,
    /// What must be true of them together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Outputs by name.
    #[serde(default)]
    pub outputs: BTreeMap<String, Output>,
    /// Resource keys that its check reads; `{{param}}` stands for a parameter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// Resource keys that its apply writes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
    /// A verdict must not be reused.
    #[serde(default)]
    pub volatile: bool,
    /// Its apply restarts the host, which is waited for as long as an apply may take; its checks after that have the boot
    /// id from before the first attempt since the step last ended well, as `before_boot`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restarts_host: bool,
    /// What settles an attempt whose effect is not known.
    #[serde(default)]
    pub in_doubt: InDoubt,
    /// Limit of one check, in milliseconds, unless the step says otherwise.
    pub check_timeout_ms: u64,
    /// Limit of one apply, in milliseconds, unless the step says otherwise.
    pub apply_timeout_ms: u64,
    /// A regular expression: lines of its output that say how far it is. What is shown is the first part in parentheses, or
    /// all that fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Piece>,
    /// The scripts.
    #[serde(default)]
    pub scripts: Scripts,
    /// The content of a file that the engine compares and swaps, instead of scripts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// Examples, each a title and the `with:` of a step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

/// Something that must be true of the parameters of a type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// A condition over `params`; it can be read.
    pub check: String,
    /// What to say when it is false.
    pub message: String,
}

/// What a type is able to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypeKind {
    /// Check and apply.
    Ordinary,
    /// Check only.
    Probe,
    /// Apply only: there is no meaningful check.
    Always,
    /// Waits for a human decision.
    Gate,
    /// Conditions evaluated on the controller.
    Assert,
    /// Writes what happened into the run's directory.
    Record,
    /// Moves a file from one host to another through the controller.
    Copy,
    /// Lets time pass.
    Wait,
}

/// What settles an attempt whose effect is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InDoubt {
    /// The check is able to tell.
    #[default]
    Check,
    /// Nobody but a person is able to tell.
    Ask,
}

/// The scripts of a type: POSIX `sh`, without templates.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Scripts {
    /// Functions that the others share.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub functions: String,
    /// Looks, changes nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub check: String,
    /// Changes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub apply: String,
    /// Takes the change back.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub undo: String,
}

/// The wanted content of a file. The engine reads what is there, compares, and swaps the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// The file.
    pub path: Piece,
    /// What is in it.
    #[serde(flatten)]
    pub what: What,
    /// Its owner, kept as it is unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Piece>,
    /// Its group, kept as it is unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Piece>,
    /// Its mode in octal digits, kept as it is unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Piece>,
    /// Whether a file that is there is left as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create_only: Option<Piece>,
    /// The words of a command that looks at the new file, `{}`, before it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validate: Option<Piece>,
}

/// One value of a content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// The same for every step.
    Literal(Value),
    /// The value of this parameter.
    Param(String),
    /// A map with such values in it.
    Map(BTreeMap<String, Piece>),
    /// A list with such values in it.
    List(Vec<Piece>),
}

/// What is in a file, or what changes in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Its whole text.
    Text(Piece),
    /// All of its YAML: these maps, the later over the earlier.
    Yaml(Vec<Piece>),
    /// Maps that are merged into its YAML, one after the other.
    MergeYaml(Vec<Piece>),
    /// Maps that are merged into its JSON, one after the other.
    MergeJson(Vec<Piece>),
    /// Maps of sections with keys that are set in its INI, one after the other.
    SetIni(Vec<Piece>),
    /// A line in it.
    Line(Line),
    /// Lines between two marks in it.
    Block(Block),
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The line, without its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Piece>,
    /// A regular expression for the line that it replaces, or for the lines that are taken out.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matching: Option<Piece>,
    /// Where a new one goes, and whether there should be one.
    #[serde(flatten)]
    pub place: InFile,
}

/// Lines of a file, between two marks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// The name in the marks.
    pub name: Piece,
    /// The lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Piece>,
    /// What the marks begin with, so that they are comments of the file; `#` unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<Piece>,
    /// Where a new one goes, and whether there should be one.
    #[serde(flatten)]
    pub place: InFile,
}

/// Where something new goes in a file, and whether it should be there at all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct InFile {
    /// A regular expression: below the last line that it matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Piece>,
    /// A regular expression: above the first line that it matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Piece>,
    /// `present`, unless it is `absent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Piece>,
}

/// The shape of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Any text.
    String,
    /// A whole number.
    Int,
    /// `true` or `false`.
    Bool,
    /// One of a few words.
    Enum,
    /// A path.
    Path,
    /// A length of time.
    Duration,
    /// A number of bytes.
    Size,
    /// A list of texts.
    List,
    /// Texts by name.
    Map,
    /// Anything.
    Json,
}

/// The schema of one parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Its shape.
    #[serde(rename = "type")]
    pub shape: Shape,
    /// It must be given.
    #[serde(default)]
    pub required: bool,
    /// What it is when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// A regular expression that the text matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The words of an enum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// It is never shown, stored or put on a command line.
    #[serde(default)]
    pub secret: bool,
    /// What a value of the shape [`Json`](Shape::Json) must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
}

/// What the value of a parameter must be, part by part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// The definition, as the language writes it down; nobody else reads it.
    pub definition: Arc<Value>,
    /// Its parts for people, in order.
    pub parts: Vec<SchemaPart>,
}

/// One part of a value, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaPart {
    /// Where it is: `storage.*[RadosGWStorage].hostname`.
    pub place: String,
    /// What it is: `string, required`.
    pub what: String,
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
}

/// The schema of one output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Its shape.
    #[serde(rename = "type")]
    pub shape: Shape,
    /// It is not journaled.
    #[serde(default)]
    pub secret: bool,
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
}

/// One example of a type's use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// What it shows.
    pub title: String,
    /// The `with:` of a step.
    pub with: BTreeMap<String, Value>,
}

impl StepType {
    /// Whether it gives secrets: what its scripts print may have them before anybody knows them.
    #[must_use]
    pub fn gives_secrets(&self) -> bool {
        self.outputs.values().any(|output| output.secret)
    }

    /// Whether something of what was there is kept on the host for the undo.
    #[must_use]
    pub fn keeps_for_undo(&self) -> bool {
        let scripts = &self.scripts;
        let texts = [&scripts.functions, &scripts.check, &scripts.apply];
        let keeps = |text: &&String| text.contains("before_file") || text.contains("keep_text");
        self.content.is_some() || texts.iter().any(keeps)
    }

    /// Whether the engine itself does this, without a script.
    #[must_use]
    pub fn is_engine(&self) -> bool {
        matches!(
            self.kind,
            TypeKind::Gate | TypeKind::Assert | TypeKind::Record | TypeKind::Copy | TypeKind::Wait
        )
    }
}
