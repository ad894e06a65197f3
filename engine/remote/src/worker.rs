//! Worker shells: a check at a time, with a limit; a check that takes longer is killed with all it started.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use crate::control::send;
use crate::report::RECORDS;
use crate::shell::{Shell, lock};
use crate::{Fault, Report, Script};

/// How long a killed check may take to be over before its worker is given up.
const LAST_WAIT: Duration = Duration::from_secs(5);
/// Between asking a check to end and ending it.
const GRACE: Duration = Duration::from_secs(1);

/// A shell for checks.
pub(crate) struct Worker {
    shell: Shell,
    sequence: u64,
}

/// A process group on the host, with the start time that makes its number unmistakable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) pid: u32,
    pub(crate) born: u64,
}

/// How a check came out of its worker.
pub(crate) enum Checked {
    /// The worker can be used again.
    Done(Report),
    /// It cannot: the check does not die, or the answer makes no sense.
    Stuck(Report),
}

#[derive(Default)]
struct Incoming {
    records: Vec<u8>,
    overflow: bool,
    group: Option<Group>,
    status: Option<i32>,
    partial: Vec<u8>,
}

impl Worker {
    pub(crate) fn new(shell: Shell) -> Self {
        Self { shell, sequence: 0 }
    }

    /// Runs a check. `kill` sends a signal to a process group by another shell.
    pub(crate) async fn check<K, F>(
        &mut self,
        script: &Script,
        limit: Duration,
        kill: K,
    ) -> Result<Checked, Fault>
    where
        K: Fn(Group, &'static str) -> F,
        F: Future<Output = Result<(), Fault>>,
    {
        let text = script.in_memory()?;
        self.sequence += 1;
        lock(&self.shell.errors).ends = crate::excerpt::Ends::default();
        let marks = *self.shell.marked.borrow();
        // the host ends it too, a little later, for the case that this controller is gone
        let seconds = limit.as_secs().saturating_add(4).min(999_999_999);
        let command = format!("rb_check {seconds} {}", text.len());
        let deadline = Instant::now() + limit;
        let mut incoming = Incoming::default();
        // the line says 0 bytes: the check itself takes them, not the loop
        let started = async {
            send(&mut self.shell, self.sequence, 0, &command, text.as_bytes()).await?;
            let begun = format!("check {}", self.sequence);
            // the loop's own word on the check before comes first
            while self.shell.frames.our_line().await? != begun {}
            Ok(())
        };
        timeout_at(deadline + LAST_WAIT, started)
            .await
            .unwrap_or(Err(Fault::NoAnswer(limit)))?;
        let in_time = match timeout_at(deadline, self.listen(&mut incoming)).await {
            Ok(result) => result.map(|()| true)?,
            Err(_) => false,
        };
        let mut alive = false;
        if !in_time {
            alive = self.stop(&mut incoming, kill).await?;
        }
        let _ = timeout(LAST_WAIT, self.shell.marked.wait_for(|seen| *seen > marks)).await;
        let stderr = lock(&self.shell.errors).ends.excerpt();
        let stdout = crate::Excerpt::default();
        let report = Report::read(
            &incoming.records,
            incoming.overflow,
            incoming.status,
            stdout,
            stderr,
        );
        Ok(match (in_time, alive) {
            (true, _) => Checked::Done(report),
            (false, false) => Checked::Done(
                report.overruled(format!("took longer than {limit:?} and was ended"), true),
            ),
            (false, true) => Checked::Stuck(report.overruled(
                format!("took longer than {limit:?} and could not be ended"),
                true,
            )),
        })
    }

    /// Ends a check that takes too long. True when it does not die.
    async fn stop<K, F>(&mut self, incoming: &mut Incoming, kill: K) -> Result<bool, Fault>
    where
        K: Fn(Group, &'static str) -> F,
        F: Future<Output = Result<(), Fault>>,
    {
        let Some(group) = incoming.group.clone() else {
            return Ok(true);
        };
        for (signal, wait) in [("TERM", GRACE), ("KILL", LAST_WAIT)] {
            kill(group.clone(), signal).await?;
            if let Ok(result) = timeout(wait, self.listen(incoming)).await {
                return result.map(|()| false);
            }
        }
        Ok(true)
    }

    /// Takes records until the check is over. Nothing is lost when the future is dropped.
    async fn listen(&mut self, incoming: &mut Incoming) -> Result<(), Fault> {
        let done = format!("{} done {} ", self.shell.frames.token(), self.sequence);
        loop {
            if !self
                .shell
                .frames
                .until(0, RECORDS + 1, &mut incoming.partial)
                .await?
            {
                return Err(Fault::Lost(String::new()));
            }
            let record = std::mem::take(&mut incoming.partial);
            if let Some(status) = record.strip_prefix(done.as_bytes()) {
                incoming.status = std::str::from_utf8(status)
                    .ok()
                    .and_then(|text| text.parse().ok());
                return Ok(());
            }
            match record.strip_prefix(b"stat - ") {
                Some(stat) if incoming.group.is_none() => {
                    incoming.group = group(&String::from_utf8_lossy(stat))
                }
                _ if record.is_empty() => {}
                _ if incoming.records.len() + record.len() > RECORDS => incoming.overflow = true,
                _ => {
                    incoming.records.extend_from_slice(&record);
                    incoming.records.push(0);
                }
            }
        }
    }
}

/// Reads a line of `/proc/PID/stat`: the number first, the start time 20th after the name in parentheses.
fn group(stat: &str) -> Option<Group> {
    let pid = stat.split(' ').next()?.parse().ok()?;
    let born = stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()?;
    Some(Group { pid, born })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read() {
        let line = "42 (a) b (c) S 1 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987654 2 3";
        assert_eq!(
            group(line),
            Some(Group {
                pid: 42,
                born: 987_654
            })
        );
        assert_eq!(group("x"), None);
        assert_eq!(group("1 (sh"), None);
    }
}
