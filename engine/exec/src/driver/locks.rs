//! Locks of hosts. Before the first effect a controller takes them in the order of the hosts' names, so that of two runs
//! that share hosts one has all and the other none. Its end gives them back, unless the run may go on and has done
//! something: then it keeps its hosts until somebody resumes or abandons it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use runbook_model::event::Controller;
use runbook_model::plan::Part;
use runbook_model::step_type::TypeKind;
use runbook_model::{Epoch, HostName, Plan, RunId, RunResult, RunState};
use runbook_remote::{Holder, RemoteError, Says};
use tokio::sync::Notify;

use super::{Reach, Shared};

/// How long the end of a run waits for hosts to take their locks back.
const AT_END: Duration = Duration::from_secs(5);
/// How long somebody waits who ends a run by hand.
const BY_HAND: Duration = Duration::from_secs(30);

/// The locks of one controller.
pub(super) struct Locks {
    who: String,
    inner: RefCell<Inner>,
    moved: Notify,
}

#[derive(Default)]
struct Inner {
    /// Hosts that want their lock and have not been answered.
    waiting: BTreeSet<HostName>,
    /// Hosts whose lock this controller has asked for: it may have it.
    asked: BTreeSet<HostName>,
    /// The host whose lock another run has.
    refused: Option<HostName>,
}

impl Locks {
    pub(super) fn new(controller: &Controller) -> Rc<Self> {
        Rc::new(Self {
            who: format!("{} on {}", controller.user, controller.host),
            inner: RefCell::default(),
            moved: Notify::new(),
        })
    }

    /// A place among the hosts that want their locks. All of one readiness must be taken before the first of them is
    /// waited for. A host that had its lock once does not wait for others, and the controller's own place has none.
    pub(super) fn enter(self: &Rc<Self>, host: &HostName) -> Place {
        let mut inner = self.inner.borrow_mut();
        if !host.is_control() && !inner.asked.contains(host) {
            inner.waiting.insert(host.clone());
        }
        Place {
            locks: Rc::clone(self),
            host: host.clone(),
        }
    }

    /// Whose locks the end of this controller's part gives back.
    pub(super) fn to_free(
        &self,
        plan: &Plan,
        state: &RunState,
        result: &RunResult,
    ) -> BTreeSet<HostName> {
        let mut free = self.inner.borrow().asked.clone();
        // Whoever has reached no host has nothing to give back (see `release_locks` for what earlier ones have), but for one
        // who had nothing to take back: what the part before it locked is locked still.
        let went_back = state.rolled_back.is_some();
        if result.is_final() && (went_back || !free.is_empty()) {
            free.extend(hosts_of(plan));
        } else if state.all_attempts().next().is_some() || state.held().next().is_some() {
            free.clear();
        }
        free
    }

    /// Gives locks back; those that could not be, each with why. Only what may have been locked is worth a word.
    pub(super) async fn free(
        &self,
        shared: &Shared,
        state: &RunState,
        hosts: BTreeSet<HostName>,
    ) -> Vec<(HostName, String)> {
        let mut left = unlock(&shared.reach, hosts, &shared.run, shared.epoch, AT_END).await;
        let inner = self.inner.borrow();
        let begun = |host: &HostName| state.all_attempts().any(|(_, a)| a.host == *host);
        left.retain(|(host, _)| inner.asked.contains(host) || begun(host));
        left
    }
}

/// A host's place in the order in which locks are taken; it is given up when this is dropped.
pub(super) struct Place {
    locks: Rc<Locks>,
    host: HostName,
}

impl Place {
    /// Takes the lock when it is this host's turn; else why the host may not be used. One that is had already is
    /// looked at again.
    pub(super) async fn lock(&self, shared: &Shared) -> Result<Result<(), String>, RemoteError> {
        if self.host.is_control() {
            return Ok(Ok(()));
        }
        self.turn().await;
        if let Some(why) = self.is_vain() {
            return Ok(Err(why));
        }
        let host = shared.reach.host(&self.host).await?;
        self.locks
            .inner
            .borrow_mut()
            .asked
            .insert(self.host.clone());
        let locked = host
            .lock(&shared.run, shared.epoch, &self.locks.who)
            .await?;
        Ok(locked.map_err(|holder| {
            self.refuse();
            problem(&holder)
        }))
    }

    async fn turn(&self) {
        loop {
            let moved = self.locks.moved.notified();
            let mine = {
                let waiting = &self.locks.inner.borrow().waiting;
                !waiting.contains(&self.host) || waiting.first() == Some(&self.host)
            };
            if mine {
                return;
            }
            moved.await;
        }
    }

    /// Why no lock is taken any more.
    fn is_vain(&self) -> Option<String> {
        let inner = self.locks.inner.borrow();
        let refused = inner.refused.as_ref()?;
        let other = *refused != self.host && !inner.asked.contains(&self.host);
        other.then(|| {
            format!("its lock was not taken, because another run has the lock of `{refused}`")
        })
    }

    fn refuse(&self) {
        let mut inner = self.locks.inner.borrow_mut();
        inner.asked.remove(&self.host);
        inner.refused.get_or_insert_with(|| self.host.clone());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.locks.inner.borrow_mut().waiting.remove(&self.host);
        self.locks.moved.notify_waiters();
    }
}

