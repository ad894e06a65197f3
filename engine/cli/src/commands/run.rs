//! `runbook run` and `runbook resume`: the same run, from its beginning or from where it is.

use std::io;

use runbook_exec::dispatcher::Errand;
use runbook_exec::driver::Aside;
use runbook_exec::secrets::Vault;
use runbook_exec::store::Seen;
use runbook_model::plan::{Part, SecretSource};
use runbook_model::text::printable;
use runbook_model::{Command, HostName, Order, Plan, RunResult, Watcher};
use runbook_report::{Curtain, JsonLines, Lines, Progress, failure_card};

use crate::args::{Cli, DecideArgs, ResumeArgs, RunArgs, SecretArg, SecretArgs};
use crate::commands::order::{known, order, typed};
use crate::commands::{compile, detach, edited, mirror};
use crate::desk::TerminalDesk;
use crate::engine::live::{self, Ended, Live};
use crate::engine::runs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::prompt;
use crate::secrets::{Around, Secrets};
use crate::who;

pub(crate) fn run(cli: &Cli, args: &RunArgs, output: &Output) -> Result<Exit, Error> {
    let plan = compile(&args.compile, output)?.plan;
    let store = runs::store(cli)?;
    // A run that could not begin anyway asks nobody for a secret.
    live::may_begin(&store, &plan)?;
    let until = args
        .until
        .as_deref()
        .map(|id| phase(&plan, id))
        .transpose()?;
    let place = mirror::of_run(args.mirror.as_deref(), &plan)?;
    if args.detach {
        return detach::detach(&store, &plan, output);
    }
    let mut live = live(cli, &plan, &[], &args.compile.secrets, output)?;
    live.desk.waits = args.gates.wait_at_gates;
    live.until = until;
    live.mirror = place.map(|place| mirror::keep(place, live.desk.curtain.clone()));
    finish(&live::run(&store, &plan, live)?, output)
}

pub(crate) fn resume(cli: &Cli, args: &ResumeArgs, output: &Output) -> Result<Exit, Error> {
    let store = runs::store(cli)?;
    let id = runs::to_resume(&store, args.run.as_deref())?;
    let seen = store.look(&id)?;
    if let Some(result) = seen
        .state
        .result
        .as_ref()
        .filter(|result| !result.goes_on())
    {
        let word = match result {
            RunResult::AlreadyThere => "had nothing to do",
            RunResult::RolledBack => "is rolled back",
            RunResult::Abandoned => "is abandoned",
            _ => "has succeeded",
        };
        keep_locks(&live::close_up(&store, &id)?, output);
        output.put(&format!(
            "run {id} {word}; there is nothing to go on with\n"
        ))?;
        return Ok(Exit::Done);
    }
    if args.edited.edited
        && let edited::Outcome::Ended(exit) =
            edited::edited(cli, args, (&store, &id, &seen), output)?
    {
        return Ok(exit);
    }
    let orders = decisions(&seen, &args.decide)?;
    let place = mirror::of_run(args.mirror.as_deref(), &seen.plan)?;
    let other = SecretArg::all(&args.secrets.secret)?;
    let mut live = live(cli, &seen.plan, &other, &args.secrets, output)?;
    live.desk.waits = args.gates.wait_at_gates;
    live.orders = orders;
    live.mirror = place.map(|place| mirror::keep(place, live.desk.curtain.clone()));
    finish(&live::resume(&store, &id, live)?, output)
}

/// The position of a phase of the procedure.
fn phase(plan: &Plan, id: &str) -> Result<u32, Error> {
    let mut main = (0u32..)
        .zip(&plan.phases)
        .filter(|(_, phase)| phase.part == Part::Main);
    main.clone()
        .find(|(_, phase)| phase.id == id)
        .map(|(at, _)| at)
        .ok_or_else(|| {
            let all: Vec<_> = main
                .by_ref()
                .map(|(_, phase)| printable(&phase.id))
                .collect();
            typed(
                format!("the runbook has no phase `{}`", printable(id)),
                format!("its phases are {}", all.join(", ")),
            )
        })
}

/// What a person has decided about what failed.
fn decisions(seen: &Seen, args: &DecideArgs) -> Result<Vec<Order>, Error> {
    let reason = args.reason.as_deref().unwrap_or_default();
    let retry = args
        .retry
        .iter()
        .map(|what| Command::Retry { what: what.clone() });
    let skip = args
        .skip
        .iter()
        .map(|what| Command::Skip { what: what.clone() });
    let done = args.done.iter().map(|what| Command::Done {
        what: what.clone(),
        evidence: args.evidence.clone().unwrap_or_default(),
    });
    let all = retry.chain(skip).chain(done);
    all.map(|command| {
        known(seen, &command)?;
        order(command, reason)
    })
    .collect()
}

/// Everything around a run: who is told, who is asked, what is secret.
pub(crate) fn live(
    cli: &Cli,
    plan: &Plan,
    other: &[(String, SecretSource)],
    args: &SecretArgs,
    output: &Output,
) -> Result<Live, Error> {
    let around = Around {
        other,
        age_identity: args.age_identity.as_ref(),
    };
    let secrets = Secrets::read(plan, around, |name| prompt::secret(name, output))?;
    let controller = who::controller();
    let (watcher, curtain) = watcher(output)?;
    let desk = TerminalDesk {
        curtain,
        terminal: output.can_ask,
        waits: false,
        person: format!("{} on {}", controller.user, controller.host),
        style: output.stderr_style(),
    };
    Ok(Live {
        watchers: vec![Box::new(watcher)],
        errand: Errand::Run,
        orders: Vec::new(),
        until: None,
        mirror: None,
        desk,
        secrets,
        vault: Vault::new(&cli.state_dir()?),
        controller,
    })
}

/// Who shows the run, aside of it: a terminal that takes nothing must not hold it up.
pub(crate) fn watcher(output: &Output) -> Result<(Aside, Option<Curtain>), Error> {
    let mut curtain = None;
    let watcher: Box<dyn Watcher + Send> = if output.json {
        Box::new(JsonLines::new(io::stdout()))
    } else if output.can_draw {
        let size = || dialoguer::console::Term::stderr().size();
        let progress = Progress::stderr(output.stderr_style(), Box::new(size));
        curtain = Some(progress.curtain());
        Box::new(progress)
    } else {
        Box::new(Lines::new(io::stdout(), output.style()))
    };
    let aside = Aside::new(watcher)
        .map_err(|error| Error::Engine(format!("a thread cannot be started: {error}")))?;
    Ok((aside, curtain))
}

/// Hosts that nobody else can run anything on yet.
pub(crate) fn keep_locks(hosts: &[(HostName, String)], output: &Output) {
    for (host, problem) in hosts {
        output.note(&format!(
            "{} keeps the lock of this run: {}\n",
            printable(host.as_str()),
            printable(problem)
        ));
    }
}

pub(crate) fn finish(ended: &Ended, output: &Output) -> Result<Exit, Error> {
    let exit = Exit::of_run(&ended.state);
    keep_locks(&ended.still_locked, output);
    for (host, problem) in &ended.not_cleaned {
        output.note(&format!(
            "{} keeps what old runs have left there: {}\n",
            printable(host.as_str()),
            printable(problem)
        ));
    }
    if exit != Exit::Done {
        let style = if output.json {
            output.stderr_style()
        } else {
            output.style()
        };
        let card = format!("\n{}", failure_card(&ended.plan, &ended.state, &style));
        match output.json {
            true => output.note(&card),
            false => output.put(&card)?,
        }
    }
    Ok(exit)
}
