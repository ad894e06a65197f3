//! What other runs have left on a host for good: abandoned ones, ones whose controller was lost, ones that nobody
//! closed. Without a clean-up it would grow for ever.

use std::collections::BTreeSet;
use std::time::Duration;

use runbook_model::RunId;

use super::{Host, Inner};
use crate::control::Control;
use crate::frame::within;
use crate::{Fault, RemoteError};

/// How much of a clean-up's own time may pass on the way there and back.
const ON_THE_WAY: Duration = Duration::from_secs(30);

/// When what a dead run has left goes. Dead is a run of which no attempt is alive, which has no lock in this account,
/// and which nobody names as wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// What did not change for so long goes; whole days.
    pub age: Duration,
    /// Above so many bytes on the disk, all dead runs together, the oldest go; whole KiB.
    pub size: u64,
    /// What changed since then stays all the same: its controller may be between two steps.
    pub rest: Duration,
    /// So many directories are looked at in one visit, the oldest first.
    pub entries: u32,
    /// After so long a visit begins with no further directory.
    pub time: Duration,
}

impl Default for Bounds {
    /// 30 days, 512 MiB (two attempts may print so much), an hour; 1000 directories and 20 seconds a visit.
    fn default() -> Self {
        Self {
            age: Duration::from_hours(30 * 24),
            size: 512 << 20,
            rest: Duration::from_hours(1),
            entries: 1000,
            time: Duration::from_secs(20),
        }
    }
}

impl Host {
    /// Removes what dead runs have left in this account's directory of runs, within bounds; gives whose it was.
    /// Nothing of `run`, which is this one, and of those `wanted`. It has a shell of its own: nobody waits for it.
    ///
    /// The lock of the host should be this run's: then no other run has it in another account either, as long as
    /// all runs that share the host agree on the account of its lock.
    ///
    /// # Errors
    /// `Fenced`, `Io` (something cannot be removed; the rest is), or the connection.
    pub async fn clean(
        &self,
        run: &RunId,
        wanted: &BTreeSet<RunId>,
        bounds: &Bounds,
    ) -> Result<Vec<RunId>, RemoteError> {
        let number = |n: u64| n.min(999_999_999);
        let command = format!(
            "rb_clean {run} {} {} {} {} {} {}",
            self.epoch(run),
            number(bounds.age.as_secs() / 86_400).clamp(1, 9_999),
            number(bounds.size >> 10),
            number(bounds.rest.as_secs()),
            bounds.entries,
            number(bounds.time.as_secs()),
        );
        let wanted: String = wanted.iter().map(|run| format!("{run}\n")).collect();
        let Inner {
            transport,
            account,
            options,
            ..
        } = &*self.inner;
        let cleaned = within(bounds.time + ON_THE_WAY, async {
            let control = Control::open(transport, account, options).await?;
            let reply = control.request(command, wanted.into_bytes()).await?;
            control.close().await;
            let gone = reply.words("gone").map(RunId::new);
            gone.collect::<Result<_, _>>()
                .map_err(|error| Fault::Protocol(error.to_string()))
        });
        cleaned.await.map_err(|fault| self.at(fault))
    }
}
