//! `runbook run --detach`: the same command again, in a session of its own, without a terminal.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use runbook_exec::store::{RunStatus, Store};
use runbook_model::Plan;
use runbook_model::text::printable;

use crate::error::Error;
use crate::exit::Exit;
use crate::output::Output;

/// How often it is looked whether the run exists.
const LOOK: Duration = Duration::from_millis(100);
/// Bytes of what a controller says that could not begin.
const SAID: u64 = 64 * 1024;

/// Begins the run in the background and says how to follow it.
pub(crate) fn detach(store: &Store, plan: &Plan, output: &Output) -> Result<Exit, Error> {
    let failed = |what: &str, error: std::io::Error| Error::Engine(format!("{what}: {error}"));
    let dir = tempfile::tempdir().map_err(|e| failed("no directory for the output", e))?;
    let said = dir.path().join("said");
    let file = OpenOptions::new()
        .create_new(true)
        .append(true)
        .mode(0o600)
        .open(&said)
        .map_err(|e| failed("no file for the output", e))?;
    let program = std::env::current_exe().map_err(|e| failed("this program is not found", e))?;
    let arguments = std::env::args_os()
        .skip(1)
        .filter(|argument| argument != "--detach" && argument != "--wait-at-gates");
    // A session of its own: no hang-up of this terminal reaches it.
    let mut child = Command::new("setsid")
        .arg(program)
        .args(arguments)
        // Nobody sees its questions: whoever is to decide does so from elsewhere.
        .arg("--wait-at-gates")
        .stdin(Stdio::null())
        .stdout(
            file.try_clone()
                .map_err(|e| failed("no file for the output", e))?,
        )
        .stderr(file)
        .spawn()
        .map_err(|e| failed("`setsid` cannot be started", e))?;
    loop {
        let runs = store.list()?;
        let mine = runs.iter().find(
            |run| matches!(&run.status, RunStatus::Running(Some(who)) if who.pid == child.id()),
        );
        if let Some(run) = mine {
            output.put(&format!(
                "run {} ({}) goes on in the background\n  runbook attach {}\n  runbook status {}\n",
                run.id,
                printable(&plan.runbook),
                run.id,
                run.id
            ))?;
            return Ok(Exit::Done);
        }
        if let Some(status) = child
            .try_wait()
            .map_err(|e| failed("the controller is lost", e))?
        {
            let text = read(&said);
            output.put(&text)?;
            return Ok(Exit::of_code(status.code()));
        }
        std::thread::sleep(LOOK);
    }
}

fn read(path: &std::path::Path) -> String {
    use std::io::Read;
    let mut text = Vec::new();
    let read = std::fs::File::open(path).and_then(|f| f.take(SAID).read_to_end(&mut text));
    match read {
        Ok(_) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => String::new(),
    }
}
