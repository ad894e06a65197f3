//! The parts of a template after its names are resolved.

use std::ops::Range;

use serde_json::Value;

/// A part of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Text that stays as it is.
    Text(String),
    /// A value put into the text.
    Put(Expr),
    /// `if` and `unless`, the latter with its branches exchanged.
    If {
        test: Expr,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    /// `each`: once for each element of a list or a map.
    Each {
        of: Expr,
        body: Vec<Node>,
        empty: Vec<Node>,
    },
    /// `with`: once, with another `this`, unless the value is empty.
    With {
        of: Expr,
        body: Vec<Node>,
        empty: Vec<Node>,
    },
}

/// Something that gives a value, and the bytes that say it.
#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub(super) kind: ExprKind,
    pub(super) range: Range<usize>,
}

/// What gives the value.
#[derive(Clone, Debug)]
pub(super) enum ExprKind {
    Literal(Value),
    Path { base: Base, names: Vec<String> },
    Call { helper: Helper, args: Vec<Expr> },
}

/// Where a path starts. Blocks are counted from the outermost.
#[derive(Clone, Copy, Debug)]
pub(super) enum Base {
    /// The scope; the first name is the root.
    Scope,
    /// What `this` is in that block.
    This(usize),
    /// The key or the position that `each` is at.
    Key(usize),
    /// Whether `each` is at its first element.
    First(usize),
    /// Whether `each` is at its last element.
    Last(usize),
}

/// The helpers that may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Helper {
    /// `default a b`: a, or b if a has no value.
    Default,
    /// `lookup map key`: the member whose name is computed.
    Lookup,
    /// `join list separator`: the elements as one text.
    Join,
    /// `json value`: the value as JSON text.
    Json,
}

impl Helper {
    pub(super) const NAMES: [&'static str; 4] = ["default", "lookup", "join", "json"];

    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Self::Default),
            "lookup" => Some(Self::Lookup),
            "join" => Some(Self::Join),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    /// How it is written, which also tells how many values it takes.
    pub(super) fn usage(self) -> (&'static str, usize) {
        match self {
            Self::Default => ("{{default steps.x.outputs.y \"none\"}}", 2),
            Self::Lookup => ("{{lookup vars.map item}}", 2),
            Self::Join => ("{{join inputs.list \", \"}}", 2),
            Self::Json => ("{{json vars.map}}", 1),
        }
    }
}
