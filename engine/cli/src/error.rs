//! Everything that ends a command early, what to do about it, and the exit code that follows.

use std::io;
use std::path::PathBuf;

use runbook_exec::driver::{DriveError, MirrorError};
use runbook_exec::secrets::SecretError;
use runbook_exec::store::{ArchiveError, RunStatus, StoreError};
use runbook_lang::diagnostic::{Diagnostics, Severity};
use runbook_lang::source::Sources;
use runbook_model::text::printable;
use runbook_model::{HostName, RunId};
use runbook_report::count;

use crate::exit::Exit;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Mistakes in texts, with their places.
    #[error("{}", mistakes(diagnostics))]
    Mistakes {
        /// All of them.
        diagnostics: Diagnostics,
        /// The texts.
        sources: Sources,
        /// What else is wrong, without a place.
        also: Option<Box<Error>>,
    },
    /// A file that is needed cannot be read.
    #[error("cannot read the {what} {}: {source}", printable(&path.to_string_lossy()))]
    Read {
        /// `runbook`, `inventory`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something that was typed does not exist.
    #[error("{message}")]
    Typed {
        /// What is wrong, made printable.
        message: String,
        /// What to type instead.
        hint: Option<String>,
    },
    /// No option and no variable says where runs are kept.
    #[error("there is no place to keep runs: neither --state, XDG_STATE_HOME nor HOME is set")]
    NoStateDir,
    /// A secret cannot be read. Never carries the value.
    #[error("the secret `{name}` cannot be read from {place}: {problem}")]
    Secret {
        /// Its name.
        name: String,
        /// Where from.
        place: String,
        /// Why, made printable.
        problem: String,
    },
    /// A generated secret has no value.
    #[error(transparent)]
    Generated(#[from] SecretError),
    /// A person ended a question.
    #[error("the question was not answered: {0}")]
    Unanswered(String),
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A run cannot be exported or imported.
    #[error(transparent)]
    Archive(ArchiveError),
    /// A copy of a run cannot be fetched.
    #[error("the copy cannot be fetched: {0}")]
    Mirror(MirrorError),
    /// A host knows a later controller of the run.
    #[error(
        "{host} knows a controller of epoch {epoch} of run {run}: somebody has taken it over after this copy was made"
    )]
    Fenced {
        /// The run.
        run: RunId,
        /// The host.
        host: HostName,
        /// The epoch of that controller.
        epoch: u32,
    },
    /// A run could not go on.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The engine cannot begin; nothing was started.
    #[error("{0}")]
    Engine(String),
    /// Standard output cannot be written.
    #[error("cannot write the result: {0}")]
    Output(io::Error),
}

fn mistakes(diagnostics: &Diagnostics) -> String {
    let errors = diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .count()
        + diagnostics.dropped();
    format!("{}; nothing was started", count(errors, "mistake"))
}

impl From<ArchiveError> for Error {
    /// What the store says is the store's.
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Store(error) => Self::Store(error),
            other => Self::Archive(other),
        }
    }
}

