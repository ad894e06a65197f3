//! Reaching hosts: one connection a host, opened on first use, and a shell for each account there; and readiness, so that nothing
//! about access is discovered in an outage.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use runbook_model::plan::Part;
use runbook_model::{
    Account, AttemptId, Connection, Epoch, Host as PlanHost, HostName, NodeIx, NodeKind, Plan,
    RunId, RunState,
};
use runbook_remote::{Fault, Host, HostSpec, Options, RemoteError};
use tokio::sync::Mutex;

use super::locks::Place;
use super::{Shared, attempt_prefix};
use crate::dispatcher::Input;

/// How long a host that was lost is tried again before it counts as unusable.
const PATIENCE: Duration = Duration::from_secs(90);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The connections of one controller.
pub struct Reach {
    hosts: BTreeMap<HostName, PlanHost>,
    /// Who instances are, where they run.
    accounts: BTreeMap<HostName, BTreeSet<Account>>,
    options: Options,
    open: RefCell<BTreeMap<HostName, Slot>>,
    /// Accounts that were not there when their host became ready, because the run makes them, and for whom they will be.
    later: RefCell<BTreeMap<(HostName, Account), (RunId, Epoch)>>,
}

/// The connection of a host, once for each account.
type Slot = Rc<Mutex<BTreeMap<Account, Host>>>;

impl Reach {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(plan: &Plan, options: Options) -> Self {
        let mut accounts: BTreeMap<HostName, BTreeSet<Account>> = BTreeMap::new();
        for (node, ..) in plan.instances() {
            let run = plan.part_of(node) != Part::Rollback;
            if let (true, Some(host), Some(account)) =
                (run, plan.runs_on(node), account_of(plan, node))
            {
                accounts.entry(host.clone()).or_default().insert(account);
            }
        }
        Self {
            hosts: plan.hosts.clone(),
            accounts,
            options,
            open: RefCell::default(),
            later: RefCell::default(),
        }
    }

    /// The connection to a host, as who steps are there unless they say otherwise.
    ///
    /// # Errors
    /// It cannot be reached, or not as who the plan says.
    pub async fn host(&self, name: &HostName) -> Result<Host, RemoteError> {
        self.host_as(name, None).await
    }

