//! Step types: their files, the catalog of all that `uses:` can name, and the schema of parameters.
//!
//! The same schema looks at a parameter twice: at what is written ([`check_params`]), and at the
//! value that its templates gave ([`coerce`]).

mod arguments;
mod catalog;
mod content;
mod engine;
mod file;
mod param;
mod rules;
mod schema;

pub use arguments::check_params;
pub use catalog::{Catalog, SHIPPED};
pub use engine::{
    ASSERT, COPY, FETCH, GATE_APPROVE, GATE_CONFIRM, GATE_WAIT, MANUAL_TASK, ORIGIN as ENGINE,
    RUN_RECORD, WAIT,
};
pub use file::parse_type;
pub use param::{ParamValue, coerce};
pub use rules::hold;
pub(crate) use rules::{Unknown, broken, holds_unknown};
pub(crate) use schema::secrets as secrets_of;

/// The shipped types that put secrets into files, in their parameter `secrets`: a message names
/// them where a file would be shown.
pub const INTO_FILES: [&str; 3] = ["ini", "json.merge", "yaml.merge"];

/// The shipped type whose text is a file beside the runbook.
pub const TEMPLATE: &str = "template";
/// The parameters of [`TEMPLATE`] that name such a file in a runbook, and hold its text after that.
pub const TEMPLATE_SOURCES: [&str; 2] = ["source", "secret_source"];
