//! Files that somebody made to hurt: each ends in an answer, with bounded memory and a bounded
//! text, and none of them hangs, panics or overflows a stack.
//!
//! Every case is a child process, the binary itself, with a limit on its address space.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod expressions;
mod files;
mod names;
mod yaml;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use runbook_tests::operator::binary;

/// A case may use this much address space, in KiB. A program that was built for tests maps a few
/// hundred MiB before it reads anything.
const MEMORY: u64 = 1536 * 1024;

/// Seconds of a processor that a case may use. This is no measurement: usual cases take a tenth of
/// one, and a program that was built for tests is ten times as slow as the real one.
const PROCESSOR: u64 = 10;

/// A case that takes longer sleeps, or the machine is too busy to tell.
const WATCHDOG: Duration = Duration::from_secs(90);

/// An answer that is longer is not read by anybody, in bytes.
const LONGEST_ANSWER: u64 = 512 * 1024;

/// What is in a directory, if a case does not say otherwise.
const RUNBOOK: &str = "runbook: demo
inputs:
  text: { type: string, default: a }
  number: { type: int, default: 1 }
  list: { type: map, of: string, default: { a: b } }
steps:
  - { step: space, uses: host.disk_free, on: all, with: { path: /var, at_least: 1GiB } }
";
const INVENTORY: &str = "hosts: { h1: { address: 10.0.0.1 }, h2: { address: 10.0.0.2 } }\n";

/// How a case may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// With mistakes that are shown.
    Refused,
    /// Without mistakes.
    Accepted,
}

/// One hostile directory.
struct Case {
    name: &'static str,
    files: BTreeMap<&'static str, Vec<u8>>,
    ends: Ends,
}

impl Case {
    /// A case of one file.
    fn new(name: &'static str, file: &'static str, bytes: impl Into<Vec<u8>>, ends: Ends) -> Self {
        Self {
            name,
            files: BTreeMap::from([(file, bytes.into())]),
            ends,
        }
    }

    /// With one more file.
    fn and(mut self, file: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(file, bytes.into());
        self
    }

    /// Why it did not end as it should.
    fn tried(&self) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        write("runbook.yaml", RUNBOOK.as_bytes());
        write("inventory.yaml", INVENTORY.as_bytes());
        self.files
            .iter()
            .for_each(|(name, bytes)| write(name, bytes));
        let answer = folder.path().join("answer");
        let status = ended(self.started(folder.path(), &answer))?;
        let size = fs::metadata(&answer).unwrap().len();
        if size > LONGEST_ANSWER {
            return Err(format!("the answer has {size} bytes"));
        }
        let text = fs::read(&answer).unwrap();
        let text = String::from_utf8(text).map_err(|_| "the answer is not text".to_owned())?;
        if text.chars().any(|c| c.is_control() && c != '\n') {
            return Err("the answer has control characters".to_owned());
        }
        let found = match status {
            Some(0) => Ends::Accepted,
            Some(2) => Ends::Refused,
            other => {
                let tail: Vec<_> = text.lines().rev().take(5).collect();
                return Err(format!("status {other:?}: {tail:?}"));
            }
        };
        if found != self.ends {
            let head: String = text.chars().take(400).collect();
            return Err(format!("was {found:?}: {head}"));
        }
        Ok(())
    }

    fn started(&self, folder: &Path, answer: &Path) -> Child {
        let answer = File::create(answer).unwrap();
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                "ulimit -v \"$1\" && ulimit -t \"$2\" && shift 2 && exec \"$@\"",
                "sh",
            ])
            .args([MEMORY.to_string(), PROCESSOR.to_string()])
            .arg(binary())
            .args(["check", "runbook.yaml", "--state", "state"])
            .current_dir(folder)
            .env("NO_COLOR", "1")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(answer.try_clone().unwrap())
            .stderr(answer);
        if self.files.contains_key("inputs.yaml") {
            command.args(["--inputs", "inputs.yaml"]);
        }
        command.spawn().unwrap()
    }
}

/// The exit status, where there is one.
fn ended(mut child: Child) -> Result<Option<i32>, String> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            // The limit of processor time ends it by a signal.
            return match status.code() {
                None => Err(format!("was ended: {status}")),
                code => Ok(code),
            };
        }
        if begin.elapsed() > WATCHDOG {
            child.kill().unwrap();
            child.wait().unwrap();
            return Err("hangs".to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Tries cases, as many at once as there are processors.
fn all(cases: Vec<Case>) {
    let wanted = std::env::var("HOSTILE_CASE").ok();
    let open = Mutex::new(cases.into_iter());
    let failed = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = open.lock().unwrap().next();
                    let Some(case) = next else { break };
                    if wanted.as_deref().is_some_and(|name| name != case.name) {
                        continue;
                    }
                    if let Err(why) = case.tried() {
                        failed.lock().unwrap().push(format!("{}: {why}", case.name));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}