impl Error {
    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Mistakes { .. }
            | Self::Read { .. }
            | Self::Typed { .. }
            | Self::NoStateDir
            | Self::Secret { .. } => Exit::Mistake,
            Self::Generated(error) => of_secret(error),
            Self::Unanswered(_) => Exit::Stopped,
            Self::Store(error) => of_store(error),
            Self::Archive(error) => of_archive(error),
            Self::Mirror(MirrorError::File { .. }) => Exit::Engine,
            Self::Mirror(_) => Exit::Host,
            Self::Fenced { .. } => Exit::Busy,
            Self::Drive(_) | Self::Engine(_) | Self::Output(_) => Exit::Engine,
        }
    }

    /// A stable name for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Mistakes { .. } => "cli::mistakes",
            Self::Read { .. } => "cli::read",
            Self::Typed { .. } => "cli::typed",
            Self::NoStateDir => "cli::no_state_dir",
            Self::Secret { .. } | Self::Generated(_) => "cli::secret",
            Self::Unanswered(_) => "cli::unanswered",
            Self::Store(StoreError::Unfinished { .. }) => "store::unfinished",
            Self::Store(StoreError::Held { .. } | StoreError::Busy { .. }) => "store::held",
            Self::Store(
                StoreError::NoRun { .. } | StoreError::NoRuns | StoreError::Ambiguous { .. },
            ) => "store::no_run",
            Self::Store(_) => "store::damaged",
            Self::Archive(_) => "store::archive",
            Self::Mirror(_) => "store::mirror",
            Self::Fenced { .. } => "store::fenced",
            Self::Drive(_) => "engine::stopped",
            Self::Engine(_) => "engine::not_started",
            Self::Output(_) => "cli::output",
        }
    }

    /// What to do, a line each, made printable.
    pub(crate) fn hints(&self) -> Vec<String> {
        match self {
            Self::Read {
                what: "inventory", ..
            } => {
                vec!["name it with -i FILE or RUNBOOK_INVENTORY, or put inventory.yaml beside the runbook".into()]
            }
            Self::Typed { hint, .. } => hint.iter().cloned().collect(),
            Self::NoStateDir => vec!["give a directory with --state DIR".into()],
            Self::Secret { name, .. } => {
                vec![format!(
                    "--secret {name}=PLACE, one of {}",
                    crate::secrets::PLACES
                )]
            }
            Self::Generated(
                SecretError::Disagree { input, .. } | SecretError::Data { input, .. },
            ) => {
                vec![format!("or say which one it is: --secret {input}=PLACE")]
            }
            Self::Store(StoreError::Unfinished { runs }) => runs.iter().map(unfinished).collect(),
            Self::Store(StoreError::Held { run, .. }) => {
                vec![format!("see what it does: runbook status {run}")]
            }
            Self::Store(StoreError::NoRun { .. } | StoreError::Ambiguous { .. }) => {
                vec!["list them: runbook runs".into()]
            }
            Self::Archive(ArchiveError::Parted { run, .. }) => vec![
                format!("see what each has: runbook status {run}, runbook journal dump {run}"),
                "to give up the one that is here, move its directory out of the state directory"
                    .into(),
            ],
            Self::Fenced { run, epoch, .. } => vec![
                "go on with the newest journal: the other controller's".into(),
                format!(
                    "only if that controller is gone for good: runbook takeover {run} --from … --epoch {}",
                    epoch.saturating_add(1)
                ),
            ],
            Self::Drive(_) => {
                vec!["what runs on hosts runs on; when the cause is gone: runbook resume".into()]
            }
            _ => Vec::new(),
        }
    }
}

fn of_secret(error: &SecretError) -> Exit {
    match error {
        SecretError::Host { .. } => Exit::Host,
        SecretError::Disagree { .. } | SecretError::Data { .. } | SecretError::Lost { .. } => {
            Exit::Mistake
        }
        SecretError::Vault(_) | SecretError::Entropy { .. } => Exit::Engine,
    }
}

fn of_archive(error: &ArchiveError) -> Exit {
    match error {
        ArchiveError::Store(error) => of_store(error),
        ArchiveError::Bad(_) | ArchiveError::Parted { .. } => Exit::Mistake,
        ArchiveError::Io { .. } | ArchiveError::TooLarge(_) => Exit::Engine,
    }
}

fn of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::NoRun { .. }
        | StoreError::NoRuns
        | StoreError::Ambiguous { .. }
        | StoreError::NoDirectory { .. } => Exit::Mistake,
        StoreError::Held { .. } | StoreError::Busy { .. } | StoreError::Unfinished { .. } => {
            Exit::Busy
        }
        _ => Exit::Engine,
    }
}

fn unfinished(run: &runbook_exec::store::RunSummary) -> String {
    match run.status {
        RunStatus::Running(_) => format!("it runs now: runbook status {}", run.id),
        RunStatus::Unknown(_) => format!("its files cannot be read: runbook runs ({})", run.id),
        _ => format!("go on with it: runbook resume {}", run.id),
    }
}
