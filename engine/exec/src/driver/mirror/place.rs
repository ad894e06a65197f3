//! Where a copy is kept, as people write it: `HOST:DIR`, or `local:DIR` for this machine.

use std::io;

use runbook_model::id::CONTROL;
use runbook_model::text::printable;
use runbook_model::{Account, Connection, HostName, RunId};
use runbook_remote::{HostSpec, RemoteError};

/// What stands for this machine where a host is named.
const LOCAL: &str = "local";

/// Why a copy cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// What was typed is no place.
    #[error("`{}` is no place for a copy: {problem}", printable(text))]
    Place {
        /// What was typed.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The host.
    #[error(transparent)]
    Host(#[from] RemoteError),
    /// The directory there.
    #[error("{0}")]
    Refused(String),
    /// A file here.
    #[error("{} cannot be {doing}: {source}", printable(path))]
    File {
        /// Which.
        path: String,
        /// A participle.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// Where a copy is kept: a directory of a host, or of this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct MirrorPlace {
    pub(super) spec: HostSpec,
    pub(super) account: Account,
    dir: String,
}

impl MirrorPlace {
    /// The name of the host of `HOST:DIR`; none for this machine.
    #[must_use]
    pub fn host_of(text: &str) -> Option<&str> {
        let (host, _) = text.split_once(':')?;
        (host != LOCAL).then_some(host)
    }

    /// Whether a text is `HOST:DIR`, and not the name of a file.
    #[must_use]
    pub fn is_place(text: &str) -> bool {
        let named = |host: &str| host == LOCAL || HostName::new(host).is_ok();
        text.split_once(':')
            .is_some_and(|(host, dir)| named(host) && (host == LOCAL || dir.starts_with('/')))
    }

    /// Reads `HOST:DIR` or `local:DIR`; `host` is what [`MirrorPlace::host_of`] names.
    ///
    /// # Errors
    /// It is neither, the host is not known, or the directory cannot be named so.
    pub fn new(text: &str, host: Option<&runbook_model::Host>) -> Result<Self, MirrorError> {
        let wrong = |problem| MirrorError::Place {
            text: text.to_owned(),
            problem,
        };
        let (name, dir) = text
            .split_once(':')
            .ok_or_else(|| wrong("write HOST:DIR or local:DIR"))?;
        if dir.is_empty() || dir.len() > 3_000 || dir.chars().any(char::is_control) {
            return Err(wrong("the directory cannot be named so"));
        }
        if name == LOCAL {
            let dir = std::path::absolute(dir).map_err(|_| wrong("there is no such directory"))?;
            let dir = dir
                .to_str()
                .ok_or_else(|| wrong("the directory is not UTF-8"))?;
            return Ok(Self {
                spec: HostSpec {
                    name: HostName::new(CONTROL).expect("it is a name of a host"),
                    connection: Connection {
                        local: true,
                        ..Connection::default()
                    },
                },
                account: Account::Login,
                dir: dir.trim_end_matches('/').to_owned(),
            });
        }
        if !dir.starts_with('/') {
            return Err(wrong("write the directory from /"));
        }
        let host = host.ok_or_else(|| wrong("the inventory has no such host"))?;
        Ok(Self {
            spec: HostSpec {
                name: host.name.clone(),
                connection: host.connection.clone(),
            },
            account: host.account.clone(),
            dir: dir.trim_end_matches('/').to_owned(),
        })
    }

    /// The directory of a run there.
    pub(super) fn of(&self, run: &RunId) -> String {
        format!("{}/{run}", self.dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_from_a_file() {
        for place in ["db01:/srv/copies", "local:copies", "local:/x"] {
            assert!(MirrorPlace::is_place(place), "{place}");
        }
        for file in [
            "k3.tar",
            "./a:b/c.tar",
            "dir/x:/y",
            "db01:copies",
            "C:x",
            ":/x",
        ] {
            assert!(!MirrorPlace::is_place(file), "{file}");
        }
    }

    #[test]
    fn a_place_that_is_none_is_refused() {
        for wrong in ["", "nowhere", "db01:/x", "local:", "local:a\nb", "db01:x"] {
            let error = MirrorPlace::new(wrong, None).unwrap_err().to_string();
            assert!(!error.contains('\n'), "{error}");
        }
        let place = MirrorPlace::new("local:/srv/copies/", None).unwrap();
        assert_eq!(place.of(&RunId::new("k3").unwrap()), "/srv/copies/k3");
    }
}
