//! The store: every run of this controller, each in a directory of its own.
//!
//! ```text
//! STATE/runs/ID/plan.json          what is run; plan.json.sha256 says whether it still is
//!               plan.2.json        what is run since it went on with changed files, and so on
//!               journal.jsonl      what happened
//!               lock               held by the controller that runs it, with its name in it
//!               logs/ATTEMPT.out   what attempts printed, and ATTEMPT.err
//!               inbox/             what others ask of the controller
//! ```
//!
//! Directories are 0700 and files 0600. A run appears whole, by one rename. Reading needs no lock
//! and never writes; there is one writer, and a second one is told who the first is.

mod archive;
pub(crate) mod disk;
mod error;
mod inbox;
mod lock;
mod log;
mod plan_file;
mod receive;
mod run;
mod summary;
mod takeover;

pub use archive::{ArchiveError, Exported, MAX_ARCHIVE, MAX_FILES, export, run_in};
pub use error::StoreError;
pub use inbox::{Inbox, MAX_ORDER};
pub use lock::Lock;
pub use log::{AttemptLog, MAX_LOG, Stream};
pub use plan_file::MAX_PLAN;
pub(crate) use plan_file::{names as plan_names, needed as needed_plans};
pub use receive::Received;
pub(crate) use run::JOURNAL;
pub use run::{Home, Run, Seen};
pub use summary::{RunStatus, RunSummary};
pub use takeover::{MAX_EPOCH, leap, take_over};

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runbook_model::event::Controller;
use runbook_model::{HostName, Plan, RunId};

/// What stands for the newest run where a run is named.
pub const LAST: &str = "last";
/// How long `create` waits for another `create`.
const PATIENCE: Duration = Duration::from_secs(10);
/// Digits of a run id: no `i`, `l`, `o` or `u`, which look like others or make words.
const DIGITS: &[u8; 32] = b"abcdefghjkmnpqrs0123456789tvwxyz";

/// All runs of one state directory.
#[derive(Debug, Clone)]
pub struct Store {
    runs: PathBuf,
}

