//! Scenarios of a runbook: what holds, what fails, what people say, and what must come of it.

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::gate::{NO, YES};
use runbook_model::step_type::TypeKind;
use runbook_model::{Millis, Plan};
use serde_json::Value;

use super::typetest::{Said, first_key, plain};
use super::values;
use crate::diagnostic::{Code, Diagnostics, did_you_mean};
use crate::fields::{Cx, Fields};
use crate::keys::Section;
use crate::source::{Source, Spanned};
use crate::yaml::{self, Node};

/// The answer of nobody.
const NOBODY: &str = "nobody";

/// A file of scenarios.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenarios {
    /// The file of the runbook, relative to this one, if it is named.
    pub runbook: Option<Spanned<String>>,
    /// The file of the inventory, relative to this one, or the inventory itself.
    pub inventory: Spanned<String>,
    /// All of them; what they share is part of each.
    pub scenarios: Vec<Scenario>,
}

impl Scenarios {
    /// Whether the inventory is written here, and not in a file of its own.
    #[must_use]
    pub fn has_inventory(&self) -> bool {
        self.inventory.value.trim_end().contains('\n')
    }
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it shows.
    pub title: Spanned<String>,
    /// Inputs.
    pub inputs: BTreeMap<String, Value>,
    /// What holds; later ones are over earlier ones.
    pub facts: Vec<FactOf>,
    /// Steps or instances that fail.
    pub fail: Vec<Spanned<String>>,
    /// What people say at gates.
    pub answers: Vec<(Spanned<String>, Reply)>,
    /// It is rolled back when it has ended.
    pub rolls_back: bool,
    /// What must come of it.
    pub expect: Expected,
}

/// What people say at a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// What lets it pass.
    Yes,
    /// Nobody says anything.
    Nobody,
    /// No, or one of its options.
    Word(Spanned<String>),
}

/// A fact and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct FactOf {
    /// A step, or an instance.
    pub of: Spanned<String>,
    /// What holds.
    pub fact: Fact,
}

/// What holds of an instance; what is absent is not said.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fact {
    /// What a look says.
    pub check: Option<Said>,
    /// Why.
    pub reasons: Option<Vec<String>>,
    /// Outputs by name.
    pub outputs: BTreeMap<String, Value>,
    /// What holds after the apply.
    pub after: Option<Box<Fact>>,
    /// One look after the other.
    pub looks: Vec<Fact>,
    /// How long the apply takes, in milliseconds.
    pub takes: Option<Millis>,
}

impl Fact {
    /// Another fact over this one.
    #[must_use]
    pub fn with(mut self, over: &Self) -> Self {
        self.check = over.check.or(self.check);
        self.reasons = over.reasons.clone().or(self.reasons);
        self.takes = over.takes.or(self.takes);
        self.outputs.extend(over.outputs.clone());
        if !over.looks.is_empty() {
            self.looks.clone_from(&over.looks);
        }
        self.after = match (self.after.take(), &over.after) {
            (Some(under), Some(over)) => Some(Box::new(under.with(over))),
            (under, over) => over.clone().or(under),
        };
        self
    }
}

/// How a run must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Result {
    /// Everything is done.
    Succeeded,
    /// Nothing had to be done.
    AlreadyThere,
    /// Something failed.
    Failed,
    /// A person said no.
    Refused,
    /// A person stopped it.
    Stopped,
    /// What was done is taken back.
    RolledBack,
}

impl Result {
    const ALL: [Self; 6] = [
        Self::Succeeded,
        Self::AlreadyThere,
        Self::Failed,
        Self::Refused,
        Self::Stopped,
        Self::RolledBack,
    ];

    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::AlreadyThere => "already_there",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Stopped => "stopped",
            Self::RolledBack => "rolled_back",
        }
    }
}

/// How an instance must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was there already.
    Satisfied,
    /// It was changed.
    Changed,
    /// A probe was content.
    Ok,
    /// A gate was approved, an assert held.
    Passed,
    /// It did not have to run.
    Skipped,
    /// It failed.
    Failed,
}

impl Outcome {
    const ALL: [Self; 6] = [
        Self::Satisfied,
        Self::Changed,
        Self::Ok,
        Self::Passed,
        Self::Skipped,
        Self::Failed,
    ];

    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Satisfied => "satisfied",
            Self::Changed => "changed",
            Self::Ok => "ok",
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// What must come of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// How the run ends.
    pub result: Result,
    /// How instances end.
    pub instances: Vec<(Spanned<String>, Outcome)>,
    /// What never begins.
    pub never: Vec<Spanned<String>>,
    /// What ends before something else begins.
    pub order: Vec<(Spanned<String>, Spanned<String>)>,
    /// A part of what is said of failures.
    pub fails: Vec<(Spanned<String>, String)>,
}

