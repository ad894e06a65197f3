//! The lab of nine hosts, as a test uses it: alone, with the whole registry on it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::chance::number;
use crate::root;

/// The lab of nine hosts, beside those of the other suites, unless `LAB_SITE_NUMBER` says otherwise.
const NUMBER: u64 = 3;
/// All hosts.
pub const HOSTS: [&str; 9] = [
    "db01", "quay01", "quay02", "quay03", "ceph01", "ceph02", "ceph03", "ceph04", "ceph05",
];

static ONE: Mutex<()> = Mutex::new(());

/// The nine hosts, held by one test.
#[derive(Debug)]
pub struct Site {
    /// The inventory.
    pub inventory: PathBuf,
    /// The inputs of the whole site.
    pub inputs: PathBuf,
    /// What `lab env` says.
    env: BTreeMap<String, String>,
    _one: MutexGuard<'static, ()>,
}

impl Site {
    /// Waits for the hosts, and takes them as they are.
    #[must_use]
    pub fn held() -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let env: BTreeMap<String, String> = said(&["env"])
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self {
            inventory: env["INVENTORY"].clone().into(),
            inputs: env["INPUTS"].clone().into(),
            env,
            _one: one,
        }
    }

    /// Nine empty hosts.
    pub fn reset(&self) {
        said(&["reset"]);
    }

    /// `lab ARGS…`, which must succeed; what it wrote.
    pub fn lab(&self, args: &[&str]) -> String {
        said(args)
    }

    /// A command on a host, as root, which must succeed; what it wrote.
    pub fn on(&self, host: &str, command: &str) -> String {
        said(&["exec", host, command])
    }

    /// A value of `lab env`.
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        &self.env[name]
    }

    /// The address of a host.
    #[must_use]
    pub fn address(&self, host: &str) -> String {
        let listed = said(&["ls"]);
        let of = |line: &str| {
            let mut words = line.split(' ');
            (words.next() == Some(host)).then(|| words.next().unwrap_or_default().to_owned())
        };
        listed
            .lines()
            .find_map(of)
            .unwrap_or_else(|| panic!("there is no host {host}"))
    }

    /// What must stay the same where nothing is restarted: by host, containers with their starts, and the processes of the
    /// services with theirs.
    #[must_use]
    pub fn identities(&self) -> BTreeMap<&'static str, String> {
        let script = "if command -v podman >/dev/null; then podman ps -a --no-trunc --format '{{.Names}} {{.ID}} {{.Status}}' | sed 's/ (.*\\|Up .*/ up/' | sort; \
            for id in $(podman ps -q); do podman inspect --format '{{.Name}} {{.State.StartedAt}}' \"$id\"; done | sort; fi; \
            systemctl list-units --type=service --state=running --no-legend --plain | cut -d' ' -f1 | grep -v -e '^user@' -e '^session-' -e '^libpod-' -e '\\.scope$' | sort | \
            while read -r unit; do echo \"$unit $(systemctl show -p MainPID --value \"$unit\")\"; done";
        HOSTS.map(|host| (host, self.on(host, script))).into()
    }
}

/// `lab ARGS…`, which must succeed; what it wrote.
fn said(args: &[&str]) -> String {
    let lab = number("LAB_SITE_NUMBER").unwrap_or(NUMBER);
    let output = Command::new(root().join("tests/lab/lab"))
        .args(args)
        .env("LAB_SITE", "1")
        .env("LAB_NUMBER", lab.to_string())
        .output()
        .expect("there is tests/lab/lab");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "lab {} failed, is the lab up? (LAB_NUMBER={lab} LAB_SITE=1 tests/lab/lab up)\n{errors}\n{}",
        args.join(" "),
        String::from_utf8_lossy(&output.stdout)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
