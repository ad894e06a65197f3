//! Maps read against the table of keys: unknown keys, missing ones, wrong shapes, and what is not
//! supported yet are reported here and nowhere else. Readers of sections take what is left, which
//! has the shape that the table promises.

use runbook_model::text::printable;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, did_you_mean};
use crate::keys::{self, Name, Section, Shape, Since, Word};
use crate::source::{Source, SourceId, Span, Spanned};
use crate::value::parse_duration;
use crate::yaml::{Entry, Key, Kind, Node};

/// What reading needs everywhere: the text, and where mistakes go.
pub(crate) struct Cx<'a> {
    pub(crate) source: &'a Source,
    pub(crate) diagnostics: &'a mut Diagnostics,
}

impl<'a> Cx<'a> {
    pub(crate) fn new(source: &'a Source, diagnostics: &'a mut Diagnostics) -> Self {
        Self {
            source,
            diagnostics,
        }
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

    /// Reports something that the language will have.
    pub(crate) fn later(&mut self, what: &str, span: Span) {
        self.error(
            Code::NotSupportedYet,
            format!("{what} is not supported yet"),
            span,
            "",
            None,
        );
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
        let extra = matches!(section, Section::Runbook | Section::Inventory);
        let mut cut = false;
        for entry in entries {
            let name = entry.key.value.as_str();
            match keys::find(section, name) {
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
                None => unknown_key(cx, section, &entry.key),
                Some(key) if key.since == Since::Later => {
                    cx.later(&format!("`{name}`"), entry.key.span)
                }
                Some(key) if conforms(cx, name, &key.shape, &entry.value) => {
                    fields.entries.push((key, entry))
                }
                Some(_) => fields.incomplete = true,
            }
            cut = false;
        }
        for key in keys::of(section).filter(|key| key.required) {
            if !entries.iter().any(|e| e.key.value == key.name) {
                fields.incomplete = true;
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

fn unknown_key(cx: &mut Cx<'_>, section: Section, key: &Key) {
    let name = key.value.as_str();
    let help = did_you_mean(name, keys::of(section).map(|k| k.name))
        .or_else(|| keys::home(name).map(|home| format!("`{name}` belongs to {}", home.noun())));
    let message = format!("unknown key `{name}` in {}", section.noun());
    cx.error(Code::UnknownKey, message, key.span, "", help);
}

fn wrong_type(cx: &mut Cx<'_>, what: &str, wanted: &str, node: &Node) {
    if node.kind == Kind::Error {
        return;
    }
    let help = match (wanted, &node.kind) {
        ("a text" | "a condition", Kind::Bool(_) | Kind::Int(_) | Kind::Float(_)) => Some(format!(
            "put it in quotes: '{}'",
            cx.source.slice(node.span)
        )),
        ("true or false", Kind::Str { text, .. })
            if matches!(text.as_str(), "yes" | "on" | "y") =>
        {
            Some("write `true`".to_owned())
        }
        ("true or false", Kind::Str { text, .. })
            if matches!(text.as_str(), "no" | "off" | "n") =>
        {
            Some("write `false`".to_owned())
        }
        _ => None,
    };
    let label = format!("this is {}", node.noun());
    let message = format!("{what} is {wanted}, not {}", node.noun());
    cx.error(Code::WrongType, message, node.site(), &label, help);
}

/// Whether a value has a shape; reports it if it has not. `what` is the name of the key.
pub(crate) fn conforms(cx: &mut Cx<'_>, what: &str, shape: &Shape, node: &Node) -> bool {
    let quoted = format!("`{what}`");
    let wrong = |cx: &mut Cx<'_>, wanted: &str| {
        wrong_type(cx, &quoted, wanted, node);
        false
    };
    if node.kind == Kind::Error {
        return false;
    }
    match shape {
        Shape::Any => true,
        Shape::Text => node.as_str().is_some() || wrong(cx, "a text"),
        Shape::Label => matches!(node.kind, Kind::Str { .. } | Kind::Int(_)) || wrong(cx, "a text"),
        Shape::Name(rule) => match node.as_str() {
            Some(text) => name_holds(cx, *rule, text, node.site()),
            None => wrong(cx, "a name"),
        },
        Shape::Bool => matches!(node.kind, Kind::Bool(_)) || wrong(cx, "true or false"),
        Shape::Int(least, most) => match node.kind {
            Kind::Int(n) if (*least..=*most).contains(&n) => true,
            Kind::Int(n) if *most == 0 && n > 0 => {
                cx.later(&format!("a `{what}` above 0"), node.site());
                false
            }
            Kind::Int(_) => {
                cx.error(
                    Code::BadValue,
                    format!("`{what}` is from {least} to {most}"),
                    node.site(),
                    "",
                    None,
                );
                false
            }
            _ => wrong(cx, "a whole number"),
        },
        Shape::Number(least) => {
            let n = match node.kind {
                Kind::Int(n) => n as f64,
                Kind::Float(n) => n,
                _ => return wrong(cx, "a number"),
            };
            if n < *least || n > 1e6 {
                cx.error(
                    Code::BadValue,
                    format!("`{what}` is from {least} to 1000000"),
                    node.site(),
                    "",
                    None,
                );
            }
            (*least..=1e6).contains(&n)
        }
        Shape::Duration => match &node.kind {
            Kind::Str { text, .. } => match parse_duration(text) {
                Ok(_) => true,
                Err(why) => {
                    cx.error(
                        Code::BadValue,
                        format!("`{}` is {why}", printable(text)),
                        node.site(),
                        "",
                        None,
                    );
                    false
                }
            },
            Kind::Int(n) => {
                let help = Some(format!("write `{n}s` for seconds"));
                cx.error(
                    Code::BadValue,
                    format!("`{what}` needs a unit"),
                    node.site(),
                    "",
                    help,
                );
                false
            }
            _ => wrong(cx, "a duration"),
        },
        Shape::Condition => {
            matches!(node.kind, Kind::Str { .. } | Kind::Bool(_)) || wrong(cx, "a condition")
        }
        Shape::Choice(words) => choice(cx, what, words, node),
        Shape::Pattern => match node.as_str() {
            None => wrong(cx, "a regular expression"),
            Some(text) => match pattern(text) {
                Ok(_) => true,
                Err(why) => {
                    cx.error(
                        Code::BadValue,
                        format!("`{what}` is not a regular expression: {why}"),
                        node.site(),
                        "",
                        None,
                    );
                    false
                }
            },
        },
        Shape::Share => match share(node) {
            Some(_) => true,
            None => {
                let message =
                    format!("`{what}` is a number of hosts, or a percentage from 1% to 100%");
                cx.error(Code::BadValue, message, node.site(), "", None);
                false
            }
        },
        // A list or a map is as it should be even where an item is not: the others are read.
        Shape::List(of) => match &node.kind {
            Kind::Seq(items) => {
                items
                    .iter()
                    .for_each(|item| _ = conforms(cx, what, of, item));
                true
            }
            _ => wrong(cx, "a list"),
        },
        Shape::OneOrList(of) => match &node.kind {
            Kind::Seq(items) => {
                items
                    .iter()
                    .for_each(|item| _ = conforms(cx, what, of, item));
                true
            }
            _ => conforms(cx, what, of, node),
        },
        // The reader of the section says what is wrong with it.
        Shape::Section(_) => true,
        Shape::Inputs => matches!(node.kind, Kind::Map(_)) || wrong(cx, "a map"),
        Shape::Map(rule, of) => match &node.kind {
            Kind::Map(entries) => {
                for entry in entries {
                    name_holds(cx, *rule, &entry.key.value, entry.key.span);
                    conforms(cx, &entry.key.value, of, &entry.value);
                }
                true
            }
            _ => wrong(cx, "a map"),
        },
        Shape::Become => match &node.kind {
            Kind::Bool(false) => true,
            Kind::Str { text, .. } if text == "sudo" => true,
            _ => {
                cx.error(
                    Code::BadValue,
                    format!("`{what}` is `sudo` or `false`"),
                    node.site(),
                    "",
                    None,
                );
                false
            }
        },
    }
}

fn choice(cx: &mut Cx<'_>, what: &str, words: &[Word], node: &Node) -> bool {
    let Some(text) = text_of(node) else {
        wrong_type(cx, &format!("`{what}`"), "a word", node);
        return false;
    };
    match words.iter().find(|w| w.word == text) {
        Some(word) if word.since == Since::Now => true,
        Some(_) => {
            cx.later(&format!("`{what}: {text}`"), node.site());
            false
        }
        None => {
            let usable: Vec<_> = words
                .iter()
                .filter(|w| w.since == Since::Now)
                .map(|w| format!("`{}`", w.word))
                .collect();
            let help = did_you_mean(&text, words.iter().map(|w| w.word));
            let message = format!("`{what}` is {}, not `{text}`", one_of(&usable));
            cx.error(Code::BadValue, message, node.site(), "", help);
            false
        }
    }
}

/// `a`, `b` or `c`.
pub(crate) fn one_of(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// Reports a name that breaks its rule.
pub(crate) fn name_holds(cx: &mut Cx<'_>, rule: Name, text: &str, span: Span) -> bool {
    match rule.check(text) {
        Ok(()) => true,
        Err(why) => {
            let help = rule.repaired(text).map(|r| format!("did you mean `{r}`?"));
            let shown: String = text.chars().take(80).collect();
            cx.error(
                Code::BadName,
                format!("`{shown}` cannot be a name here: {why}"),
                span,
                "",
                help,
            );
            false
        }
    }
}

/// A bounded regular expression.
pub(crate) fn pattern(text: &str) -> Result<regex::Regex, &'static str> {
    const BIGGEST: usize = 1 << 20;
    if text.len() > 4_096 {
        return Err("it is longer than 4096 bytes");
    }
    regex::RegexBuilder::new(text)
        .size_limit(BIGGEST)
        .dfa_size_limit(BIGGEST)
        .nest_limit(64)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "it is too large",
            _ => "brackets, parentheses or repetitions do not fit together",
        })
}

/// A number of hosts, or a percentage of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// As many hosts, at least 1.
    Count(u32),
    /// From 1 to 100 percent of the hosts.
    Percent(u32),
}

/// Reads a [`Share`].
pub(crate) fn share(node: &Node) -> Option<Share> {
    match &node.kind {
        Kind::Int(n) => u32::try_from(*n).ok().filter(|n| *n > 0).map(Share::Count),
        Kind::Str { text, .. } => {
            let n: u32 = text.strip_suffix('%')?.parse().ok()?;
            (1..=100).contains(&n).then_some(Share::Percent(n))
        }
        _ => None,
    }
}
