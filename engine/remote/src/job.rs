//! Attempts: detached work on a host that outlives the connection and the controller.

use std::time::Duration;

use runbook_model::text::printable;
use runbook_model::{AttemptId, Epoch, RunId};

use crate::excerpt::Excerpt;
use crate::frame::Reply;
use crate::report::RECORDS;
use crate::{Fault, Report, Script};

/// An attempt to be started.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its run.
    pub run: RunId,
    /// Its id, journaled before it is started and never used for anything else.
    pub attempt: AttemptId,
    /// Which controller this is; a host that has seen a later one refuses.
    pub epoch: Epoch,
    /// The boot under which it may start: that of [`crate::Hello`] when the intent was journaled. Under another
    /// boot an earlier launch could be forgotten by the disk and still have had its effect.
    pub boot_id: String,
    /// What runs.
    pub script: Script,
    /// After this it is ended, by the host; `None`: never. Whole seconds, rounded up.
    pub timeout: Option<Duration>,
}

/// A limit as the host counts it, rounded up.
pub(crate) fn whole_seconds(limit: Duration) -> u64 {
    (limit.as_secs() + u64::from(limit.subsec_nanos() > 0)).min(999_999_999)
}

/// Why an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// By itself.
    Exit,
    /// It took longer than it may.
    Timeout,
    /// Somebody cancelled it.
    Cancel,
    /// It printed more than it may.
    OutputLimit,
}

impl Why {
    /// What was ended by force has no verdict of its own.
    pub(crate) fn overrule(self, report: Report) -> Report {
        match self {
            Self::Exit => report,
            Self::Timeout => {
                report.overruled("took longer than it may and was ended".to_owned(), true)
            }
            Self::Cancel => report.overruled("was cancelled".to_owned(), false),
            Self::OutputLimit => {
                report.overruled("printed more than it may and was ended".to_owned(), false)
            }
        }
    }
}

/// Where an attempt stands, as the host sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// The host knows nothing of it.
    Absent,
    /// Being prepared, or its preparation was cut off.
    Staging,
    /// Prepared, not claimed. Like the two before: safe to start under the same boot with no launch on record.
    Prepared,
    /// Claimed and alive.
    Running {
        /// The payload; 0 in the first moments.
        pid: u32,
    },
    /// The wrapper is gone, the payload lives: its status will never be known.
    Orphaned {
        /// The payload.
        pid: u32,
    },
    /// Over.
    Done {
        /// Exit status; 128 + signal when killed.
        status: i32,
        /// Why it ended.
        why: Why,
    },
    /// It was cancelled before anybody claimed it. It will never begin.
    Aborted,
    /// It was claimed, and ended before the first line of the script: a later controller was there by
    /// then, or something went wrong. It will never begin.
    LostBeforeStart,
    /// It began, and was killed with its wrapper: perhaps it had its effect.
    LostKilled,
    /// It was claimed under an earlier boot: perhaps it had its effect.
    LostReboot,
}

impl JobState {
    /// Whether it lives.
    #[must_use]
    pub fn is_alive(self) -> bool {
        matches!(self, Self::Running { .. } | Self::Orphaned { .. })
    }

    /// Whether it is over for good.
    #[must_use]
    pub fn is_over(self) -> bool {
        !self.is_alive() && !matches!(self, Self::Absent | Self::Staging | Self::Prepared)
    }

    /// Reads `DONE 0 exit` and the like.
    pub(crate) fn read(text: &str) -> Result<Self, Fault> {
        let nonsense = || Fault::Protocol(format!("an attempt's state is `{}`", printable(text)));
        let words: Vec<&str> = text.split(' ').collect();
        Ok(match words[..] {
            ["ABSENT"] => Self::Absent,
            ["STAGING"] => Self::Staging,
            ["PREPARED"] => Self::Prepared,
            ["RUNNING", pid] => Self::Running {
                pid: pid.parse().unwrap_or(0),
            },
            ["ORPHANED", pid] => Self::Orphaned {
                pid: pid.parse().unwrap_or(0),
            },
            ["ABORTED"] => Self::Aborted,
            ["LOST", "before-start"] => Self::LostBeforeStart,
            ["LOST", "killed"] => Self::LostKilled,
            ["LOST", "reboot"] => Self::LostReboot,
            ["DONE", status, why] => {
                let status = status.parse().map_err(|_| nonsense())?;
                let why = match why {
                    "exit" => Why::Exit,
                    "timeout" => Why::Timeout,
                    "cancel" => Why::Cancel,
                    "output" => Why::OutputLimit,
                    _ => return Err(nonsense()),
                };
                Self::Done { status, why }
            }
            _ => return Err(nonsense()),
        })
    }

    pub(crate) fn of(reply: &Reply) -> Result<Self, Fault> {
        let text = reply
            .word("state")
            .ok_or_else(|| Fault::Protocol("no state in the answer".to_owned()))?;
        Self::read(text)
    }
}

/// How far an attempt's output has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offsets {
    /// Bytes of standard output.
    pub out: u64,
    /// Bytes of standard error.
    pub err: u64,
}

/// A piece of an attempt's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// The state before the bytes were read: when it is over, what follows is complete once nothing more comes.
    pub state: JobState,
    /// Standard output from the offset on.
    pub out: Vec<u8>,
    /// Standard error from the offset on.
    pub err: Vec<u8>,
}

impl Poll {
    pub(crate) fn of(mut reply: Reply) -> Result<Self, Fault> {
        let state = JobState::of(&reply)?;
        Ok(Self {
            state,
            out: reply.take("out"),
            err: reply.take("err"),
        })
    }
}

/// What an attempt left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its state.
    pub state: JobState,
    /// What its script said; of an attempt that is lost, what there is.
    pub report: Report,
    /// Bytes of output in all.
    pub sizes: Offsets,
}

impl Ended {
    pub(crate) fn of(reply: &Reply) -> Result<Self, Fault> {
        let state = JobState::of(reply)?;
        let size = |name: &str| {
            let sizes = reply.words("size").filter_map(|line| line.split_once(' '));
            sizes
                .filter(|(n, _)| *n == name)
                .find_map(|(_, size)| size.parse::<u64>().ok())
                .unwrap_or(0)
        };
        let excerpt = |name: &str| {
            Excerpt::new(
                reply.frame(name),
                reply.frame(&format!("{name}-end")),
                size(name),
            )
        };
        let status = if let JobState::Done { status, .. } = state {
            Some(status)
        } else {
            None
        };
        let overflow = size("rec") > RECORDS as u64;
        let report = Report::read(
            reply.frame("rec"),
            overflow,
            status,
            excerpt("out"),
            excerpt("err"),
        );
        let report = match state {
            JobState::Done { why, .. } => why.overrule(report),
            _ => report,
        };
        Ok(Self {
            state,
            report,
            sizes: Offsets {
                out: size("out"),
                err: size("err"),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read() {
        let read = |text| JobState::read(text).unwrap();
        assert_eq!(
            read("DONE 143 timeout"),
            JobState::Done {
                status: 143,
                why: Why::Timeout
            }
        );
        assert_eq!(read("RUNNING 12"), JobState::Running { pid: 12 });
        assert_eq!(read("LOST before-start"), JobState::LostBeforeStart);
        for bad in ["", "DONE", "DONE x exit", "DONE 0 whim", "LOST", "RUNNING"] {
            assert!(JobState::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_alive_is_not_over() {
        assert!(JobState::Orphaned { pid: 1 }.is_alive());
        assert!(!JobState::Prepared.is_over() && !JobState::Prepared.is_alive());
        assert!(JobState::LostReboot.is_over());
    }
}
