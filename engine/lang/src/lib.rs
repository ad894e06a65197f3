//! Text to plan: YAML with spans, key table, types, templates, conditions, inventory, expansion, graph.
//!
//! ```text
//! text ──► yaml ──► fields (against keys) ──► ast, inventory, steptype
//!                                   │
//!                                   └──► diagnostics, all of them, with their places
//! ```

pub mod ast;
pub mod compile;
pub mod condition;
pub mod diagnostic;
pub mod evaluate;
mod fields;
pub mod graph;
pub mod import;
pub mod inventory;
pub mod keys;
pub mod limits;
mod misread;
pub mod scope;
pub mod select;
pub mod source;
pub mod steptype;
pub mod template;
pub mod testfile;
pub mod trace;
pub mod value;
pub mod yaml;
