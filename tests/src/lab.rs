//! A lab, as a test uses it: alone, and always from the same start. `LABS` says how many there are.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Condvar, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::chance::number;
use crate::root;

/// The nodes of the registry, the first one migrates.
pub const NODES: [&str; 3] = ["quay01", "quay02", "quay03"];

/// The numbers of the labs that no test has.
static FREE: LazyLock<Mutex<Vec<u64>>> = LazyLock::new(|| {
    let labs = number("LABS").unwrap_or(1).max(1);
    Mutex::new((0..labs).rev().collect())
});
/// Comes when there is one more.
static FREED: Condvar = Condvar::new();

/// A lab, held by one test.
#[derive(Debug)]
pub struct Lab {
    /// The inventory.
    pub inventory: PathBuf,
    /// The inputs of the upgrade.
    pub inputs: PathBuf,
    /// The file with the password of the account that pushes.
    pub smoke: PathBuf,
    /// The certificates to verify the registry with.
    pub ca: PathBuf,
    /// The name of the registry.
    pub hostname: String,
    number: Number,
}

/// Which one of the labs of this machine; it is free again when this is dropped.
#[derive(Debug)]
struct Number(u64);

/// What a stand-in wrote into its table of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabEvent {
    /// On which node.
    pub node: String,
    /// The first digits of the container's id.
    pub container: String,
    /// The version of the stand-in.
    pub version: String,
    /// `registry`, `repomirror` or `migrate`.
    pub mode: String,
    /// What happened.
    pub event: String,
}

/// A container of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: String,
    /// When it was started.
    pub started: String,
    /// `running`, `exited`, …
    pub status: String,
    /// The command that created it.
    pub create: String,
}

/// A fault that is on.
#[derive(Debug)]
pub struct Fault<'a> {
    lab: &'a Lab,
    name: &'a str,
    host: &'a str,
}

impl Lab {
    /// Waits for a lab and puts it back to its start.
    #[must_use]
    pub fn fresh() -> Self {
        let number = Number::free();
        number.said(&["reset"]);
        let env = number.said(&["env"]);
        let value = |name: &str| {
            let line = env
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            PathBuf::from(line.unwrap_or_else(|| panic!("`lab env` says no {name}")))
        };
        Self {
            inventory: value("INVENTORY"),
            inputs: value("INPUTS"),
            smoke: value("SMOKE"),
            ca: value("CA"),
            hostname: value("HOSTNAME").to_string_lossy().into_owned(),
            number,
        }
    }

    /// `lab ARGS…`, which must succeed; what it wrote.
    pub fn run(&self, args: &[&str]) -> String {
        self.number.said(args)
    }

    /// A command on a host, as root; what it wrote.
    pub fn on(&self, host: &str, command: &str) -> String {
        self.run(&["exec", host, command])
    }

    /// The address of a host.
    #[must_use]
    pub fn address(&self, host: &str) -> String {
        let all = self.run(&["ls"]);
        let of = all.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let found = of
            .filter(|words| words[0] == host)
            .find_map(|words| words.get(1).copied());
        found
            .unwrap_or_else(|| panic!("there is no {host}"))
            .to_owned()
    }

