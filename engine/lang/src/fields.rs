//! Maps read against the table of keys: unknown keys, missing ones and wrong shapes are reported
//! here and nowhere else. Readers of sections take what is left, which
//! has the shape that the table promises.

mod shape;

pub use shape::Share;
use shape::wrong_type;
pub(crate) use shape::{conforms, name_holds, one_of, pattern, share};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, nearest};
use crate::keys::{self, STANDARD, Section, Shape, Table};
use crate::source::{Source, SourceId, Span, Spanned};
use crate::value::parse_duration;
use crate::yaml::{Entry, Key, Kind, Node};

/// What reading needs everywhere: the text, and where mistakes go.
pub(crate) struct Cx<'a> {
    pub(crate) source: &'a Source,
    pub(crate) diagnostics: &'a mut Diagnostics,
    table: Table,
}

impl<'a> Cx<'a> {
    pub(crate) fn new(source: &'a Source, diagnostics: &'a mut Diagnostics) -> Self {
        Self {
            source,
            diagnostics,
            table: STANDARD,
        }
    }

    /// With another table of keys.
    #[cfg(test)]
    pub(crate) fn with_table(self, table: Table) -> Self {
        Self { table, ..self }
    }

    pub(crate) fn id(&self) -> SourceId {
        self.source.id()
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports one mistake at one place.
    pub(crate) fn error(
        &mut self,
        code: Code,
        message: impl AsRef<str>,
        span: Span,
        label: &str,
        help: Option<String>,
    ) {
        let diagnostic = Diagnostic::error(code, message)
            .label(self.id(), span, label)
            .maybe_help(help);
        self.push(diagnostic);
    }

    /// Reports two things of one name.
    pub(crate) fn twice(&mut self, noun: &str, name: &str, again: Span, first: Span) {
        let diagnostic =
            Diagnostic::error(Code::DuplicateId, format!("{noun} `{name}` is there twice"))
                .label(self.id(), again, "again here")
                .label(self.id(), first, "first here");
        self.push(diagnostic);
    }
}

/// The entries of a map that the table knows and whose values have the right shape.
pub(crate) struct Fields<'n> {
    /// Where the map is written.
    pub(crate) span: Span,
    entries: Vec<(&'static keys::Key, &'n Entry)>,
    source: Source,
    /// A required key is missing, or a value has the wrong shape.
    pub(crate) incomplete: bool,
}

impl<'n> Fields<'n> {
    /// Reads a map of a section; `at` is where a missing key is reported. Nothing is an empty map.
    pub(crate) fn read(
        cx: &mut Cx<'_>,
        section: Section,
        node: &'n Node,
        at: Span,
    ) -> Option<Self> {
        let entries: &[Entry] = match &node.kind {
            Kind::Map(entries) => entries,
            Kind::Null => &[],
            Kind::Error => return None,
            _ => {
                wrong_type(cx, section.noun(), "a map", node);
                return None;
            }
        };
        let mut fields = Self {
            span: node.site(),
            entries: Vec::new(),
            source: cx.source.clone(),
            incomplete: false,
        };
        let extra = section.takes_extras();
        let mut cut = false;
        // Keys that probably are there, misspelled.
        let mut missed = Vec::new();
        for entry in entries {
            let name = entry.key.value.as_str();
            match cx.table.find(section, name) {
                None if extra && name.starts_with("x-") => {}
                None if is_rest_of_text(cx, entry) => {
                    if !std::mem::replace(&mut cut, true) {
                        let help = Some(
                            "between braces, a text with a comma in it needs quotes".to_owned(),
                        );
                        cx.error(
                            Code::UnknownKey,
                            format!("`{name}` is not a key"),
                            entry.key.span,
                            "the rest of a text?",
                            help,
                        );
                    }
                    continue;
                }
                None => missed.extend(unknown_key(cx, section, &entry.key)),
                Some(key) if conforms(cx, name, &key.shape, &entry.value) => {
                    fields.entries.push((key, entry))
                }
                Some(_) => fields.incomplete = true,
            }
            cut = false;
        }
        for key in cx.table.of(section).filter(|key| key.required) {
            if !entries.iter().any(|e| e.key.value == key.name) {
                fields.incomplete = true;
                if missed.contains(&key.name) {
                    continue;
                }
                let help = format!("{} Like `{}: {}`", key.doc, key.name, key.example);
                cx.error(
                    Code::MissingKey,
                    format!("{} needs `{}`", section.noun(), key.name),
                    at,
                    "here",
                    Some(help),
                );
            }
        }
        Some(fields)
    }

