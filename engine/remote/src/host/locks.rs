//! The lock of a host: which run may change something there.

use std::time::{SystemTime, UNIX_EPOCH};

use runbook_model::text::printable;
use runbook_model::{Epoch, RunId};

use super::Host;
use crate::RemoteError;
use crate::quote::quoted;
use crate::shell::lock;

/// What of a text goes into a lock, or out of one, in bytes.
const TEXT: usize = 200;

/// Who has the lock of a host. Texts are printable and short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Where the lock is, on the host.
    pub file: String,
    /// What it says.
    pub says: Says,
}

/// What a lock says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// Which run has it.
    Run {
        /// The run.
        run: RunId,
        /// Of its controller.
        epoch: Epoch,
        /// When the run took it, in seconds since 1970 by the clock of its controller.
        since: i64,
        /// Who runs it, in their own words.
        who: String,
    },
    /// Nothing that makes sense: this, as far as it can be shown.
    Unclear(String),
}

impl Says {
    fn read(line: &str) -> Self {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (run, epoch, since, who) = (word(), word(), word(), word());
        match (RunId::new(run), epoch.parse(), since.parse()) {
            (Ok(run), Ok(epoch), Ok(since)) => Self::Run {
                run,
                epoch: Epoch(epoch),
                since,
                who: short(who),
            },
            _ => Self::Unclear(short(line)),
        }
    }
}

/// The text made printable, and cut.
fn short(text: &str) -> String {
    let mut text = printable(text).into_owned();
    text.truncate(text.floor_char_boundary(TEXT));
    text
}

impl Host {
    /// Takes the lock of this host for a run, or says which other run has it. `who` tells people who that is. Of one
    /// run each later controller takes it over.
    ///
    /// It is this account's: runs that share a host must agree on one. It has no term.
    ///
    /// # Errors
    /// `Fenced` when a controller of a later epoch has this run, `Io`, or the connection (it may have been taken).
    pub async fn lock(
        &self,
        run: &RunId,
        epoch: Epoch,
        who: &str,
    ) -> Result<Result<(), Holder>, RemoteError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = now.unwrap_or_default().as_secs();
        let who = quoted(&short(who));
        let command = format!("rb_lock {run} {epoch} {since} {who}");
        let reply = self.request(command, Vec::new()).await?;
        if let Some(line) = reply.word("held") {
            return Ok(Err(Holder {
                file: format!("{}/lock", self.hello().state_dir),
                says: Says::read(line),
            }));
        }
        lock(&self.inner.epochs).insert(run.clone(), epoch);
        Ok(Ok(()))
    }

    /// Gives the lock of this host back, if this run has it. From then on no earlier controller of the run can take it.
    ///
    /// # Errors
    /// `Fenced` when a controller of a later epoch has this run, `Io`, or the connection.
    pub async fn unlock(&self, run: &RunId, epoch: Epoch) -> Result<(), RemoteError> {
        self.request(format!("rb_unlock {run} {epoch}"), Vec::new())
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_lock_is_read() {
        let run = |run: &str, epoch, since, who: &str| Says::Run {
            run: RunId::new(run).unwrap(),
            epoch: Epoch(epoch),
            since,
            who: who.to_owned(),
        };
        let who = "me on  a\\laptop";
        assert_eq!(
            Says::read(&format!("r1 2 1763000000 {who}")),
            run("r1", 2, 1_763_000_000, who)
        );
        assert_eq!(Says::read("r1 2 3"), run("r1", 2, 3, ""));
        for nonsense in ["", "r1", "r1 x 3 me", "r1 2 x me", "R 2 3 me", " r1 2 3 me"] {
            assert_eq!(Says::read(nonsense), Says::Unclear(nonsense.to_owned()));
        }
        assert_eq!(
            Says::read("\u{1b}[2J"),
            Says::Unclear("\\u{1b}[2J".to_owned())
        );
    }

    proptest! {
        #[test]
        fn any_line_is_read_short_and_printable(line in "(r1 2 3 )?.{0,400}") {
            let (Says::Run { who: text, .. } | Says::Unclear(text)) = Says::read(&line);
            prop_assert!(text.len() <= TEXT && !text.contains(char::is_control));
        }
    }
}
