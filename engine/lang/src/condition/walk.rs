//! One walk over a condition: what it reads and where, and whether it stays inside the language.

use std::ops::Range;

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr, SourceInfo,
    operators,
};

use super::functions::{GLOBAL, MEMBER};
use super::words::{meant, unknown_function};
use crate::scope::{ExprError, ROOTS, Reference, Segment};

/// Deepest nesting of `all`, `exists`, `map`, `filter`: each level multiplies the work.
const MAX_LOOPS: usize = 3;

/// A path, and the bytes that say it.
struct Place {
    /// `None` for what is local to a comprehension and leads to no root.
    path: Option<Vec<Segment>>,
    range: Range<usize>,
    /// Whether this is the variable of a comprehension itself.
    is_local: bool,
}

/// The variable of a comprehension, and the path of what it stands for, if a path says it.
struct Local<'e> {
    name: &'e str,
    path: Option<Vec<Segment>>,
}

/// The walk.
pub(super) struct Walk<'e> {
    text: &'e str,
    info: &'e SourceInfo,
    locals: Vec<Local<'e>>,
    guards: Vec<Vec<Segment>>,
    references: Vec<Reference>,
}

impl<'e> Walk<'e> {
    /// Collects the references of a condition, in the order of the text.
    pub(super) fn references(
        text: &'e str,
        info: &'e SourceInfo,
        expr: &'e IdedExpr,
    ) -> Result<Vec<Reference>, ExprError> {
        let mut walk = Self {
            text,
            info,
            locals: Vec::new(),
            guards: Vec::new(),
            references: Vec::new(),
        };
        walk.expr(expr)?;
        walk.references.sort_by_key(|r| r.range.start);
        Ok(walk.references)
    }