    /// The entry of a key, if it is there.
    pub(crate) fn entry(&self, name: &str) -> Option<&'n Entry> {
        self.entries
            .iter()
            .find(|(key, _)| key.name == name)
            .map(|(_, entry)| *entry)
    }

    /// The value of a key, if it is there.
    pub(crate) fn node(&self, name: &str) -> Option<&'n Node> {
        self.entry(name).map(|e| &e.value)
    }

    /// Where a key is written, if it is there.
    pub(crate) fn key_span(&self, name: &str) -> Option<Span> {
        self.entry(name).map(|e| e.key.span)
    }

    /// A text, a name, a condition, a word: whatever the table lets be read as text.
    pub(crate) fn text(&self, name: &str) -> Option<Spanned<String>> {
        let node = self.node(name)?;
        text_of(node).map(|text| Spanned::new(text, node.site()))
    }

    /// The text, or nothing: for what only people read.
    pub(crate) fn words(&self, name: &str) -> String {
        self.text(name).map(|t| t.value).unwrap_or_default()
    }

    pub(crate) fn bool(&self, name: &str) -> Option<bool> {
        match self.node(name)?.kind {
            Kind::Bool(b) => Some(b),
            _ => None,
        }
    }

    pub(crate) fn int(&self, name: &str) -> Option<Spanned<i64>> {
        let node = self.node(name)?;
        match node.kind {
            Kind::Int(n) => Some(Spanned::new(n, node.site())),
            _ => None,
        }
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        match self.node(name)?.kind {
            Kind::Int(n) => Some(n as f64),
            Kind::Float(n) => Some(n),
            _ => None,
        }
    }

    /// A duration in milliseconds.
    pub(crate) fn duration(&self, name: &str) -> Option<Spanned<u64>> {
        let text = self.text(name)?;
        parse_duration(&text.value)
            .ok()
            .map(|ms| Spanned::new(ms, text.span))
    }

    /// The items of a list; one value is a list of one. What was reported is left out.
    pub(crate) fn items(&self, name: &str) -> Vec<&'n Node> {
        let Some((key, entry)) = self.entries.iter().find(|(key, _)| key.name == name) else {
            return Vec::new();
        };
        let (Shape::List(of) | Shape::OneOrList(of)) = &key.shape else {
            return Vec::new();
        };
        let items = entry
            .value
            .as_seq()
            .unwrap_or(std::slice::from_ref(&entry.value));
        items.iter().filter(|item| self.fits(of, item)).collect()
    }

    /// The texts of a list.
    pub(crate) fn texts(&self, name: &str) -> Vec<Spanned<String>> {
        self.items(name)
            .into_iter()
            .filter_map(|n| text_of(n).map(|t| Spanned::new(t, n.site())))
            .collect()
    }

    /// The entries of a map. What was reported is left out.
    pub(crate) fn map(&self, name: &str) -> Vec<&'n Entry> {
        let Some((key, entry)) = self.entries.iter().find(|(key, _)| key.name == name) else {
            return Vec::new();
        };
        let (Shape::Map(rule, of), Some(entries)) = (&key.shape, entry.value.as_map()) else {
            return Vec::new();
        };
        entries
            .iter()
            .filter(|e| rule.check(&e.key.value).is_ok() && self.fits(of, &e.value))
            .collect()
    }

    /// Whether a value has a shape, without a word.
    fn fits(&self, shape: &Shape, node: &Node) -> bool {
        let mut unheard = Diagnostics::new();
        conforms(&mut Cx::new(&self.source, &mut unheard), "", shape, node) && unheard.is_empty()
    }
}

/// The text of a scalar whose shape allows to read it as one.
pub(crate) fn text_of(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Str { text, .. } => Some(text.clone()),
        Kind::Int(n) => Some(n.to_string()),
        Kind::Bool(b) => Some(b.to_string()),
        _ => None,
    }
}

/// `{ help: one, two }`: YAML takes `two` for a key without a value.
fn is_rest_of_text(cx: &Cx<'_>, entry: &Entry) -> bool {
    let before = cx.source.text()[..entry.key.span.start].trim_end();
    let after = cx.source.text()[entry.key.span.end..].trim_start();
    entry.value.is_null()
        && entry.value.span.is_empty()
        && before.ends_with(',')
        && after.starts_with([',', '}'])
}

/// Reports a key that the section does not have; returns the one that was probably meant.
fn unknown_key(cx: &mut Cx<'_>, section: Section, key: &Key) -> Option<&'static str> {
    let name = key.value.as_str();
    if cx.diagnostics.full() {
        cx.error(Code::UnknownKey, "", key.span, "", None);
        return None;
    }
    let meant = nearest(name, cx.table.of(section).map(|k| k.name));
    let close = meant.is_some_and(|meant| meant.len().abs_diff(name.len()) < 2);
    // A key that another section has as it is written, unless it is a slip.
    let home = cx.table.home(name).filter(|_| !close);
    let help = match (home, meant) {
        (Some(home), _) => Some(format!("`{name}` belongs to {}", home.noun())),
        (None, Some(meant)) => Some(format!("did you mean `{meant}`?")),
        (None, None) => None,
    };
    let message = format!("unknown key `{name}` in {}", section.noun());
    cx.error(Code::UnknownKey, message, key.span, "", help);
    meant.filter(|_| home.is_none())
}
