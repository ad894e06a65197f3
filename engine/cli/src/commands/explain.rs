//! `runbook explain`: everything about one step, without asking any host.

use runbook_lang::diagnostic::nearest;
use runbook_lang::trace;
use runbook_model::text::printable;
use runbook_model::{NodeIx, NodeKind, Plan, StepIx};
use runbook_report::{Explained, explain_json, explain_text};

use crate::args::ExplainArgs;
use crate::engine::load;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn explain(args: &ExplainArgs, output: &Output) -> Result<Exit, Error> {
    let compiled = load::load(&args.compile)?.compile(true)?;
    let plan = &compiled.plan;
    let (step, only) = wanted(plan, &args.step)?;
    let given = trace::Given {
        options: args.compile.input.iter().map(|(n, _)| n.clone()).collect(),
        file: args
            .compile
            .inputs
            .as_ref()
            .map(|file| file.to_string_lossy().into_owned()),
    };
    let trace = trace::step(plan, step, &only, &given);
    let explained = Explained {
        plan,
        step,
        only: &only,
        trace: &trace,
    };
    match output.json {
        true => output.put_json(&explain_json(&explained))?,
        false => output.put(&explain_text(&explained, &output.style()))?,
    }
    Ok(Exit::Done)
}

/// A step, an instance by its whole name, or the instances of a step on one host.
fn wanted(plan: &Plan, text: &str) -> Result<(StepIx, Vec<NodeIx>), Error> {
    if let Some((step, _)) = plan.step(text) {
        return Ok((step, Vec::new()));
    }
    let instances = || {
        (0u32..)
            .zip(&plan.nodes)
            .filter_map(|(at, node)| match &node.kind {
                NodeKind::Instance { step, host, .. } => Some((NodeIx(at), node, *step, host)),
                _ => None,
            })
    };
    if let Some((node, _, step, _)) = instances().find(|(_, node, ..)| node.id == text) {
        return Ok((step, vec![node]));
    }
    if let Some((id, on)) = text.split_once('@')
        && let Some((wanted, _)) = plan.step(id)
    {
        let here: Vec<NodeIx> = instances()
            .filter(|(_, _, step, host)| *step == wanted && host.as_str() == on)
            .map(|(node, ..)| node)
            .collect();
        if !here.is_empty() {
            return Ok((wanted, here));
        }
    }
    let steps = plan.steps.iter().map(|s| s.id.as_str());
    let names = instances().map(|(_, node, ..)| node.id.as_str());
    let near = match text.contains('@') {
        true => nearest(text, names),
        false => nearest(text, steps),
    };
    Err(Error::Typed {
        message: match text.contains('@') {
            true => format!("the runbook has no instance `{}`", printable(text)),
            false => format!("the runbook has no step `{}`", printable(text)),
        },
        hint: Some(match near {
            Some(name) => format!("did you mean {name}?"),
            None => "write STEP or STEP@HOST; list them: runbook plan FILE --offline".into(),
        }),
    })
}
