//! What attempts with secrets have printed does not stay on the hosts: it is emptied there once their end is durable
//! here. Attempts of earlier controllers are gone through again whenever their host is ready.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use runbook_model::{Account, AttemptId, Event, HostName, NodeKind, Plan, RunId, RunState};

use super::{Reach, Shared};

/// How long the end of a run waits for hosts to empty what is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Attempts whose output is to be emptied.
#[derive(Default)]
pub(super) struct Wipes {
    wanted: BTreeSet<AttemptId>,
    begun: BTreeSet<AttemptId>,
}

impl Wipes {
    /// Takes in an event; `state` includes it.
    pub(super) fn note(&mut self, event: &Event, plan: &Plan, state: &RunState) {
        match event {
            Event::Ended { attempt, .. } => self.want(attempt, plan, state),
            Event::HostReady { host, .. } => {
                let ended = state.attempts.iter().filter(|(_, a)| a.end.is_some());
                for (attempt, _) in ended.filter(|(_, a)| a.host == *host) {
                    self.want(attempt, plan, state);
                }
            }
            _ => {}
        }
    }

    /// All of a run that is over.
    pub(super) fn of_ended(plan: &Plan, state: &RunState) -> Self {
        let mut wipes = Self::default();
        let ended = state.attempts.iter().filter(|(_, a)| a.end.is_some());
        for (attempt, _) in ended {
            wipes.want(attempt, plan, state);
        }
        wipes
    }

    fn want(&mut self, attempt: &AttemptId, plan: &Plan, state: &RunState) {
        let Some(unit) = state.attempts.get(attempt).map(|known| &known.unit) else {
            return;
        };
        // A chain has one output for all its members.
        let ids = state.by_unit.get(unit).into_iter().flatten();
        let members = ids.filter_map(|id| state.attempts.get(id));
        let secret = |node| {
            let step = plan.instance(node).map(|(step, _)| step);
            step.and_then(|step| plan.type_of(step)).is_some_and(|of| {
                of.params.values().any(|param| param.secret)
                    || of.outputs.values().any(|output| output.secret)
            })
        };
        let over = members.clone().all(|a| a.end.is_some());
        if over && members.clone().any(|a| secret(a.node)) && !self.begun.contains(unit) {
            self.wanted.insert(unit.clone());
        }
    }

    /// Everything recorded so far is durable: what is wanted may be done.
    pub(super) fn start(
        &mut self,
        shared: &Shared,
        state: &RunState,
    ) -> impl Future<Output = ()> + use<> {
        let (units, shared) = (self.take(&shared.plan, state), shared.clone());
        async move { empty(&shared.reach, &shared.run, units).await }
    }

    /// What is wanted, with where it is.
    pub(super) fn take(&mut self, plan: &Plan, state: &RunState) -> Vec<Unit> {
        let units = std::mem::take(&mut self.wanted);
        self.begun.extend(units.iter().cloned());
        let known = units.into_iter().filter_map(|unit| {
            let known = state.attempts.get(state.by_unit.get(&unit)?.first()?)?;
            let account = match &plan.nodes.get(known.node.at())?.kind {
                NodeKind::Instance { account, .. } => account.clone(),
                _ => None,
            };
            Some((unit, known.host.clone(), account))
        });
        known.collect()
    }

    /// Whether something is wanted.
    pub(super) fn any(&self) -> bool {
        !self.wanted.is_empty()
    }
}

/// A job on a host, and the account that it has there.
pub(super) type Unit = (AttemptId, HostName, Option<Account>);

/// Empties what these have printed.
pub(super) async fn empty(reach: &Reach, run: &RunId, units: Vec<Unit>) {
    let all = units.into_iter().map(|(unit, host, account)| async move {
        // A host that is lost now is asked again when it is ready under the next controller.
        if let Ok(host) = reach.host_as(&host, account.as_ref()).await {
            let _ = host.wipe(run, &unit).await;
        }
    });
    let _ = tokio::time::timeout(PATIENCE, join_all(all)).await;
}
