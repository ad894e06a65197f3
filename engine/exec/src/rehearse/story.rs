//! What steps say and do in a rehearsal, and which of it had to be made up.

use std::collections::BTreeMap;
use std::sync::Arc;

use runbook_lang::condition::Condition;
use runbook_lang::evaluate::assert_checks;
use runbook_lang::scope::{Reference, Segment};
use runbook_lang::template::Template;
use runbook_model::event::Verdict;
use runbook_model::step::Until;
use runbook_model::step_type::{Output, Shape, TypeKind};
use runbook_model::{Failure, FailureKind, NodeIx, Plan, Step, StepType, Value};

use super::Plausible;
use super::guess::{WISHED, of_var};
use crate::world::{Behaviour, Story, View};

/// Why a change is to be made.
const ABSENT: &str = "it is not there yet";
/// So many looks at something that never comes are enough.
const LOOKS: u64 = 20_000;

/// An output that nobody can know before a run.
#[derive(Debug, Clone, PartialEq)]
pub struct MadeUp {
    /// The step.
    pub step: String,
    /// The output.
    pub output: String,
    /// What the rehearsal takes.
    pub value: Value,
    /// A test of the type has this value; else it is any of its shape.
    pub from_test: bool,
}

/// How every node behaves.
pub(super) fn behaviours(
    plan: &Plan,
    plausible: &Plausible,
    fail: Option<NodeIx>,
) -> Vec<Behaviour> {
    let nodes = (0u32..).map(NodeIx).take(plan.nodes.len());
    nodes
        .map(|node| {
            let of = plan.instance(node);
            let of = of.and_then(|(step, _)| Some((step, plan.type_of(step)?)));
            match of {
                Some((step, of)) => behaviour(step, of, plausible, fail == Some(node)),
                None => Behaviour::default(),
            }
        })
        .collect()
}

fn behaviour(step: &Step, of: &StepType, plausible: &Plausible, fails: bool) -> Behaviour {
    let outputs: BTreeMap<String, Value> = of
        .outputs
        .iter()
        .filter(|(_, schema)| !schema.secret)
        .map(|(name, schema)| (name.clone(), value(of, name, schema, plausible).0))
        .collect();
    let view = |verdict| View {
        verdict,
        outputs: outputs.clone(),
    };
    let there = view(Verdict::Satisfied);
    let looks_only = of.kind == TypeKind::Probe;
    let mut before = match looks_only {
        true => vec![there.clone()],
        false => vec![view(Verdict::Differs(vec![ABSENT.to_owned()]))],
    };
    if fails && looks_only {
        let failure = Failure::new(FailureKind::Check, WISHED);
        let error = View {
            verdict: Verdict::Error(failure),
            outputs: BTreeMap::new(),
        };
        let looks = step.until.as_ref().map_or(1, looks_until);
        before = vec![error; usize::try_from(looks).unwrap_or(1)];
        before.push(there.clone());
    }
    let attempts = if step.critical {
        1
    } else {
        step.retry.attempts.max(1)
    };
    Behaviour {
        refuses_first: u32::from(fails),
        fails_first: if fails { attempts } else { 0 },
        // So that the looks of an `until` can be counted.
        looks: if fails { 0 } else { Behaviour::default().looks },
        story: Some(Arc::new(Story {
            before,
            after: vec![there],
            attempt: Some(Ok(outputs)),
        })),
        ..Behaviour::default()
    }
}

/// How often is looked before the time is over.
fn looks_until(until: &Until) -> u64 {
    (until.within_ms.div_ceil(until.every_ms.max(1)) + 1).min(LOOKS)
}

/// A value for an output, and whether a test has it.
fn value(of: &StepType, name: &str, schema: &Output, plausible: &Plausible) -> (Value, bool) {
    let tested = plausible.get(&of.name).and_then(|all| all.get(name));
    if let Some(value) = tested {
        return (value.clone(), true);
    }
    let any = match schema.shape {
        Shape::Bool => Value::Bool(true),
        Shape::Int | Shape::Size => Value::from(0),
        Shape::Path => Value::from("/made-up"),
        Shape::Duration => Value::from("1s"),
        Shape::List => Value::Array(Vec::new()),
        Shape::Map | Shape::Json => Value::Object(serde_json::Map::new()),
        Shape::String | Shape::Enum => Value::from("made-up"),
    };
    (any, false)
}

/// Outputs that conditions, variables and gates of the plan read, with what stands for them.
pub(super) fn made_up(plan: &Plan, plausible: &Plausible) -> Vec<MadeUp> {
    let mut all: Vec<MadeUp> = Vec::new();
    let mut add = |step: &str, output: &str| {
        if all
            .iter()
            .any(|one| one.step == step && one.output == output)
        {
            return;
        }
        let found = plan.step(step).map(|(_, step)| step);
        let of = found.and_then(|step| plan.type_of(step));
        if let Some((of, schema)) = of.and_then(|of| Some((of, of.outputs.get(output)?)))
            && !schema.secret
        {
            let (value, from_test) = value(of, output, schema, plausible);
            all.push(MadeUp {
                step: step.to_owned(),
                output: output.to_owned(),
                value,
                from_test,
            });
        }
    };
    for (owner, references) in texts(plan) {
        for reference in &references {
            if let Some((step, output)) = output_of(reference, owner) {
                add(step, output);
            }
        }
    }
    all
}

/// The step and the output that a text reads.
fn output_of<'a>(reference: &'a Reference, owner: Option<&'a str>) -> Option<(&'a str, &'a str)> {
    let names: Vec<Option<&str>> = reference.path.iter().map(Segment::name).collect();
    let at = names.iter().position(|name| *name == Some("outputs"))?;
    let step = match names.first().copied().flatten()? {
        "steps" => names.get(1).copied().flatten()?,
        "outputs" => owner?,
        _ => return None,
    };
    Some((step, names.get(at + 1).copied().flatten()?))
}

/// What the texts that decide something read, each with the step that it belongs to.
fn texts(plan: &Plan) -> Vec<(Option<&str>, Vec<Reference>)> {
    let condition = |text: &str| {
        let parsed = Condition::parse(text);
        parsed.map(|c| c.references().to_vec()).unwrap_or_default()
    };
    let mut all: Vec<(Option<&str>, Vec<Reference>)> = Vec::new();
    let own = plan.done_when.iter();
    let own = own.chain(plan.phases.iter().filter_map(|phase| phase.when.as_ref()));
    all.extend(own.map(|expr| (None, condition(&expr.text))));
    all.extend(plan.vars.keys().map(|name| (None, of_var(plan, name))));
    for step in &plan.steps {
        let id = Some(step.id.as_str());
        let fatal = step.until.as_ref().and_then(|until| until.fatal.as_ref());
        let keys = [step.when.as_ref(), step.expect.as_ref(), fatal];
        all.extend(
            keys.into_iter()
                .flatten()
                .map(|expr| (id, condition(&expr.text))),
        );
        all.extend(
            assert_checks(step)
                .into_iter()
                .map(|(check, _)| (id, condition(check))),
        );
        let of = plan.type_of(step).map(|of| of.kind);
        if let (Some(TypeKind::Gate), Some(Value::String(text))) = (of, step.with.get("message")) {
            let parsed = Template::parse(text);
            all.push((
                id,
                parsed.map(|t| t.references().to_vec()).unwrap_or_default(),
            ));
        }
    }
    all
}
