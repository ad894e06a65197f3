//! Rendering: nothing unknown becomes empty text, nothing grows without bound.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

use super::node::{Base, Expr, ExprKind, Helper, Node};
use crate::scope::{EvalError, Item, Scope};
use crate::value::{kind_of, shown};

/// Longest text that a template may give, in bytes.
const MAX_OUTPUT: usize = 1 << 20;
/// Most parts that one rendering may visit.
const MAX_WORK: usize = 1_000_000;

/// One block with a `this` of its own.
struct Frame<'s> {
    this: Item<'s>,
    key: Value,
    first: bool,
    last: bool,
}

/// One rendering.
pub(super) struct Rendering<'s, 't> {
    scope: &'s Scope,
    text: &'t str,
    frames: Vec<Frame<'s>>,
    out: String,
    work: usize,
}

impl<'s, 't> Rendering<'s, 't> {
    pub(super) fn new(scope: &'s Scope, text: &'t str) -> Self {
        Self {
            scope,
            text,
            frames: Vec::new(),
            out: String::new(),
            work: 0,
        }
    }

    /// The text of all nodes.
    pub(super) fn into_text(mut self, nodes: &[Node]) -> Result<String, EvalError> {
        self.nodes(nodes)?;
        Ok(self.out)
    }

    /// The value of one expression with its type.
    pub(super) fn value(&self, expr: &Expr) -> Result<Value, EvalError> {
        self.eval(expr).map(|item| item.value.into_owned())
    }

    fn nodes(&mut self, nodes: &[Node]) -> Result<(), EvalError> {
        for node in nodes {
            self.work += 1;
            if self.work > MAX_WORK {
                return Err(EvalError::new(
                    0..self.text.len(),
                    "this text takes too long to render",
                ));
            }
            match node {
                Node::Text(text) => self.push(text, &(0..self.text.len()))?,
                Node::Put(expr) => {
                    let item = self.eval(expr)?;
                    let text = as_text(&item.value).map_err(|message| self.fail(expr, message))?;
                    self.push(&text, &expr.range)?;
                }
                Node::If {
                    test,
                    then,
                    otherwise,
                } => {
                    let branch = if is_true(&self.eval(test)?.value) {
                        then
                    } else {
                        otherwise
                    };
                    self.nodes(branch)?;
                }
                Node::With { of, body, empty } => {
                    let this = self.eval(of)?;
                    if is_true(&this.value) {
                        self.inside(this, Value::Null, (true, true), body)?;
                    } else {
                        self.nodes(empty)?;
                    }
                }
                Node::Each { of, body, empty } => self.each(of, body, empty)?,
            }
        }
        Ok(())
    }

    fn each(&mut self, of: &Expr, body: &[Node], empty: &[Node]) -> Result<(), EvalError> {
        let all = self.eval(of)?;
        let keys: Vec<Value> = match all.value.as_ref() {
            Value::Array(list) => (0..list.len()).map(Value::from).collect(),
            Value::Object(map) => map.keys().cloned().map(Value::String).collect(),
            other => {
                let message = format!("`each` takes a list or a map, this is {}", kind_of(other));
                return Err(self.fail(of, message));
            }
        };
        let count = keys.len();
        if count == 0 {
            return self.nodes(empty);
        }
        for (at, key) in keys.into_iter().enumerate() {
            let name = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
            if let Some(this) = all.step(&name) {
                self.inside(this, key, (at == 0, at + 1 == count), body)?;
            }
        }
        Ok(())
    }

    fn inside(
        &mut self,
        this: Item<'s>,
        key: Value,
        (first, last): (bool, bool),
        body: &[Node],
    ) -> Result<(), EvalError> {
        self.frames.push(Frame {
            this,
            key,
            first,
            last,
        });
        let result = self.nodes(body);
        self.frames.pop();
        result
    }

