//! `runbook abandon`: a run is over as it stands. What it holds stays, and is listed.

use runbook_model::Command;
use runbook_model::text::printable;
use runbook_report::findings_text;

use crate::args::{AbandonArgs, Cli};
use crate::commands::order::{order, typed};
use crate::commands::run::keep_locks;
use crate::confirm;
use crate::engine::{live, runs};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn abandon(cli: &Cli, args: &AbandonArgs, output: &Output) -> Result<Exit, Error> {
    if args.reason.trim().is_empty() {
        return Err(typed(
            "a run is abandoned for a reason",
            "say why: --reason 'done by hand, see the log of the night'",
        ));
    }
    let store = runs::store(cli)?;
    let id = store.resolve(&args.run)?;
    let seen = store.look(&id)?;
    if seen.state.result.as_ref().is_some_and(|r| r.is_final()) {
        return Err(typed(
            format!("run {id} is over already"),
            format!("if it has left a host locked: runbook resume {id}"),
        ));
    }
    let running: Vec<_> = seen.state.open_attempts().collect();
    let mut question = format!(
        "run {id} ({}) ends as it stands; it cannot be resumed or rolled back then",
        printable(&seen.plan.runbook)
    );
    if !running.is_empty() {
        question.push_str("; what runs on hosts runs on:");
        for (_, attempt) in &running {
            let node = seen.plan.nodes.get(attempt.node.at());
            let node = node.map_or("?", |node| node.id.as_str());
            question.push_str(&format!(" {}", printable(node)));
        }
    }
    confirm::confirm(&question, id.as_str(), args.confirm.as_deref(), output)?;
    let ended = live::abandon(&store, &id, order(Command::Abandon, &args.reason)?)?;
    keep_locks(&ended.unreleased, output);
    output.put(&format!("run {id} is abandoned\n"))?;
    output.put(&findings_text(&seen.plan, &ended.state, &output.style()))?;
    Ok(Exit::Done)
}