/// Reads a file of scenarios.
pub fn parse_scenarios(source: &Source) -> (Option<Scenarios>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let tree = yaml::read(source, &mut diagnostics);
    let file = read(&mut Cx::new(source, &mut diagnostics), &tree);
    diagnostics.sort();
    (file.filter(|_| !diagnostics.has_errors()), diagnostics)
}

fn read(cx: &mut Cx<'_>, tree: &Node) -> Option<Scenarios> {
    let fields = Fields::read(cx, Section::Scenarios, tree, first_key(tree))?;
    let inputs = inputs(&fields);
    let facts = facts(cx, &fields);
    let mut scenarios: Vec<Scenario> = Vec::new();
    for item in fields.items("scenarios") {
        let Some(scenario) = scenario(cx, item, &inputs, &facts) else {
            continue;
        };
        let title = &scenario.title;
        match scenarios.iter().find(|s| s.title.value == title.value) {
            Some(first) => cx.twice("the scenario", &title.value, title.span, first.title.span),
            None => scenarios.push(scenario),
        }
    }
    Some(Scenarios {
        runbook: fields.text("runbook"),
        inventory: fields.text("inventory")?,
        scenarios,
    })
}

fn scenario(
    cx: &mut Cx<'_>,
    node: &Node,
    shared: &BTreeMap<String, Value>,
    shared_facts: &[FactOf],
) -> Option<Scenario> {
    let fields = Fields::read(cx, Section::Scenario, node, first_key(node))?;
    let mut all = shared.clone();
    all.extend(inputs(&fields));
    let own = facts(cx, &fields);
    let said = |entry: &yaml::Entry| {
        let word = entry.value.as_str()?;
        Some(match word {
            YES => Reply::Yes,
            NOBODY => Reply::Nobody,
            _ => Reply::Word(Spanned::new(word.to_owned(), entry.value.site())),
        })
    };
    let expect = fields.entry("expect")?;
    Some(Scenario {
        title: fields.text("scenario")?,
        inputs: all,
        facts: shared_facts.iter().cloned().chain(own).collect(),
        fail: fields.texts("fail"),
        answers: fields
            .map("answers")
            .into_iter()
            .filter_map(|entry| Some((entry.key.clone(), said(entry)?)))
            .collect(),
        rolls_back: fields.text("then").is_some(),
        expect: expected(cx, &expect.value)?,
    })
}

fn inputs(fields: &Fields<'_>) -> BTreeMap<String, Value> {
    values(fields, "inputs")
        .into_iter()
        .map(|(name, value)| (name.value, value))
        .collect()
}

fn facts(cx: &mut Cx<'_>, fields: &Fields<'_>) -> Vec<FactOf> {
    let mut entries = fields.map("facts");
    // What is said of an instance is over what is said of its step.
    entries.sort_by_key(|entry| entry.key.value.contains('@'));
    entries
        .into_iter()
        .filter_map(|entry| {
            Some(FactOf {
                of: entry.key.clone(),
                fact: fact(cx, &entry.value)?,
            })
        })
        .collect()
}

fn fact(cx: &mut Cx<'_>, node: &Node) -> Option<Fact> {
    let fields = Fields::read(cx, Section::Fact, node, first_key(node))?;
    let after = fields.entry("after").and_then(|e| fact(cx, &e.value));
    let looks = fields.items("looks");
    Some(Fact {
        check: fields
            .text("check")
            .and_then(|word| Said::read(&word.value)),
        reasons: fields
            .entry("reasons")
            .map(|_| plain(fields.texts("reasons"))),
        outputs: values(&fields, "outputs")
            .into_iter()
            .map(|(name, value)| (name.value, value))
            .collect(),
        after: after.map(Box::new),
        looks: looks
            .into_iter()
            .filter_map(|look| fact(cx, look))
            .collect(),
        takes: fields
            .duration("takes")
            .map(|ms| Millis::try_from(ms.value).unwrap_or(Millis::MAX)),
    })
}

