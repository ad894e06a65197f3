//! Diagnostics for people: as plain text, and as what `miette` draws.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use miette::{LabeledSpan, NamedSource};
use runbook_model::text::printable;

use super::{Diagnostic, Diagnostics, Severity};
use crate::source::{Source, SourceId, Sources, Span};

impl Diagnostics {
    /// All of them as plain text, without colours; `file:line:column` first.
    #[must_use]
    pub fn render(&self, sources: &Sources) -> String {
        let mut out = String::new();
        for (at, diagnostic) in self.iter().enumerate() {
            if at > 0 {
                out.push('\n');
            }
            diagnostic.render(sources, &mut out);
        }
        if self.dropped() > 0 {
            let _ = writeln!(out, "\nand {} more", self.dropped());
        }
        out
    }

    /// All of them for `miette`.
    #[must_use]
    pub fn reports(&self, sources: &Sources) -> Vec<Report> {
        let mut shown = BTreeMap::new();
        self.iter()
            .map(|d| d.report_with(sources, &mut shown))
            .collect()
    }
}

impl Diagnostic {
    fn render(&self, sources: &Sources, out: &mut String) {
        let head = self.labels.first().map(|label| place(sources, label));
        let head = head.unwrap_or_default();
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let _ = writeln!(out, "{head}{word}[{}]: {}", self.code, self.message);
        for (at, label) in self.labels.iter().enumerate() {
            let Some(source) = sources.get(label.source) else {
                continue;
            };
            if at > 0 {
                let place = place(sources, label);
                let _ = writeln!(out, "  and {}", place.trim_end_matches(": "));
            }
            underline(source, label, out);
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "  help: {help}");
        }
    }

    /// This one for `miette`.
    #[must_use]
    pub fn report(&self, sources: &Sources) -> Report {
        self.report_with(sources, &mut BTreeMap::new())
    }

    fn report_with(&self, sources: &Sources, shown: &mut Shown) -> Report {
        let mut groups: Vec<(SourceId, Vec<LabeledSpan>)> = Vec::new();
        for label in &self.labels {
            let text = (!label.text.is_empty()).then(|| label.text.clone());
            let span = LabeledSpan::new(text, label.span.start, label.span.len());
            match groups.iter_mut().find(|(id, _)| *id == label.source) {
                Some((_, spans)) => spans.push(span),
                None => groups.push((label.source, vec![span])),
            }
        }
        // Lines are drawn whole, with those around them: of a line that nobody reads only the place
        // is told.
        let endless = |label: &&super::Label| {
            sources
                .get(label.source)
                .is_some_and(|source| longest_line(source, label.span) > LONGEST_LINE)
        };
        let endless = self.labels.iter().find(endless);
        if let Some(label) = endless {
            return Report {
                message: format!("{}{}", place(sources, label), self.message),
                ..self.bare()
            };
        }
        let mut named = |id| {
            sources.get(id).map(|s: &Source| {
                let text = shown.entry(id).or_insert_with(|| s.shown().into());
                NamedSource::new(printable(s.name()), Arc::clone(text))
            })
        };
        let mut groups = groups.into_iter();
        let (id, labels) = groups
            .next()
            .map_or((None, Vec::new()), |(id, labels)| (Some(id), labels));
        let source = id.and_then(&mut named);
        let elsewhere = groups.map(|(id, labels)| Report {
            message: "together with this".into(),
            code: None,
            help: None,
            severity: miette::Severity::Advice,
            source: named(id),
            labels,
            elsewhere: Vec::new(),
        });
        let elsewhere = elsewhere.collect();
        Report {
            source,
            labels,
            elsewhere,
            ..self.bare()
        }
    }

    /// The report without its places.
    fn bare(&self) -> Report {
        Report {
            message: self.message.clone(),
            code: Some(self.code),
            help: self.help.clone(),
            severity: match self.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
            },
            source: None,
            labels: Vec::new(),
            elsewhere: Vec::new(),
        }
    }
}

/// Texts as they are shown, each made once.
type Shown = BTreeMap<SourceId, Arc<str>>;

/// Longer lines are not drawn, in bytes.
const LONGEST_LINE: usize = 4_096;

/// The longest line of a span and around it, in bytes; very many bytes count as one line.
fn longest_line(source: &Source, span: Span) -> usize {
    const MOST: usize = 1 << 16;
    let first = source.line_column(span.start).0.saturating_sub(1).max(1);
    let last = source.line_column(span.end).0 + 1;
    let start = source.line_span(first).start;
    // No line begins at 0 but the first: then the text ends before.
    let end = match source.line_span(last + 1).start {
        0 => source.text().len(),
        end => end,
    };
    if end - start > MOST {
        return usize::MAX;
    }
    let lines = source.text()[start..end].split('\n').map(str::len);
    lines.max().unwrap_or(0)
}

/// `file:line:column: ` of a label.
fn place(sources: &Sources, label: &super::Label) -> String {
    let Some(source) = sources.get(label.source) else {
        return String::new();
    };
    let (line, column) = source.line_column(label.span.start);
    format!("{}:{line}:{column}: ", printable(source.name()))
}

