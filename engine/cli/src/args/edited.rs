//! What is typed to go on with changed files.

use std::path::PathBuf;

use clap::Args;

use super::pair;

/// `resume --edited`, and where the changed files are.
#[derive(Debug, Default, Args)]
pub(crate) struct EditedArgs {
    /// Go on with the changed runbook, types, inventory and inputs: what of the run counts and what
    /// runs again is shown first, and confirmed
    #[arg(long, conflicts_with_all = ["retry", "done", "skip"])]
    pub(crate) edited: bool,
    /// With --edited: only show what that means; nothing is changed, no host is asked
    #[arg(long, requires = "edited")]
    pub(crate) plan: bool,
    /// With --edited: the run's whole id once more, where no terminal can ask for it
    #[arg(long, value_name = "RUN", requires = "edited")]
    pub(crate) confirm: Option<String>,
    /// With --edited: the runbook [default: the file that the run began with]
    #[arg(long, value_name = "FILE", requires = "edited")]
    pub(crate) file: Option<PathBuf>,
    /// With --edited: the inventory [default: the file that the run began with]
    #[arg(short, long, value_name = "FILE", requires = "edited")]
    pub(crate) inventory: Option<PathBuf>,
    /// With --edited: another value of an input, once for each name; all others stay as they are
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = pair, requires = "edited")]
    pub(crate) input: Vec<(String, String)>,
    /// With --edited: a YAML file of inputs with other values
    #[arg(long, value_name = "FILE", requires = "edited")]
    pub(crate) inputs: Option<PathBuf>,
}
