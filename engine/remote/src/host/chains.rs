//! Chains of a host: start, say that somebody is there, let begin nothing more, read.

use runbook_model::{AttemptId, RunId};

use super::Host;
use super::attempts::{Launch, POLL};
use crate::chain::{Chain, ChainOffsets, ChainPoll};
use crate::{Fault, JobState, RemoteError};

/// Seconds until its first section begins: before that a chain has little to do.
const BEGIN: u64 = 300;

impl Host {
    /// Prepares and launches a chain, and says that this controller is there. Any number of times: it runs once. To
    /// the host it is one attempt with the id of the unit: `state`, `list`, `wait`, `cancel`, `wipe` and `forget` are
    /// the same. [`Host::collect`] is not for chains: their records are read by [`crate::ChainReader`].
    ///
    /// # Errors
    /// As [`Host::start`]; a chain that is too long, or has too much text, is a [`Fault::Script`].
    pub async fn start_chain(&self, chain: &Chain) -> Result<JobState, RemoteError> {
        let text = chain
            .text(self.inner.options.heartbeat)
            .map_err(|e| self.at(e.into()))?;
        let launch = Launch {
            verb: "rb_chain",
            run: &chain.run,
            attempt: &chain.unit,
            epoch: chain.epoch,
            boot_id: &chain.boot_id,
            seconds: BEGIN,
            text: text.payload,
            secrets: text.secrets,
        };
        self.launch(launch).await
    }

    /// Says to the chains of a run that this controller is there. Without it no effect begins after
    /// [`crate::Options::heartbeat`]; what runs then goes on, and checks do.
    ///
    /// # Errors
    /// `NotReady`, `Fenced`, `Io`, or the connection.
    pub async fn beat(&self, run: &RunId) -> Result<(), RemoteError> {
        let epoch = self.epoch(run);
        if epoch == 0 {
            return Err(self.at(Fault::NotReady));
        }
        self.request(format!("rb_beat {run} {epoch}"), Vec::new())
            .await
            .map(drop)
    }

    /// Tells a chain to begin no further effect, for good: what runs finishes, and checks may still run. One that was
    /// not launched yet will find it too.
    ///
    /// # Errors
    /// `Fenced`, `Io`, or the connection.
    pub async fn halt(&self, run: &RunId, unit: &AttemptId) -> Result<(), RemoteError> {
        let epoch = self.epoch(run);
        self.request(format!("rb_halt {run} {unit} {epoch}"), Vec::new())
            .await
            .map(drop)
    }

    /// Reads what a chain wrote from the offsets on, at most `max` bytes (4 MiB) of each kind.
    ///
    /// # Errors
    /// The connection.
    pub async fn poll_chain(
        &self,
        run: &RunId,
        unit: &AttemptId,
        from: ChainOffsets,
        max: u64,
    ) -> Result<ChainPoll, RemoteError> {
        let [rec, out, err] = [from.rec, from.out, from.err].map(|at| at.min(999_999_999));
        let max = max.min(POLL);
        let command = format!("rb_follow {run} {unit} {rec} {out} {err} {max}");
        let reply = self.request(command, Vec::new()).await?;
        ChainPoll::of(reply).map_err(|fault| self.at(fault))
    }
}
