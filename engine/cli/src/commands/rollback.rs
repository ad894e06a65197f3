//! `runbook rollback`: what a run did is taken back, by the runbook's own procedure or by undos in
//! reverse order; shown first, and confirmed.

use runbook_exec::dispatcher::Errand;
use runbook_exec::graph::Frozen;
use runbook_exec::rollback;
use runbook_model::Command;
use runbook_model::text::printable;
use runbook_report::rollback_text;

use crate::args::{Cli, RollbackArgs, SecretArg};
use crate::commands::order::{order, typed};
use crate::commands::run::{finish, live};
use crate::confirm;
use crate::engine::{live, runs};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn rollback(cli: &Cli, args: &RollbackArgs, output: &Output) -> Result<Exit, Error> {
    let store = runs::store(cli)?;
    let id = store.resolve(&args.run)?;
    let seen = store.look(&id)?;
    if let Some(going) = seen.state.rollback.as_ref().filter(|_| !args.plan) {
        let to = going
            .to
            .as_ref()
            .map_or(String::new(), |to| format!(" to phase {}", printable(to)));
        return Err(typed(
            format!("run {id} is being rolled back{to} already"),
            format!("go on with that: runbook resume {id}"),
        ));
    }
    let graph = Frozen::new(&seen.plan).map_err(|error| Error::Engine(error.to_string()))?;
    let scope = rollback::scope(&seen.plan, &graph, &seen.state, args.to.as_deref())
        .map_err(|error| typed(error.to_string(), hint(&error, &seen.plan)))?;
    let text = rollback_text(
        &seen.plan,
        &seen.state,
        &runbook_report::Back {
            procedure: scope.procedure,
            back: &scope.back,
            stays: &scope
                .stays
                .iter()
                .map(|(node, why)| (*node, why.word()))
                .collect::<Vec<_>>(),
            passed: &scope.passed,
        },
        &output.style(),
    );
    output.put(&text)?;
    if args.plan {
        return Ok(Exit::Done);
    }
    if !scope.procedure && scope.back.is_empty() && args.to.is_none() {
        return Err(typed(
            format!("run {id} has done nothing that could be taken back"),
            format!("end it as it stands: runbook abandon {id} --reason TEXT"),
        ));
    }
    if args.reason.trim().is_empty() {
        return Err(typed(
            "a run is rolled back for a reason",
            "say why: --reason TEXT",
        ));
    }
    confirm::confirm(
        "this is taken back",
        id.as_str(),
        args.confirm.as_deref(),
        output,
    )?;
    let to = args.to.clone();
    let order = order(Command::RollBack { to, gate: None }, &args.reason)?;
    let other = SecretArg::all(&args.secrets.secret)?;
    let mut live = live(cli, &seen.plan, &other, &args.secrets, output)?;
    live.desk.waits = args.gates.wait_at_gates;
    live.errand = Errand::RollBack(order);
    finish(&live::resume(&store, &id, live)?, output)
}

fn hint(error: &rollback::RollbackError, plan: &runbook_model::Plan) -> String {
    use rollback::RollbackError as E;
    match error {
        E::NoPhase(_) => {
            let phases: Vec<_> = plan.phases.iter().map(|p| printable(&p.id)).collect();
            format!("its phases are {}", phases.join(", "))
        }
        E::Procedure => "leave --to out".to_owned(),
        E::Closed => "write a runbook that goes back, or give this one a `rollback:`".to_owned(),
    }
}
