//! What is typed while a run is under way, or has stopped.

use clap::Args;

use super::{GateArgs, SecretArgs};

/// Which run is meant, and why something is ordered.
#[derive(Debug, Args)]
pub(crate) struct OrderArgs {
    /// The run, or the beginning of its id [default: the newest that can go on]
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Why; it goes into the journal
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) reason: String,
}

/// Arguments of `pause`.
#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    /// Go on with everything but this step and what waits for it
    #[arg(long, value_name = "STEP")]
    pub(crate) before: Option<String>,
    /// Whose, and why.
    #[command(flatten)]
    pub(crate) order: OrderArgs,
}

/// Arguments of `block` and `unblock`.
#[derive(Debug, Args)]
pub(crate) struct StepArgs {
    /// The step
    #[arg(value_name = "STEP")]
    pub(crate) step: String,
    /// Whose, and why.
    #[command(flatten)]
    pub(crate) order: OrderArgs,
}

/// Arguments of `rerun`.
#[derive(Debug, Args)]
pub(crate) struct RerunArgs {
    /// What has ended: an instance, or a step on all its hosts
    #[arg(value_name = "STEP[@HOST]")]
    pub(crate) what: String,
    /// Whose, and why.
    #[command(flatten)]
    pub(crate) order: OrderArgs,
}

/// Arguments of `approve`.
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The run, or the beginning of its id
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// The gate: its step, or one instance
    #[arg(value_name = "GATE")]
    pub(crate) gate: String,
    /// Say it here instead of being asked: `yes`, `no`, or one of the gate's options
    #[arg(long, value_name = "ANSWER")]
    pub(crate) say: Option<String>,
    /// Type the word of the gate here
    #[arg(long, value_name = "WORD", conflicts_with = "say")]
    pub(crate) word: Option<String>,
    /// Who says so, where several people use one account; not verified
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// Something that the gate asks for; given for each
    #[arg(long, value_name = "NAME=VALUE", conflicts_with_all = ["say", "word"])]
    pub(crate) evidence: Vec<String>,
    /// Why; it goes into the journal
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) reason: String,
}

/// Arguments of `note`.
#[derive(Debug, Args)]
pub(crate) struct NoteArgs {
    /// What is to be remembered
    #[arg(value_name = "TEXT")]
    pub(crate) text: String,
    /// The run, or the beginning of its id [default: the newest that can go on]
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
}

/// Arguments of `cancel`.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// End what runs there now, instead of waiting for it
    #[arg(long, value_name = "STEP[@HOST]")]
    pub(crate) kill: Option<String>,
    /// Whose, and why.
    #[command(flatten)]
    pub(crate) order: OrderArgs,
}

/// Arguments of `exclude`.
#[derive(Debug, Args)]
pub(crate) struct ExcludeArgs {
    /// The host
    #[arg(value_name = "HOST")]
    pub(crate) host: String,
    /// The host's name once more, where no terminal can ask for it
    #[arg(long, value_name = "HOST")]
    pub(crate) confirm: Option<String>,
    /// Whose, and why.
    #[command(flatten)]
    pub(crate) order: OrderArgs,
}

/// Arguments of `attach`.
#[derive(Debug, Args)]
pub(crate) struct AttachArgs {
    /// The run, or the beginning of its id [default: the newest]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
}

/// Arguments of `abandon`.
#[derive(Debug, Args)]
pub(crate) struct AbandonArgs {
    /// The run, or the beginning of its id
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// Why; it goes into the journal
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    /// The run's whole id once more, where no terminal can ask for it
    #[arg(long, value_name = "RUN")]
    pub(crate) confirm: Option<String>,
}

/// Arguments of `rollback`.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The run, or the beginning of its id
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// Keep what this phase and earlier ones did
    #[arg(long, value_name = "PHASE")]
    pub(crate) to: Option<String>,
    /// Only show what would be done; nothing is reached
    #[arg(long)]
    pub(crate) plan: bool,
    /// Why; it goes into the journal
    #[arg(
        long,
        value_name = "TEXT",
        required_unless_present = "plan",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) reason: String,
    /// The run's whole id once more, where no terminal can ask for it
    #[arg(long, value_name = "RUN")]
    pub(crate) confirm: Option<String>,
    /// Gates of the way back.
    #[command(flatten)]
    pub(crate) gates: GateArgs,
    /// Secrets.
    #[command(flatten)]
    pub(crate) secrets: SecretArgs,
}

/// Decisions about what failed, given with `resume`.
#[derive(Debug, Default, Args)]
pub(crate) struct DecideArgs {
    /// Try again what nobody knows the effect of
    #[arg(long, value_name = "STEP[@HOST]", requires = "reason")]
    pub(crate) retry: Vec<String>,
    /// What failed, or is in doubt, was seen to be done: needs --evidence
    #[arg(long, value_name = "STEP@HOST", requires_all = ["reason", "evidence"])]
    pub(crate) done: Option<String>,
    /// What shows that --done is done
    #[arg(long, value_name = "TEXT", requires = "done")]
    pub(crate) evidence: Option<String>,
    /// Leave out what failed
    #[arg(long, value_name = "STEP[@HOST]", requires = "reason")]
    pub(crate) skip: Vec<String>,
    /// Why; it goes into the journal
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}
