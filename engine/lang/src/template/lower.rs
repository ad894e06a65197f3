//! From the grammar's tree to our own: names resolved, places known, references collected.

use std::ops::Range;

use handlebars::Path;
use handlebars::template::{BlockParam, HelperTemplate, Parameter, Subexpression, TemplateElement};

use super::node::{Base, Expr, ExprKind, Helper, Node};
use super::path::{PathText, take_apart};
use super::scan::{Tag, TagKind, end_of_quote};
use crate::scope::{ExprError, ROOTS, Reference, Segment};
use crate::value::shown;

/// The blocks of the language.
const BLOCKS: [&str; 4] = ["if", "unless", "each", "with"];

/// A block with a `this` of its own, during lowering.
struct Frame {
    /// The path of what `this` is, if a path says it.
    this: Option<Vec<Segment>>,
    is_each: bool,
    value_name: Option<String>,
    key_name: Option<String>,
}

/// Lowers one template.
pub(super) struct Lowering<'t> {
    text: &'t str,
    tags: std::vec::IntoIter<Tag>,
    frames: Vec<Frame>,
    guarded: bool,
    pub(super) references: Vec<Reference>,
}

impl<'t> Lowering<'t> {
    pub(super) fn new(text: &'t str, tags: Vec<Tag>) -> Self {
        Self {
            text,
            tags: tags.into_iter(),
            frames: Vec::new(),
            guarded: false,
            references: Vec::new(),
        }
    }

    /// Lowers a list of elements; tags are met in document order.
    pub(super) fn nodes(
        &mut self,
        template: &handlebars::Template,
    ) -> Result<Vec<Node>, ExprError> {
        let mut nodes = Vec::new();
        for element in &template.elements {
            match element {
                TemplateElement::RawString(text) => {
                    if !text.is_empty() {
                        nodes.push(Node::Text(text.clone()));
                    }
                }
                TemplateElement::Comment(_) => {
                    self.tag();
                }
                TemplateElement::Expression(helper) => {
                    let tag = self.tag();
                    nodes.push(Node::Put(self.put(helper, &tag)?));
                }
                TemplateElement::HelperBlock(helper) => {
                    nodes.push(self.block(helper)?);
                    self.tag();
                }
                _ => {
                    let tag = self.tag();
                    return Err(ExprError::new(
                        tag,
                        "only values and blocks can stand in `{{…}}`",
                    ));
                }
            }
        }
        Ok(nodes)
    }

    /// The place of the next tag; the whole text if the grammar saw one that the scan did not.
    fn tag(&mut self) -> Range<usize> {
        self.tags.next().map_or(0..self.text.len(), |tag| tag.range)
    }

    fn next_kind(&self) -> Option<TagKind> {
        self.tags.as_slice().first().map(|tag| tag.kind)
    }

    fn put(&mut self, helper: &HelperTemplate, tag: &Range<usize>) -> Result<Expr, ExprError> {
        match &helper.name {
            Parameter::Subexpression(sub) => self.subexpression(sub, tag),
            name if helper.params.is_empty() && helper.hash.is_empty() => self.param(name, tag),
            name => self.call(name.as_name().unwrap_or(""), helper, tag),
        }
    }

    fn call(
        &mut self,
        name: &str,
        call: &HelperTemplate,
        tag: &Range<usize>,
    ) -> Result<Expr, ExprError> {
        let range = self.place(name, tag);
        let Some(helper) = Helper::from_name(name) else {
            return Err(unknown(range, "helper", name, &Helper::NAMES));
        };
        let (usage, count) = helper.usage();
        if call.params.len() != count || !call.hash.is_empty() {
            return Err(ExprError::new(
                range,
                format!("`{name}` is written `{usage}`"),
            ));
        }
        let outer = self.guarded;
        let mut args = Vec::with_capacity(count);
        for (at, param) in call.params.iter().enumerate() {
            self.guarded = outer || (helper == Helper::Default && at == 0);
            let arg = self.param(param, tag);
            self.guarded = outer;
            args.push(arg?);
        }
        if helper == Helper::Lookup {
            self.lookup_reference(&args);
        }
        Ok(Expr {
            kind: ExprKind::Call { helper, args },
            range: tag.clone(),
        })
    }

    /// `lookup` reads a member of its first value: the path goes one step on.
    fn lookup_reference(&mut self, args: &[Expr]) {
        let Some(mut path) = args.first().and_then(|of| self.path_of(of)) else {
            return;
        };
        path.push(match args.get(1).map(|key| &key.kind) {
            Some(ExprKind::Literal(serde_json::Value::String(key))) => Segment::Name(key.clone()),
            _ => Segment::Any,
        });
        self.refer(path, args[0].range.clone());
    }

