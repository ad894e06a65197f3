//! `runbook release`: what an ended run still holds is taken back by hand, under its lock and in its
//! journal.

use runbook_exec::dispatcher::{Ask, Errand};
use runbook_exec::store::Seen;
use runbook_model::NodeIx;
use runbook_model::event::HeldHow;
use runbook_model::text::printable;
use runbook_report::findings_text;

use crate::args::{Cli, ReleaseArgs, SecretArg};
use crate::commands::run::live;
use crate::engine::{live, runs};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

/// Characters of a reason.
const REASON: usize = 500;

pub(crate) fn release(cli: &Cli, args: &ReleaseArgs, output: &Output) -> Result<Exit, Error> {
    let reason = args.reason.trim();
    if reason.is_empty() || reason.chars().count() > REASON {
        return Err(typed(
            format!("a reason has 1 to {REASON} characters"),
            "say why: --reason 'the change is off'",
        ));
    }
    let store = runs::store(cli)?;
    let id = store.resolve(&args.run)?;
    let seen = store.look(&id)?;
    if seen.state.result.is_none() {
        return Err(typed(
            format!("run {id} is not over"),
            format!("runbook resume {id}"),
        ));
    }
    let nodes = held(&seen, &args.what)?;
    let other = SecretArg::all(&args.secrets.secret)?;
    let mut live = live(cli, &seen.plan, &other, &args.secrets, output)?;
    live.errand = Errand::Release(Ask {
        nodes: nodes.clone(),
        by: format!("{} on {}", live.controller.user, live.controller.host),
        reason: reason.to_owned(),
    });
    let ended = live::resume(&store, &id, live)?;
    let held = |node: &NodeIx| ended.state.held().any(|(held, _)| held == *node);
    if !nodes.iter().any(held) {
        return Ok(Exit::Done);
    }
    output.note(&findings_text(
        &ended.plan,
        &ended.state,
        &output.stderr_style(),
    ));
    Ok(Exit::Failed)
}

/// The instances that are meant, all of which this run holds and is able to take back.
fn held(seen: &Seen, what: &str) -> Result<Vec<NodeIx>, Error> {
    let id = |node: NodeIx| seen.plan.nodes.get(node.at()).map_or("", |n| n.id.as_str());
    let step = |node: NodeIx| {
        let step = seen.plan.instance(node).map(|(step, _)| step.id.as_str());
        step.unwrap_or_default()
    };
    let (mut nodes, mut foreign) = (Vec::new(), false);
    for (node, hold) in seen.state.held() {
        if id(node) != what && step(node) != what {
            continue;
        }
        match hold.how {
            HeldHow::Already => foreign = true,
            HeldHow::Changed | HeldHow::Partly => nodes.push(node),
        }
    }
    let what = printable(what);
    if nodes.is_empty() && foreign {
        return Err(typed(
            format!(
                "`{what}` was so before run {}: there is nothing to take back",
                seen.id
            ),
            "only a step, or you yourself, can change that",
        ));
    }
    if nodes.is_empty() {
        let all: Vec<&str> = seen.state.held().map(|(node, _)| id(node)).collect();
        let hint = match all.is_empty() {
            true => format!("run {} holds nothing", seen.id),
            false => format!("it holds {}", printable(&all.join(", "))),
        };
        return Err(typed(
            format!("run {} does not hold `{what}`", seen.id),
            hint,
        ));
    }
    let able = |node: &NodeIx| {
        let step = seen.plan.instance(*node).map(|(step, _)| step);
        let of = step.and_then(|step| seen.plan.type_of(step));
        of.is_some_and(|of| of.content.is_some() || !of.scripts.undo.trim().is_empty())
    };
    match nodes.iter().find(|node| !able(node)) {
        Some(node) => Err(typed(
            format!("the type of `{}` has no undo", printable(id(*node))),
            "release it by hand on the host",
        )),
        None => Ok(nodes),
    }
}

fn typed(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::Typed {
        message: message.into(),
        hint: Some(hint.into()),
    }
}
