//! Where the values of a step come from: every text of it with what it reads, led back to inputs,
//! variables and the inventory. Reads the plan and the texts that it was compiled from, no host.

mod imports;
mod origin;
mod values;
mod written;

use std::collections::BTreeSet;

use runbook_model::step::{Expr, Place};
use runbook_model::trace::{Text, Trace};
use runbook_model::{NodeIx, NodeKind, Plan, Step, StepIx, Value};

use crate::condition::Condition;
use crate::scope::{Reference, Segment, path_text};
use crate::steptype::ASSERT;
use crate::template::Template;
use crate::yaml::Node;

use imports::ROOT;
use origin::Origins;
use values::Values;
use written::{Site, Written};

/// What was given on the command line; a plan does not say so.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Inputs that options name.
    pub options: BTreeSet<String>,
    /// The file of inputs, as it is named among the sources.
    pub file: Option<String>,
}

/// Leads every text of a step back to where its values come from: of all its instances, or of some.
#[must_use]
pub fn step(plan: &Plan, wanted: StepIx, only: &[NodeIx], given: &Given) -> Trace {
    let Some(step) = plan.steps.get(wanted.at()) else {
        return Trace::default();
    };
    let written = Written::new(plan);
    let instances: Vec<NodeIx> = plan
        .nodes
        .iter()
        .zip(0u32..)
        .filter(|(n, _)| matches!(&n.kind, NodeKind::Instance { step, .. } if *step == wanted))
        .map(|(_, at)| NodeIx(at))
        .filter(|node| only.is_empty() || only.contains(node))
        .collect();
    let origins = Origins::new(plan, &written, given);
    let site = written.step(step.place);
    let own = site.as_ref().and_then(Site::id);
    let branch = own.map_or(ROOT, |own| {
        origins.imports().of_step(step.id.as_str(), own, step.place)
    });
    let tracer = Tracer {
        plan,
        step,
        instances,
        values: Values::new(plan),
        origins,
        site,
        branch,
    };
    Trace {
        selectors: tracer.selectors(&written),
        arguments: tracer.arguments(&written),
        conditions: tracer.conditions(),
    }
}

/// How a text is read.
#[derive(Clone, Copy, PartialEq)]
enum Language {
    Template,
    Condition,
    /// As it stands.
    Plain,
}

struct Tracer<'a> {
    plan: &'a Plan,
    step: &'a Step,
    instances: Vec<NodeIx>,
    values: Values<'a>,
    origins: Origins<'a>,
    /// Where the step is written, and in which of the runbooks.
    site: Option<Site<'a>>,
    branch: usize,
}

/// A text of the plan.
struct Planned {
    value: Value,
    place: Option<Place>,
    language: Language,
    secret: bool,
}

