//! What a controller does on hosts after its last event: locks are given back, what is kept for undos goes, and what
//! attempts with secrets have printed is emptied. One that is killed right there leaves all of it, and the run has ended:
//! no later controller would come. All of it may be done again.

use runbook_model::{Epoch, HostName, Plan, RunId, RunState};

use super::wipe::{self, Wipes};
use super::{Reach, discard, release_locks};

/// Does again what the end of this run does on hosts, if it has ended. Gives the hosts that may still be locked, each
/// with why, for people.
pub async fn close_up(
    plan: &Plan,
    state: &RunState,
    run: &RunId,
    epoch: Epoch,
    reach: &Reach,
) -> Vec<(HostName, String)> {
    let Some(result) = state.result.as_ref().filter(|result| result.is_final()) else {
        return Vec::new();
    };
    let units = Wipes::of_ended(plan, state).take(plan, state);
    let places = discard::closed(plan, state, result);
    wipe::empty(reach, run, units).await;
    discard::discard(reach, run, places).await;
    // Last: from here on another run may be there.
    release_locks(plan, run, epoch, reach).await
}
