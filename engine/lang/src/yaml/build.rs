//! Parser events to nodes, for one stretch of text.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, StrInput, StructureStyle};

use super::collect::{Items, Open, Pending, merge};
use super::{Entry, Kind, MAX_DEPTH, MAX_EXPANDED, MAX_NODES, Node, Style, error, scalar, syntax};
use crate::diagnostic::{Code, Diagnostics};
use crate::source::{Source, Span};

/// What is kept from one stretch of text to the next.
pub(super) struct Builder<'a> {
    pub(super) source: &'a Source,
    pub(super) diagnostics: &'a mut Diagnostics,
    /// Anchors by name: aliases after a syntax error may refer to anchors before it.
    anchors: HashMap<String, Anchor>,
    read: Size,
    /// A syntax error was found: an unknown alias may be its consequence.
    pub(super) broken: bool,
}

/// What an anchor stands for.
struct Anchor {
    node: Node,
    size: Size,
}

/// How much there is: values, and bytes of text in them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Size {
    nodes: usize,
    bytes: usize,
}

impl Size {
    fn of_text(text: &str) -> Self {
        Self {
            nodes: 1,
            bytes: text.len(),
        }
    }

    fn and(self, more: Self) -> Self {
        Self {
            nodes: self.nodes.saturating_add(more.nodes),
            bytes: self.bytes.saturating_add(more.bytes),
        }
    }

    fn without(self, before: Self) -> Self {
        Self {
            nodes: self.nodes - before.nodes,
            bytes: self.bytes - before.bytes,
        }
    }
}

/// How a stretch ended.
pub(super) enum End {
    /// At the end of the text, or of the document.
    Done,
    /// At a syntax error.
    Broken,
    /// Nothing more is read.
    Stop,
}

impl<'a> Builder<'a> {
    pub(super) fn new(source: &'a Source, diagnostics: &'a mut Diagnostics) -> Self {
        Self {
            source,
            diagnostics,
            anchors: HashMap::new(),
            read: Size::default(),
            broken: false,
        }
    }

    /// Reads from byte `from`. After a syntax error the root holds what was complete; the item in
    /// which the error lies is there with a value of kind `Error`.
    pub(super) fn read(&mut self, from: usize) -> (Node, End) {
        let options = granit_parser::options! {
            disallow_directives: true,
            emit_unresolved_aliases: true,
            emit_anchor_events: true,
            emit_comments: false,
        };
        let text = &self.source.text()[from..];
        let mut parser = Parser::new_from_str_with_options(text, options);
        Stretch {
            builder: self,
            from,
            stack: Vec::new(),
            root: None,
            ids: HashMap::new(),
            aside: None,
        }
        .read(&mut parser)
    }
}

/// The reading of one stretch.
pub(super) struct Stretch<'b, 'a> {
    pub(super) builder: &'b mut Builder<'a>,
    from: usize,
    pub(super) stack: Vec<Open>,
    pub(super) root: Option<Node>,
    /// Names of the parser's anchor numbers.
    ids: HashMap<usize, String>,
    /// A finished scalar whose anchor, if it has one, comes with the next event.
    aside: Option<Node>,
}

