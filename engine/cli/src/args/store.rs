//! What is typed about the records of runs: their journals, their copies, who has them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{GateArgs, SecretArgs};

/// Arguments of `journal`.
#[derive(Debug, Args)]
pub(crate) struct JournalArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: JournalCommand,
}

/// What can be done with a journal.
#[derive(Debug, Subcommand)]
pub(crate) enum JournalCommand {
    /// Say whether a journal is whole, cut short by a crash, or damaged; nothing is changed
    Verify(JournalOf),
    /// Show every record; with --json as it stands in the file
    Dump(JournalOf),
}

/// Which journal.
#[derive(Debug, Args)]
pub(crate) struct JournalOf {
    /// The run, or the beginning of its id, or a journal file (a path with a `.` or `/`) [default: the
    /// newest run]
    #[arg(value_name = "RUN|FILE")]
    pub(crate) what: Option<String>,
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// What to do instead of listing.
    #[command(subcommand)]
    pub(crate) command: Option<RunsCommand>,
}

/// What can be done with runs.
#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Write a run into one file: plan, journal, logs; no secrets
    Export(ExportArgs),
    /// Take a run out of such a file
    Import(ImportArgs),
}

/// Arguments of `runs export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The run, or the beginning of its id
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// The file, which is not there yet [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Leave out what attempts printed
    #[arg(long)]
    pub(crate) no_logs: bool,
}

/// Arguments of `runs import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// Arguments of `takeover`.
#[derive(Debug, Args)]
pub(crate) struct TakeoverArgs {
    /// The run; its whole id where the copy is a mirror
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// The newest copy there is: a file of `runs export`, or a mirror
    #[arg(long, value_name = "FILE|HOST:DIR")]
    pub(crate) from: String,
    /// Why; it goes into the journal
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) reason: String,
    /// Above a controller that has taken the run over too, and is gone for good
    #[arg(long, value_name = "N")]
    pub(crate) epoch: Option<u32>,
    /// The inventory that has the host of the mirror
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "RUNBOOK_INVENTORY",
        hide_env_values = true
    )]
    pub(crate) inventory: Option<PathBuf>,
    /// Keep a second copy of plan and journal there
    #[arg(long, value_name = "HOST:DIR")]
    pub(crate) mirror: Option<String>,
    /// Gates.
    #[command(flatten)]
    pub(crate) gates: GateArgs,
    /// Where secrets are read from, if not where the run began.
    #[command(flatten)]
    pub(crate) secrets: SecretArgs,
}

/// Arguments of `handover`.
#[derive(Debug, Args)]
pub(crate) struct HandoverArgs {
    /// The run, or the beginning of its id [default: the newest that can go on]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// The file, which is not there yet [default: RUN.tar]
    #[arg(long, value_name = "FILE")]
    pub(crate) to: Option<PathBuf>,
    /// Leave out what attempts printed
    #[arg(long)]
    pub(crate) no_logs: bool,
    /// Why; it goes into the journal
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) reason: String,
}
