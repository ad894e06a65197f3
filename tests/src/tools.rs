//! The host with the real tools, as a test uses it: alone, as root, and watched for secrets.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::chance::number;
use crate::root;

/// The name of the host.
pub const HOST: &str = "tools01";
/// The lab of the tools, beside those of the other suites, unless `LAB_TOOLS_NUMBER` says otherwise.
const NUMBER: u64 = 2;
/// What a needle is that the sampler must find.
const PLANTED: &str = "planted-9f2c51d07be8";

static ONE: Mutex<()> = Mutex::new(());

/// The host, held by one test.
#[derive(Debug)]
pub struct Tools {
    /// The inventory.
    pub inventory: PathBuf,
    ssh_config: PathBuf,
    _one: MutexGuard<'static, ()>,
}

/// Watches every program that is started on the host, as long as it lives.
#[derive(Debug)]
pub struct Watch<'a> {
    tools: &'a Tools,
    child: Child,
    /// Its end is the end of the sampler.
    input: Option<ChildStdin>,
    lines: std::thread::JoinHandle<Vec<String>>,
}

impl Tools {
    /// Waits for the host and puts it back to its start.
    #[must_use]
    pub fn fresh() -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        said(&["reset"]);
        let env = said(&["env"]);
        let place = env.lines().find_map(|line| line.strip_prefix("LAB="));
        let place = Path::new(place.expect("`lab env` says where the lab is"));
        Self {
            inventory: place.join("inventory.yaml"),
            ssh_config: place.join("ssh_config.root"),
            _one: one,
        }
    }

    /// A script on the host, as root, by `sh`: its status and what it wrote.
    #[must_use]
    pub fn shell(&self, script: &str) -> (i32, String) {
        // Standard input of the script is itself: what it calls must not read it.
        let whole = format!("{{\n{script}\n}} </dev/null 2>&1\n");
        let mut child = self
            .ssh("exec sh -s")
            .spawn()
            .expect("there is an ssh client");
        let mut input = child.stdin.take().expect("it is a pipe");
        // A script may end before it was read to its end.
        let _ = input.write_all(whole.as_bytes());
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code().unwrap_or(-1), text)
    }

    /// The same, which must succeed.
    #[track_caller]
    pub fn must(&self, what: &str, script: &str) -> String {
        let (status, text) = self.shell(&format!("set -e\n{script}"));
        assert!(status == 0, "{what} ended with status {status}:\n{text}");
        text
    }

    /// Begins to watch for these.
    #[must_use]
    pub fn watch(&self, secrets: &[String]) -> Watch<'_> {
        let program = include_str!("../effects/sampler.py");
        self.must(
            "the sampler",
            &format!("cat >/run/effects-sampler.py <<'PYTHON'\n{program}\nPYTHON"),
        );
        let mut child = self
            .ssh("exec python3 /run/effects-sampler.py")
            .spawn()
            .expect("there is an ssh client");
        let mut input = child.stdin.take().expect("it is a pipe");
        let mut text = format!("{PLANTED}\n");
        for secret in secrets {
            text += &format!("{secret}\n");
        }
        input
            .write_all(format!("{text}END\n").as_bytes())
            .expect("the sampler reads");
        let mut output = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let mut first = String::new();
        let _ = output.read_line(&mut first);
        assert_eq!(first, "ready\n", "the sampler did not begin");
        let lines = std::thread::spawn(move || output.lines().map_while(Result::ok).collect());
        Watch {
            tools: self,
            child,
            input: Some(input),
            lines,
        }
    }

    fn ssh(&self, command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(&self.ssh_config).args([HOST, command]);
        ssh.stdin(Stdio::piped()).stdout(Stdio::piped());
        ssh
    }
}

impl Watch<'_> {
    /// Ends; programs that held a secret, and whether one that was planted was missed.
    #[must_use]
    pub fn end(mut self) -> Vec<String> {
        // As short as programs are, once in an argument and once in the environment.
        self.tools.must(
            "the planted secret",
            &format!("/bin/true {PLANTED}; PLANTED={PLANTED} /bin/true"),
        );
        std::thread::sleep(Duration::from_millis(200));
        drop(self.input.take());
        let _ = self.child.wait();
        let lines = self.lines.join().expect("it only reads");
        let mut wrong: Vec<String> = lines
            .iter()
            .filter(|line| !line.starts_with("0 "))
            .map(|line| format!("a secret was seen: {line}"))
            .collect();
        for kind in ["cmdline", "environ"] {
            let seen = |line: &String| line.starts_with(&format!("0 {kind} "));
            if !lines.iter().any(seen) {
                wrong.push(format!(
                    "the sampler did not see what was planted in {kind}"
                ));
            }
        }
        wrong
    }
}

/// `lab ARGS…`, which must succeed; what it wrote.
fn said(args: &[&str]) -> String {
    let lab = number("LAB_TOOLS_NUMBER").unwrap_or(NUMBER);
    let output = Command::new(root().join("tests/lab/lab"))
        .args(args)
        .env("LAB_TOOLS", "1")
        .env("LAB_NUMBER", lab.to_string())
        .output()
        .expect("there is tests/lab/lab");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "lab {} failed, is the lab up? (LAB_NUMBER={lab} LAB_TOOLS=1 tests/lab/lab up)\n{errors}",
        args.join(" ")
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
