//! The nouns of a run and nothing else: ids, the plan, events, the state they fold into, and the
//! table of legal transitions. No input or output happens here, and no clock is read.
//!
//! ```text
//! plan ──► nodes, edges            (written by `lang`, read by everybody)
//! events ──► state                 (written by the dispatcher, folded live and on resume alike)
//! ```

pub mod edit;
pub mod event;
pub mod gate;
pub mod host;
pub mod id;
pub mod node;
pub mod order;
pub mod outage;
pub mod outcome;
pub mod plan;
pub mod preview;
pub mod resource;
pub mod secret;
pub mod state;
pub mod step;
pub mod step_type;
pub mod text;
pub mod trace;
pub mod transition;
pub mod watch;

pub use event::{Event, Record};
pub use host::{Account, Connection, Host};
pub use id::{AttemptId, Epoch, HostName, NodeIx, RunId, StepId, StepIx};
pub use node::{Edge, EdgeKind, Item, Node, NodeKind, Origin};
pub use order::{Command, Order};
pub use outcome::{Failure, FailureKind, Outcome, RunResult};
pub use plan::Plan;
pub use preview::{Forecast, Preview};
pub use state::RunState;
pub use step::Step;
pub use step_type::StepType;
pub use watch::Watcher;

/// A value of the language: what inputs, variables and outputs hold.
pub type Value = serde_json::Value;

/// Milliseconds since the Unix epoch, by the controller's clock.
pub type Millis = i64;
