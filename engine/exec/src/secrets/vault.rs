//! Generated secrets, kept between runs: a file each, for its owner alone.
//!
//! A secret belongs to an input of a runbook on certain hosts. When a host is added or removed the system is still the
//! same, so an entry that shares a host is found too.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use runbook_model::secret::Generated;
use runbook_model::text::printable;
use runbook_model::{HostName, Plan};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::store::{StoreError, disk};

/// Format of an entry; one of another format is refused.
const FORMAT: u32 = 1;
/// Bytes of the largest entry.
const MOST: u64 = 1 << 20;
/// Entries of one input that are read.
const ENTRIES: usize = 1_000;

/// Why the store of secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The system refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry cannot be read.
    #[error("the stored secret {} cannot be used: {problem}", printable(&path.to_string_lossy()))]
    Entry {
        /// The file.
        path: PathBuf,
        /// Why, made printable.
        problem: String,
    },
    /// More are stored than are read: one that is not seen could be the right one.
    #[error(
        "more than {ENTRIES} secrets `{input}` are stored in {}: remove those that are of no use any more",
        printable(&dir.to_string_lossy())
    )]
    Many {
        /// The input.
        input: String,
        /// Where they are.
        dir: PathBuf,
    },
    /// Several are stored, and it is not clear which one is meant.
    #[error(
        "several secrets `{input}` are stored for some of these hosts, and they differ: remove all but the right one \
         from {}",
        printable(&dir.to_string_lossy())
    )]
    Several {
        /// The input.
        input: String,
        /// Where they are.
        dir: PathBuf,
    },
}

/// Where generated secrets are stored.
#[derive(Debug, Clone)]
pub struct Vault {
    dir: PathBuf,
}

/// Whose secret it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    runbook: String,
    input: String,
    hosts: BTreeSet<HostName>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    format: u32,
    runbook: String,
    input: String,
    hosts: BTreeSet<HostName>,
    value: Zeroizing<String>,
}

impl Key {
    /// The hosts are those that may have it; all of the plan where the runbook names none.
    pub(super) fn new(plan: &Plan, input: &str, how: &Generated) -> Self {
        let adopt = how.adopt.iter().flat_map(|adopt| &adopt.hosts);
        let exists = how.exists.iter().flat_map(|exists| &exists.hosts);
        let mut hosts: BTreeSet<HostName> = adopt.chain(exists).cloned().collect();
        if hosts.is_empty() {
            hosts = plan.hosts.keys().cloned().collect();
        }
        Self {
            runbook: plan.runbook.clone(),
            input: input.to_owned(),
            hosts,
        }
    }

    /// The begin of the names of all entries of the input: no name of a runbook has a dot.
    fn prefix(&self) -> String {
        format!("{}.{}.", self.runbook, self.input)
    }

