//! Diagnostics for people: as plain text, and as what `miette` draws.

use std::fmt::{self, Write as _};

use miette::{LabeledSpan, NamedSource};
use runbook_model::text::printable;

use super::{Diagnostic, Diagnostics, Severity};
use crate::source::{Source, SourceId, Sources};

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
        self.iter().map(|d| d.report(sources)).collect()
    }
}

impl Diagnostic {
    fn render(&self, sources: &Sources, out: &mut String) {
        let place = |label: &super::Label| {
            let source = sources.get(label.source)?;
            let (line, column) = source.line_column(label.span.start);
            Some(format!("{}:{line}:{column}", printable(source.name())))
        };
        let first = self.labels.first().and_then(place);
        let word = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let head = first.map(|p| format!("{p}: ")).unwrap_or_default();
        let _ = writeln!(out, "{head}{word}[{}]: {}", self.code, self.message);
        for (at, label) in self.labels.iter().enumerate() {
            let Some(source) = sources.get(label.source) else {
                continue;
            };
            if at > 0
                && let Some(place) = place(label)
            {
                let _ = writeln!(out, "  and {place}");
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
        let mut groups: Vec<(SourceId, Vec<LabeledSpan>)> = Vec::new();
        for label in &self.labels {
            let text = (!label.text.is_empty()).then(|| label.text.clone());
            let span = LabeledSpan::new(text, label.span.start, label.span.len());
            match groups.iter_mut().find(|(id, _)| *id == label.source) {
                Some((_, spans)) => spans.push(span),
                None => groups.push((label.source, vec![span])),
            }
        }
        let named = |id| {
            sources
                .get(id)
                .map(|s: &Source| NamedSource::new(printable(s.name()), s.shown()))
        };
        let mut groups = groups.into_iter();
        let (id, labels) = groups
            .next()
            .map_or((None, Vec::new()), |(id, labels)| (Some(id), labels));
        let elsewhere = groups.map(|(id, labels)| Report {
            message: "together with this".into(),
            code: None,
            help: None,
            severity: miette::Severity::Advice,
            source: named(id),
            labels,
            elsewhere: Vec::new(),
        });
        Report {
            message: self.message.clone(),
            code: Some(self.code),
            help: self.help.clone(),
            severity: match self.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
            },
            source: id.and_then(named),
            labels,
            elsewhere: elsewhere.collect(),
        }
    }
}

/// The line of a label, and marks under it; of a long line only what is near the label.
fn underline(source: &Source, label: &super::Label, out: &mut String) {
    const BEFORE: usize = 60;
    const WIDEST: usize = 120;
    let (line, column) = source.line_column(label.span.start);
    let span = source.line_span(line);
    let text = source.slice(span);
    let at = column - 1;
    let skipped = if text.chars().count() > WIDEST {
        at.saturating_sub(BEFORE)
    } else {
        0
    };
    let piece = |from: usize, count: usize| -> String {
        let piece: String = text
            .chars()
            .skip(from)
            .take(count)
            .map(|c| if c == '\t' { ' ' } else { c })
            .collect();
        printable(&piece).into_owned()
    };
    let start = label.span.start.min(span.end);
    let end = label.span.end.min(span.end);
    let marked = source.slice(label.span.with(start, end)).chars().count();
    let before = piece(skipped, at - skipped);
    let inside = piece(at, marked.min(WIDEST));
    let after = piece(
        at + marked.min(WIDEST),
        WIDEST.saturating_sub(at - skipped + marked),
    );
    let left = if skipped > 0 { "…" } else { "" };
    let shown = at + marked + after.chars().count();
    let right = if shown < text.chars().count() {
        "…"
    } else {
        ""
    };
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
    source: Option<NamedSource<String>>,
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