impl Tracer<'_> {
    fn selectors(&self, written: &Written) -> Vec<Text> {
        let Some(site) = &self.site else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for (what, node) in site.selectors() {
            let value = node.to_value();
            let language = match value {
                Value::String(_) => Language::Template,
                _ => Language::Plain,
            };
            let planned = Planned {
                value: self.in_whole(&value),
                place: Some(written.place(node)),
                language,
                secret: false,
            };
            out.push(self.text(&what, planned, Some(value)));
        }
        out
    }

    /// A selector with the names of the whole: the plan keeps only what it came to.
    fn in_whole(&self, written: &Value) -> Value {
        let Value::String(text) = written else {
            return written.clone();
        };
        let Ok(template) = Template::parse(text) else {
            return written.clone();
        };
        let mut out = text.clone();
        // From the end, so that places before it stay.
        let mut all: Vec<&Reference> = template.references().iter().collect();
        all.sort_by_key(|reference| std::cmp::Reverse(reference.range.start));
        all.dedup_by_key(|reference| reference.range.clone());
        for reference in all {
            let imports = self.origins.imports();
            let whole = imports.whole(self.plan, self.branch, &reference.path);
            // A name inside a block is led back to what the block is at, which is written elsewhere.
            let part = out.get(reference.range.clone());
            let is_path = part.is_some_and(|part| part.starts_with(reference.root()));
            if whole != reference.path && is_path {
                out.replace_range(reference.range.clone(), &path_text(&whole));
            }
        }
        Value::String(out)
    }

    fn arguments(&self, written: &Written) -> Vec<Text> {
        let step_type = self.plan.type_of(self.step);
        let mut out = Vec::new();
        for (name, value) in &self.step.with {
            let place = self.step.with_places.get(name).copied();
            if self.step.uses == ASSERT && name == "all" {
                self.checks(value, place, written, &mut out);
                continue;
            }
            let secret = step_type
                .and_then(|t| t.params.get(name))
                .is_some_and(|param| param.secret);
            let planned = Planned {
                value: value.clone(),
                place,
                language: Language::Template,
                secret,
            };
            let node = self.site.as_ref().and_then(|site| site.argument(name));
            out.push(self.text(name, planned, node.map(Node::to_value)));
        }
        out
    }

    /// The conditions of an assert, each at its own place.
    fn checks(&self, all: &Value, place: Option<Place>, written: &Written, out: &mut Vec<Text>) {
        let site = self.site.as_ref();
        let nodes = site.and_then(|site| site.argument("all")?.as_seq());
        let nodes = nodes.unwrap_or_default();
        for (at, entry) in all.as_array().into_iter().flatten().enumerate() {
            for (key, language) in [
                ("check", Language::Condition),
                ("message", Language::Template),
            ] {
                let Some(text) = entry.get(key) else { continue };
                let node = nodes.get(at).and_then(|node| node.get(key));
                let place = node.map(|node| written.place(node)).or(place);
                let what = format!("{key} {}", at + 1);
                let planned = Planned {
                    value: text.clone(),
                    place,
                    language,
                    secret: false,
                };
                out.push(self.text(&what, planned, node.map(Node::to_value)));
            }
        }
    }

    fn conditions(&self) -> Vec<Text> {
        let phase = self.plan.phases.get(self.step.phase as usize);
        let fatal = self.step.until.as_ref().and_then(|u| u.fatal.as_ref());
        let all: [(&str, Option<&Expr>, Language); 7] = [
            ("when", self.step.when.as_ref(), Language::Condition),
            (
                "phase when",
                phase.and_then(|p| p.when.as_ref()),
                Language::Condition,
            ),
            (
                "done_when",
                self.plan.done_when.as_ref(),
                Language::Condition,
            ),
            ("expect", self.step.expect.as_ref(), Language::Condition),
            ("until fatal", fatal, Language::Condition),
            ("chdir", self.step.chdir.as_ref(), Language::Template),
            (
                "no_return",
                self.step.no_return.as_ref(),
                Language::Template,
            ),
        ];
        all.into_iter()
            .filter_map(|(what, expr, language)| {
                let expr = expr?;
                let planned = Planned {
                    value: Value::String(expr.text.clone()),
                    place: Some(expr.place),
                    language,
                    secret: false,
                };
                let node = self.site.as_ref().and_then(|site| site.condition(what));
                // What an import says of its phases stands elsewhere than what they say themselves.
                let joined =
                    what == "phase when" && self.origins.imports().is_conditional(self.branch);
                let node = node.filter(|_| !joined);
                Some(self.text(what, planned, node.map(Node::to_value)))
            })
            .collect()
    }

    /// A text of the plan as its file writes it. What is not found there is shown with the names of
    /// the whole.
    fn text(&self, what: &str, planned: Planned, written: Option<Value>) -> Text {
        let Planned {
            value,
            place,
            language,
            secret,
        } = planned;
        let (written, branch) = match written {
            Some(written) => (written, self.branch),
            None => (value.clone(), ROOT),
        };
        let read = references(&written, language);
        let reads = self
            .origins
            .reads(branch, &read, &self.instances, &self.values);
        let values = match language {
            Language::Plain => Vec::new(),
            _ => {
                let is_condition = language == Language::Condition;
                let read = references(&value, language);
                self.values
                    .of(&value, is_condition, secret, &read, &self.instances)
            }
        };
        Text {
            what: what.to_owned(),
            written,
            place,
            values,
            reads,
        }
    }
}

/// What all texts of a value read, each name once. A text that cannot be read was refused when the
/// plan was compiled, and reads nothing.
fn references(value: &Value, language: Language) -> Vec<Reference> {
    let mut found: Vec<Reference> = Vec::new();
    let mut add = |all: &[Reference]| {
        for reference in all {
            if !found.iter().any(|known| known.path == reference.path) {
                found.push(reference.clone());
            }
        }
    };
    match (language, value) {
        (Language::Plain, _) => {}
        (Language::Condition, Value::String(text)) => {
            if let Ok(condition) = Condition::parse(text) {
                add(condition.references());
            }
        }
        (_, value) => {
            for text in strings(value) {
                if let Ok(template) = Template::parse(text) {
                    add(template.references());
                }
            }
        }
    }
    // `steps.x.on` beside `steps.x.on[h].outputs.y` says nothing more.
    let longer: Vec<Vec<Segment>> = found.iter().map(|r| r.path.clone()).collect();
    found.retain(|r| {
        let begins =
            |other: &Vec<Segment>| other.len() > r.path.len() && other.starts_with(&r.path);
        r.root() != "steps" || !longer.iter().any(begins)
    });
    found
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(map) => map.values().flat_map(strings).collect(),
        _ => Vec::new(),
    }
}
