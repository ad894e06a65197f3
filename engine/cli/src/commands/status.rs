//! `runbook status`: how a run stands.

use runbook_report::{status_json, status_text};

use crate::args::{Cli, StatusArgs};
use crate::engine::runs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn status(cli: &Cli, args: &StatusArgs, output: &Output) -> Result<Exit, Error> {
    let seen = runs::look(&runs::store(cli)?, args.run.as_deref())?;
    let running = seen.held.is_some();
    let now = jiff::Timestamp::now().as_millisecond();
    let (plan, state) = (&seen.plan, &seen.state);
    match output.json {
        true => output.put_json(&status_json(plan, state, running, now))?,
        false => output.put(&status_text(plan, state, running, now, &output.style()))?,
    }
    if let Some(note) = runs::opaque(&seen) {
        output.note(&note);
    }
    Ok(Exit::Done)
}