    fn param(&mut self, param: &Parameter, tag: &Range<usize>) -> Result<Expr, ExprError> {
        match param {
            Parameter::Literal(value) => Ok(Expr {
                kind: ExprKind::Literal(value.clone()),
                range: tag.clone(),
            }),
            Parameter::Path(Path::Relative((_, raw)) | Path::Local((_, _, raw)))
            | Parameter::Name(raw) => self.path(raw, tag),
            Parameter::Subexpression(sub) => self.subexpression(sub, tag),
            _ => Err(ExprError::new(tag.clone(), "this is no value")),
        }
    }

    fn subexpression(
        &mut self,
        sub: &Subexpression,
        tag: &Range<usize>,
    ) -> Result<Expr, ExprError> {
        match sub.as_element() {
            TemplateElement::Expression(helper) => self.put(helper, tag),
            _ => Err(ExprError::new(
                tag.clone(),
                "only a helper can stand in brackets",
            )),
        }
    }

    fn path(&mut self, raw: &str, tag: &Range<usize>) -> Result<Expr, ExprError> {
        let range = self.place(raw, tag);
        if let Some(helper) = Helper::from_name(raw) {
            let (usage, _) = helper.usage();
            return Err(ExprError::new(
                range,
                format!("`{raw}` is written `{usage}`"),
            ));
        }
        let (base, names) = self.resolve(take_apart(raw), &range)?;
        let expr = Expr {
            kind: ExprKind::Path { base, names },
            range: range.clone(),
        };
        if let Some(path) = self.path_of(&expr) {
            self.refer(path, range);
        }
        Ok(expr)
    }

    fn refer(&mut self, path: Vec<Segment>, range: Range<usize>) {
        self.references.push(Reference {
            path,
            range,
            guarded: self.guarded,
        });
    }

    /// Finds what the first name means. A root is always the root; another name inside a block
    /// is a part of what the block is at.
    fn resolve(
        &self,
        mut path: PathText,
        range: &Range<usize>,
    ) -> Result<(Base, Vec<String>), ExprError> {
        let error = |message: &str| Err(ExprError::new(range.clone(), message));
        let depth = self.frames.len();
        if path.at_root {
            return if path.names.is_empty() {
                error("name a root behind `@root`")
            } else {
                Ok((Base::Scope, path.names))
            };
        }
        if path.up > depth {
            return error("`../` leads out of the outermost block");
        }
        if let Some(local) = path.local {
            let Some(at) = depth
                .checked_sub(path.up + 1)
                .filter(|at| self.frames[*at].is_each)
            else {
                return error("names with `@` have a meaning only inside `each`");
            };
            let base = match local.as_str() {
                "index" | "key" => Base::Key(at),
                "first" => Base::First(at),
                "last" => Base::Last(at),
                _ => return error("there are `@index`, `@key`, `@first` and `@last`"),
            };
            return Ok((base, path.names));
        }
        if path.up > 0 || path.this {
            return match depth.checked_sub(path.up + 1) {
                Some(at) => Ok((Base::This(at), path.names)),
                None if path.this => error("`this` has a meaning only inside `each` and `with`"),
                None => Ok((Base::Scope, path.names)),
            };
        }
        let first = path.names.first().map_or("", String::as_str);
        for (at, frame) in self.frames.iter().enumerate().rev() {
            let base = if frame.value_name.as_deref() == Some(first) {
                Base::This(at)
            } else if frame.key_name.as_deref() == Some(first) {
                Base::Key(at)
            } else {
                continue;
            };
            path.names.remove(0);
            return Ok((base, path.names));
        }
        if depth > 0 && !ROOTS.contains(&first) {
            return Ok((Base::This(depth - 1), path.names));
        }
        Ok((Base::Scope, path.names))
    }

    /// The path that an expression reads, from its root; `None` for what is local or computed.
    fn path_of(&self, expr: &Expr) -> Option<Vec<Segment>> {
        match &expr.kind {
            ExprKind::Path { base, names } => {
                let mut path = match base {
                    Base::Scope => Vec::new(),
                    Base::This(at) => self.frames[*at].this.clone()?,
                    Base::Key(_) | Base::First(_) | Base::Last(_) => return None,
                };
                path.extend(names.iter().cloned().map(Segment::Name));
                Some(path)
            }
            ExprKind::Call {
                helper: Helper::Lookup,
                args,
            } => {
                let mut path = self.path_of(args.first()?)?;
                path.push(Segment::Any);
                Some(path)
            }
            _ => None,
        }
    }

