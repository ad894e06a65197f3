//! Who uses the binary in a test: with a runbook, an inventory, inputs and a state directory of
//! their own, at a terminal or without one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Instant;

use runbook_exec::store::{Seen, Store};
use runbook_model::{Record, RunId};
use tempfile::TempDir;

use crate::lab::Lab;
use crate::root;
use crate::tail::Tail;
use crate::terminal::{DEADLINE, Ended, MOMENT, Terminal, say};

/// Rows and columns of a usual terminal.
const SIZE: (u16, u16) = (40, 120);

/// Who uses the binary.
#[derive(Debug)]
pub struct Operator {
    /// What is run.
    pub runbook: PathBuf,
    /// On which hosts.
    pub inventory: PathBuf,
    /// With which inputs.
    pub inputs: Option<PathBuf>,
    /// Where secrets are read: `NAME=PLACE`.
    pub secrets: Vec<String>,
    /// Rows and columns of the terminal.
    pub size: (u16, u16),
    folder: TempDir,
}

/// A run at a terminal, with its journal beside it.
pub struct Session {
    /// The terminal.
    pub terminal: Terminal,
    runs: PathBuf,
    tail: Tail,
}

impl Operator {
    /// Who upgrades the registry of the lab.
    #[must_use]
    pub fn of_upgrade(lab: &Lab) -> Self {
        let mut operator = Self::new(&root().join("runbooks/upgrade-geo.yaml"), &lab.inventory);
        operator.inputs = Some(lab.inputs.clone());
        let smoke = lab.smoke.display();
        operator.secrets = vec![format!("smoke_password=file:{smoke}")];
        operator
    }

    /// The same with other inputs: each of these, as a line of the file, over that of the lab.
    #[must_use]
    pub fn with_inputs(mut self, inputs: &[(&str, &str)]) -> Self {
        let text = self.inputs.as_ref().map(std::fs::read_to_string);
        let text = text.expect("it has inputs").expect("they can be read");
        let is_other = |line: &&str| {
            let other = |(name, _): &(&str, &str)| line.starts_with(&format!("{name}:"));
            !inputs.iter().any(other)
        };
        let mut lines: Vec<String> = text.lines().filter(is_other).map(str::to_owned).collect();
        lines.extend(
            inputs
                .iter()
                .map(|(name, value)| format!("{name}: {value}")),
        );
        self.inputs = Some(self.file("other-inputs.yaml", &(lines.join("\n") + "\n")));
        self
    }

    /// Who runs this runbook on the hosts of this inventory.
    #[must_use]
    pub fn new(runbook: &Path, inventory: &Path) -> Self {
        let folder = tempfile::tempdir().expect("there is room for a directory");
        let (runbook, inventory) = (runbook.to_owned(), inventory.to_owned());
        Self {
            runbook,
            inventory,
            inputs: None,
            secrets: Vec::new(),
            size: SIZE,
            folder,
        }
    }

    /// A file of this operator's own.
    #[must_use]
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("there is room for a file");
        path
    }

    /// Uses a copy of the runbook in which each of these texts, which must be there once, is
    /// another.
    #[must_use]
    pub fn with(mut self, changes: &[(&str, &str)]) -> Self {
        let text = std::fs::read_to_string(&self.runbook).expect("the runbook is there");
        self.runbook = self.file("changed.yaml", &replaced(text, changes));
        self
    }

    /// Somebody else, with a copy of all that this operator has written.
    #[must_use]
    pub fn copied(&self) -> Self {
        let mut other = Self::new(&self.runbook, &self.inventory);
        other.inputs.clone_from(&self.inputs);
        other.secrets.clone_from(&self.secrets);
        let copied = Command::new("cp")
            .arg("-a")
            .args([self.state(), other.state()])
            .status();
        assert!(copied.is_ok_and(|status| status.success()), "no copy");
        other
    }

    /// `runbook run` at a terminal.
    #[must_use]
    pub fn run(&self) -> Session {
        self.session(&self.run_args())
    }

    /// `runbook resume` at a terminal.
    #[must_use]
    pub fn resume(&self) -> Session {
        self.session(&["resume".into()])
    }

    /// `runbook run` without a terminal.
    #[must_use]
    pub fn run_alone(&self) -> Output {
        self.alone(&self.run_args())
    }

    /// A command without a terminal.
    #[must_use]
    pub fn alone(&self, args: &[OsString]) -> Output {
        Command::new(binary())
            .args(args)
            .args(self.state_args())
            .stdin(std::process::Stdio::null())
            .output()
            .expect("the binary can be started")
    }

    /// The arguments of `run` without those of every command.
    #[must_use]
    pub fn run_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec![
            "run".into(),
            (&self.runbook).into(),
            "-i".into(),
            (&self.inventory).into(),
        ];
        if let Some(inputs) = &self.inputs {
            args.extend(["--inputs".into(), inputs.into()]);
        }
        let secrets = self.secrets.iter();
        args.extend(secrets.flat_map(|of| ["--secret".into(), of.into()]));
        args
    }

    /// The runs of this operator.
    #[must_use]
    pub fn runs(&self) -> Vec<RunId> {
        let runs = self.store().list().expect("the store can be read");
        runs.into_iter().map(|run| run.id).collect()
    }

    /// The newest run, as the store reads it.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let id = self.runs().into_iter().next().expect("there is a run");
        self.store()
            .look(&id)
            .unwrap_or_else(|e| panic!("run {id} cannot be read: {e}"))
    }

    /// What `status --json` says of the newest run.
    #[must_use]
    pub fn status(&self) -> serde_json::Value {
        let id = self.runs().into_iter().next().expect("there is a run");
        let said = self.alone(&["status", id.as_str(), "--json"].map(Into::into));
        serde_json::from_slice(&said.stdout).expect("it is JSON")
    }

    /// The record of the newest run.
    #[must_use]
    pub fn record(&self) -> serde_json::Value {
        let id = self.runs().into_iter().next().expect("there is a run");
        let file = self
            .state()
            .join("runs")
            .join(id.as_str())
            .join("record.json");
        let text = std::fs::read(file).expect("a run ends with its record");
        serde_json::from_slice(&text).expect("it is JSON")
    }

    /// The newest run, if its first event was written: before that there is nothing to go on with.
    #[must_use]
    pub fn begun(&self) -> Option<Seen> {
        self.runs().first()?;
        Some(self.seen()).filter(|seen| seen.state.run.is_some())
    }

    fn store(&self) -> Store {
        Store::open(&self.state()).expect("the state directory can be opened")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn state_args(&self) -> [OsString; 2] {
        ["--state".into(), self.state().into()]
    }

    /// A command at a terminal.
    #[must_use]
    pub fn session(&self, args: &[OsString]) -> Session {
        let args: Vec<OsString> = args.iter().cloned().chain(self.state_args()).collect();
        // What earlier controllers wrote is read away, so that the session tells of its own only.
        let (runs, mut tail) = (self.state().join("runs"), Tail::default());
        if let Some(journal) = journal(&runs) {
            tail.read(&journal);
        }
        let terminal = Terminal::start(binary(), &args, self.size.0, self.size.1);
        Session {
            terminal,
            runs,
            tail,
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!(
                "the state is kept in {}",
                self.folder.path().display()
            ));
            self.folder.disable_cleanup(true);
        }
    }
}

