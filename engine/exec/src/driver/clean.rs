//! What other runs have left on a host for good goes when a controller reaches the host for the first time and has
//! its lock: see [`Bounds`] for what is old, and what is too much. Nobody waits for it, and no run depends on it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use runbook_model::event::HeldHow;
use runbook_model::{HostName, RunId};
use runbook_remote::{Bounds, Fault};
use tokio::sync::OnceCell;

use super::Shared;
use crate::store::{RunSummary, Store, StoreError};

/// The clean-up of one controller.
#[derive(Default)]
pub(super) struct Cleaning {
    /// Hosts that were visited.
    visited: RefCell<BTreeSet<HostName>>,
    /// Runs of this state directory that may go on or hold something.
    wanted: OnceCell<BTreeSet<RunId>>,
    /// Hosts where something could not be removed, each with the first reason.
    left: RefCell<BTreeMap<HostName, String>>,
}

impl Cleaning {
    /// Hosts where something could not be removed, each with why, for people.
    pub(super) fn left(&self) -> Vec<(HostName, String)> {
        self.left.borrow().clone().into_iter().collect()
    }

    /// Visits a host that has become ready, once.
    pub(super) async fn visit(&self, shared: &Shared, name: &HostName) {
        if !self.visited.borrow_mut().insert(name.clone()) {
            return;
        }
        let wanted = self.wanted.get_or_try_init(|| wanted(shared.home.dir()));
        let problem = match wanted.await {
            Ok(wanted) => clean(shared, name, wanted).await,
            Err(problem) => Some(problem),
        };
        if let Some(problem) = problem {
            self.left.borrow_mut().insert(name.clone(), problem);
        }
    }
}

/// Removes what there is of each account of this run; why not, if something stays that should not.
async fn clean(shared: &Shared, name: &HostName, wanted: &BTreeSet<RunId>) -> Option<String> {
    let mut problem = None;
    for account in shared.reach.everybody(name) {
        let cleaned = async {
            let host = shared.reach.host_as(name, Some(&account)).await?;
            host.clean(&shared.run, wanted, &Bounds::default()).await
        };
        match cleaned.await.map_err(|error| error.fault) {
            // Whoever lost the host or the run gets to know it elsewhere; an account that is not there has left nothing.
            Ok(_) | Err(Fault::Lost(_) | Fault::Fenced(_) | Fault::NoAccount { .. }) => {}
            Err(fault) => {
                problem.get_or_insert(fault.to_string());
            }
        }
    }
    problem
}

/// Runs beside this one that may go on, or may release what they hold: where no lock tells, as on the controller itself,
/// this does.
async fn wanted(home: &Path) -> Result<BTreeSet<RunId>, String> {
    let Some(state_dir) = home.parent().and_then(Path::parent) else {
        return Ok(BTreeSet::new());
    };
    let state_dir = state_dir.to_owned();
    let listed = tokio::task::spawn_blocking(move || {
        let store = Store::open(&state_dir)?;
        let mut runs = store.list()?;
        runs.retain(|run| run.is_unfinished() || holds(&store, run));
        Ok::<_, StoreError>(runs.into_iter().map(|run| run.id).collect())
    });
    match listed.await {
        Ok(listed) => listed.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether a run that is over still holds something; yes, if one cannot tell.
fn holds(store: &Store, run: &RunSummary) -> bool {
    let seen = store.look(&run.id);
    seen.map_or(true, |seen| {
        let mut held = seen.state.held();
        held.any(|(_, hold)| hold.how != HeldHow::Already)
    })
}
