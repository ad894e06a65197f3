//! What the suites share: a host that is this machine, with a shell of choice and a state directory of its own.
#![allow(
    dead_code,
    unused_macros,
    unused_imports,
    unreachable_pub,
    reason = "each suite uses a part of it"
)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub mod chains;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use runbook_model::{Account, AttemptId, Connection, Epoch, HostName, RunId};
use runbook_remote::{Host, HostSpec, Job, Options, Script};
use tempfile::TempDir;

/// Secrets of all state directories share one place in memory: runs of tests need names of their own.
static COUNT: AtomicU32 = AtomicU32::new(0);

pub const LONG: Duration = Duration::from_secs(60);

pub struct Bench {
    pub dir: TempDir,
    pub host: Host,
    pub run: RunId,
}

pub fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

pub fn spec() -> HostSpec {
    HostSpec {
        name: HostName::control(),
        connection: Connection {
            local: true,
            ..Connection::default()
        },
    }
}

/// The command of a shell; `applets` is busybox with its own tools in front of the system's.
pub fn shell(name: &str, dir: &Path) -> String {
    if name != "applets" {
        return name.to_owned();
    }
    let bin = dir.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let list = std::process::Command::new("busybox")
        .arg("--list")
        .output()
        .expect("busybox is installed");
    for applet in String::from_utf8(list.stdout).unwrap().lines() {
        std::os::unix::fs::symlink("/bin/busybox", bin.join(applet)).ok();
    }
    std::os::unix::fs::symlink("/bin/busybox", bin.join("busybox")).ok();
    format!("env PATH={} busybox sh", bin.display())
}

impl Bench {
    pub async fn new(name: &str) -> Self {
        Self::with(name, Options::default()).await
    }

    pub async fn with(name: &str, options: Options) -> Self {
        let dir = TempDir::with_prefix("rb").unwrap();
        let state_dir = Some(dir.path().join("state").to_str().unwrap().to_owned());
        let options = Options {
            shell: shell(name, dir.path()),
            state_dir,
            ..options
        };
        let host = Host::connect(&spec(), &Account::Login, &options)
            .await
            .expect("every shell of the matrix is installed");
        let run = RunId::new(format!(
            "t{}x{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        ))
        .unwrap();
        host.ready(&run, Epoch(1)).await.unwrap();
        Self { dir, host, run }
    }

    pub fn job(&self, attempt: &str, script: Script) -> Job {
        Job {
            run: self.run.clone(),
            attempt: id(attempt),
            epoch: Epoch(1),
            boot_id: self.host.hello().boot_id.clone(),
            script,
            timeout: None,
        }
    }

    /// A file of an attempt on the host.
    pub fn file(&self, attempt: &str, name: &str) -> PathBuf {
        self.dir
            .path()
            .join("state/runs")
            .join(self.run.as_str())
            .join("jobs")
            .join(attempt)
            .join(name)
    }

    /// A file that scripts of a test may write.
    pub fn mark(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// Waits until a file is there and not empty, and gives its text.
    pub async fn text(&self, path: impl AsRef<Path>) -> String {
        for _ in 0..3000 {
            match std::fs::read_to_string(path.as_ref()) {
                Ok(text) if !text.is_empty() => return text,
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        panic!("{} never came", path.as_ref().display());
    }

    /// Waits until no process of the attempt's wrapper is left, its watchdog included.
    pub async fn unwatched(&self, attempt: &str) {
        let words = format!("\0wrap\0{}\0{attempt}\0", self.run);
        for _ in 0..3000 {
            if !std::fs::read_dir("/proc")
                .unwrap()
                .flatten()
                .any(|process| {
                    let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
                    String::from_utf8_lossy(&line).contains(&words)
                })
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("something still watches {attempt}");
    }
}

pub fn id(attempt: &str) -> AttemptId {
    AttemptId::new(attempt).unwrap()
}

pub fn body(text: &str) -> Script {
    Script::new().body(text)
}

/// Whether a process is alive and no zombie.
pub fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

pub async fn dies(pid: &str) {
    for _ in 0..3000 {
        if !lives(pid) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("process {pid} lives on");
}

pub fn kill(signal: &str, pid: &str) {
    let status = std::process::Command::new("kill")
        .args(["-s", signal, "--", pid.trim()])
        .status()
        .unwrap();
    assert!(status.success(), "kill {signal} {pid}");
}

/// Makes a test of each function, for each shell of the matrix.
macro_rules! in_every_shell {
    ($($name:ident),*) => {
        $crate::support::in_every_shell!(@ dash, "dash", $($name),*);
        $crate::support::in_every_shell!(@ bash, "bash --posix", $($name),*);
        $crate::support::in_every_shell!(@ busybox, "busybox sh", $($name),*);
        $crate::support::in_every_shell!(@ applets, "applets", $($name),*);
        $crate::support::in_every_shell!(@ mksh, "mksh", $($name),*);
    };
    (@ $module:ident, $shell:literal, $($name:ident),*) => {
        mod $module {
            $(#[test] fn $name() { crate::support::block(crate::$name($shell)); })*
        }
    };
}
pub(crate) use in_every_shell;
