//! YAML as a tree in which everything knows its place.
//!
//! The tree is built over parser events. It keeps going: what is wrong becomes a diagnostic and a
//! node of kind [`Kind::Error`], about which nobody needs to complain again; after a syntax error
//! reading goes on at the next top-level key. Only the scalars of the YAML 1.2 core schema are
//! anything but text, and of those not the ones that surprise: `no`, `0644` and `1_000` are text.

mod build;
mod collect;
mod node;
mod recover;
mod scalar;
mod syntax;

pub use node::{Entry, Key, Kind, Node, Style};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::Source;

/// Deeper nesting is refused.
pub const MAX_DEPTH: usize = 64;

/// More nodes, aliases expanded, are refused.
pub const MAX_NODES: usize = 1_000_000;

/// More bytes of text, aliases expanded, are refused: a long text is small until it is repeated.
pub const MAX_EXPANDED: usize = 16 << 20;

/// Reads a text. The tree is as complete as the mistakes allow.
pub fn read(source: &Source, diagnostics: &mut Diagnostics) -> Node {
    recover::read(source, diagnostics)
}

/// A diagnostic with one label.
fn error(
    source: &Source,
    code: Code,
    message: &str,
    span: crate::source::Span,
    label: &str,
) -> Diagnostic {
    Diagnostic::error(code, message).label(source.id(), span, label)
}

#[cfg(test)]
mod tests;
