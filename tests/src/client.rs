//! A client of the registry that asks again and again, and what it was told.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use runbook_model::Millis;

use crate::lab::Lab;

/// How long it waits before it asks again.
const PAUSE: Duration = Duration::from_millis(100);

/// How to reach the registry through a host, under the name that clients use.
#[derive(Debug, Clone)]
pub struct Door {
    name: String,
    address: String,
    ca: PathBuf,
}

/// What came of asking once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// When it was begun.
    pub begun: Millis,
    /// When it was over.
    pub over: Millis,
    /// Whether the answer was that all is well.
    pub served: bool,
}

/// A client that asks until it is told to stop.
#[derive(Debug)]
pub struct Client {
    stop: Arc<AtomicBool>,
    asking: JoinHandle<Vec<Request>>,
}

impl Door {
    /// Through this host of the lab.
    #[must_use]
    pub fn of(lab: &Lab, host: &str) -> Self {
        Self {
            name: lab.hostname.clone(),
            address: lab.address(host),
            ca: lab.ca.clone(),
        }
    }

    /// Asks once.
    #[must_use]
    pub fn ask(&self) -> Request {
        let begun = now();
        let answer = Command::new("curl")
            .args(["-s", "-o", "/dev/null", "-w", "%{http_code}"])
            .args(["--noproxy", "*", "--max-time", "3", "--cacert"])
            .arg(&self.ca)
            .arg("--resolve")
            .arg(format!("{}:443:{}", self.name, self.address))
            .arg(format!("https://{}/health/instance", self.name))
            .output()
            .expect("the system has curl");
        Request {
            begun,
            over: now(),
            served: answer.stdout == b"200",
        }
    }
}

impl Client {
    /// Begins to ask.
    #[must_use]
    pub fn start(door: Door) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let asking = thread::spawn(move || {
            let mut all = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                all.push(door.ask());
                thread::sleep(PAUSE);
            }
            all
        });
        Self { stop, asking }
    }

    /// What it was told until now.
    #[must_use]
    pub fn end(self) -> Vec<Request> {
        self.stop.store(true, Ordering::Relaxed);
        self.asking.join().expect("a client only asks")
    }
}

fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.expect("the clock is right").as_millis();
    Millis::try_from(since).expect("the clock is right")
}