/// The line of a label, and marks under it; of a long line only what is near the label.
fn underline(source: &Source, label: &super::Label, out: &mut String) {
    const BEFORE: usize = 60;
    const WIDEST: usize = 120;
    let (line, _) = source.line_column(label.span.start);
    let span = source.line_span(line);
    let text = source.slice(span);
    // Only a piece of the line is looked at: it may be as long as the file.
    let at = |offset: usize| text.floor_char_boundary(offset.min(span.end) - span.start);
    let (start, end) = (at(label.span.start), at(label.span.end));
    let skipped = match text.char_indices().nth(WIDEST) {
        None => 0,
        Some(_) => text[..start]
            .char_indices()
            .rev()
            .nth(BEFORE - 1)
            .map_or(0, |(at, _)| at),
    };
    let piece = |from: usize, most: usize| -> String {
        let piece = text[from..].chars().take(most);
        let piece: String = piece.map(|c| if c == '\t' { ' ' } else { c }).collect();
        printable(&piece).into_owned()
    };
    let before = text[skipped..start].chars().count();
    let marked = text[start..end].chars().take(WIDEST).count();
    let rest = WIDEST.saturating_sub(before + marked);
    let last = text[start..].char_indices().nth(marked);
    let last = last.map_or(text.len(), |(at, _)| start + at);
    let cut = text[last..].chars().nth(rest).is_some();
    let (before, inside, after) = (
        piece(skipped, before),
        piece(start, marked),
        piece(last, rest),
    );
    let left = if skipped > 0 { "…" } else { "" };
    let right = if cut { "…" } else { "" };
    let number = line.to_string();
    let _ = writeln!(
        out,
        "{}",
        format!("  {number} | {left}{before}{inside}{after}{right}").trim_end()
    );
    let pad = " ".repeat(number.len());
    let gap = " ".repeat(left.chars().count() + before.chars().count());
    let marks = "^".repeat(inside.chars().count().max(1));
    let _ = writeln!(
        out,
        "{}",
        format!("  {pad} | {gap}{marks} {}", label.text).trim_end()
    );
}

/// A diagnostic with the texts that it points into, for `miette`'s handlers.
#[derive(Debug)]
pub struct Report {
    message: String,
    code: Option<super::Code>,
    help: Option<String>,
    severity: miette::Severity,
    source: Option<NamedSource<Arc<str>>>,
    labels: Vec<LabeledSpan>,
    elsewhere: Vec<Report>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report {}

impl miette::Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.map(|c| Box::new(c) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|h| Box::new(h) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.source.as_ref().map(|s| s as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        if self.elsewhere.is_empty() {
            return None;
        }
        Some(Box::new(
            self.elsewhere.iter().map(|r| r as &dyn miette::Diagnostic),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Code, Diagnostic, Diagnostics};
    use crate::source::{Sources, Span};
    use miette::Diagnostic as _;

    #[test]
    fn a_line_as_long_as_the_file_is_not_drawn() {
        let mut sources = Sources::new();
        let text = format!("a: {}\n", "ä".repeat(100_000));
        let one = sources.add("one.yaml", text.as_bytes()).unwrap();
        let mut all = Diagnostics::new();
        let span = |from: usize, to: usize| Span::of(one.id(), from, to);
        all.push(Diagnostic::error(Code::Conflict, "x").label(one.id(), span(3, 200_003), ""));
        all.push(Diagnostic::error(Code::Conflict, "y").label(one.id(), span(5_003, 5_007), ""));
        let (dots, marks) = ("ä".repeat(117), "^".repeat(120));
        let rendered = all.render(&sources);
        let (first, second) = rendered.split_once("\n\n").unwrap();
        assert!(
            first.contains(&format!("a: {dots}")) && first.ends_with(&marks),
            "{first}"
        );
        assert!(
            second.lines().all(|line| line.chars().count() < 140),
            "{second}"
        );
        let report = &all.reports(&sources)[1];
        assert_eq!(report.to_string(), "one.yaml:1:2504: y");
        assert!(report.source_code().is_none() && report.labels().unwrap().count() == 0);
    }

    #[test]
    fn both_renderings_show_the_place() {
        let mut sources = Sources::new();
        let one = sources
            .add("one.yaml", b"a: 1\nb: gr\xc3\xbc\xc3\x9fe\n")
            .unwrap();
        let two = sources.add("two.yaml", b"c: 3\n").unwrap();
        let mut all = Diagnostics::new();
        all.push(
            Diagnostic::error(Code::Conflict, "`b` and `c` differ")
                .label(one.id(), Span::new(8, 15), "here")
                .label(two.id(), Span::new(0, 1), "and here")
                .help("remove one"),
        );
        insta::assert_snapshot!(all.render(&sources), @r"
        one.yaml:2:4: error[lang::conflict]: `b` and `c` differ
          2 | b: grüße
            |    ^^^^^ here
          and two.yaml:1:1
          1 | c: 3
            | ^ and here
          help: remove one
        ");
        let reports = all.reports(&sources);
        assert_eq!(reports[0].labels().unwrap().count(), 1);
        assert_eq!(reports[0].related().unwrap().count(), 1);
        assert!(reports[0].source_code().is_some());
    }
}
