//! What can go wrong with a host, told apart because the way out differs.

use std::time::Duration;

use runbook_model::text::printable;

/// A fault, and the host where it happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{host}: {fault}")]
pub struct RemoteError {
    /// The host's name in the inventory.
    pub host: String,
    /// What went wrong.
    pub fault: Fault,
}

/// What went wrong. Texts from hosts are printable already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The connection in the inventory cannot be used; nothing was tried.
    #[error("{0}; correct it in the inventory")]
    BadSpec(String),
    /// The name has no address.
    #[error(
        "the name `{0}` cannot be resolved; correct `address` in the inventory, or the name service"
    )]
    NotResolved(String),
    /// Nothing listens there.
    #[error("connection refused by `{0}`; is sshd running, and is the port right?")]
    Refused(String),
    /// No answer, or no way there.
    #[error(
        "`{address}` cannot be reached ({detail}); is the host up, and is a firewall or a VPN in between?"
    )]
    Unreachable {
        /// What was connected to.
        address: String,
        /// What ssh said.
        detail: String,
    },
    /// The host shows another key than the one known.
    #[error(
        "the host key of `{0}` is not the one in known_hosts; if the host was really rebuilt, replace the old key, otherwise somebody is in between"
    )]
    HostKeyChanged(String),
    /// No key of the host is known.
    #[error(
        "the host key of `{0}` is not known; verify it and add it to known_hosts (`ssh-keyscan`), then try again"
    )]
    HostKeyUnknown(String),
    /// The login was refused.
    #[error(
        "the login was refused ({0}); is the right key in the agent or in ssh_config, and the right user in the inventory?"
    )]
    LoginDenied(String),
    /// ssh itself could not work: its configuration, or an end of the connection before the login.
    #[error("ssh failed: {0}")]
    Ssh(String),
    /// sudo wants a password.
    #[error("sudo asks for a password; `become: sudo` needs NOPASSWD for the login account")]
    SudoPassword,
    /// sudo wants a terminal.
    #[error(
        "sudo wants a terminal (`requiretty` in sudoers); add `Defaults:USER !requiretty` for the login account"
    )]
    SudoTerminal,
    /// sudo does not allow it.
    #[error("sudo refuses: {0}; give the login account the right in sudoers")]
    SudoDenied(String),
    /// The account that sudo is to become does not exist.
    #[error(
        "there is no account `{account}` (sudo says: {said}); create it there, or correct `as:` of the step"
    )]
    NoAccount {
        /// The account, made printable.
        account: String,
        /// What sudo said.
        said: String,
    },
    /// There is no sudo.
    #[error("sudo is not installed there")]
    SudoMissing,
    /// No usable POSIX shell: the login shell ended, or tools are missing.
    #[error("no usable shell: {0}")]
    NoShell(String),
    /// The host was restarted since the request was made: what ran before it is in doubt.
    #[error("the host was restarted (boot {0} now): what was launched before is in doubt")]
    Rebooted(String),
    /// A controller of a later epoch has this run.
    #[error("another controller has taken over this run (epoch {0}); this one must stop")]
    Fenced(u32),
    /// The host has not been made ready for this run.
    #[error("the host has not been made ready for this run")]
    NotReady,
    /// A detached process does not outlive its connection.
    #[error(
        "detached work does not survive the end of a connection there (`KillUserProcesses=yes` of logind?); `loginctl enable-linger USER` or a root login helps"
    )]
    NotDetached,
    /// Secrets cannot be handed over without a file on a disk.
    #[error(
        "no tmpfs (/dev/shm, /run) that this account can write: secrets are never written to a disk"
    )]
    NoTmpfs,
    /// The attempt lives and cannot be forgotten.
    #[error("the attempt still runs")]
    Alive,
    /// A file or directory there cannot be used.
    #[error("{0}")]
    Io(String),
    /// The script cannot be handed over.
    #[error("{0}")]
    Script(#[from] crate::InvalidScript),
    /// An answer that makes no sense.
    #[error("the host's answer makes no sense: {0}")]
    Protocol(String),
    /// No answer in time; the request may have been carried out.
    #[error("no answer within {0:?}")]
    NoAnswer(Duration),
    /// The connection ended; a request on its way may have been carried out.
    #[error("the connection was lost{0}")]
    Lost(String),
    /// Local trouble: a file, a socket or a process of the controller.
    #[error("on the controller: {0}")]
    Local(String),
}

impl Fault {
    pub(crate) fn local(what: &str, error: &std::io::Error) -> Self {
        Self::Local(format!("{what}: {error}"))
    }

    pub(crate) fn at(self, host: &str) -> RemoteError {
        RemoteError {
            host: host.to_owned(),
            fault: self,
        }
    }

    /// Whether trying the same again later can help without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Refused(_)
                | Self::Unreachable { .. }
                | Self::Lost(_)
                | Self::NoAnswer(_)
                | Self::Ssh(_)
        )
    }

    /// Whether a host that goes down or comes up may say so: it ends what runs, and lets some people in later than others.
    #[must_use]
    pub fn passes_with_restart(&self) -> bool {
        !matches!(
            self,
            Self::BadSpec(_)
                | Self::HostKeyChanged(_)
                | Self::HostKeyUnknown(_)
                | Self::Fenced(_)
                | Self::Local(_)
        )
    }

    /// Reads an `error WORD DETAIL` line of the remote library.
    pub(crate) fn from_line(line: &str) -> Self {
        let (word, detail) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "fenced" => Self::Fenced(detail.parse().unwrap_or(u32::MAX)),
            "reboot" => Self::Rebooted(printable(detail).into_owned()),
            "unready" => Self::NotReady,
            "canary" => Self::NotDetached,
            "no_tmpfs" => Self::NoTmpfs,
            "alive" => Self::Alive,
            "io" => Self::Io(printable(detail).into_owned()),
            _ => Self::Protocol(printable(line).into_owned()),
        }
    }
}