/// Who has the lock, and what can be done.
fn problem(holder: &Holder) -> String {
    let file = &holder.file;
    match &holder.says {
        Says::Run {
            run, since, who, ..
        } => {
            let since = jiff::Timestamp::from_second(*since)
                .map_or_else(|_| since.to_string(), |at| at.to_string());
            format!(
                "the run `{run}` has the lock of this host ({who}, since {since}): wait for it, or if that run is yours, \
                 `runbook resume {run}` or `runbook abandon {run}`; if it ended without reaching this host, remove \
                 {file} there"
            )
        }
        Says::Unclear(text) => format!(
            "the lock of this host, {file}, does not say which run has it (`{text}`): if none uses this host, remove \
             the file there"
        ),
    }
}

/// Gives the locks of a run back that ends without its hosts being made ready. Gives the hosts where that could not be
/// done, each with why, for people: it may still be locked.
pub async fn release_locks(
    plan: &Plan,
    run: &RunId,
    epoch: Epoch,
    reach: &Reach,
) -> Vec<(HostName, String)> {
    let mut hosts = hosts_of(plan);
    hosts.extend(ends_of_copies(plan));
    unlock(reach, hosts, run, epoch, BY_HAND).await
}

/// Side by side: a host that is gone holds up nobody else.
async fn unlock(
    reach: &Reach,
    hosts: BTreeSet<HostName>,
    run: &RunId,
    epoch: Epoch,
    patience: Duration,
) -> Vec<(HostName, String)> {
    let all = hosts.into_iter().map(|name| async move {
        let unlocked = async { reach.host(&name).await?.unlock(run, epoch).await };
        let problem = match tokio::time::timeout(patience, unlocked).await {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => error.fault.to_string(),
            Err(_) => format!("no answer within {} s", patience.as_secs()),
        };
        Some((name, problem))
    });
    join_all(all).await.into_iter().flatten().collect()
}

/// Where the instances of a run are. A procedure of going back is not run under its name.
fn hosts_of(plan: &Plan) -> BTreeSet<HostName> {
    let run = plan
        .instances()
        .filter(|(node, ..)| plan.part_of(*node) != Part::Rollback);
    let hosts = run.filter_map(|(node, ..)| plan.runs_on(node));
    hosts.filter(|host| !host.is_control()).cloned().collect()
}

/// Where copies go and come from, as far as the plan says it; all hosts, where only the run can say it.
fn ends_of_copies(plan: &Plan) -> BTreeSet<HostName> {
    let copies = plan.steps.iter().filter(|step| {
        let part = plan.phases.get(step.phase as usize).map(|p| p.part);
        let is_copy = plan
            .type_of(step)
            .is_some_and(|of| of.kind == TypeKind::Copy);
        is_copy && part != Some(Part::Rollback)
    });
    let ends = copies.flat_map(|step| ["from", "to"].map(|end| step.with.get(end)));
    let mut hosts = BTreeSet::new();
    for end in ends.flatten().filter_map(|end| end.as_str()) {
        match end.split_once(':') {
            _ if end.starts_with('/') => {}
            Some((host, _)) if !host.contains("{{") => {
                hosts.extend(plan.hosts.get_key_value(host).map(|(name, _)| name.clone()));
            }
            _ if end.contains("{{") => hosts.extend(plan.hosts.keys().cloned()),
            _ => {}
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn locks() -> Rc<Locks> {
        Locks::new(&Controller {
            host: "laptop".into(),
            pid: 1,
            user: "me".into(),
            engine: "0".into(),
        })
    }

    fn name(name: &str) -> HostName {
        HostName::new(name).unwrap()
    }

    #[test]
    fn locks_are_taken_in_the_order_of_names() {
        let locks = locks();
        let [c, a, b] = ["c", "a", "b"].map(|host| locks.enter(&name(host)));
        let mine = |place: &Place| place.turn().now_or_never().is_some();
        assert_eq!([&a, &b, &c].map(mine), [true, false, false]);
        assert!(mine(&locks.enter(&HostName::control())));
        let mut waits = Box::pin(c.turn());
        // A host that cannot be reached gives its place up as well.
        drop(b);
        assert!(waits.as_mut().now_or_never().is_none());
        drop(a);
        assert!(waits.now_or_never().is_some());
    }

    #[test]
    fn a_host_that_had_its_lock_waits_for_nobody() {
        let locks = locks();
        locks.inner.borrow_mut().asked.insert(name("b"));
        let [a, b] = ["a", "b"].map(|host| locks.enter(&name(host)));
        assert!(b.turn().now_or_never().is_some());
        a.refuse();
        assert_eq!(b.is_vain(), None);
    }

    #[test]
    fn after_a_refusal_no_lock_is_taken() {
        let locks = locks();
        let [a, b] = ["a", "b"].map(|host| locks.enter(&name(host)));
        assert_eq!(b.is_vain(), None);
        a.refuse();
        let why = "its lock was not taken, because another run has the lock of `a`";
        assert_eq!(b.is_vain().as_deref(), Some(why));
    }

    #[test]
    fn who_has_a_lock_is_told_with_what_can_be_done() {
        let file = "/var/lib/runbook/lock".to_owned();
        let says = Says::Run {
            run: RunId::new("r1").unwrap(),
            epoch: Epoch(2),
            since: 1_763_856_000,
            who: "me on laptop".to_owned(),
        };
        insta::assert_snapshot!(problem(&Holder {
            file: file.clone(),
            says
        }));
        let says = Says::Unclear(String::new());
        insta::assert_snapshot!(problem(&Holder { file, says }));
    }
}
