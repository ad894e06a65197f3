//! The control shell of an account: one request at a time, each a few milliseconds of work on the host.

use std::sync::Arc;
use std::time::Duration;

use runbook_model::Account;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, oneshot};

use crate::frame::{Reply, within};
use crate::hello::Hello;
use crate::shell::Shell;
use crate::transport::Transport;
use crate::{Fault, Options};

/// A command, its bytes, and where the answer goes; none: end the shell.
type Request = Option<(String, Vec<u8>, oneshot::Sender<Result<Reply, Fault>>)>;

/// A handle to a control shell. The shell belongs to a task of its own: a caller that gives up waiting leaves no
/// half-read answer behind.
#[derive(Clone)]
pub(crate) struct Control {
    requests: mpsc::Sender<Request>,
    pub(crate) hello: Arc<Hello>,
}

impl Control {
    pub(crate) async fn open(
        transport: &Transport,
        account: &Account,
        options: &Options,
    ) -> Result<Self, Fault> {
        let shell = Shell::open(transport, account, options).await?;
        let hello = Arc::new(shell.hello.clone());
        let (requests, incoming) = mpsc::channel(64);
        tokio::spawn(serve(incoming, shell, options.answer_timeout));
        Ok(Self { requests, hello })
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    /// Ends the shell and waits until it is gone.
    pub(crate) async fn close(&self) {
        // it may be gone already
        if self.requests.send(None).await.is_ok() {
            self.requests.closed().await;
        }
    }

    /// Runs a command of the library. After a fault the shell is gone, and the command may have been carried out.
    pub(crate) async fn request(&self, command: String, payload: Vec<u8>) -> Result<Reply, Fault> {
        let (answer, answered) = oneshot::channel();
        if self
            .requests
            .send(Some((command, payload, answer)))
            .await
            .is_err()
        {
            return Err(Fault::Lost(String::new()));
        }
        answered.await.unwrap_or(Err(Fault::Lost(String::new())))
    }
}

/// The receiver comes first, so that it goes last: when it is closed, the shell is gone.
async fn serve(mut incoming: mpsc::Receiver<Request>, mut shell: Shell, limit: Duration) {
    let mut sequence = 0u64;
    while let Some(Some((command, payload, answer))) = incoming.recv().await {
        sequence += 1;
        let result = within(limit, exchange(&mut shell, sequence, &command, &payload)).await;
        let broken = result.is_err();
        // a caller that is gone wants no answer
        let _ = answer.send(result.and_then(Reply::into_result));
        if broken {
            return;
        }
    }
}

/// One request and its reply.
pub(crate) async fn exchange(
    shell: &mut Shell,
    sequence: u64,
    command: &str,
    payload: &[u8],
) -> Result<Reply, Fault> {
    send(shell, sequence, payload.len(), command, payload).await?;
    shell.frames.reply(&sequence.to_string()).await
}

/// Writes a request line and the bytes that belong to it.
pub(crate) async fn send(
    shell: &mut Shell,
    sequence: u64,
    size: usize,
    command: &str,
    payload: &[u8],
) -> Result<(), Fault> {
    debug_assert!(!command.contains('\n'), "a request is one line");
    let sent = async {
        shell
            .input
            .write_all(format!("{sequence} {size} {command}\n").as_bytes())
            .await?;
        shell.input.write_all(payload).await?;
        shell.input.flush().await
    };
    sent.await
        .map_err(|e: std::io::Error| Fault::Lost(format!(" ({e})")))
}
