//! Orders to a run: left in its inbox, taken in by its controller, and reported back from its
//! journal. Without a controller they wait for the next `runbook resume`.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use runbook_exec::store::{Inbox, Seen, Store};
use runbook_model::text::printable;
use runbook_model::{Command, Event, HostName, Order, RunId};

use crate::args::{CancelArgs, Cli, ExcludeArgs, NoteArgs, PauseArgs, RerunArgs, StepArgs};
use crate::engine::runs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::{confirm, who};

/// How long a controller may take to take an order in.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// How often its journal is looked at meanwhile.
pub(crate) const LOOK: Duration = Duration::from_millis(100);
/// Characters of a reason, of evidence, of a note.
const WORDS: usize = 2_000;

pub(crate) fn pause(cli: &Cli, args: &PauseArgs, output: &Output) -> Result<Exit, Error> {
    let before = args.before.clone();
    let run = args.order.run.as_deref();
    leave(
        cli,
        run,
        Command::Pause { before },
        &args.order.reason,
        output,
    )
}

pub(crate) fn block(cli: &Cli, args: &StepArgs, output: &Output) -> Result<Exit, Error> {
    let step = args.step.clone();
    let run = args.order.run.as_deref();
    leave(
        cli,
        run,
        Command::Block { step },
        &args.order.reason,
        output,
    )
}

pub(crate) fn unblock(cli: &Cli, args: &StepArgs, output: &Output) -> Result<Exit, Error> {
    let step = args.step.clone();
    let run = args.order.run.as_deref();
    leave(
        cli,
        run,
        Command::Unblock { step },
        &args.order.reason,
        output,
    )
}

pub(crate) fn rerun(cli: &Cli, args: &RerunArgs, output: &Output) -> Result<Exit, Error> {
    let what = args.what.clone();
    let run = args.order.run.as_deref();
    leave(
        cli,
        run,
        Command::Rerun { what },
        &args.order.reason,
        output,
    )
}

pub(crate) fn note(cli: &Cli, args: &NoteArgs, output: &Output) -> Result<Exit, Error> {
    leave(cli, args.run.as_deref(), Command::Note, &args.text, output)
}

pub(crate) fn cancel(cli: &Cli, args: &CancelArgs, output: &Output) -> Result<Exit, Error> {
    let command = match &args.kill {
        Some(what) => Command::Kill { what: what.clone() },
        None => Command::Cancel,
    };
    let run = args.order.run.as_deref();
    leave(cli, run, command, &args.order.reason, output)
}

pub(crate) fn exclude(cli: &Cli, args: &ExcludeArgs, output: &Output) -> Result<Exit, Error> {
    let host = HostName::new(args.host.clone())
        .map_err(|error| typed(error.to_string(), "name a host of the inventory"))?;
    if args.order.reason.trim().is_empty() {
        return Err(typed(
            "a host is excluded for a reason",
            "say why: --reason 'its disk is dead'",
        ));
    }
    let store = runs::store(cli)?;
    let id = meant(&store, args.order.run.as_deref())?;
    let question = format!(
        "{} is taken out of the rest of run {id}: what was to be done there is left out",
        printable(&args.host)
    );
    confirm::confirm(&question, &args.host, args.confirm.as_deref(), output)?;
    let run = Some(id.as_str());
    leave(
        cli,
        run,
        Command::Exclude { host },
        &args.order.reason,
        output,
    )
}

/// A new order of this person.
pub(crate) fn order(command: Command, reason: &str) -> Result<Order, Error> {
    let reason = reason.trim();
    if reason.chars().count() > WORDS {
        return Err(typed(
            format!("that has more than {WORDS} characters"),
            "say it shorter; the rest belongs into a document that you name here",
        ));
    }
    let controller = who::controller();
    Ok(Order {
        id: Inbox::fresh_id()?,
        by: format!("{} on {}", controller.user, controller.host),
        reason: reason.to_owned(),
        command,
    })
}

/// The run that is meant; the newest that can go on, or runs, where none is named.
fn meant(store: &Store, wanted: Option<&str>) -> Result<RunId, Error> {
    match wanted {
        Some(wanted) => Ok(store.resolve(wanted)?),
        None => runs::under_way(store),
    }
}