impl Store {
    /// The store in this state directory. Nothing is created before the first run is.
    ///
    /// # Errors
    /// Something else than a directory is there, or the path cannot be made absolute.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        let state_dir =
            std::path::absolute(state_dir).map_err(StoreError::io("find", state_dir))?;
        match fs::metadata(&state_dir) {
            Ok(found) if !found.is_dir() => Err(StoreError::NoDirectory { path: state_dir }),
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::io("look at", &state_dir)(e))
            }
            _ => Ok(Self {
                runs: state_dir.join("runs"),
            }),
        }
    }

    /// Creates a run with an empty journal and takes it. Its first event is the caller's to append.
    ///
    /// # Errors
    /// A run of the same runbook, or on one of its hosts, is not finished
    /// ([`StoreError::Unfinished`]); the plan is too large; the system refuses.
    pub fn create(&self, plan: &Plan, controller: &Controller) -> Result<Run, StoreError> {
        disk::create_dirs(&self.runs)?;
        // Two runs that begin at once must not both find that no other is there.
        let _alone = self.alone()?;
        self.sweep()?;
        let hosts = plan
            .hosts
            .keys()
            .chain(plan.instances().map(|(_, _, host)| host))
            .cloned()
            .collect();
        let runs = self.unfinished_for(&plan.runbook, &hosts)?;
        if !runs.is_empty() {
            return Err(StoreError::Unfinished { runs });
        }
        let id = self.fresh_id()?;
        Run::create(&self.runs, &id, plan, controller)
    }

    /// Takes a run in order to go on with it.
    ///
    /// # Errors
    /// Another controller has it ([`StoreError::Held`]); there is no such run; its plan or journal
    /// is damaged, of another format, or not of this run.
    pub fn take(&self, id: &RunId, controller: &Controller) -> Result<Run, StoreError> {
        Run::open(self.home(id)?, id, controller)
    }

    /// Reads a run without taking it, while it runs too.
    ///
    /// # Errors
    /// There is no such run, or its plan or journal is damaged or of another format.
    pub fn look(&self, id: &RunId) -> Result<Seen, StoreError> {
        Seen::read(&self.home(id)?, id)
    }

    /// Where a run keeps its things.
    ///
    /// # Errors
    /// There is no such run.
    pub fn home(&self, id: &RunId) -> Result<Home, StoreError> {
        let dir = self.runs.join(id.as_str());
        if dir.is_dir() {
            Ok(Home::new(dir))
        } else {
            Err(StoreError::NoRun {
                wanted: id.to_string(),
            })
        }
    }

    /// All runs, the newest first. A damaged one is listed with what is wrong.
    ///
    /// # Errors
    /// The directory of runs cannot be read.
    pub fn list(&self) -> Result<Vec<RunSummary>, StoreError> {
        let mut runs: Vec<_> = self
            .ids()?
            .into_iter()
            .map(|id| RunSummary::read(&self.runs.join(id.as_str()), id))
            .collect();
        runs.sort_by_key(|run| (Reverse(run.created), run.id.clone()));
        Ok(runs)
    }

    /// Runs that are not finished and share the runbook's name or a host with these. One whose
    /// runbook and hosts cannot be read may be such a run, and is among them; one that was closed
    /// before anything was done is not.
    ///
    /// # Errors
    /// The directory of runs cannot be read.
    pub fn unfinished_for(
        &self,
        runbook: &str,
        hosts: &BTreeSet<HostName>,
    ) -> Result<Vec<RunSummary>, StoreError> {
        let mut runs = self.list()?;
        runs.retain(|run| run.is_unfinished() && run.may_touch(runbook, hosts));
        Ok(runs)
    }

    /// The run that a person means: its id, the beginning of it, or `last`.
    ///
    /// # Errors
    /// None or several are meant.
    pub fn resolve(&self, wanted: &str) -> Result<RunId, StoreError> {
        if wanted == LAST {
            return self
                .list()?
                .into_iter()
                .next()
                .map(|run| run.id)
                .ok_or(StoreError::NoRuns);
        }
        let mut ids = self.ids()?;
        ids.retain(|id| id.as_str().starts_with(wanted));
        match ids.as_slice() {
            [] => Err(StoreError::NoRun {
                wanted: wanted.to_owned(),
            }),
            [id] => Ok(id.clone()),
            _ => match ids.iter().find(|id| id.as_str() == wanted) {
                Some(id) => Ok(id.clone()),
                None => Err(StoreError::Ambiguous {
                    wanted: wanted.to_owned(),
                    ids,
                }),
            },
        }
    }

    /// Nobody else creates a run while this is held.
    fn alone(&self) -> Result<Lock, StoreError> {
        let door = self.runs.join(".lock");
        Lock::create(&door)?;
        Lock::take(&door, PATIENCE)?.map_err(|_| StoreError::Busy { path: door })
    }

    /// Names in the directory of runs, of runs and others.
    fn names(&self) -> Result<Vec<String>, StoreError> {
        let io = |e| StoreError::io("list", &self.runs)(e);
        let entries = match fs::read_dir(&self.runs) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(io(e)),
        };
        let names =
            entries.map(|entry| entry.map(|e| e.file_name().to_string_lossy().into_owned()));
        names.collect::<Result<_, _>>().map_err(io)
    }

    fn ids(&self) -> Result<Vec<RunId>, StoreError> {
        let mut ids: Vec<_> = self
            .names()?
            .into_iter()
            .filter_map(|name| RunId::new(name).ok())
            .collect();
        ids.sort();
        Ok(ids)
    }

    /// Removes runs that a crash left half created. Nobody creates one while the caller is alone.
    fn sweep(&self) -> Result<(), StoreError> {
        for name in self
            .names()?
            .iter()
            .filter(|name| name.starts_with(run::UNBORN))
        {
            let dir = self.runs.join(name);
            fs::remove_dir_all(&dir).map_err(StoreError::io("remove", &dir))?;
        }
        Ok(())
    }

    /// A run id that is not taken: eight digits, the first a letter, so that it never looks like a
    /// number and is never `last`.
    fn fresh_id(&self) -> Result<RunId, StoreError> {
        loop {
            let mut bytes = [0u8; 8];
            getrandom::fill(&mut bytes).map_err(|e| StoreError::Entropy {
                problem: e.to_string(),
            })?;
            bytes[0] &= 15;
            let text: String = bytes
                .iter()
                .map(|b| char::from(DIGITS[usize::from(b & 31)]))
                .collect();
            let id = RunId::new(text).expect("the digits are those of a run id");
            if !self.runs.join(id.as_str()).exists() {
                return Ok(id);
            }
        }
    }
}
