//! Attempts of a host: start, look, wait, collect, cancel, forget.

use std::sync::Arc;
use std::time::Duration;

use runbook_model::{AttemptId, Epoch, RunId};
use tokio::time::{Instant, timeout};

use super::{Host, Inner};
use crate::excerpt::{HEAD, TAIL};
use crate::job::{Ended, Job, JobState, Offsets, Poll, whole_seconds};
use crate::quote::quoted;
use crate::report::RECORDS;
use crate::watch::{self, Watch};
use crate::{Fault, RemoteError};

/// How often a state is asked for although the host would say that it changed.
const SAFETY_NET: Duration = Duration::from_secs(5);
/// How long something launched may take to be claimed before waiting for it makes no sense.
const CLAIM: Duration = Duration::from_secs(10);
/// What one poll brings at most, for each of the two outputs.
pub(super) const POLL: u64 = 4 << 20;

/// What is handed over for an attempt.
pub(super) struct Launch<'a> {
    /// `rb_job`, or `rb_chain`.
    pub(super) verb: &'static str,
    pub(super) run: &'a RunId,
    pub(super) attempt: &'a AttemptId,
    pub(super) epoch: Epoch,
    pub(super) boot_id: &'a str,
    /// 0: it is never ended.
    pub(super) seconds: u64,
    pub(super) text: String,
    pub(super) secrets: Option<String>,
}

impl Host {
    /// Prepares and launches an attempt in one round trip. Any number of times: it runs once.
    ///
    /// # Errors
    /// `Rebooted` when the boot is not the job's, `Fenced`, `NotReady`, `NoTmpfs`, `Io` (nothing was launched), or
    /// a lost connection (it may have been launched: ask for its state).
    pub async fn start(&self, job: &Job) -> Result<JobState, RemoteError> {
        let text = job.script.for_file().map_err(|e| self.at(e.into()))?;
        let launch = Launch {
            verb: "rb_job",
            run: &job.run,
            attempt: &job.attempt,
            epoch: job.epoch,
            boot_id: &job.boot_id,
            seconds: job.timeout.map_or(0, whole_seconds),
            text,
            secrets: job.script.secret_text(),
        };
        self.launch(launch).await
    }

    /// Hands over what an attempt needs, its secrets first.
    pub(super) async fn launch(&self, launch: Launch<'_>) -> Result<JobState, RemoteError> {
        let Launch {
            verb,
            run,
            attempt,
            epoch,
            boot_id,
            seconds,
            text,
            secrets,
        } = launch;
        let boot = quoted(boot_id);
        let with = if secrets.is_some() { "yes" } else { "no" };
        if let Some(secrets) = secrets {
            let command = format!(
                "rb_secrets {run} {attempt} {epoch} {boot} {}",
                secrets.len()
            );
            self.request(command, secrets.into_bytes()).await?;
        }
        let limit = self.inner.options.output_limit.min(999_999_999);
        let command = format!(
            "{verb} {run} {attempt} {epoch} {boot} {seconds} {limit} {} {with}",
            text.len()
        );
        let reply = self.request(command, text.into_bytes()).await?;
        JobState::of(&reply).map_err(|fault| self.at(fault))
    }

    /// Where an attempt stands.
    ///
    /// # Errors
    /// The connection.
    pub async fn state(&self, run: &RunId, attempt: &AttemptId) -> Result<JobState, RemoteError> {
        let reply = self
            .request(format!("rb_state {run} {attempt}"), Vec::new())
            .await?;
        JobState::of(&reply).map_err(|fault| self.at(fault))
    }

    /// All attempts of a run that this account has on the host.
    ///
    /// # Errors
    /// The connection.
    pub async fn list(&self, run: &RunId) -> Result<Vec<(AttemptId, JobState)>, RemoteError> {
        let reply = self.request(format!("rb_list {run}"), Vec::new()).await?;
        let mut jobs = Vec::new();
        for line in reply.words("job") {
            let (attempt, state) = line.split_once(' ').unwrap_or((line, ""));
            let attempt =
                AttemptId::new(attempt).map_err(|e| self.at(Fault::Protocol(e.to_string())))?;
            jobs.push((
                attempt,
                JobState::read(state).map_err(|fault| self.at(fault))?,
            ));
        }
        Ok(jobs)
    }

    /// Reads an attempt's output from the offsets on, at most `max` bytes (4 MiB) of each.
    ///
    /// # Errors
    /// The connection.
    pub async fn poll(
        &self,
        run: &RunId,
        attempt: &AttemptId,
        from: Offsets,
        max: u64,
    ) -> Result<Poll, RemoteError> {
        let (out, err) = (from.out.min(999_999_999), from.err.min(999_999_999));
        let reply = self
            .request(
                format!("rb_poll {run} {attempt} {out} {err} {}", max.min(POLL)),
                Vec::new(),
            )
            .await?;
        Poll::of(reply).map_err(|fault| self.at(fault))
    }