fn leave(
    cli: &Cli,
    run: Option<&str>,
    command: Command,
    reason: &str,
    output: &Output,
) -> Result<Exit, Error> {
    let order = order(command, reason)?;
    deliver(cli, run, &order, output)
}

/// Leaves an order in the inbox of its run, and waits for the answer.
pub(crate) fn deliver(
    cli: &Cli,
    run: Option<&str>,
    order: &Order,
    output: &Output,
) -> Result<Exit, Error> {
    let store = runs::store(cli)?;
    let id = meant(&store, run)?;
    let seen = store.look(&id)?;
    if let Some(result) = seen.state.result.as_ref().filter(|r| !r.goes_on()) {
        let hint = match result {
            runbook_model::RunResult::Succeeded => "begin another one: runbook run FILE",
            _ => "list runs: runbook runs",
        };
        return Err(typed(format!("run {id} is over"), hint));
    }
    if matches!(order.command, Command::Note) && order.reason.is_empty() {
        return Err(typed(
            "there is nothing to note",
            "runbook note 'what is to be remembered'",
        ));
    }
    known(&seen, &order.command)?;
    own(store.home(&id)?.dir())?;
    Inbox::new(&store.home(&id)?).leave(order)?;
    answer(&store, &id, order, output)
}

/// Refuses at once what the plan does not have.
pub(crate) fn known(seen: &Seen, command: &Command) -> Result<(), Error> {
    let Some(what) = command.what() else {
        return Ok(());
    };
    let plan = &seen.plan;
    let step = plan.step(what).is_some();
    let (there, kind) = match command {
        Command::Pause { .. } | Command::Block { .. } | Command::Unblock { .. } => (step, "step"),
        Command::Exclude { host } => (plan.hosts.contains_key(host), "host"),
        _ => (step || plan.node(what).is_some(), "step or instance"),
    };
    match there {
        true => Ok(()),
        false => Err(typed(
            format!("run {} has no {kind} `{}`", seen.id, printable(what)),
            format!("see all of them: runbook status {}", seen.id),
        )),
    }
}

/// Only the account of a run can read what is left in its inbox.
fn own(home: &Path) -> Result<(), Error> {
    let uid = |path: &Path| std::fs::metadata(path).map(|of| of.uid()).ok();
    let (owner, me) = (uid(home), uid(Path::new("/proc/self")));
    match owner.is_none() || me.is_none() || owner == me {
        true => Ok(()),
        false => Err(typed(
            "the run belongs to another account",
            "do it as that account; `approve --by NAME` says who answers",
        )),
    }
}

/// Waits for the controller's answer.
fn answer(store: &Store, id: &RunId, order: &Order, output: &Output) -> Result<Exit, Error> {
    let until = Instant::now() + PATIENCE;
    loop {
        let seen = store.look(id)?;
        if seen.state.orders.contains(&order.id) {
            return answered(&seen, order, output);
        }
        if seen.held.is_none() {
            output.put(&format!(
                "no controller has run {id}: the order waits for it\n  runbook resume {id}\n"
            ))?;
            return Ok(Exit::Done);
        }
        if Instant::now() >= until {
            output.put(&format!(
                "the controller of run {id} has not taken the order in yet; it will, unless it is gone\n  runbook status {id}\n"
            ))?;
            return Ok(Exit::Done);
        }
        std::thread::sleep(LOOK);
    }
}

fn answered(seen: &Seen, order: &Order, output: &Output) -> Result<Exit, Error> {
    let refusal = seen
        .journal
        .records
        .iter()
        .find_map(|record| match &record.event {
            Event::OrderRefused { order: id, problem } if *id == order.id => Some(problem),
            _ => None,
        });
    match refusal {
        Some(problem) => Err(typed(
            format!("run {} refuses: {}", seen.id, printable(problem)),
            format!("see how it stands: runbook status {}", seen.id),
        )),
        None => {
            let word = order.command.word();
            output.put(&format!("{word}: run {} has taken it in\n", seen.id))?;
            Ok(Exit::Done)
        }
    }
}

pub(crate) fn typed(message: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::Typed {
        message: message.into(),
        hint: Some(hint.into()),
    }
}