    fn file_name(&self) -> String {
        let mut hash = Sha256::new();
        for host in &self.hosts {
            hash.update(host.as_str().as_bytes());
            hash.update(b"\n");
        }
        let hex: String = hash.finalize()[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{}{hex}.json", self.prefix())
    }
}

impl Vault {
    /// The store in this state directory. Nothing is created before the first secret is stored.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self {
            dir: state_dir.join("secrets"),
        }
    }

    /// The secret of exactly these hosts.
    pub(super) fn get(&self, key: &Key) -> Result<Option<Zeroizing<String>>, VaultError> {
        let entry = self.read(&self.dir.join(key.file_name()))?;
        Ok(entry.map(|entry| entry.value))
    }

    /// The secret of these hosts, or of some of them.
    pub(super) fn find(&self, key: &Key) -> Result<Option<Zeroizing<String>>, VaultError> {
        if let Some(value) = self.get(key)? {
            return Ok(Some(value));
        }
        let mut values: Vec<Zeroizing<String>> = Vec::new();
        for path in self.entries(key)? {
            let Some(entry) = self.read(&path)? else {
                continue;
            };
            let same = entry.runbook == key.runbook && entry.input == key.input;
            if same && !entry.hosts.is_disjoint(&key.hosts) && !values.contains(&entry.value) {
                values.push(entry.value);
            }
        }
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(VaultError::Several {
                input: key.input.clone(),
                dir: self.dir.clone(),
            }),
        }
    }

    fn entries(&self, key: &Key) -> Result<Vec<PathBuf>, VaultError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(StoreError::io("list", &self.dir)(e).into()),
        };
        let prefix = key.prefix();
        let mut paths = Vec::new();
        for entry in entries {
            let entry = entry.map_err(StoreError::io("list", &self.dir))?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                paths.push(entry.path());
            }
            if paths.len() > ENTRIES {
                return Err(VaultError::Many {
                    input: key.input.clone(),
                    dir: self.dir.clone(),
                });
            }
        }
        paths.sort();
        Ok(paths)
    }

    /// Stores a secret: whole, or not at all.
    pub(super) fn put(&self, key: &Key, value: &Zeroizing<String>) -> Result<(), VaultError> {
        if self.get(key)?.is_some_and(|have| have == *value) {
            return Ok(());
        }
        disk::create_dirs(&self.dir)?;
        let path = self.dir.join(key.file_name());
        let temporary = self
            .dir
            .join(format!(".{}.{}", key.file_name(), std::process::id()));
        let entry = Entry {
            format: FORMAT,
            runbook: key.runbook.clone(),
            input: key.input.clone(),
            hosts: key.hosts.clone(),
            value: value.clone(),
        };
        let text = Zeroizing::new(serde_json::to_vec(&entry).expect("texts are JSON"));
        // What a crash has left is not whole.
        let _ = fs::remove_file(&temporary);
        disk::write_new(&temporary, &text)?;
        fs::rename(&temporary, &path).map_err(StoreError::io("write", &path))?;
        disk::sync_dir(&self.dir)?;
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<Option<Entry>, VaultError> {
        let bad = |problem: String| VaultError::Entry {
            path: path.to_owned(),
            problem: printable(&problem).into_owned(),
        };
        let content = match disk::read(path, MOST) {
            Ok(content) => content.ok_or_else(|| bad("it is too large".to_owned()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(bad(e.to_string())),
        };
        let content = Zeroizing::new(content);
        let mode = fs::metadata(path).map_err(|e| bad(e.to_string()))?;
        if mode.permissions().mode() & 0o077 != 0 {
            return Err(bad("others can read it; chmod 600".to_owned()));
        }
        // What the parser says may repeat what it read.
        let entry: Entry = serde_json::from_slice(&content)
            .map_err(|e| bad(format!("line {}, column {}", e.line(), e.column())))?;
        match entry.format {
            FORMAT => Ok(Some(entry)),
            other => Err(bad(format!("its format is {other}, not {FORMAT}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(hosts: &[&str]) -> Key {
        Key {
            runbook: "site".to_owned(),
            input: "db".to_owned(),
            hosts: hosts.iter().map(|h| HostName::new(*h).unwrap()).collect(),
        }
    }

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    fn vault() -> (tempfile::TempDir, Vault) {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::new(dir.path());
        (dir, vault)
    }

    #[test]
    fn what_is_stored_comes_back_for_its_owner_alone() {
        let (dir, vault) = vault();
        let key = key(&["a", "b"]);
        assert_eq!(vault.find(&key).unwrap(), None);
        vault.put(&key, &secret("hunter2")).unwrap();
        vault.put(&key, &secret("hunter3")).unwrap();
        assert_eq!(vault.get(&key).unwrap(), Some(secret("hunter3")));
        let files: Vec<_> = fs::read_dir(dir.path().join("secrets"))
            .unwrap()
            .flatten()
            .collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let mode = files[0].metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let other = Key {
            input: "db2".to_owned(),
            ..key
        };
        assert_eq!(vault.find(&other).unwrap(), None);
    }

    #[test]
    fn a_system_that_has_grown_keeps_its_secret() {
        let (_dir, vault) = vault();
        vault.put(&key(&["a", "b"]), &secret("hunter2")).unwrap();
        assert_eq!(vault.get(&key(&["a", "b", "c"])).unwrap(), None);
        assert_eq!(
            vault.find(&key(&["b", "c"])).unwrap(),
            Some(secret("hunter2"))
        );
        assert_eq!(vault.find(&key(&["c"])).unwrap(), None, "another system");
        vault.put(&key(&["c"]), &secret("hunter3")).unwrap();
        let error = vault.find(&key(&["b", "c"])).unwrap_err();
        assert!(matches!(error, VaultError::Several { .. }), "{error}");
    }

    #[test]
    fn an_entry_that_cannot_be_trusted_is_refused_and_not_repeated() {
        let (_dir, vault) = vault();
        let key = key(&["a"]);
        vault.put(&key, &secret("hunter2")).unwrap();
        let path = vault.dir.join(key.file_name());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(
            vault
                .get(&key)
                .unwrap_err()
                .to_string()
                .contains("chmod 600")
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for text in [
            "{\"format\":\"hunter2\"}",
            "hunter2",
            "{\"format\":9,\"runbook\":\"\",\"input\":\"\",\"hosts\":[],\"value\":\"hunter2\"}",
        ] {
            fs::write(&path, text).unwrap();
            let error = vault.get(&key).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn an_entry_that_is_not_read_is_not_taken_for_absent() {
        let (_dir, vault) = vault();
        vault.put(&key(&["a"]), &secret("hunter2")).unwrap();
        for at in 0..ENTRIES {
            let name = format!("{}{at}.json", key(&["a"]).prefix());
            fs::write(vault.dir.join(name), "").unwrap();
        }
        let error = vault.find(&key(&["a", "b"])).unwrap_err();
        assert!(matches!(error, VaultError::Many { .. }), "{error}");
    }
}
