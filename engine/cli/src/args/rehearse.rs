//! What can be typed to see what could happen, what is left, and how something is now.

use clap::Args;

use super::{CompileArgs, SecretArgs};

/// Arguments of `rehearse`.
#[derive(Debug, Args)]
pub(crate) struct RehearseArgs {
    /// What is compiled.
    #[command(flatten)]
    pub(crate) compile: CompileArgs,
    /// Have this instance fail
    #[arg(long, value_name = "STEP@HOST")]
    pub(crate) fail: Option<String>,
    /// Kill the controller after so many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) kill_at: Option<u64>,
}

/// Arguments of `remaining`.
#[derive(Debug, Args)]
pub(crate) struct RemainingArgs {
    /// The run, or the beginning of its id [default: the newest]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// As text for a shell, to be typed part by part
    #[arg(long, conflicts_with = "json")]
    pub(crate) as_commands: bool,
}

/// Arguments of `probe`.
#[derive(Debug, Args)]
pub(crate) struct ProbeArgs {
    /// The step, or one of its instances
    #[arg(value_name = "STEP[@HOST]")]
    pub(crate) step: String,
    /// The run, or the beginning of its id [default: the newest]
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// Where secrets are read from, if no longer where the run began.
    #[command(flatten)]
    pub(crate) secrets: SecretArgs,
}
