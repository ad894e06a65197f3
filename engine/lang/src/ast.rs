//! A runbook as it is written: every name, text and value with its place, nothing resolved.
//!
//! [`parse_runbook`] never stops at the first mistake. It returns a runbook whenever there is
//! something to look at, so that later stages can report their mistakes as well; whether anything
//! may run is for the diagnostics to say.

mod hold;
mod input;
mod phase;
mod runbook;
mod step;

pub use crate::fields::Share;
pub use hold::HoldDef;
pub(crate) use input::read_kind;
pub use input::{GenerateDef, GroupDef, ImportedValue, InputDef, Place, Rule};
pub use phase::{ImportDef, Linked, Phase, Rolling};
pub use runbook::{Runbook, VarDef, VarValue, WindowDef, parse_runbook};
pub use step::{ForEach, Need, RetryDef, StepDef, UntilDef};
