//! Who is asked at gates where there is no terminal.

use clap::Args;

/// What becomes of questions that nobody here can see.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct GateArgs {
    /// Without a terminal, wait at gates for `approve` instead of stopping
    #[arg(long)]
    pub(crate) wait_at_gates: bool,
}
