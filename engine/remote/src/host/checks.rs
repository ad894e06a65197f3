//! Checks of a host, in worker shells.

use std::time::Duration;

use super::{Host, Inner};
use crate::shell::{Shell, lock};
use crate::worker::{Checked, Group, Worker};
use crate::{Fault, RemoteError, Report, Script};

impl Host {
    /// Runs a check. It may change nothing on the host. A check that takes longer than `limit` is killed with all
    /// that it started, and reported as failed with `timed_out`; time spent waiting for a worker does not count.
    ///
    /// # Errors
    /// The connection, or a script that cannot be handed over.
    pub async fn check(&self, script: &Script, limit: Duration) -> Result<Report, RemoteError> {
        let _place = self
            .inner
            .places
            .acquire()
            .await
            .map_err(|_| self.at(Fault::Lost(String::new())))?;
        let idle = lock(&self.inner.workers).pop();
        let reused = idle.is_some();
        let result = match idle {
            Some(worker) => self.check_in(worker, script, limit).await,
            None => self.check_anew(script, limit).await,
        };
        match result {
            // a check changes nothing: when its worker died while idle, a new one can do it
            Err(Fault::Lost(_)) if reused => {
                lock(&self.inner.workers).clear();
                self.check_anew(script, limit).await
            }
            other => other,
        }
        .map_err(|fault| self.at(fault))
    }

    async fn check_anew(&self, script: &Script, limit: Duration) -> Result<Report, Fault> {
        let Inner {
            transport,
            account,
            options,
            ..
        } = &*self.inner;
        let worker = Worker::new(Shell::open(transport, account, options).await?);
        self.check_in(worker, script, limit).await
    }

    async fn check_in(
        &self,
        mut worker: Worker,
        script: &Script,
        limit: Duration,
    ) -> Result<Report, Fault> {
        let kill = |group: Group, signal: &'static str| async move {
            let command = format!("rb_signal_group {} {} {signal}", group.pid, group.born);
            self.request(command, Vec::new())
                .await
                .map(drop)
                .map_err(|e| e.fault)
        };
        match worker.check(script, limit, kill).await? {
            Checked::Done(report) => {
                lock(&self.inner.workers).push(worker);
                Ok(report)
            }
            Checked::Stuck(report) => Ok(report),
        }
    }
}
