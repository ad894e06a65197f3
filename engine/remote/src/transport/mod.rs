//! Ways to run a command on a host: through an OpenSSH master, or here.

mod log;
mod master;
mod sockets;

use std::process::Stdio;
use std::sync::Arc;

use openssh::Session;
use tokio::sync::Mutex;

use crate::channel::{Channel, Holder};
use crate::{Fault, HostSpec, Options};

/// The way to one host. All accounts there share it.
pub(crate) enum Transport {
    Local,
    Ssh(Box<Ssh>),
}

/// One master, started again when it is gone.
pub(crate) struct Ssh {
    spec: HostSpec,
    options: Options,
    master: Mutex<Option<Arc<Session>>>,
}

impl Transport {
    /// Connects.
    pub(crate) async fn open(spec: &HostSpec, options: &Options) -> Result<Self, Fault> {
        if spec.connection.local {
            return Ok(Self::Local);
        }
        let session = master::start(spec, options).await?;
        let master = Mutex::new(Some(Arc::new(session)));
        Ok(Self::Ssh(Box::new(Ssh {
            spec: spec.clone(),
            options: options.clone(),
            master,
        })))
    }

    /// Runs a command line of the login shell. A master that is gone is started again, once.
    pub(crate) async fn command(&self, line: &str) -> Result<Channel, Fault> {
        match self {
            Self::Local => local(line),
            Self::Ssh(ssh) => ssh.command(line).await,
        }
    }

    /// Ends the connection. What is detached on the host runs on.
    pub(crate) async fn close(&self) {
        let Self::Ssh(ssh) = self else { return };
        let Some(session) = ssh.master.lock().await.take() else {
            return;
        };
        if let Some(session) = Arc::into_inner(session) {
            // a master that is gone already is as good as closed
            drop(session.close().await);
        }
    }

    /// What connections are made to, for messages.
    pub(crate) fn address(&self) -> &str {
        match self {
            Self::Local => "this machine",
            Self::Ssh(ssh) => &ssh.spec.connection.address,
        }
    }
}

fn local(line: &str) -> Result<Channel, Fault> {
    let mut child = tokio::process::Command::new("sh")
        .args(["-c", line])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C at the terminal is for the controller alone
        .process_group(0)
        .spawn()
        .map_err(|e| Fault::local("cannot start `sh`", &e))?;
    let (Some(input), Some(output), Some(errors)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(Fault::Local("a child process has no pipes".to_owned()));
    };
    Ok(Channel {
        input: Box::pin(input),
        output: Box::pin(output),
        errors: Box::pin(errors),
        holder: Holder::Local(child),
    })
}

impl Ssh {
    async fn command(&self, line: &str) -> Result<Channel, Fault> {
        let session = self.session(None).await?;
        match spawn(&session, line).await {
            Err(openssh::Error::Disconnected | openssh::Error::RemoteProcessTerminated) => {
                let session = self.session(Some(&session)).await?;
                spawn(&session, line).await.map_err(|e| refused(&e))
            }
            other => other.map_err(|e| refused(&e)),
        }
    }

    /// The master; a new one where there is none, or where it is the dead one.
    async fn session(&self, dead: Option<&Arc<Session>>) -> Result<Arc<Session>, Fault> {
        let mut master = self.master.lock().await;
        match (&*master, dead) {
            (Some(session), None) => return Ok(session.clone()),
            (Some(session), Some(dead)) if !Arc::ptr_eq(session, dead) => {
                return Ok(session.clone());
            }
            _ => {}
        }
        *master = None;
        let session = Arc::new(master::start(&self.spec, &self.options).await?);
        *master = Some(session.clone());
        Ok(session)
    }
}

async fn spawn(session: &Arc<Session>, line: &str) -> Result<Channel, openssh::Error> {
    use openssh::Stdio;
    let mut child = Session::to_raw_command(session.clone(), line)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .await?;
    let (Some(input), Some(output), Some(errors)) = (
        child.stdin().take(),
        child.stdout().take(),
        child.stderr().take(),
    ) else {
        return Err(openssh::Error::ChildIo(std::io::Error::other("no pipes")));
    };
    Ok(Channel {
        input: Box::pin(input),
        output: Box::pin(output),
        errors: Box::pin(errors),
        holder: Holder::Ssh(child),
    })
}

fn refused(error: &openssh::Error) -> Fault {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    match error {
        openssh::Error::Disconnected => Fault::Lost(String::new()),
        _ if text.contains("refused by peer") => Fault::Ssh(
            "the host opens no more channels on this connection (`MaxSessions` of sshd)".to_owned(),
        ),
        _ => Fault::Ssh(runbook_model::text::printable(&text).into_owned()),
    }
}
