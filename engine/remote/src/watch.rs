//! Hears from a host when an attempt ends, on a channel of its own. Only a hint: the state is always asked for.

use std::sync::Arc;

use runbook_model::Account;
use tokio::sync::broadcast;

use crate::control::exchange;
use crate::shell::Shell;
use crate::transport::Transport;
use crate::{Fault, Options};

/// Run and attempt.
pub(crate) type Ended = (String, String);

/// A listening channel. Ends when it is dropped or when the connection is lost.
pub(crate) struct Watch {
    heard: broadcast::Sender<Ended>,
    task: tokio::task::JoinHandle<()>,
}

impl Watch {
    pub(crate) async fn open(
        transport: &Transport,
        account: &Account,
        options: &Options,
    ) -> Result<Self, Fault> {
        let mut shell = Shell::open(transport, account, options).await?;
        exchange(&mut shell, 1, "rb_watch", &[])
            .await?
            .into_result()?;
        let (heard, _) = broadcast::channel(256);
        let speaker = heard.clone();
        let task = tokio::spawn(async move {
            // all of it: its input is what keeps the channel open
            let mut shell = shell;
            while let Ok(line) = shell.frames.line().await {
                if let ["ended", run, attempt] = line.split(' ').collect::<Vec<_>>()[..] {
                    // nobody listens right now: nobody waits
                    let _ = speaker.send((run.to_owned(), attempt.to_owned()));
                }
            }
        });
        Ok(Self { heard, task })
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<Ended> {
        self.heard.subscribe()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until the attempt is said to have ended, or until something was missed.
pub(crate) async fn ended(
    listener: &mut broadcast::Receiver<Ended>,
    run: &str,
    attempt: &str,
) -> Result<(), Fault> {
    loop {
        match listener.recv().await {
            Ok((r, a)) if r == run && a == attempt => return Ok(()),
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(_)) => return Ok(()),
            Err(broadcast::error::RecvError::Closed) => return Err(Fault::Lost(String::new())),
        }
    }
}

/// What is shared by those who wait.
pub(crate) type Shared = tokio::sync::Mutex<Option<Arc<Watch>>>;