impl Session {
    /// The records that this session has added since the last call, each with the id of its node.
    pub fn records(&mut self) -> Vec<(Record, String)> {
        journal(&self.runs)
            .map(|journal| self.tail.read(&journal))
            .unwrap_or_default()
    }

    /// Waits for a record of this session; gates that ask meanwhile are let pass.
    pub fn until(&mut self, what: &str, mut is_it: impl FnMut(&Record, &str) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            // The journal is read after the end of the program was seen, or its last words would be missed.
            let over = !self.terminal.runs() || Instant::now() > deadline;
            if self
                .records()
                .iter()
                .any(|(record, node)| is_it(record, node))
            {
                return;
            }
            assert!(!over, "it never came to this: {what}");
            self.terminal.agree();
            std::thread::sleep(MOMENT);
        }
    }

    /// Waits for the end; gates that ask meanwhile are let pass.
    pub fn end(&mut self) -> Ended {
        let deadline = Instant::now() + DEADLINE;
        while self.terminal.runs() && Instant::now() < deadline {
            self.terminal.agree();
            std::thread::sleep(MOMENT);
        }
        self.terminal.end()
    }

    /// Waits for the end, which must be this one.
    pub fn ends_with(&mut self, code: i32) -> String {
        let ended = self.end();
        assert_eq!(ended.code, Some(code), "the exit code");
        ended.text
    }
}

/// The text with each of these, which must be there once, as another.
#[must_use]
pub fn replaced(mut text: String, changes: &[(&str, &str)]) -> String {
    for (from, to) in changes {
        assert_eq!(text.matches(from).count(), 1, "`{from}` is there once");
        text = text.replace(from, to);
    }
    text
}

/// The journal of the newest run.
fn journal(runs: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(runs).ok()?.flatten();
    let born = entries.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    let newest = born.max_by_key(|entry| entry.metadata().and_then(|of| of.created()).ok())?;
    Some(newest.path().join("journal.jsonl"))
}

/// The binary, built from what lies here now: a test of an older one would prove nothing.
/// `RUNBOOK_BINARY` names another.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(named) = std::env::var_os("RUNBOOK_BINARY") {
            return named.into();
        }
        let test = std::env::current_exe().expect("a test knows where it is");
        let profile = test
            .ancestors()
            .nth(2)
            .expect("tests lie in target/PROFILE/deps");
        if let Some(cargo) = std::env::var_os("CARGO") {
            let release = profile.ends_with("release").then_some("--release");
            let built = Command::new(cargo)
                .args(["build", "--quiet", "--package=runbook-cli", "--target-dir"])
                .arg(
                    profile
                        .parent()
                        .expect("profiles lie in the target directory"),
                )
                .args(release)
                .current_dir(root())
                .status();
            assert!(
                built.is_ok_and(|status| status.success()),
                "the binary cannot be built"
            );
        }
        let binary = profile.join("runbook");
        assert!(
            binary.is_file(),
            "there is no {}: cargo build --package runbook-cli",
            binary.display()
        );
        binary
    })
}