impl Stretch<'_, '_> {
    fn read<'t>(mut self, parser: &mut Parser<'t, StrInput<'t>>) -> (Node, End) {
        let mut documents = 0;
        while let Some(next) = parser.next_event() {
            let (event, place) = match next {
                Ok(pair) => pair,
                Err(error) => {
                    let at = self.from + error.marker().byte_offset().unwrap_or(0);
                    return self.broken_at(error.kind(), at);
                }
            };
            let span = self.span(&place);
            if let Event::Anchor(id, name) = event {
                self.anchor(id, name.into_owned());
                continue;
            }
            self.flush(None);
            match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        self.report(
                            Code::SecondDocument,
                            "a second document in one file",
                            span,
                            "it starts here",
                            Some("one runbook, one file"),
                        );
                        return self.finish(End::Stop);
                    }
                }
                Event::Scalar(text, style, _, tag) => {
                    let node = match tag {
                        Some(_) => self.tagged(span, &place),
                        None => self.scalar(&text, style, span),
                    };
                    if !self.count(Size::of_text(&text), span) {
                        return self.finish(End::Stop);
                    }
                    self.aside = Some(node);
                }
                Event::Alias(id) => {
                    let name = self.ids.get(&id).cloned().unwrap_or_default();
                    if !self.alias(&name, span) {
                        return self.finish(End::Stop);
                    }
                }
                Event::UnresolvedAlias(name) if !self.alias(&name, span) => {
                    return self.finish(End::Stop);
                }
                Event::SequenceStart(style, _, tag) => {
                    let bad = tag.is_some();
                    if !self.open(span, style, Items::Seq(Vec::new())) {
                        return self.finish(End::Broken);
                    }
                    if bad {
                        self.tagged(span, &place);
                    }
                }
                Event::MappingStart(style, _, tag) => {
                    let bad = tag.is_some();
                    if !self.open(
                        span,
                        style,
                        Items::Map {
                            entries: Vec::new(),
                            names: HashMap::new(),
                            key: Pending::None,
                        },
                    ) {
                        return self.finish(End::Broken);
                    }
                    if bad {
                        self.tagged(span, &place);
                    }
                }
                Event::SequenceEnd | Event::MappingEnd if !self.close(span) => {
                    return self.finish(End::Stop);
                }
                _ => {}
            }
        }
        self.finish(End::Done)
    }

    /// A span of the parser, moved to the whole text and held inside it.
    fn span(&self, place: &granit_parser::Span) -> Span {
        let text = self.builder.source.text();
        let bound = |offset: Option<usize>| {
            text.floor_char_boundary((self.from + offset.unwrap_or(0)).min(text.len()))
        };
        Span::of(
            self.builder.source.id(),
            bound(place.start.byte_offset()),
            bound(place.end.byte_offset()),
        )
    }

    fn report(&mut self, code: Code, message: &str, span: Span, label: &str, help: Option<&str>) {
        let diagnostic = error(self.builder.source, code, message, span, label)
            .maybe_help(help.map(str::to_owned));
        self.builder.diagnostics.push(diagnostic);
    }

    fn tagged(&mut self, span: Span, place: &granit_parser::Span) -> Node {
        let at = place.tag_span().map_or(span, |tag| self.span(&tag));
        self.report(
            Code::Tag,
            "tags are not used here",
            at,
            "",
            Some("a text that starts with `!` needs quotes"),
        );
        Node::error(span)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) -> Node {
        if let Some(c) = text.chars().find(|c| *c == '\0') {
            let message = format!("the character U+{:04X} is refused everywhere", u32::from(c));
            self.report(Code::NotText, &message, span, "in this text", None);
            return Node::error(span);
        }
        let style = match style {
            ScalarStyle::Plain => return Node::new(scalar::plain(text), span),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        Node::new(
            Kind::Str {
                text: text.to_owned(),
                style,
            },
            span,
        )
    }

    /// Counts what is read; false when it is too much.
    fn count(&mut self, more: Size, span: Span) -> bool {
        self.builder.read = self.builder.read.and(more);
        let message = if self.builder.read.nodes > MAX_NODES {
            format!("more than {MAX_NODES} values")
        } else if self.builder.read.bytes > MAX_EXPANDED {
            format!("more than {} MiB of text", MAX_EXPANDED >> 20)
        } else {
            return true;
        };
        self.report(
            Code::TooMany,
            &message,
            span,
            "reading stopped here",
            Some("what an alias stands for counts as often as it is used"),
        );
        // What was read so far is no runbook: nobody complains about what it lacks.
        self.stack.clear();
        self.aside = None;
        self.root = Some(Node::error(span));
        false
    }

    fn anchor(&mut self, id: usize, name: String) {
        self.ids.insert(id, name.clone());
        match self.aside.is_some() {
            true => self.flush(Some(name)),
            false => {
                if let Some(open) = self.stack.last_mut() {
                    open.anchor = Some(name);
                }
            }
        }
    }

    /// Puts the scalar aside into its place.
    fn flush(&mut self, anchor: Option<String>) {
        let Some(node) = self.aside.take() else {
            return;
        };
        if let Some(name) = anchor {
            let size = Size::of_text(node.as_str().unwrap_or_default());
            let node = node.clone();
            self.builder.anchors.insert(name, Anchor { node, size });
        }
        self.put(node);
    }

    /// False when there are too many nodes.
    fn alias(&mut self, name: &str, span: Span) -> bool {
        if self.stack.iter().any(|o| o.anchor.as_deref() == Some(name)) {
            self.report(
                Code::UnknownAnchor,
                &format!("`*{name}` is used inside itself"),
                span,
                "here",
                None,
            );
            self.put(Node::error(span));
            return true;
        }
        let Some(size) = self.builder.anchors.get(name).map(|a| a.size) else {
            // The anchor may stand in what a syntax error made unreadable.
            if !self.builder.broken {
                let help = crate::diagnostic::did_you_mean(
                    name,
                    self.builder.anchors.keys().map(String::as_str),
                );
                let message = format!("no anchor `&{name}` before this");
                self.report(Code::UnknownAnchor, &message, span, "here", help.as_deref());
            }
            self.put(Node::error(span));
            return true;
        };
        // Counted before it is copied.
        if !self.count(size, span) {
            return false;
        }
        let Some(node) = self.builder.anchors.get(name).map(|a| a.node.clone()) else {
            return true;
        };
        if self.stack.len() + depth(&node) > MAX_DEPTH {
            self.builder
                .diagnostics
                .push(syntax::too_deep(self.builder.source, span));
            self.put(Node::error(span));
            return true;
        }
        self.put(Node {
            alias: Some(span),
            ..node
        });
        true
    }

    /// False when nested too deeply.
    fn open(&mut self, span: Span, style: StructureStyle, items: Items) -> bool {
        if self.stack.len() >= MAX_DEPTH {
            self.builder.diagnostics.push(syntax::too_deep(
                self.builder.source,
                span.with(span.start, span.start),
            ));
            return false;
        }
        self.stack.push(Open {
            span,
            flow: style == StructureStyle::Flow,
            bad: false,
            anchor: None,
            before: self.builder.read,
            items,
        });
        true
    }

    /// False when there are too many nodes.
    fn close(&mut self, end: Span) -> bool {
        let Some(open) = self.stack.pop() else {
            return true;
        };
        if !self.count(Size::of_text(""), open.span) {
            return false;
        }
        let last = match &open.items {
            Items::Seq(items) => items.last().map(|n| n.site().end),
            Items::Map { entries, .. } => entries
                .last()
                .map(|e| e.value.site().end.max(e.key.span.end)),
        };
        // The parser ends a block where the next thing begins; it ends with its last child.
        let end = if open.flow {
            end.end
        } else {
            last.unwrap_or(open.span.end)
        };
        let span = open.span.with(open.span.start, end.max(open.span.end));
        let kind = match open.items {
            _ if open.bad => Kind::Error,
            Items::Seq(items) => Kind::Seq(items),
            Items::Map { entries, .. } => Kind::Map(merge(
                self.builder.source,
                self.builder.diagnostics,
                entries,
            )),
        };
        let node = Node::new(kind, span);
        if let Some(name) = open.anchor {
            // What is kept for aliases is there twice, and anchors may lie in each other.
            let size = self.builder.read.without(open.before);
            if !self.count(size, span) {
                return false;
            }
            let node = node.clone();
            self.builder.anchors.insert(name, Anchor { node, size });
        }
        self.put(node);
        true
    }

    fn broken_at(mut self, kind: &granit_parser::ErrorKind, at: usize) -> (Node, End) {
        self.flush(None);
        // `[a: b]` holds a map that no brace opened.
        let bracket = |o: &&Open| {
            o.flow && self.builder.source.text()[o.span.start..].starts_with(['[', '{'])
        };
        let open = self.stack.iter().rev().find(bracket).map(|o| o.span);
        let diagnostic = syntax::diagnostic(self.builder.source, kind, at, open);
        // A template without quotes is often seen as a key first, and then fails.
        let known = diagnostic.code == Code::UnquotedTemplate
            && self.builder.diagnostics.iter().any(|d| {
                d.code == diagnostic.code
                    && d.labels[0].span.start == diagnostic.labels[0].span.start
            });
        if !known {
            self.builder.diagnostics.push(diagnostic);
        }
        self.finish(End::Broken)
    }

    /// The root as far as it is known.
    fn finish(mut self, end: End) -> (Node, End) {
        self.flush(None);
        if matches!(end, End::Broken) {
            self.builder.broken = true;
        }
        if self.stack.is_empty() {
            let at = Span::of(self.builder.source.id(), self.from, self.from);
            return (self.root.unwrap_or(Node::new(Kind::Null, at)), end);
        }
        let bottom = self.stack.swap_remove(0);
        let deeper = !self.stack.is_empty();
        let node = match bottom.items {
            Items::Map {
                mut entries, key, ..
            } => {
                if let Pending::Key(key) = key {
                    let value = Node::error(key.span);
                    entries.push(Entry {
                        key,
                        value,
                        merged: None,
                    });
                }
                let end = entries
                    .last()
                    .map_or(bottom.span.end, |e| e.value.site().end.max(e.key.span.end));
                Node::new(Kind::Map(entries), bottom.span.with(bottom.span.start, end))
            }
            Items::Seq(mut items) => {
                if deeper {
                    items.push(Node::error(bottom.span));
                }
                Node::new(Kind::Seq(items), bottom.span)
            }
        };
        (node, end)
    }
}

fn depth(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Seq(items) => items.iter().map(depth).max().unwrap_or(0),
        Kind::Map(entries) => entries.iter().map(|e| depth(&e.value)).max().unwrap_or(0),
        _ => 0,
    }
}
