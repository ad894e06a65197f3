//! `runbook rehearse`: a run on simulated hosts, with something that goes wrong if that is wanted.

use std::sync::Arc;

use runbook_exec::rehearse::{self, Part, Plausible, Rehearsal, Wish};
use runbook_exec::world::Ending;
use runbook_lang::diagnostic::nearest;
use runbook_lang::source::Sources;
use runbook_lang::testfile::{Said, TypeTest, parse_tests, value_at};
use runbook_model::text::printable;
use runbook_model::{NodeIx, Plan, RunResult};
use runbook_report::{
    Back, Made, Rehearsed, RehearsedEnd, RehearsedPart, rehearse_json, rehearse_text,
};

use crate::args::RehearseArgs;
use crate::engine::load;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn rehearse(args: &RehearseArgs, output: &Output) -> Result<Exit, Error> {
    let compiled = load::load(&args.compile)?.compile(true)?;
    output.warn(&compiled.warnings, &compiled.sources);
    let plausible = plausible(&compiled.plan, &compiled.sources);
    let plan = Arc::new(compiled.plan);
    let wish = Wish {
        fail: args
            .fail
            .as_deref()
            .map(|name| instance(&plan, name))
            .transpose()?,
        kill_at: args.kill_at,
    };
    let found = rehearse::rehearse(&plan, &plausible, wish)
        .map_err(|error| Error::Engine(error.to_string()))?;
    show(&plan, wish, &found, output)?;
    // Without a wish it should go well.
    let well = matches!(
        found.first.ending,
        Ending::Closed(RunResult::Succeeded | RunResult::AlreadyThere)
    );
    Ok(match wish == Wish::default() && !well {
        true => Exit::Failed,
        false => Exit::Done,
    })
}

fn show(plan: &Plan, wish: Wish, found: &Rehearsal, output: &Output) -> Result<(), Error> {
    let made_up: Vec<Made<'_>> = found
        .made_up
        .iter()
        .map(|made| Made {
            step: &made.step,
            output: &made.output,
            value: &made.value,
            from_test: made.from_test,
        })
        .collect();
    let stays: Vec<(NodeIx, &str)> = match &found.back {
        Some(Ok(scope)) => scope
            .stays
            .iter()
            .map(|(node, why)| (*node, why.word()))
            .collect(),
        _ => Vec::new(),
    };
    let back = match &found.back {
        Some(Ok(scope)) => Ok(Back {
            procedure: scope.procedure,
            back: &scope.back,
            stays: &stays,
            passed: &scope.passed,
        }),
        Some(Err(error)) => Err(error.to_string()),
        None => Err("there is no run yet: nothing is to be taken back".to_owned()),
    };
    let rehearsed = Rehearsed {
        plan,
        fail: wish.fail,
        kill_at: wish.kill_at,
        first: part(&found.first),
        changed: &found.changed,
        resumed: found.resumed.as_ref().map(part),
        back,
        made_up: &made_up,
        assumed: &found.assumed,
    };
    match output.json {
        true => output.put_json(&rehearse_json(&rehearsed)),
        false => output.put(&rehearse_text(&rehearsed, &output.style())),
    }
}

fn part(part: &Part) -> RehearsedPart<'_> {
    let end = match &part.ending {
        Ending::Closed(result) => RehearsedEnd::Closed(result.clone()),
        Ending::Crashed => RehearsedEnd::Died,
        Ending::Stuck => RehearsedEnd::Broken("nothing is under way, and it has not ended".into()),
        Ending::Fault(why) => RehearsedEnd::Broken(why.clone()),
        other => RehearsedEnd::Broken(format!("{other:?}")),
    };
    RehearsedPart {
        records: &part.records,
        state: &part.state,
        end,
    }
}

/// The instance of this name, or the only one of a step.
fn instance(plan: &Plan, name: &str) -> Result<NodeIx, Error> {
    let node = plan
        .node(name)
        .filter(|node| plan.instance(*node).is_some());
    if let Some(node) = node {
        return Ok(node);
    }
    let all = || {
        plan.instances()
            .map(|(node, ..)| plan.nodes[node.at()].id.as_str())
    };
    let of_step = plan
        .step(name)
        .map(|(step, _)| plan.instances_of(step).collect::<Vec<_>>());
    let hint = match of_step.as_deref() {
        Some([(node, _)]) => return Ok(*node),
        Some([(node, _), ..]) => Some(format!("name one of them: {}", plan.nodes[node.at()].id)),
        _ => nearest(name, all()).map(|near| format!("did you mean {near}?")),
    };
    Err(Error::Typed {
        message: format!("the runbook has no instance `{}`", printable(name)),
        hint: hint
            .or_else(|| Some("write STEP@HOST; list them: runbook plan FILE --offline".into())),
    })
}

/// What steps say, as the tests of their types have it: first what is said when all is well.
fn plausible(plan: &Plan, sources: &Sources) -> Plausible {
    let mut all = Plausible::new();
    for source in sources.iter() {
        let of = plan.types.values().find(|of| {
            source.name() == of.origin || source.name() == format!("<{}.yaml>", of.name)
        });
        let Some(of) = of else {
            continue;
        };
        let (tests, _) = parse_tests(of, source);
        let tests = tests.iter().filter(|test| test.fails.is_none());
        let (well, other): (Vec<&TypeTest>, Vec<&TypeTest>) = tests.partition(|test| {
            let then =
                test.check == Some(Said::Differs) && test.apply && test.then == Said::Satisfied;
            test.check == Some(Said::Satisfied) || then
        });
        let outputs = all.entry(of.name.clone()).or_default();
        for (name, value) in well.iter().chain(&other).flat_map(|test| &test.outputs) {
            outputs
                .entry(name.clone())
                .or_insert_with(|| value_at(value, "/made-up"));
        }
    }
    all
}