    fn expr(&mut self, expr: &'e IdedExpr) -> Result<(), ExprError> {
        match &expr.expr {
            Expr::Ident(_) | Expr::Select(SelectExpr { test: false, .. }) => self.read(expr),
            Expr::Select(select) => self.has(select),
            Expr::Call(call) if call.func_name == operators::INDEX => self.read(expr),
            Expr::Call(call) => self.call(expr, call),
            Expr::Comprehension(comprehension) => self.comprehension(expr, comprehension),
            Expr::List(list) => list.elements.iter().try_for_each(|e| self.expr(e)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.expr(&entry.key)?;
                    self.expr(&entry.value)
                }
                EntryExpr::StructField(_) => {
                    Err(self.refuse(expr, "only maps are written with braces"))
                }
            }),
            Expr::Literal(LiteralValue::Bytes(_)) => {
                Err(self.refuse(expr, "there are no bytes, write text in quotes"))
            }
            Expr::Literal(_) => Ok(()),
            Expr::Struct(_) => {
                Err(self.refuse(expr, "there are no message types, write a map `{\"a\": 1}`"))
            }
            Expr::Unspecified => Err(self.refuse(expr, "this part is empty")),
        }
    }

    fn read(&mut self, expr: &'e IdedExpr) -> Result<(), ExprError> {
        if let Some(place) = self.place(expr)? {
            self.refer(place, false);
        }
        Ok(())
    }

    fn refer(&mut self, place: Place, guarded: bool) {
        if let (Some(path), false) = (place.path, place.is_local) {
            let guarded = guarded || self.guards.iter().any(|guard| path.starts_with(guard));
            self.references.push(Reference {
                path,
                range: place.range,
                guarded,
            });
        }
    }

    /// The path that an expression is; what is no path is walked as an expression.
    fn place(&mut self, expr: &'e IdedExpr) -> Result<Option<Place>, ExprError> {
        match &expr.expr {
            Expr::Ident(name) if name.starts_with('@') => Ok(None),
            Expr::Ident(name) => {
                let start = self.start(expr);
                if let Some(word) = meant(name).filter(|_| !self.is_local(name)) {
                    return Err(ExprError::new(
                        self.clamp(start, start + name.len()),
                        format!("write `{word}` for `{name}`"),
                    ));
                }
                if name.starts_with('.') {
                    return Err(ExprError::new(
                        self.clamp(start, start + 1),
                        "a name does not start with a dot",
                    ));
                }
                let local = self.locals.iter().rev().find(|local| local.name == name);
                Ok(Some(Place {
                    path: match local {
                        Some(local) => local.path.clone(),
                        None => Some(vec![Segment::Name(name.clone())]),
                    },
                    range: self.clamp(start, start + name.len()),
                    is_local: local.is_some(),
                }))
            }
            Expr::Select(select) => {
                let Some(place) = self.place(&select.operand)? else {
                    return Ok(None);
                };
                Ok(Some(self.further(place, &select.field)))
            }
            Expr::Call(call) if call.func_name == operators::INDEX && call.args.len() == 2 => {
                let place = self.place(&call.args[0])?;
                let segment = match &call.args[1].expr {
                    Expr::Literal(LiteralValue::String(key)) => {
                        Segment::Name(key.inner().to_owned())
                    }
                    Expr::Literal(LiteralValue::Int(at)) => Segment::Name(at.inner().to_string()),
                    _ => {
                        self.expr(&call.args[1])?;
                        Segment::Any
                    }
                };
                let Some(mut place) = place else {
                    return Ok(None);
                };
                place.range = self.clamp(place.range.start, self.closing(place.range.end));
                Ok(Some(push(place, segment)))
            }
            _ => self.expr(expr).map(|()| None),
        }
    }

    fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|local| local.name == name)
    }

    /// The place one member further on: behind a dot and perhaps spaces.
    fn further(&self, mut place: Place, field: &str) -> Place {
        let rest = self.text.get(place.range.end..).unwrap_or("");
        let name = rest.trim_start().strip_prefix('.').map(str::trim_start);
        if let Some(name) = name.filter(|name| name.starts_with(field)) {
            let end = self.text.len() - name.len() + field.len();
            place.range = self.clamp(place.range.start, end);
        }
        push(place, Segment::Name(field.to_owned()))
    }

    fn has(&mut self, select: &'e SelectExpr) -> Result<(), ExprError> {
        if let Some(place) = self.place(&select.operand)? {
            let place = self.further(place, &select.field);
            self.refer(place, true);
        }
        Ok(())
    }

    fn call(&mut self, expr: &'e IdedExpr, call: &'e CallExpr) -> Result<(), ExprError> {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, [left, right]) => {
                self.expr(left)?;
                self.behind(left, true, right)
            }
            (operators::LOGICAL_OR, [left, right]) => {
                self.expr(left)?;
                self.behind(left, false, right)
            }
            (operators::CONDITIONAL, [test, then, otherwise]) => {
                self.expr(test)?;
                self.behind(test, true, then)?;
                self.behind(test, false, otherwise)
            }
            (name, [left, right]) if is_negated(left) && compares(name, right) => {
                let message = match name {
                    operators::IN => "`!` belongs to what follows it: write `!(a in b)`",
                    _ => "`!` belongs to what follows it: write `a != b`, or `!(a == b)`",
                };
                Err(self.refuse(left, message))
            }
            (name, args) => {
                if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    self.known_function(expr, call)?;
                }
                if let Some(target) = &call.target {
                    self.expr(target)?;
                }
                args.iter().try_for_each(|arg| self.expr(arg))
            }
        }
    }

    /// Walks what is evaluated only if the test gave that truth.
    fn behind(
        &mut self,
        test: &'e IdedExpr,
        truth: bool,
        then: &'e IdedExpr,
    ) -> Result<(), ExprError> {
        let before = self.guards.len();
        let mut guards = Vec::new();
        self.guards_of(test, truth, &mut guards);
        self.guards.append(&mut guards);
        let result = self.expr(then);
        self.guards.truncate(before);
        result
    }

    /// The paths that are there if the test gave that truth.
    fn guards_of(&self, test: &IdedExpr, truth: bool, out: &mut Vec<Vec<Segment>>) {
        match &test.expr {
            Expr::Select(select) if select.test && truth => {
                if let Some(mut path) = self.quiet_path(&select.operand) {
                    path.push(Segment::Name(select.field.clone()));
                    out.push(path);
                }
            }
            Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
                (operators::LOGICAL_NOT, [inner]) => self.guards_of(inner, !truth, out),
                (operators::LOGICAL_AND, [a, b]) if truth => {
                    self.guards_of(a, true, out);
                    self.guards_of(b, true, out);
                }
                (operators::LOGICAL_OR, [a, b]) if !truth => {
                    self.guards_of(a, false, out);
                    self.guards_of(b, false, out);
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// The path of an expression that was walked already.
    fn quiet_path(&self, expr: &IdedExpr) -> Option<Vec<Segment>> {
        match &expr.expr {
            Expr::Ident(name) => match self.locals.iter().rev().find(|l| l.name == name) {
                Some(local) => local.path.clone(),
                None => Some(vec![Segment::Name(name.clone())]),
            },
            Expr::Select(select) => {
                let mut path = self.quiet_path(&select.operand)?;
                path.push(Segment::Name(select.field.clone()));
                Some(path)
            }
            Expr::Call(call) if call.func_name == operators::INDEX => {
                let mut path = self.quiet_path(call.args.first()?)?;
                path.push(match &call.args.get(1)?.expr {
                    Expr::Literal(LiteralValue::String(key)) => {
                        Segment::Name(key.inner().to_owned())
                    }
                    Expr::Literal(LiteralValue::Int(at)) => Segment::Name(at.inner().to_string()),
                    // Two computed keys need not be the same one: `has` of one guards only itself
                    // where both are the variable of the same comprehension.
                    Expr::Ident(name) if self.locals.iter().any(|l| l.name == name) => Segment::Any,
                    _ => return None,
                });
                Some(path)
            }
            _ => None,
        }
    }

    fn comprehension(
        &mut self,
        expr: &'e IdedExpr,
        c: &'e ComprehensionExpr,
    ) -> Result<(), ExprError> {
        if ROOTS.contains(&c.iter_var.as_str()) {
            let message = format!(
                "`{0}` is taken: name the element otherwise than `{0}`",
                c.iter_var
            );
            return Err(self.refuse(expr, message));
        }
        if self.locals.len() == MAX_LOOPS {
            return Err(self.refuse(
                expr,
                "`all`, `exists`, `map` and `filter` are nested too deeply",
            ));
        }
        let path = match self.place(&c.iter_range)? {
            Some(place) => {
                let path = place.path.clone().map(|mut path| {
                    path.push(Segment::Any);
                    path
                });
                self.refer(place, false);
                path
            }
            None => None,
        };
        self.locals.push(Local {
            name: &c.iter_var,
            path,
        });
        let result = [&c.accu_init, &c.loop_cond, &c.loop_step, &c.result]
            .into_iter()
            .try_for_each(|part| self.expr(part));
        self.locals.pop();
        result
    }

    fn known_function(&self, expr: &IdedExpr, call: &CallExpr) -> Result<(), ExprError> {
        let name = call.func_name.as_str();
        let known: &[(&str, usize)] = if call.target.is_some() {
            &MEMBER
        } else {
            &GLOBAL
        };
        let range = self.name_place(expr, name);
        let on = if call.target.is_some() { "x." } else { "" };
        let message = match known.iter().find(|(k, _)| *k == name) {
            Some((_, count)) if *count == call.args.len() => return Ok(()),
            Some((_, 0)) => format!("`{on}{name}()` takes nothing"),
            Some((_, 1)) => format!("`{on}{name}(…)` takes one value"),
            Some((_, count)) => format!("`{on}{name}(…)` takes {count} values"),
            None => match name {
                "all" | "exists" | "exists_one" | "map" | "filter" => {
                    format!("`{name}` is written `list.{name}(x, … x …)`")
                }
                "has" => "`has` is written `has(steps.x.outputs.y)`".to_owned(),
                _ => unknown_function(name, call.target.is_some()),
            },
        };
        Err(ExprError::new(range, message))
    }

    /// The bytes of a function's name; its node points at the bracket behind it or at the name.
    fn name_place(&self, expr: &IdedExpr, name: &str) -> Range<usize> {
        let start = self.start(expr);
        let rest = self.text.get(start..).unwrap_or("");
        let at = if rest.starts_with(name) {
            Some(start)
        } else {
            self.text.get(..start).and_then(|before| before.rfind(name))
        };
        at.map_or(0..self.text.len(), |at| self.clamp(at, at + name.len()))
    }

    fn refuse(&self, expr: &IdedExpr, message: impl Into<String>) -> ExprError {
        let start = self.start(expr);
        let len = self.text[start..].chars().next().map_or(0, char::len_utf8);
        ExprError::new(start..start + len, message)
    }

    fn start(&self, expr: &IdedExpr) -> usize {
        let at = self
            .info
            .offset_for(expr.id)
            .map_or(0, |(start, _)| start as usize);
        if self.text.is_char_boundary(at) {
            at
        } else {
            0
        }
    }

    /// The byte behind the bracket that closes the one after `from`.
    fn closing(&self, from: usize) -> usize {
        let bytes = self.text.as_bytes();
        let mut depth = 0_usize;
        let mut at = from;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'[' | b'(' | b'{' => depth += 1,
                b']' | b')' | b'}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return at + 1;
                    }
                }
                b'"' | b'\'' => {
                    let rest = &bytes[at + 1..];
                    at += 1 + rest.iter().position(|b| *b == byte).unwrap_or(rest.len());
                }
                _ => {}
            }
            at += 1;
        }
        self.text.len()
    }

    fn clamp(&self, start: usize, end: usize) -> Range<usize> {
        match self.text.get(start..end) {
            Some(_) => start..end,
            None => 0..self.text.len(),
        }
    }
}

fn is_negated(expr: &IdedExpr) -> bool {
    matches!(&expr.expr, Expr::Call(call) if call.func_name == operators::LOGICAL_NOT)
}

/// Whether this compares with what is neither true nor false.
fn compares(operator: &str, right: &IdedExpr) -> bool {
    let never_a_truth = matches!(
        &right.expr,
        Expr::Literal(literal) if !matches!(literal, LiteralValue::Boolean(_))
    );
    match operator {
        operators::IN => true,
        operators::EQUALS
        | operators::NOT_EQUALS
        | operators::LESS
        | operators::LESS_EQUALS
        | operators::GREATER
        | operators::GREATER_EQUALS => never_a_truth,
        _ => false,
    }
}

fn push(mut place: Place, segment: Segment) -> Place {
    place.is_local = false;
    if let Some(path) = &mut place.path {
        path.push(segment);
    }
    place
}