    /// Waits until an attempt is over, at most for `limit`, and gives its state then. The host says when; other
    /// requests are not held up. Something that nobody claims is given back as `Prepared` after ten seconds.
    ///
    /// # Errors
    /// The connection.
    pub async fn wait(
        &self,
        run: &RunId,
        attempt: &AttemptId,
        limit: Duration,
    ) -> Result<JobState, RemoteError> {
        let begun = Instant::now();
        // the first look is before listening, the second after: nothing falls between
        let mut state = self.state(run, attempt).await?;
        let mut listener = None;
        let mut pause = Duration::from_millis(50);
        loop {
            let waiting = state.is_alive()
                || (matches!(state, JobState::Staging | JobState::Prepared)
                    && begun.elapsed() < CLAIM);
            let left = limit.saturating_sub(begun.elapsed());
            if !waiting || left.is_zero() {
                return Ok(state);
            }
            match &mut listener {
                None => listener = self.listen().await,
                Some(heard) => {
                    let over = timeout(
                        SAFETY_NET.min(left),
                        watch::ended(heard, run.as_str(), attempt.as_str()),
                    )
                    .await;
                    if matches!(over, Ok(Err(_))) {
                        listener = None;
                    }
                }
            }
            if listener.is_none() {
                tokio::time::sleep(pause.min(left)).await;
                pause = (pause * 2).min(SAFETY_NET);
            }
            state = self.state(run, attempt).await?;
        }
    }

    /// Listens to what ends; none when that cannot be, and then polling has to do.
    async fn listen(&self) -> Option<tokio::sync::broadcast::Receiver<watch::Ended>> {
        let mut watch = self.inner.watch.lock().await;
        if watch.as_ref().is_none_or(|watch| watch.is_over()) {
            let Inner {
                transport,
                account,
                options,
                ..
            } = &*self.inner;
            *watch = Watch::open(transport, account, options)
                .await
                .ok()
                .map(Arc::new);
        }
        watch.as_ref().map(|watch| watch.listen())
    }

    /// What an attempt left behind: its records, and both ends of its output.
    ///
    /// # Errors
    /// The connection.
    pub async fn collect(&self, run: &RunId, attempt: &AttemptId) -> Result<Ended, RemoteError> {
        let reply = self
            .request(
                format!("rb_collect {run} {attempt} {RECORDS} {HEAD} {TAIL}"),
                Vec::new(),
            )
            .await?;
        Ended::of(&reply).map_err(|fault| self.at(fault))
    }

    /// Ends an attempt: one that has not begun never will; one that runs is asked to end, and after `grace` killed
    /// with all that it started. Gives the state after that.
    ///
    /// # Errors
    /// `Fenced` when a later controller has the run, or the connection.
    pub async fn cancel(
        &self,
        run: &RunId,
        attempt: &AttemptId,
        grace: Duration,
    ) -> Result<JobState, RemoteError> {
        let epoch = self.epoch(run);
        let asked = self
            .request(
                format!("rb_cancel {run} {attempt} {epoch} TERM"),
                Vec::new(),
            )
            .await?;
        let mut state = JobState::of(&asked).map_err(|fault| self.at(fault))?;
        if state.is_alive() {
            state = self.wait(run, attempt, grace).await?;
        }
        if state.is_alive() {
            self.request(
                format!("rb_cancel {run} {attempt} {epoch} KILL"),
                Vec::new(),
            )
            .await?;
            state = self.wait(run, attempt, SAFETY_NET).await?;
        }
        Ok(state)
    }

    /// Empties what an attempt that is over has printed, after it is durable elsewhere: it may hold secrets. The
    /// attempt itself stays known there.
    ///
    /// # Errors
    /// `Alive`, `Fenced`, `Io`, or the connection.
    pub async fn wipe(&self, run: &RunId, attempt: &AttemptId) -> Result<(), RemoteError> {
        let epoch = self.epoch(run);
        self.request(format!("rb_wipe {run} {attempt} {epoch}"), Vec::new())
            .await
            .map(drop)
    }

    /// Removes all that this account keeps for the undos of a run that is closed.
    ///
    /// # Errors
    /// `Fenced`, `Io`, or the connection.
    pub async fn discard(&self, run: &RunId) -> Result<(), RemoteError> {
        let epoch = self.epoch(run);
        self.request(format!("rb_discard {run} {epoch}"), Vec::new())
            .await
            .map(drop)
    }

    /// Where this account keeps what the undo of an instance needs; `capture` is the attempt whose intent holds what
    /// was captured.
    #[must_use]
    pub fn undo_store(&self, run: &RunId, capture: &AttemptId) -> String {
        format!("{}/runs/{run}/undo/{capture}", self.hello().state_dir)
    }

    /// Removes what is left of an attempt that is over, after its end is durable elsewhere.
    ///
    /// # Errors
    /// `Alive`, `Fenced`, `Io`, or the connection.
    pub async fn forget(&self, run: &RunId, attempt: &AttemptId) -> Result<(), RemoteError> {
        let epoch = self.epoch(run);
        self.request(format!("rb_forget {run} {attempt} {epoch}"), Vec::new())
            .await
            .map(drop)
    }
}
