//! How a host is reached, checked before anything is done with it.

use std::path::PathBuf;
use std::time::Duration;

use runbook_model::text::printable;
use runbook_model::{Account, Connection, HostName};

use crate::Fault;

/// A host and the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSpec {
    /// Its name in the inventory.
    pub name: HostName,
    /// The way to it.
    pub connection: Connection,
}

/// What all hosts of a run share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// For the connection and the login together.
    pub connect_timeout: Duration,
    /// For one answer of a control shell; work never runs there, so this is for a stalled host.
    pub answer_timeout: Duration,
    /// Where the sockets of ssh masters are made; a short path. `None`: `runtime_dir`, else the temporary directory.
    pub control_dir: Option<PathBuf>,
    /// The person's directory for such things, taken where it is usable and short enough.
    pub runtime_dir: Option<PathBuf>,
    /// Checks at the same time, per host and account. A connection carries ten channels by default.
    pub workers: usize,
    /// Bytes that an attempt may print before it is ended.
    pub output_limit: u64,
    /// How old the last [`crate::Host::beat`] may be when a chain is to begin an effect. Whole seconds, rounded up.
    pub heartbeat: Duration,
    /// The shell on the hosts, with its arguments; every POSIX shell does.
    pub shell: String,
    /// The state directory on the hosts; `None`: by account, see [`crate::Hello::state_dir`].
    pub state_dir: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(15),
            answer_timeout: Duration::from_secs(60),
            control_dir: None,
            runtime_dir: None,
            workers: 2,
            output_limit: 256 << 20,
            heartbeat: crate::HEARTBEAT,
            shell: "sh".to_owned(),
            state_dir: None,
        }
    }
}

/// Whether a text can stand in an ssh command line without being taken for an option or for more than one word.
fn plain(what: &str, text: &str) -> Result<(), Fault> {
    let bad = text.is_empty()
        || text.len() > 255
        || text.starts_with('-')
        || text.chars().any(|c| c.is_control() || c.is_whitespace());
    if bad {
        Err(Fault::BadSpec(format!(
            "{what} `{}` cannot be used",
            printable(text)
        )))
    } else {
        Ok(())
    }
}

fn shell_words(what: &str, text: &str) -> Result<(), Fault> {
    let harmless = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, ' ' | '/' | '.' | '_' | '-' | '=' | ':' | '+')
    };
    if !text.trim().is_empty() && text.chars().all(harmless) {
        Ok(())
    } else {
        Err(Fault::BadSpec(format!(
            "{what} `{}` cannot be used",
            printable(text)
        )))
    }
}

/// Refuses what could be taken for something else on a command line.
pub(crate) fn validate(spec: &HostSpec, account: &Account, options: &Options) -> Result<(), Fault> {
    if !spec.connection.local {
        plain("the address", &spec.connection.address)?;
    }
    if let Some(user) = &spec.connection.user {
        plain("the user", user)?;
    }
    validate_account(account)?;
    shell_words("the shell", &options.shell)
}

pub(crate) fn validate_account(account: &Account) -> Result<(), Fault> {
    let Account::Sudo(user) = account else {
        return Ok(());
    };
    plain("the account", user)?;
    if user
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
    {
        Ok(())
    } else {
        Err(Fault::BadSpec(format!(
            "the account `{}` cannot be used",
            printable(user)
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(address: &str, user: Option<&str>) -> HostSpec {
        HostSpec {
            name: HostName::new("h").unwrap(),
            connection: Connection {
                address: address.into(),
                user: user.map(Into::into),
                ..Connection::default()
            },
        }
    }

    #[test]
    fn what_looks_like_an_option_is_refused() {
        let check = |s: &HostSpec, a: &Account| validate(s, a, &Options::default());
        assert!(check(&spec("db01.example.com", Some("op")), &Account::Login).is_ok());
        assert!(check(&spec("fe80::1%eth0", None), &Account::Sudo("root".into())).is_ok());
        for bad in ["-oProxyCommand=x", "", "a b", "a\nb", "a\x1b[m"] {
            assert!(check(&spec(bad, None), &Account::Login).is_err(), "{bad:?}");
            assert!(
                check(&spec("h", Some(bad)), &Account::Login).is_err(),
                "{bad:?}"
            );
            assert!(
                check(&spec("h", None), &Account::Sudo(bad.into())).is_err(),
                "{bad:?}"
            );
        }
        assert!(check(&spec("h", None), &Account::Sudo("a;b".into())).is_err());
        let options = Options {
            shell: "sh; rm".into(),
            ..Options::default()
        };
        assert!(validate(&spec("h", None), &Account::Login, &options).is_err());
    }
}
