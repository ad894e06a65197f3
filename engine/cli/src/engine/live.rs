//! A plan against real hosts: looked at, run, resumed.

use std::collections::BTreeSet;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use runbook_exec::desk::Signal;
use runbook_exec::dispatcher::{Errand, Options};
use runbook_exec::driver::{self, Drive, Mirror, Reach};
use runbook_exec::edited::Edit;
use runbook_exec::preview;
use runbook_exec::secrets::{Purpose, Vault, settle};
use runbook_exec::store::{Run, Seen, Store, StoreError};
use runbook_lang::evaluate::Evaluator;
use runbook_model::event::Controller;
use runbook_model::text::printable;
use runbook_model::{HostName, NodeKind, Order, Plan, Preview, RunId, RunState, Watcher};
use tokio::task::LocalSet;

use crate::desk::TerminalDesk;
use crate::error::Error;
use crate::secrets::Secrets;
use crate::{signals, who};

/// How long connections may take to close at the end.
const CLOSING: Duration = Duration::from_secs(5);

/// What surrounds a run.
pub(crate) struct Live {
    /// Who is told.
    pub(crate) watchers: Vec<Box<dyn Watcher>>,
    /// Who is asked.
    pub(crate) desk: TerminalDesk,
    /// Values that are shown nowhere.
    pub(crate) secrets: Secrets,
    /// Where generated ones are kept.
    pub(crate) vault: Vault,
    /// Who this is.
    pub(crate) controller: Controller,
    /// What the run is opened for.
    pub(crate) errand: Errand,
    /// What a person has decided about it.
    pub(crate) orders: Vec<Order>,
    /// The last phase that is run, by its position.
    pub(crate) until: Option<u32>,
    /// Where a second copy of plan and journal is kept.
    pub(crate) mirror: Option<Mirror>,
}

/// How this controller's part of a run ended.
pub(crate) struct Ended {
    /// What was run.
    pub(crate) plan: Arc<Plan>,
    /// What was reached.
    pub(crate) state: RunState,
    /// Hosts that keep the run's lock although it is over, and why.
    pub(crate) still_locked: Vec<(HostName, String)>,
    /// Hosts that keep what old runs have left, and why.
    pub(crate) not_cleaned: Vec<(HostName, String)>,
}

/// What can be said of a plan without asking a host.
pub(crate) fn offline(plan: &Arc<Plan>) -> Result<Preview, Error> {
    let evaluator = of_preview(plan, &Secrets::default())?;
    Ok(preview::offline(plan, &evaluator))
}

/// What a run would do now.
pub(crate) fn preview(
    plan: &Arc<Plan>,
    mut secrets: Secrets,
    vault: &Vault,
) -> Result<Preview, Error> {
    block_on(async {
        let reach = Reach::new(plan, remote());
        let none = RunState::default();
        let given = secrets.names();
        let settled = settle(plan, &none, &given, &reach, vault, Purpose::Look).await;
        let preview = match settled {
            Ok(settled) => {
                secrets.add(&settled);
                let evaluator = of_preview(plan, &secrets)?;
                Ok(preview::live(plan, &evaluator, &reach).await)
            }
            Err(error) => Err(error.into()),
        };
        close(&reach).await;
        preview
    })
}

/// Runs a plan from its beginning.
pub(crate) fn run(store: &Store, plan: &Plan, live: Live) -> Result<Ended, Error> {
    let run = store.create(plan, &live.controller)?;
    drive(run, live)
}

/// Goes on with a run.
pub(crate) fn resume(store: &Store, id: &RunId, live: Live) -> Result<Ended, Error> {
    let run = store.take(id, &live.controller)?;
    drive(run, live)
}

/// Goes on with a run with another plan. `unlocked` is told of hosts that the run leaves and that keep
/// its lock.
pub(crate) fn edited(
    store: &Store,
    seen: &Seen,
    edit: Edit,
    live: Live,
    unlocked: impl FnOnce(&[(HostName, String)]),
) -> Result<Ended, Error> {
    let mut run = store.take(&seen.id, &live.controller)?;
    if (run.state.seq, run.state.epoch) != (seen.state.seq, seen.state.epoch) {
        return Err(Error::Typed {
            message: format!("run {} has gone on meanwhile: nothing was changed", seen.id),
            hint: Some(format!("look again: runbook resume {} --edited", seen.id)),
        });
    }
    let left = edit.comparison.left_hosts.clone();
    let by = format!("{} on {}", live.controller.user, live.controller.host);
    runbook_exec::edited::write(&mut run, edit, live.controller.clone(), by, driver::now())?;
    if !left.is_empty() {
        let mut old = seen.plan.clone();
        old.nodes.retain(|node| match &node.kind {
            NodeKind::Instance { host, via, .. } => left.contains(via.as_ref().unwrap_or(host)),
            _ => false,
        });
        old.edges.clear();
        let kept = block_on(async {
            let reach = Rc::new(Reach::new(&old, remote()));
            let kept = driver::release_locks(&old, &seen.id, run.epoch, &reach).await;
            close(&reach).await;
            Ok(kept)
        })?;
        let kept: Vec<_> = kept
            .into_iter()
            .filter(|(host, _)| left.contains(host))
            .collect();
        unlocked(&kept);
    }
    drive(run, live)
}

/// How a run was abandoned.
pub(crate) struct Abandoned {
    /// What was reached.
    pub(crate) state: RunState,
    /// Hosts that keep their lock, and why.
    pub(crate) unreleased: Vec<(HostName, String)>,
}

