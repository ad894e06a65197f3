//! Reaching hosts: one connection a host, opened on first use; and readiness, so that nothing
//! about access is discovered in an outage.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use runbook_model::{Account, Connection, Host as PlanHost, HostName, Plan};
use runbook_remote::{Host, HostSpec, Options, RemoteError};
use tokio::sync::Mutex;

use super::Shared;
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
        Self { hosts: plan.hosts.clone(), options, open: RefCell::default() }
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
            None => (Connection { local: true, ..Connection::default() }, Account::Login),
        };
        let spec = HostSpec { name: name.clone(), connection };
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

/// Reaches a host and makes sure that it may be used. One that was usable before is waited for.
pub(super) async fn ready(shared: Shared, name: HostName) {
    let patience = if shared.reach.is_known(&name) { PATIENCE } else { Duration::ZERO };
    let end = tokio::time::Instant::now() + patience;
    let mut pause = Duration::from_millis(500);
    loop {
        match try_ready(&shared, &name).await {
            Ok(input) => return shared.send(input),
            Err(error) if !error.fault.is_transient() || tokio::time::Instant::now() >= end => {
                return shared.send(Input::HostUnusable { host: name, problem: error.fault.to_string() });
            }
            Err(_) => tokio::time::sleep(pause).await,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn try_ready(shared: &Shared, name: &HostName) -> Result<Input, RemoteError> {
    let host = shared.reach.host(name).await?;
    host.ready(&shared.run, shared.epoch).await?;
    let hello = host.hello();
    Ok(Input::HostReady {
        host: name.clone(),
        boot: hello.boot_id.clone(),
        machine: hello.machine_id.clone(),
        clock_offset_ms: hello.clock_offset_ms,
    })
}
