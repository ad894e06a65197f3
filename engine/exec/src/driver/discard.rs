//! What hosts keep for undos goes when nothing can be taken back any more: when a run has succeeded and holds nothing,
//! or was rolled back. A run that failed may be resumed, and one that holds something may release it: theirs stays.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use runbook_model::event::HeldHow;
use runbook_model::{
    Account, HostName, NodeIx, NodeKind, Plan, RunId, RunResult, RunState, StepType,
};

use super::Reach;

/// How long the end of a run waits for hosts to remove what is there.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where something is kept: on a host, by an account.
pub(super) type Places = BTreeSet<(HostName, Option<Account>)>;

/// Removes what is kept for undo on all hosts, if the run is closed.
pub(super) async fn discard(reach: &Reach, run: &RunId, closed: Option<Places>) {
    let all = closed
        .into_iter()
        .flatten()
        .map(|(host, account)| async move {
            // What a host that is lost now keeps does nothing there.
            if let Ok(host) = reach.host_as(&host, account.as_ref()).await {
                let _ = host.discard(run).await;
            }
        });
    let _ = tokio::time::timeout(PATIENCE, join_all(all)).await;
}

/// Where something may be kept, if it is of no use any more.
pub(super) fn closed(plan: &Plan, state: &RunState, result: &RunResult) -> Option<Places> {
    let well = matches!(
        result,
        RunResult::Succeeded | RunResult::AlreadyThere | RunResult::RolledBack
    );
    let holds = state.held().any(|(_, hold)| hold.how != HeldHow::Already);
    if !well || holds || state.open_attempts().next().is_some() {
        return None;
    }
    let attempts = state.attempts.values();
    let began = attempts.filter(|a| !a.undo && a.began());
    let keeps = began.filter(|a| can_keep(plan, a.node));
    let places = keeps.map(|a| {
        let account = match plan.nodes.get(a.node.at()).map(|node| &node.kind) {
            Some(NodeKind::Instance { account, .. }) => account.clone(),
            _ => None,
        };
        (a.host.clone(), account)
    });
    Some(places.collect())
}

/// Whether the type of an instance may keep files.
fn can_keep(plan: &Plan, node: NodeIx) -> bool {
    let step = plan.instance(node).map(|(step, _)| step);
    let of = step.and_then(|step| plan.type_of(step));
    of.is_some_and(StepType::keeps_for_undo)
}
