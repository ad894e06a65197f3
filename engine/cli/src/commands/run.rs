//! `runbook run` and `runbook resume`: the same run, from its beginning or from where it is.

use std::io;

use runbook_model::plan::SecretSource;
use runbook_model::{Plan, Watcher};
use runbook_report::{Curtain, JsonLines, Lines, Progress, failure_card};

use crate::args::{Cli, ResumeArgs, RunArgs, SecretArg};
use crate::commands::compile;
use crate::desk::TerminalDesk;
use crate::engine::live::{self, Ended, Live};
use crate::engine::runs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;
use crate::prompt;
use crate::secrets::Secrets;
use crate::who;

pub(crate) fn run(cli: &Cli, args: &RunArgs, output: &Output) -> Result<Exit, Error> {
    let plan = compile(&args.compile, output)?.plan;
    let store = runs::store(cli)?;
    // A run that could not begin anyway asks nobody for a secret.
    live::may_begin(&store, &plan)?;
    let live = live(&plan, &[], output)?;
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
        .filter(|result| result.is_final())
    {
        let word = match result {
            runbook_model::RunResult::AlreadyThere => "had nothing to do",
            _ => "has succeeded",
        };
        output.put(&format!(
            "run {id} {word}; there is nothing to go on with\n"
        ))?;
        return Ok(Exit::Done);
    }
    let live = live(&seen.plan, &SecretArg::all(&args.secret)?, output)?;
    finish(&live::resume(&store, &id, live)?, output)
}

/// Everything around a run: who is told, who is asked, what is secret.
fn live(plan: &Plan, secrets: &[(String, SecretSource)], output: &Output) -> Result<Live, Error> {
    let secrets = Secrets::read(plan, secrets, |name| prompt::secret(name, output))?;
    let controller = who::controller();
    let (watcher, curtain) = watcher(output);
    let desk = TerminalDesk {
        curtain,
        terminal: output.can_ask,
        person: format!("{} on {}", controller.user, controller.host),
        style: output.stderr_style(),
    };
    Ok(Live {
        watchers: vec![watcher],
        desk,
        secrets,
        controller,
    })
}

fn watcher(output: &Output) -> (Box<dyn Watcher>, Option<Curtain>) {
    if output.json {
        return (Box::new(JsonLines::new(io::stdout())), None);
    }
    if !output.can_draw {
        return (Box::new(Lines::new(io::stdout(), output.style())), None);
    }
    let size = || dialoguer::console::Term::stderr().size();
    let progress = Progress::stderr(output.stderr_style(), Box::new(size));
    let curtain = progress.curtain();
    (Box::new(progress), Some(curtain))
}

fn finish(ended: &Ended, output: &Output) -> Result<Exit, Error> {
    let exit = Exit::of_run(&ended.state);
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
