//! Who runs a run.

use serde::{Deserialize, Serialize};

/// Which program runs a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controller {
    /// The machine's name.
    pub host: String,
    /// Process id there.
    pub pid: u32,
    /// The account.
    pub user: String,
    /// Version of the engine.
    pub engine: String,
}
