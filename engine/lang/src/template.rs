//! Templates: text with `{{…}}`, in the language of Handlebars without HTML escaping.
//!
//! The `handlebars` crate parses; the tree is then resolved and evaluated here, because its own
//! rendering takes an unknown name in `{{#if}}` for false and has no places for names. What
//! differs from Handlebars: every unknown name is an error; a first name that is a root of the
//! scope is that root inside blocks too; a text that is exactly one `{{…}}` keeps the type of its
//! value; `{{{`, partials, decorators and raw blocks are refused.
//!
//! Blocks: `if`, `unless`, `each`, `with`, with `else` and `else if`.
//! Helpers: `default`, `lookup`, `join`, `json`.

mod lower;
mod node;
mod path;
mod render;
mod scan;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::scope::{EvalError, ExprError, Reference, Scope, Segment, byte_of};
use lower::Lowering;
use node::{Base, Expr, ExprKind, Helper, Node};
use render::Rendering;
use scan::Tag;

/// A text with `{{…}}`, read once and rendered in many scopes.
#[derive(Clone, Debug)]
pub struct Template {
    text: String,
    nodes: Vec<Node>,
    references: Vec<Reference>,
    /// Whether the text is one `{{…}}` and nothing else.
    single: bool,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// The first mistake with its place in the text.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        if !text.contains("{{") {
            return Ok(Self {
                text: text.to_owned(),
                nodes: vec![Node::Text(text.to_owned())],
                references: Vec::new(),
                single: false,
            });
        }
        let tags = scan::scan(text)?;
        let parsed = handlebars::Template::compile(text)
            .map_err(|error| not_understood(text, &tags, error.pos()))?;
        let single = matches!(tags.as_slice(), [tag] if tag.range == (0..text.len()));
        let mut lowering = Lowering::new(text, tags);
        let nodes = lowering.nodes(&parsed)?;
        Ok(Self {
            text: text.to_owned(),
            single: single && matches!(nodes.as_slice(), [Node::Put(_)]),
            nodes,
            references: lowering.references,
        })
    }

    /// The text as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Every name that the template may read, in the order of the text. Names inside `each` and
    /// `with` are led back to what the block is at; keys and positions of `each` are not listed.
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// Whether the template gives the same text in every scope.
    pub fn is_literal(&self) -> bool {
        self.nodes.iter().all(|node| matches!(node, Node::Text(_)))
    }

    /// The path, if the text is exactly one `{{path}}`, which keeps its type.
    pub fn single_path(&self) -> Option<&[Segment]> {
        match (self.single, self.nodes.as_slice()) {
            (true, [Node::Put(expr)]) if is_path(expr) => {
                self.references.first().map(|r| r.path.as_slice())
            }
            _ => None,
        }
    }

    /// The path and what is taken where it has no value, if the text is exactly one
    /// `{{default path literal}}`, which keeps its type.
    pub fn single_default(&self) -> Option<(&[Segment], &Value)> {
        let (true, [Node::Put(expr)]) = (self.single, self.nodes.as_slice()) else {
            return None;
        };
        let ExprKind::Call {
            helper: Helper::Default,
            args,
        } = &expr.kind
        else {
            return None;
        };
        match args.as_slice() {
            [path, other] if is_path(path) => match &other.kind {
                ExprKind::Literal(value) => Some((&self.references.first()?.path, value)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The text in this scope, or the value with its type if the text is exactly one `{{…}}`.
    ///
    /// # Errors
    /// A name without a value, a value that cannot stand in a text, or a text over 1 MiB.
    pub fn render(&self, scope: &Scope) -> Result<Value, EvalError> {
        let rendering = Rendering::new(scope, &self.text);
        match (self.single, self.nodes.as_slice()) {
            (true, [Node::Put(expr)]) => rendering.value(expr),
            (_, [Node::Text(text)]) => Ok(Value::String(text.clone())),
            _ => rendering.into_text(&self.nodes).map(Value::String),
        }
    }
}

fn is_path(expr: &Expr) -> bool {
    matches!(
        expr.kind,
        ExprKind::Path {
            base: Base::Scope,
            ..
        }
    )
}

/// The grammar refused the text: the tag it points at, in our words.
fn not_understood(text: &str, tags: &[Tag], place: Option<(usize, usize)>) -> ExprError {
    let at = place.map_or(0, |(line, column)| byte_of(text, line, column));
    let tag = tags
        .iter()
        .find(|tag| at < tag.range.end)
        .or(tags.last())
        .map_or(0..text.len(), |tag| tag.range.clone());
    ExprError::new(
        tag,
        "this is not understood; a value is written `{{inputs.name}}`, a block `{{#if inputs.name}}…{{/if}}`",
    )
}