    fn block(&mut self, helper: &HelperTemplate) -> Result<Node, ExprError> {
        let tag = self.tag();
        let name = helper.name.as_name().unwrap_or("");
        let range = self.place(name, &tag);
        if !BLOCKS.contains(&name) {
            return Err(unknown(range, "block", name, &BLOCKS));
        }
        let [param] = helper.params.as_slice() else {
            let message = format!("`{name}` takes one value: `{{{{#{name} inputs.x}}}}`");
            return Err(ExprError::new(range, message));
        };
        if !helper.hash.is_empty() {
            return Err(ExprError::new(
                range,
                format!("`{name}` takes no named values"),
            ));
        }
        let of = self.param(param, &tag)?;
        let makes_this = matches!(name, "each" | "with");
        if makes_this {
            let frame = self.frame(name == "each", &of, helper.block_param.as_ref());
            self.frames.push(frame);
        } else if helper.block_param.is_some() {
            return Err(ExprError::new(
                range,
                format!("`{name}` gives nothing a name"),
            ));
        }
        let body = helper
            .template
            .as_ref()
            .map_or(Ok(Vec::new()), |t| self.nodes(t));
        if makes_this {
            self.frames.pop();
        }
        let (body, other) = (body?, self.otherwise(helper)?);
        Ok(match name {
            "if" => Node::If {
                test: of,
                then: body,
                otherwise: other,
            },
            "unless" => Node::If {
                test: of,
                then: other,
                otherwise: body,
            },
            "each" => Node::Each {
                of,
                body,
                empty: other,
            },
            _ => Node::With {
                of,
                body,
                empty: other,
            },
        })
    }

    fn otherwise(&mut self, helper: &HelperTemplate) -> Result<Vec<Node>, ExprError> {
        let Some(inverse) = &helper.inverse else {
            return Ok(Vec::new());
        };
        match (self.next_kind(), inverse.elements.as_slice()) {
            // A chained block has no closing tag of its own.
            (Some(TagKind::ElseChain), [TemplateElement::HelperBlock(chained)]) => {
                Ok(vec![self.block(chained)?])
            }
            _ => {
                self.tag();
                self.nodes(inverse)
            }
        }
    }

    fn frame(&self, is_each: bool, of: &Expr, params: Option<&BlockParam>) -> Frame {
        let this = self.path_of(of).map(|mut path| {
            if is_each {
                path.push(Segment::Any);
            }
            path
        });
        let name = |p: &Parameter| p.as_name().map(str::to_owned);
        let (value_name, key_name) = match params {
            Some(BlockParam::Single(value)) => (name(value), None),
            Some(BlockParam::Pair((value, key))) => (name(value), name(key)),
            _ => (None, None),
        };
        Frame {
            this,
            is_each,
            value_name,
            key_name,
        }
    }

    /// The bytes of a name inside its tag; the tag itself if the name cannot be found.
    fn place(&self, name: &str, tag: &Range<usize>) -> Range<usize> {
        let bytes = self.text.as_bytes();
        let alone = |byte: Option<&u8>| byte.is_none_or(|b| !continues_name(*b));
        let mut found = None;
        let mut at = tag.start;
        while at + name.len() <= tag.end && !name.is_empty() {
            if matches!(bytes[at], b'"' | b'\'') {
                at = end_of_quote(bytes, at).unwrap_or(at) + 1;
                continue;
            }
            let range = at..at + name.len();
            if bytes[range.clone()] == *name.as_bytes()
                && alone(at.checked_sub(1).and_then(|before| bytes.get(before)))
                && alone(bytes.get(range.end))
            {
                // A name that stands here twice is met twice: the second time further on.
                if !self.references.iter().any(|r| r.range == range) {
                    return range;
                }
                found = Some(range);
            }
            at += 1;
        }
        found.unwrap_or_else(|| tag.clone())
    }
}

fn continues_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_-$:./@[".contains(&byte)
}

fn unknown(range: Range<usize>, what: &str, name: &str, known: &[&str]) -> ExprError {
    let near = known
        .iter()
        .map(|k| (strsim::jaro_winkler(k, name), k))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let help = match near {
        Some((_, near)) => format!(", did you mean `{near}`?"),
        None => format!(", there are `{}`", known.join("`, `")),
    };
    ExprError::new(range, format!("unknown {what} `{}`{help}", shown(name)))
}