    fn eval(&self, expr: &Expr) -> Result<Item<'s>, EvalError> {
        match &expr.kind {
            ExprKind::Literal(value) => Ok(Item::owned(value.clone())),
            ExprKind::Path { base, names } => self.path(*base, names).ok_or_else(|| {
                let path = self.text.get(expr.range.clone()).unwrap_or("");
                EvalError::missing(expr.range.clone(), shown(path))
            }),
            ExprKind::Call { helper, args } => self.call(*helper, args, expr),
        }
    }

    fn path(&self, base: Base, names: &[String]) -> Option<Item<'s>> {
        let start = match base {
            Base::Scope => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                return self.scope.find(&names);
            }
            Base::This(at) => self.frames.get(at)?.this.clone(),
            Base::Key(at) => Item::owned(self.frames.get(at)?.key.clone()),
            Base::First(at) => Item::owned(self.frames.get(at)?.first.into()),
            Base::Last(at) => Item::owned(self.frames.get(at)?.last.into()),
        };
        names.iter().try_fold(start, |item, name| item.step(name))
    }

    fn call(&self, helper: Helper, args: &[Expr], whole: &Expr) -> Result<Item<'s>, EvalError> {
        let arg = |at: usize| {
            args.get(at)
                .ok_or_else(|| self.fail(whole, "a value is missing".to_owned()))
        };
        let first = arg(0)?;
        match helper {
            Helper::Default => match self.eval(first) {
                Ok(item) if !item.value.is_null() => Ok(item),
                Err(error) if error.missing.is_none() => Err(error),
                _ => self.eval(arg(1)?),
            },
            Helper::Lookup => {
                let key = arg(1)?;
                let name = as_text(&self.eval(key)?.value)
                    .map_err(|message| self.fail(key, message))?
                    .into_owned();
                // The key may be a value that must not be shown.
                self.eval(first)?.step(&name).ok_or_else(|| {
                    let path = self.text.get(first.range.clone()).unwrap_or("");
                    EvalError::missing(whole.range.clone(), format!("{}[…]", shown(path)))
                })
            }
            Helper::Join => {
                let separator = self.eval(arg(1)?)?;
                let separator =
                    as_text(&separator.value).map_err(|message| self.fail(whole, message))?;
                let list = self.eval(first)?;
                let mut out = String::new();
                for (at, text) in self.elements(first, &list)?.into_iter().enumerate() {
                    if at > 0 {
                        out.push_str(&separator);
                    }
                    out.push_str(&text);
                    self.bound(out.len(), &whole.range)?;
                }
                Ok(Item::owned(out.into()))
            }
            Helper::Json => Ok(Item::owned(self.eval(first)?.value.to_string().into())),
        }
    }

    /// The elements of a list, or the names of a map, as text.
    fn elements(&self, expr: &Expr, list: &Item<'s>) -> Result<Vec<String>, EvalError> {
        match list.value.as_ref() {
            Value::Array(list) => list
                .iter()
                .map(|v| as_text(v).map(Cow::into_owned))
                .collect::<Result<_, _>>()
                .map_err(|message| self.fail(expr, message)),
            Value::Object(map) => Ok(map.keys().cloned().collect()),
            other => {
                let message = format!("`join` takes a list, this is {}", kind_of(other));
                Err(self.fail(expr, message))
            }
        }
    }

    fn fail(&self, expr: &Expr, message: String) -> EvalError {
        EvalError::new(expr.range.clone(), message)
    }

    fn push(&mut self, text: &str, range: &Range<usize>) -> Result<(), EvalError> {
        self.bound(self.out.len() + text.len(), range)?;
        self.out.push_str(text);
        Ok(())
    }

    fn bound(&self, len: usize, range: &Range<usize>) -> Result<(), EvalError> {
        if len > MAX_OUTPUT {
            return Err(EvalError::new(
                range.clone(),
                "the text would be longer than 1 MiB",
            ));
        }
        Ok(())
    }
}

/// What `if` takes for true: as in Handlebars, zero and everything empty is false.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// A scalar as text. No value is not the empty text: `rm {{dir}}/*` must not become `rm /*`.
fn as_text(value: &Value) -> Result<Cow<'_, str>, String> {
    match value {
        Value::String(text) => Ok(Cow::Borrowed(text)),
        Value::Number(number) => Ok(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Ok(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Value::Null => {
            Err("this has no value; write `{{default … \"…\"}}` if that may be".to_owned())
        }
        Value::Array(_) | Value::Object(_) => Err(format!(
            "{} cannot stand inside a text; write `{{{{join … \", \"}}}}`, `{{{{#each …}}}}` or `{{{{json …}}}}`, or let it be the whole text",
            kind_of(value)
        )),
    }
}