fn expected(cx: &mut Cx<'_>, node: &Node) -> Option<Expected> {
    let fields = Fields::read(cx, Section::Expected, node, first_key(node))?;
    let outcome = |word: &str| Outcome::ALL.into_iter().find(|o| o.word() == word);
    let mut order = Vec::new();
    for text in fields.texts("order") {
        match text.value.split_once(" before ") {
            Some((first, then)) => {
                let of = |name: &str| Spanned::new(name.trim().to_owned(), text.span);
                order.push((of(first), of(then)));
            }
            None => cx.error(
                Code::BadValue,
                "an order is written `A before B`",
                text.span,
                "",
                None,
            ),
        }
    }
    let result = fields.text("result")?;
    Some(Expected {
        result: Result::ALL.into_iter().find(|r| r.word() == result.value)?,
        instances: fields
            .map("instances")
            .into_iter()
            .filter_map(|e| Some((e.key.clone(), outcome(e.value.as_str()?)?)))
            .collect(),
        never: fields.texts("never"),
        order,
        fails: fields
            .map("fails")
            .into_iter()
            .filter_map(|e| Some((e.key.clone(), e.value.as_str()?.to_owned())))
            .collect(),
    })
}

impl Scenario {
    /// Everything that it names must be in the plan: a test of something that is not there tests
    /// nothing.
    pub fn check_names(&self, plan: &Plan, source: &Source, diagnostics: &mut Diagnostics) {
        let mut cx = Cx::new(source, diagnostics);
        let steps: BTreeSet<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
        let known: BTreeSet<&str> = plan
            .instances()
            .filter_map(|(node, ..)| plan.nodes.get(node.at()))
            .map(|node| node.id.as_str())
            .chain(steps.iter().copied())
            .collect();
        let expect = &self.expect;
        let names = self
            .facts
            .iter()
            .map(|fact| &fact.of)
            .chain(&self.fail)
            .chain(self.answers.iter().map(|(name, _)| name))
            .chain(expect.instances.iter().map(|(name, _)| name))
            .chain(&expect.never)
            .chain(expect.order.iter().flat_map(|(a, b)| [a, b]))
            .chain(expect.fails.iter().map(|(name, _)| name));
        for name in names.filter(|name| !known.contains(name.value.as_str())) {
            let step = name.value.split('@').next().unwrap_or_default();
            let (message, among) = match steps.contains(step) {
                true => (
                    format!("the runbook has no instance `{}` here", name.value),
                    known.iter().filter(|n| n.contains('@')).copied().collect(),
                ),
                false => (format!("the runbook has no step `{step}`"), known.clone()),
            };
            let help = did_you_mean(&name.value, among);
            cx.error(Code::UnknownName, message, name.span, "", help);
        }
        self.check_outputs(&mut cx, plan);
        self.check_answers(&mut cx, plan);
    }

    /// Words that no gate takes.
    fn check_answers(&self, cx: &mut Cx<'_>, plan: &Plan) {
        for (of, answer) in &self.answers {
            let step = of.value.split('@').next().unwrap_or_default();
            let Some((_, step)) = plan.step(step) else {
                continue;
            };
            let kind = plan.type_of(step).map(|of| of.kind);
            if kind != Some(TypeKind::Gate) {
                let message = format!("`{}` is no gate: nobody is asked there", step.id);
                cx.error(Code::BadValue, message, of.span, "", None);
            }
            let Reply::Word(word) = answer else { continue };
            let options = step.with.get("options").and_then(Value::as_object);
            let options = options.into_iter().flat_map(|map| map.keys());
            let words: Vec<&str> = [YES, NO, NOBODY]
                .into_iter()
                .chain(options.map(String::as_str))
                .collect();
            if !words.contains(&word.value.as_str()) {
                let message = format!("nobody can say `{}` at `{}`", word.value, step.id);
                let help = did_you_mean(&word.value, words);
                cx.error(Code::BadValue, message, word.span, "", help);
            }
        }
    }

    /// Outputs that the type of a step does not have.
    fn check_outputs(&self, cx: &mut Cx<'_>, plan: &Plan) {
        for FactOf { of, fact } in &self.facts {
            let step = of.value.split('@').next().unwrap_or_default();
            let Some(step_type) = plan.step(step).and_then(|(_, step)| plan.type_of(step)) else {
                continue;
            };
            let names = fact
                .outputs
                .keys()
                .chain(fact.after.iter().flat_map(|after| after.outputs.keys()))
                .chain(fact.looks.iter().flat_map(|look| look.outputs.keys()));
            for name in names.filter(|name| !step_type.outputs.contains_key(*name)) {
                let help = did_you_mean(name, step_type.outputs.keys().map(String::as_str));
                let message = format!("`{}` has no output `{name}`", step_type.name);
                cx.error(Code::UnknownName, message, of.span, "in this fact", help);
            }
        }
    }
}
