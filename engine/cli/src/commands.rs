//! The commands, a file each.

pub(crate) mod abandon;
pub(crate) mod approve;
pub(crate) mod attach;
pub(crate) mod check;
pub(crate) mod detach;
pub(crate) mod edited;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod graph;
pub(crate) mod journal;
pub(crate) mod logs;
pub(crate) mod mirror;
pub(crate) mod order;
pub(crate) mod plan;
pub(crate) mod probe;
pub(crate) mod rehearse;
pub(crate) mod release;
pub(crate) mod remaining;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod status;
pub(crate) mod steps;
pub(crate) mod takeover;
pub(crate) mod test;

use crate::args::CompileArgs;
use crate::engine::load::{self, Compiled, Loaded};
use crate::error::Error;
use crate::output::Output;
use crate::prompt;

/// Compiles for a plan or a run: missing inputs are asked at a terminal, and refused elsewhere,
/// all of them at once.
fn compile(args: &CompileArgs, output: &Output) -> Result<Compiled, Error> {
    compiled(load::load(args)?, output)
}

/// The same of what is loaded.
fn compiled(mut loaded: Loaded, output: &Output) -> Result<Compiled, Error> {
    if output.can_ask {
        for missing in loaded.missing() {
            match missing.is_secret() {
                true => loaded.ask_later(&missing.name),
                false => loaded.give(&missing.name, prompt::input(&missing)?),
            }
        }
    }
    let compiled = loaded.compile(false)?;
    output.warn(&compiled.warnings, &compiled.sources);
    Ok(compiled)
}