    /// Puts a file of this machine on a host, executable.
    pub fn put(&self, host: &str, file: &Path, to: &str) {
        let sent = self
            .number
            .command()
            .args(["exec", host, &format!("cat >{to} && chmod 755 {to}")])
            .stdin(File::open(file).unwrap_or_else(|e| panic!("{}: {e}", file.display())))
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "{} did not reach {host}",
            file.display()
        );
    }

    /// Makes a fault; `host` is empty for one that needs none.
    pub fn fault<'a>(&'a self, name: &'a str, host: &'a str) -> Fault<'a> {
        let fault = Fault {
            lab: self,
            name,
            host,
        };
        fault.set("on");
        fault
    }

    /// What the stand-ins did, in order.
    #[must_use]
    pub fn events(&self) -> Vec<LabEvent> {
        self.run(&["events"]).lines().skip(1).map(event).collect()
    }

    /// The same, after every container that runs has said that it started, and every process that
    /// started that it is ready, or has stopped: nothing in a runbook waits for a mirror worker. What
    /// is not so after a while is there as it is.
    #[must_use]
    pub fn events_at_rest(&self) -> Vec<LabEvent> {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let events = self.events();
            let ended = |start: &LabEvent| {
                let is_its_end = |e: &&LabEvent| {
                    e.container == start.container
                        && ["ready", "stop", "refused"].contains(&&*e.event)
                };
                events.iter().any(|e| is_its_end(&e))
            };
            let starts = |e: &&LabEvent| e.event == "start";
            let all_ended = events.iter().filter(starts).all(ended);
            if all_ended && self.all_told(&events) || Instant::now() > until {
                return events;
            }
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// Whether every container that runs has told of itself, or is as old as the lab's reset.
    fn all_told(&self, events: &[LabEvent]) -> bool {
        let told = |of: &Container| {
            let old =
                of.create.contains(":v3.7.0") && !events.iter().any(|e| e.version == "v3.8.0");
            old || events.iter().any(|e| of.id.starts_with(&e.container))
        };
        let all = self.all_containers().into_iter().flatten();
        all.filter(|of| of.status == "running").all(|of| told(&of))
    }

    /// The containers of a node, by name.
    #[must_use]
    pub fn containers(&self, host: &str) -> Vec<Container> {
        let format = r"{{.Name}}\t{{.Id}}\t{{.State.StartedAt}}\t{{.State.Status}}\t{{json .Config.CreateCommand}}";
        let text = self.on(
            host,
            &format!("podman ps -aq | xargs -r podman inspect --format '{format}'"),
        );
        let mut containers: Vec<_> = text.lines().map(container).collect();
        containers.sort_by(|a, b| a.name.cmp(&b.name));
        containers
    }

    /// The containers of all nodes.
    #[must_use]
    pub fn all_containers(&self) -> Vec<Vec<Container>> {
        NODES.iter().map(|node| self.containers(node)).collect()
    }
}

impl Fault<'_> {
    /// Undoes it.
    pub fn off(self) {
        self.set("off");
    }

    fn set(&self, to: &str) {
        let mut args = vec!["fault", self.name, to];
        args.extend((!self.host.is_empty()).then_some(self.host));
        self.lab.run(&args);
    }
}

fn event(line: &str) -> LabEvent {
    let fields: Vec<&str> = line.split('\t').collect();
    let field = |at: usize| {
        fields
            .get(at)
            .unwrap_or_else(|| panic!("not an event: {line}"))
            .to_string()
    };
    LabEvent {
        node: field(2),
        container: field(3),
        version: field(4),
        mode: field(5),
        event: field(6),
    }
}

fn container(line: &str) -> Container {
    let fields: Vec<&str> = line.splitn(5, '\t').collect();
    let field = |at: usize| {
        fields
            .get(at)
            .unwrap_or_else(|| panic!("not a container: {line}"))
            .to_string()
    };
    Container {
        name: field(0),
        id: field(1),
        started: field(2),
        status: field(3),
        create: field(4),
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(self.0);
        FREED.notify_one();
    }
}

impl Number {
    /// Waits for one that no test has.
    fn free() -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = FREED
            .wait_while(free, |free| free.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        Self(free.pop().expect("waited for one"))
    }

    /// The first one is the one that the environment names.
    fn command(&self) -> Command {
        let mut lab = Command::new(root().join("tests/lab/lab"));
        if self.0 > 0 {
            lab.env("LAB_NUMBER", self.0.to_string());
        }
        lab
    }

    fn said(&self, args: &[&str]) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = self
            .command()
            .args(args)
            .output()
            .unwrap_or_else(|e| panic!("cannot start tests/lab/lab: {e}"));
        let errors = String::from_utf8_lossy(&stderr);
        assert!(
            status.success(),
            "tests/lab/lab {} failed, is the lab up? (tests/lab/lab up)\n{errors}",
            args.join(" ")
        );
        String::from_utf8_lossy(&stdout).into_owned()
    }
}