/// Ends a run as it stands, and frees its hosts as far as they can be reached.
pub(crate) fn abandon(store: &Store, id: &RunId, order: Order) -> Result<Abandoned, Error> {
    let mut run = store.take(id, &who::controller())?;
    let state = runbook_exec::abandon::abandon(&mut run, who::controller(), order, driver::now())?;
    let plan = run.plan.clone();
    let unreleased = block_on(async {
        let reach = Rc::new(Reach::new(&plan, remote()));
        let unreleased = driver::release_locks(&plan, id, run.epoch, &reach).await;
        close(&reach).await;
        Ok(unreleased)
    })?;
    Ok(Abandoned { state, unreleased })
}

/// Does again what the end of a run does on hosts: its last controller may have been killed right there.
/// Gives the hosts that may still be locked, each with why.
pub(crate) fn close_up(store: &Store, id: &RunId) -> Result<Vec<(HostName, String)>, Error> {
    let run = store.take(id, &who::controller())?;
    block_on(async {
        let reach = Rc::new(Reach::new(&run.plan, remote()));
        let left = driver::close_up(&run.plan, &run.state, id, run.epoch, &reach).await;
        close(&reach).await;
        Ok(left)
    })
}

/// The lock of the run is held until this controller's part is over.
fn drive(mut run: Run, mut live: Live) -> Result<Ended, Error> {
    let plan = Arc::new(run.plan);
    let ending = block_on(async {
        // Before anything is started: from here on Ctrl-C is a wish, not the end.
        let signals = signals::listen(Signal::Stop, Signal::Detach)
            .map_err(|e| Error::Engine(format!("signals cannot be received: {e}")))?;
        let reach = Rc::new(Reach::new(&plan, remote()));
        let given = live.secrets.names();
        let settled = settle(&plan, &run.state, &given, &reach, &live.vault, Purpose::Run).await;
        let settled = match settled {
            Ok(settled) => settled,
            Err(error) => {
                close(&reach).await;
                return Err(error.into());
            }
        };
        live.secrets.add(&settled);
        let dir = run.home.dir().to_string_lossy().into_owned();
        let evaluator = evaluator(&plan, &live.secrets, run.id.as_str(), &dir)?;
        let drive = Drive {
            plan: Arc::clone(&plan),
            run: run.id.clone(),
            epoch: run.epoch,
            controller: live.controller,
            state: run.state,
            journal: &mut run.journal,
            home: run.home.clone(),
            evaluator: Rc::new(evaluator),
            reach: Rc::clone(&reach),
            watchers: live.watchers,
            desk: Box::new(live.desk),
            signals,
            settled: settled.origins,
            errand: live.errand,
            orders: live.orders,
            mirror: live.mirror,
        };
        let options = Options {
            until: live.until,
            ..Options::default()
        };
        let ending = drive.drive(options).await;
        close(&reach).await;
        ending.map_err(|error| match error {
            driver::DriveError::Refused(problems) => refused(&run.id, &problems),
            other => other.into(),
        })
    })?;
    drop(run.lock);
    Ok(Ended {
        plan,
        state: ending.state,
        still_locked: ending.still_locked,
        not_cleaned: ending.not_cleaned,
    })
}

/// Decisions that a run cannot take.
fn refused(run: &RunId, problems: &[String]) -> Error {
    let problems: Vec<_> = problems.iter().map(|p| printable(p)).collect();
    Error::Typed {
        message: format!("run {run} refuses: {}", problems.join("; ")),
        hint: Some(format!("see how it stands: runbook status {run}")),
    }
}

/// Neither id nor directory of a run exists yet, and no verdict depends on them.
fn of_preview(plan: &Arc<Plan>, secrets: &Secrets) -> Result<Evaluator, Error> {
    evaluator(plan, secrets, preview::RUN_ID, "")
}

fn evaluator(
    plan: &Arc<Plan>,
    secrets: &Secrets,
    run: &str,
    dir: &str,
) -> Result<Evaluator, Error> {
    Evaluator::new(Arc::clone(plan), &secrets.values(), run, dir)
        .map_err(|e| Error::Engine(format!("the plan cannot be evaluated: {e}")))
}

/// A host that does not answer is not waited for: what runs there does not depend on this end.
pub(crate) async fn close(reach: &Reach) {
    let _ = tokio::time::timeout(CLOSING, reach.close()).await;
}

pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::Engine(format!("the runtime cannot be started: {e}")))?;
    let result = LocalSet::new().block_on(&runtime, work);
    runtime.shutdown_background();
    result
}

/// Refuses beside a run that is not finished.
pub(crate) fn may_begin(store: &Store, plan: &Plan) -> Result<(), Error> {
    let hosts: BTreeSet<_> = plan
        .instances()
        .map(|(_, _, host)| host)
        .chain(plan.hosts.keys())
        .cloned()
        .collect();
    let runs = store.unfinished_for(&plan.runbook, &hosts)?;
    if runs.is_empty() {
        Ok(())
    } else {
        Err(StoreError::Unfinished { runs }.into())
    }
}

/// How hosts are reached from here.
pub(crate) fn remote() -> runbook_remote::Options {
    runbook_remote::Options {
        runtime_dir: std::env::var_os("XDG_RUNTIME_DIR").map(Into::into),
        ..runbook_remote::Options::default()
    }
}
