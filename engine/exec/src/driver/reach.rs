//! Reaching hosts: one connection a host, opened on first use; and readiness, so that nothing
//! about access is discovered in an outage.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use runbook_model::{Account, AttemptId, Connection, Host as PlanHost, HostName, Plan};
use runbook_remote::{Fault, Host, HostSpec, Options, RemoteError};
use tokio::sync::Mutex;

use super::{Shared, attempt_prefix};
use crate::dispatcher::Input;

/// How long a host that was lost is tried again before it counts as unusable.
const PATIENCE: Duration = Duration::from_secs(90);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The connections of one controller.
pub struct Reach {
    hosts: BTreeMap<HostName, PlanHost>,
    options: Options,
    open: RefCell<BTreeMap<HostName, Rc<Mutex<Option<Host>>>>>,
}

impl Reach {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(plan: &Plan, options: Options) -> Self {
        Self {
            hosts: plan.hosts.clone(),
            options,
            open: RefCell::default(),
        }
    }

    /// The connection to a host.
    ///
    /// # Errors
    /// It cannot be reached, or not as who the plan says.
    pub async fn host(&self, name: &HostName) -> Result<Host, RemoteError> {
        let slot = Rc::clone(self.open.borrow_mut().entry(name.clone()).or_default());
        let mut slot = slot.lock().await;
        if let Some(host) = slot.as_ref() {
            return Ok(host.clone());
        }
        let (connection, account) = match self.hosts.get(name) {
            Some(host) => (host.connection.clone(), host.account.clone()),
            None if name.is_control() => (
                Connection {
                    local: true,
                    ..Connection::default()
                },
                Account::Login,
            ),
            // Anything else would put the work of a mistyped host on the controller.
            None => {
                let fault = Fault::BadSpec(format!("the plan has no host `{name}`"));
                return Err(RemoteError {
                    host: name.to_string(),
                    fault,
                });
            }
        };
        let spec = HostSpec {
            name: name.clone(),
            connection,
        };
        let host = Host::connect(&spec, &account, &self.options).await?;
        *slot = Some(host.clone());
        Ok(host)
    }

    fn is_known(&self, name: &HostName) -> bool {
        self.open.borrow().contains_key(name)
    }

    /// Closes every connection.
    pub async fn close(&self) {
        let all = std::mem::take(&mut *self.open.borrow_mut());
        for slot in all.into_values() {
            if let Some(host) = slot.lock().await.take() {
                host.close().await;
            }
        }
    }
}

/// Reaches a host and makes sure that it may be used. One that was usable before is waited for. `known` are the
/// attempts of the journal.
pub(super) async fn ready(shared: Shared, name: HostName, known: BTreeSet<AttemptId>) {
    let again = shared.reach.is_known(&name);
    let known = Known {
        attempts: known,
        own: again.then(|| attempt_prefix(&shared.run, shared.epoch)),
    };
    let patience = if again { PATIENCE } else { Duration::ZERO };
    let end = tokio::time::Instant::now() + patience;
    let mut pause = Duration::from_millis(500);
    loop {
        match try_ready(&shared, &name, &known).await {
            Ok(input) => return shared.send(input),
            Err(error) if !error.fault.is_transient() || tokio::time::Instant::now() >= end => {
                return shared.send(Input::HostUnusable {
                    host: name,
                    problem: error.fault.to_string(),
                });
            }
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The attempts that a host may have.
struct Known {
    attempts: BTreeSet<AttemptId>,
    /// How ids of this controller begin. It may have begun others since `attempts` were listed, unless this is its
    /// first look at the host.
    own: Option<String>,
}

impl Known {
    fn has(&self, attempt: &AttemptId) -> bool {
        let own = self
            .own
            .as_ref()
            .is_some_and(|prefix| attempt.as_str().starts_with(prefix.as_str()));
        own || self.attempts.contains(attempt)
    }
}

async fn try_ready(shared: &Shared, name: &HostName, known: &Known) -> Result<Input, RemoteError> {
    let host = shared.reach.host(name).await?;
    host.ready(&shared.run, shared.epoch).await?;
    let there = host.list(&shared.run).await?;
    if let Some((attempt, _)) = there.iter().find(|(attempt, _)| !known.has(attempt)) {
        // Whoever acts on an old journal does again what is done.
        let problem = format!(
            "the attempt `{attempt}` of this run is there, and the journal does not know it: the journal is an older \
             copy, or its end is lost; resume with the newest one"
        );
        return Ok(Input::HostUnusable {
            host: name.clone(),
            problem,
        });
    }
    let hello = host.hello();
    Ok(Input::HostReady {
        host: name.clone(),
        boot: hello.boot_id.clone(),
        machine: hello.machine_id.clone(),
        clock_offset_ms: hello.clock_offset_ms,
    })
}