    /// The connection to a host as an account; without one, as [`Reach::host`].
    ///
    /// # Errors
    /// It cannot be reached, or not as this account.
    pub async fn host_as(
        &self,
        name: &HostName,
        account: Option<&Account>,
    ) -> Result<Host, RemoteError> {
        let known = self.hosts.get(name);
        let account = account.or(known.map(|host| &host.account));
        let account = account.cloned().unwrap_or(Account::Login);
        let slot = Rc::clone(self.open.borrow_mut().entry(name.clone()).or_default());
        let mut slot = slot.lock().await;
        if let Some(host) = slot.get(&account) {
            return Ok(host.clone());
        }
        if let Some(other) = slot.values().next() {
            let host = other.as_account(&account).await?;
            let place = (name.clone(), account.clone());
            let later = self.later.borrow().get(&place).cloned();
            if let Some((run, epoch)) = later {
                host.ready(&run, epoch).await?;
                self.later.borrow_mut().remove(&place);
            }
            slot.insert(account, host.clone());
            return Ok(host);
        }
        let connection = match known {
            Some(host) => host.connection.clone(),
            None if name.is_control() => Connection {
                local: true,
                ..Connection::default()
            },
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
        slot.insert(account, host.clone());
        Ok(host)
    }

    /// Who this run is on a host.
    fn accounts(&self, name: &HostName) -> Vec<Option<Account>> {
        match self.accounts.get(name) {
            Some(accounts) => accounts.iter().cloned().map(Some).collect(),
            None => vec![None],
        }
    }

    /// The same, and who has the lock of the host.
    pub(super) fn everybody(&self, name: &HostName) -> BTreeSet<Account> {
        let own = self.hosts.get(name).map(|host| host.account.clone());
        let others = self.accounts.get(name).into_iter().flatten().cloned();
        others.chain([own.unwrap_or(Account::Login)]).collect()
    }

    /// The run makes this account there: it will be ready when somebody is it.
    fn later(&self, name: &HostName, account: Option<Account>, run: &RunId, epoch: Epoch) {
        if let Some(account) = account {
            let mut later = self.later.borrow_mut();
            later.insert((name.clone(), account), (run.clone(), epoch));
        }
    }

    /// Whether the run makes this account there, and has not been it yet.
    pub(super) fn is_later(&self, name: &HostName, account: Option<&Account>) -> bool {
        account.is_some_and(|account| {
            let place = (name.clone(), account.clone());
            self.later.borrow().contains_key(&place)
        })
    }

    fn is_known(&self, name: &HostName) -> bool {
        self.open.borrow().contains_key(name)
    }

    /// Closes every connection.
    pub async fn close(&self) {
        let all = std::mem::take(&mut *self.open.borrow_mut());
        for slot in all.into_values() {
            for host in std::mem::take(&mut *slot.lock().await).into_values() {
                host.close().await;
            }
        }
    }
}

/// Who an instance is where it runs.
pub(super) fn account_of(plan: &Plan, node: NodeIx) -> Option<Account> {
    let NodeKind::Instance { account, .. } = &plan.nodes.get(node.at())?.kind else {
        return None;
    };
    let of_host = || {
        plan.hosts
            .get(plan.runs_on(node)?)
            .map(|host| host.account.clone())
    };
    Some(account.clone().or_else(of_host).unwrap_or(Account::Login))
}

/// How long a host is waited for because a step that has begun restarts it.
pub(super) fn restart(plan: &Plan, state: &RunState, host: &HostName) -> Option<Duration> {
    let there = plan
        .instances()
        .filter(|(node, ..)| plan.runs_on(*node) == Some(host));
    let begun = there.filter_map(|(node, ix, _)| {
        let now = state.node(node)?;
        let step = plan.steps.get(ix.at())?;
        let of = plan.type_of(step).filter(|of| of.restarts_host)?;
        let begun = now.booted_in.is_some() && !now.is_done();
        begun.then(|| step.timeout_ms.unwrap_or(of.apply_timeout_ms))
    });
    begun.max().map(Duration::from_millis)
}

/// Reaches a host and makes sure that it may be used. One that was usable before is waited for, one that is being restarted
/// as long as `restart`. The lock comes last: whoever waits for it waits for every
/// host before this one.
pub(super) async fn ready(
    shared: Shared,
    name: HostName,
    mut known: Known,
    place: Place,
    restart: Option<Duration>,
) {
    let again = shared.reach.is_known(&name);
    known.own = again.then(|| attempt_prefix(&shared.run, shared.epoch));
    let patience = if again { PATIENCE } else { Duration::ZERO };
    let patience = patience.max(restart.unwrap_or_default());
    let passes = |fault: &Fault| match restart {
        Some(_) => fault.passes_with_restart(),
        None => fault.is_transient(),
    };
    let end = tokio::time::Instant::now() + patience;
    let mut pause = Duration::from_millis(500);
    loop {
        match try_ready(&shared, &name, &known, &place).await {
            Ok(input) => {
                let usable = matches!(input, Input::HostReady { .. });
                shared.send(input);
                // The next host's lock waits for this place.
                drop(place);
                if usable {
                    shared.cleaning.visit(&shared, &name).await;
                }
                return;
            }
            Err(error) if !passes(&error.fault) || tokio::time::Instant::now() >= end => {
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

/// What is known of a host before it is reached.
pub(super) struct Known {
    /// The attempts of the journal, which it may have.
    attempts: BTreeSet<AttemptId>,
    /// Accounts that the run is still to make there.
    later: BTreeSet<Account>,
    /// How ids of this controller begin. It may have begun others since `attempts` were listed, unless this is its
    /// first look at the host.
    own: Option<String>,
}

impl Known {
    pub(super) fn new(attempts: BTreeSet<AttemptId>, later: BTreeSet<Account>) -> Self {
        Self {
            attempts,
            later,
            own: None,
        }
    }

    /// Whether an account is missing because the run is still to make it.
    fn makes(&self, account: Option<&Account>, fault: &Fault) -> bool {
        matches!(fault, Fault::NoAccount { .. })
            && account.is_some_and(|account| self.later.contains(account))
    }

    fn has(&self, attempt: &AttemptId) -> bool {
        let own = self
            .own
            .as_ref()
            .is_some_and(|prefix| attempt.as_str().starts_with(prefix.as_str()));
        own || self.attempts.contains(attempt)
    }
}

async fn try_ready(
    shared: &Shared,
    name: &HostName,
    known: &Known,
    place: &Place,
) -> Result<Input, RemoteError> {
    let mut hello = None;
    let mut there = Vec::new();
    for account in shared.reach.accounts(name) {
        let host = match shared.reach.host_as(name, account.as_ref()).await {
            Err(error) if known.makes(account.as_ref(), &error.fault) => {
                shared.reach.later(name, account, &shared.run, shared.epoch);
                continue;
            }
            host => host?,
        };
        host.ready(&shared.run, shared.epoch).await?;
        there.extend(host.list(&shared.run).await?);
        hello.get_or_insert_with(|| host.hello());
    }
    let Some(hello) = hello else {
        let fault = Fault::BadSpec(format!("nothing is done on `{name}`"));
        let host = name.to_string();
        return Err(RemoteError { host, fault });
    };
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
    if let Err(problem) = place.lock(shared).await? {
        return Ok(Input::HostUnusable {
            host: name.clone(),
            problem,
        });
    }
    Ok(Input::HostReady {
        host: name.clone(),
        boot: hello.boot_id.clone(),
        machine: hello.machine_id.clone(),
        clock_offset_ms: hello.clock_offset_ms,
    })
}
