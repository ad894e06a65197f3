//! `runbook runs`: all runs of this controller.

use runbook_report::{runs_json, runs_table};

use crate::args::Cli;
use crate::engine::runs as engine;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn runs(cli: &Cli, output: &Output) -> Result<Exit, Error> {
    let rows = engine::list(&engine::store(cli)?)?;
    match output.json {
        true => output.put_json(&runs_json(&rows))?,
        false => output.put(&runs_table(&rows, &output.style()))?,
    }
    Ok(Exit::Done)
}
