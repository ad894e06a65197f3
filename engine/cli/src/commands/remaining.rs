//! `runbook remaining`: what is left of a run, and the same as text that a person can type.

use std::sync::Arc;

use runbook_exec::graph::Frozen;
use runbook_exec::remaining::{self, Left};
use runbook_exec::rollback;
use runbook_report::{Remains, remaining_json, remaining_text};

use crate::args::{Cli, RemainingArgs};
use crate::engine::runs;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn remaining(cli: &Cli, args: &RemainingArgs, output: &Output) -> Result<Exit, Error> {
    let engine = |error: &dyn std::fmt::Display| Error::Engine(error.to_string());
    let store = runs::store(cli)?;
    let seen = runs::look(&store, args.run.as_deref())?;
    if let Some(opaque) = runs::opaque(&seen) {
        output.note(&opaque);
    }
    let plan = Arc::new(seen.plan);
    let state = &seen.state;
    if args.as_commands {
        let home = store.home(&seen.id)?;
        let text = remaining::commands(&plan, state, home.dir()).map_err(|e| engine(&e))?;
        output.put(&text)?;
        return Ok(Exit::Done);
    }
    let Left { main, back, ending } = remaining::left(&plan, state).map_err(|e| engine(&e))?;
    let mut undone = Vec::new();
    // What a gate has decided goes all the way back.
    let to = match (&state.rollback, &state.due) {
        (Some(rollback), _) => Some(rollback.to.as_deref()),
        (None, due) => due.as_ref().map(|_| None),
    };
    if let Some(to) = to.filter(|_| goes_on(state)) {
        let graph = Frozen::new(&plan).map_err(|e| engine(&e))?;
        let scope = rollback::scope(&plan, &graph, state, to);
        undone = scope.map(|scope| scope.back).unwrap_or_default();
    }
    let left = Remains {
        nodes: &[main, back].concat(),
        ending: &ending,
        back: &undone,
    };
    match output.json {
        true => output.put_json(&remaining_json(&plan, state, &left))?,
        false => output.put(&remaining_text(&plan, state, &left, &output.style()))?,
    }
    Ok(Exit::Done)
}

/// Whether the run is not over.
fn goes_on(state: &runbook_model::RunState) -> bool {
    state.result.as_ref().is_none_or(|result| result.goes_on())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command as Process, Stdio};

    use clap::Parser as _;
    use runbook_model::RunState;

    use super::*;
    use crate::args::Command;
    use crate::engine::load;

    #[test]
    fn the_whole_of_an_upgrade_is_readable_for_a_shell() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        for words in [
            &[
                "runbooks/upgrade-geo.yaml",
                "-i",
                "runbooks/inventory.example.yaml",
                "--input",
                "first=quay01",
            ][..],
            &[
                "tests/wanted/upgrade-geo.yaml",
                "-i",
                "tests/wanted/inventory.yaml",
                "--inputs",
                "tests/wanted/inputs.yaml",
            ],
        ] {
            let path = |word: &&str| match word.contains(".yaml") {
                true => format!("{root}/{word}"),
                false => (*word).to_owned(),
            };
            let typed = ["runbook", "check"].into_iter().map(str::to_owned);
            let cli = Cli::parse_from(typed.chain(words.iter().map(path)));
            let Command::Check(args) = cli.command else {
                unreachable!("check was typed")
            };
            let plan = load::load(&args).unwrap().compile(true).unwrap().plan;
            let text = remaining::commands(
                &Arc::new(plan),
                &RunState::default(),
                std::path::Path::new("/r"),
            );
            let text = text.unwrap();
            assert!(text.contains("# not known yet: "), "{text}");
            let mut sh = Process::new("sh")
                .arg("-n")
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            sh.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
            assert!(sh.wait().unwrap().success(), "{text}");
        }
    }
}
