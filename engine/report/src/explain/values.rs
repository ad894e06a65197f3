//! Where each value comes from: a text, what it is now, and below it what it reads, down to who
//! says so.

use runbook_model::secret::SecretSource;
use runbook_model::step_type::Param;
use runbook_model::text::printable;
use runbook_model::trace::{From, Known, Read, Text};
use runbook_model::{NodeIx, Plan, Value};

use super::Explain;
use crate::plan::who::host_names;
use crate::text::{names, value_text};

/// Instances of one value that are named; the rest is counted.
const NAMES: usize = 12;
/// What a text reads is shown so deep.
const DEEPEST: usize = 12;

impl Explain<'_> {
    pub(super) fn values(&mut self) {
        let defaults: Vec<(String, Param)> = match self.step_type() {
            Some(t) => t
                .params
                .iter()
                .filter(|(name, _)| !self.step.with.contains_key(*name))
                .map(|(name, param)| (name.clone(), param.clone()))
                .collect(),
            None => Vec::new(),
        };
        let trace = self.of.trace;
        if trace.arguments.is_empty() && defaults.is_empty() {
            return;
        }
        self.title("what it is given");
        for text in &trace.arguments {
            self::text(self, text);
        }
        let mut nothing = Vec::new();
        for (name, param) in &defaults {
            match &param.default {
                Some(Value::String(text)) if text.is_empty() => nothing.push(printable(name)),
                Some(default) if !param.secret => {
                    let line = format!(
                        "{}: {} (default of the type)",
                        printable(name),
                        value_text(default)
                    );
                    self.line(2, &line);
                }
                _ => nothing.push(printable(name)),
            }
        }
        if !nothing.is_empty() {
            let line = format!("not given: {}", nothing.join(", "));
            self.line(2, &line);
        }
    }
}

/// One text with its values and what it reads.
pub(super) fn text(to: &mut Explain<'_>, text: &Text) {
    let place = match text.place {
        Some(place) => format!("  [{}]", crate::plan::place(to.plan, place)),
        None => String::new(),
    };
    let secret = text.values.iter().any(|(_, v)| *v == Known::Secret) && text.reads.is_empty();
    let written = match secret {
        true => "(secret)".to_owned(),
        false => value_text(&text.written),
    };
    to.line(2, &format!("{}: {written}{place}", printable(&text.what)));
    let as_written = |(_, value): &(Vec<NodeIx>, Known)| match value {
        Known::Value(value) => *value == text.written,
        Known::Secret => secret,
        Known::Later => false,
    };
    if text.reads.is_empty() && text.values.iter().all(as_written) {
        return;
    }
    let values: Vec<(String, String)> = text
        .values
        .iter()
        .map(|(nodes, value)| (known(value), labels(to, nodes)))
        .filter(|(_, labels)| !labels.is_empty())
        .collect();
    for (value, labels) in &values {
        let line = match values.len() {
            1 => format!("= {value}"),
            _ => format!("= {value} ({labels})"),
        };
        to.line(6, &line);
    }
    for read in &text.reads {
        self::read(to, read, 6, 0);
    }
}

fn read(to: &mut Explain<'_>, read: &Read, indent: usize, depth: usize) {
    let hosts = match read.hosts.is_empty() {
        true => String::new(),
        false => format!(" of {}", host_names(read.hosts.iter())),
    };
    let (from, shows) = from(to.plan, &read.from);
    let value = match (shows, &read.value) {
        (true, value @ (Known::Value(_) | Known::Secret)) => format!(" = {}", known(value)),
        _ => String::new(),
    };
    let place = match read.place {
        Some(place) => format!(" [{}]", crate::plan::place(to.plan, place)),
        None => String::new(),
    };
    let path = printable(&read.path);
    to.line(indent, &format!("{path}{hosts}{value}: {from}{place}"));
    if depth < DEEPEST {
        for below in &read.reads {
            self::read(to, below, indent + 2, depth + 1);
        }
    }
}

fn known(value: &Known) -> String {
    match value {
        Known::Value(Value::String(text)) if text.is_empty() => "(empty)".into(),
        Known::Value(value) => value_text(value),
        Known::Secret => "(secret)".into(),
        Known::Later => "known later".into(),
    }
}

/// Who says it, and whether the value belongs beside that.
fn from(plan: &Plan, from: &From) -> (String, bool) {
    let text = match from {
        From::Option => "given on the command line".into(),
        From::File => "given in the file of inputs".into(),
        From::Default => "the default of the input".into(),
        From::Import => "given by the import".into(),
        From::Secret(source) => format!("a secret, {}", secret(source)),
        From::Missing => "an input that is not given".into(),
        From::Variable => "a variable of the runbook".into(),
        From::Host => "said at the host".into(),
        From::Group(group) => format!("said at the group `{}`", printable(group)),
        From::All => "said for all hosts".into(),
        From::GroupDefault(group) => {
            format!("the runbook's default for the group `{}`", printable(group))
        }
        From::Inventory => "said in the inventory".into(),
        From::Itself => "the host itself".into(),
        From::Groups => "the inventory's groups".into(),
        From::Item => "the item that the instance is for".into(),
        From::Window => "the window of the run".into(),
        From::Run => "known when a run begins".into(),
        From::Own => "its own outputs, known when it has looked".into(),
        From::Output(step) => {
            let secret = match plan.step(step) {
                Some(_) => "",
                None => " (there is none)",
            };
            format!("an output of `{step}`{secret}, known when that has ended")
        }
        From::State(step) => format!("what becomes of `{step}`, known when that has ended"),
        From::Unknown => "not known here".into(),
    };
    let shows = !matches!(from, From::Groups | From::Secret(_) | From::Missing);
    (text, shows)
}

/// Where a secret is read from, without the secret.
fn secret(source: &SecretSource) -> String {
    match source {
        SecretSource::Env(name) => format!("read from the variable {}", printable(name)),
        SecretSource::File(path) => format!("read from the file {}", printable(path)),
        SecretSource::Command(words) => {
            let program = words.first().map(|w| printable(w).into_owned());
            format!("printed by {}", program.unwrap_or_default())
        }
        SecretSource::Age(path) => format!("read from {}, opened with age", printable(path)),
        SecretSource::Prompt => "asked at the terminal".into(),
        SecretSource::Generated(_) => "what hosts have, what is stored, or made by the run".into(),
    }
}

fn labels(to: &Explain<'_>, nodes: &[NodeIx]) -> String {
    let all: Vec<String> = to
        .all
        .iter()
        .filter(|who| nodes.contains(&who.node))
        .map(super::Who::label)
        .collect();
    names(&all, NAMES)
}
