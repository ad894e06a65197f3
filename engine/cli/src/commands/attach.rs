//! `runbook attach`: what another controller does, as it does it. Read-only: Ctrl-C ends the look,
//! not the run.

use std::collections::HashMap;
use std::time::Duration;

use runbook_exec::driver;
use runbook_exec::store::Stream;
use runbook_model::{AttemptId, RunState, Watcher};

use crate::args::{AttachArgs, Cli};
use crate::commands::run;
use crate::engine::runs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

/// How often the journal is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How long the last lines may take to be shown.
const AT_END: Duration = Duration::from_secs(5);

pub(crate) fn attach(cli: &Cli, args: &AttachArgs, output: &Output) -> Result<Exit, Error> {
    let store = runs::store(cli)?;
    let id = runs::look(&store, args.run.as_deref())?.id;
    let (mut watcher, _) = run::watcher(output)?;
    let mut state = RunState::default();
    let mut heard: HashMap<AttemptId, [u64; 2]> = HashMap::new();
    loop {
        let seen = store.look(&id)?;
        for record in &seen.journal.records {
            if record.seq <= state.seq {
                continue;
            }
            // What is read from the store has been folded once already.
            // What was before files were changed is numbered by a plan that is not run any more.
            if state.apply(record).is_ok() && state.plan_number == seen.state.plan_number {
                watcher.record(record, &seen.plan, &state);
            }
        }
        let home = store.home(&id)?;
        for (attempt, of) in seen.state.open_attempts() {
            let at = heard.entry(attempt.clone()).or_default();
            for (at, stream) in at.iter_mut().zip([Stream::Out, Stream::Err]) {
                // A log that cannot be read hides how far a step is, and nothing else.
                let new = home.log(attempt).read_from(stream, *at).unwrap_or_default();
                *at += new.len() as u64;
                watcher.output(of.node, &seen.plan, &new);
            }
        }
        watcher.tick(driver::now(), &seen.plan, &state);
        if seen.held.is_none() {
            watcher.settle(AT_END);
            if state.result.is_none() {
                output.note(&format!(
                    "no controller has run {id}; it goes on with: runbook resume {id}\n"
                ));
            }
            return Ok(Exit::of_run(&state));
        }
        std::thread::sleep(LOOK);
    }
}
