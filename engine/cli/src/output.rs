//! Where results, mistakes and questions go, and how they look there.

use std::io::{self, IsTerminal, Write};

use dialoguer::console::Term;
use jiff::tz::TimeZone;
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, JSONReportHandler, ThemeCharacters,
    ThemeStyles,
};
use runbook_lang::diagnostic::Diagnostics;
use runbook_lang::source::Sources;
use runbook_report::{Style, Tone, to_json_text};

use crate::args::{Cli, Colour};
use crate::error::Error;

/// Columns where nobody looks at the width.
const WIDTH: usize = 100;
/// Fewer columns are taken for a mistake of the terminal.
const NARROW: usize = 40;

/// The ends of this process, and how to write to them.
#[derive(Debug)]
pub(crate) struct Output {
    /// Results are JSON.
    pub(crate) json: bool,
    /// A person can be asked: standard input and standard error are a terminal.
    pub(crate) can_ask: bool,
    /// Progress can be drawn.
    pub(crate) can_draw: bool,
    stdout: bool,
    colour: Colour,
}

impl Output {
    pub(crate) fn new(cli: &Cli) -> Self {
        let (stdout, stderr) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            json: cli.json,
            can_ask: io::stdin().is_terminal() && stderr,
            can_draw: stdout && stderr && !dumb && !cli.no_progress && !cli.json,
            stdout,
            colour: cli.color,
        }
    }

    fn colours(&self, terminal: bool) -> bool {
        match self.colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                let wish = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                terminal && !wish && !dumb
            }
        }
    }

    /// How results look.
    pub(crate) fn style(&self) -> Style {
        let width = match self.stdout {
            true => columns(&Term::stdout()),
            false => WIDTH,
        };
        Style {
            colour: self.colours(self.stdout),
            width,
            zone: TimeZone::system(),
        }
    }

    /// How questions and progress look.
    pub(crate) fn stderr_style(&self) -> Style {
        let width = columns(&Term::stderr());
        Style {
            colour: self.colours(io::stderr().is_terminal()),
            width,
            zone: TimeZone::system(),
        }
    }

    /// Writes a result. A closed pipe is no mistake: whoever read it has enough.
    pub(crate) fn put(&self, text: &str) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(Error::Output),
        }
    }

    /// Writes a result for programs.
    pub(crate) fn put_json(&self, value: &serde_json::Value) -> Result<(), Error> {
        self.put(&(to_json_text(value, true) + "\n"))
    }

    /// Writes to standard error; there is nobody to tell if that fails.
    pub(crate) fn note(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _ = err.write_all(text.as_bytes());
    }

    /// Says what went wrong and what to do.
    pub(crate) fn complain(&self, error: &Error) {
        let colour = self.colours(io::stderr().is_terminal());
        let text = match self.json {
            true => to_json_text(&error_json(error), false) + "\n",
            false => error_text(error, colour, columns(&Term::stderr())),
        };
        self.note(&text);
    }

    /// Says what somebody should look at.
    pub(crate) fn warn(&self, diagnostics: &Diagnostics, sources: &Sources) {
        if !self.json && !diagnostics.is_empty() {
            let colour = self.colours(io::stderr().is_terminal());
            self.note(&diagnostics_text(
                diagnostics,
                sources,
                colour,
                columns(&Term::stderr()),
            ));
        }
    }
}

fn columns(term: &Term) -> usize {
    term.size_checked()
        .map_or(WIDTH, |(_, columns)| usize::from(columns))
        .max(NARROW)
}

fn error_text(error: &Error, colour: bool, width: usize) -> String {
    let style = Style {
        colour,
        width,
        zone: TimeZone::UTC,
    };
    let mut out = String::new();
    if let Error::Mistakes {
        diagnostics,
        sources,
        also,
    } = error
    {
        out.push_str(&diagnostics_text(diagnostics, sources, colour, width));
        if let Some(also) = also {
            out.push_str(&error_text(also, colour, width));
        }
    }
    out.push_str(&format!("{} {error}\n", style.paint(Tone::Bad, "error:")));
    for hint in error.hints() {
        out.push_str(&format!("  {hint}\n"));
    }
    out
}

fn error_json(error: &Error) -> serde_json::Value {
    let diagnostics = match error {
        Error::Mistakes {
            diagnostics,
            sources,
            ..
        } => diagnostics_json(diagnostics, sources),
        _ => Vec::new(),
    };
    serde_json::json!({
        "format": 1,
        "error": error.code(),
        "message": error.to_string(),
        "hints": error.hints(),
        "exit": error.exit().code(),
        "diagnostics": diagnostics,
    })
}

fn diagnostics_text(
    diagnostics: &Diagnostics,
    sources: &Sources,
    colour: bool,
    width: usize,
) -> String {
    let theme = GraphicalTheme {
        characters: ThemeCharacters::unicode(),
        styles: if colour {
            ThemeStyles::ansi()
        } else {
            ThemeStyles::none()
        },
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(width)
        .with_links(false);
    let mut out = String::new();
    for report in diagnostics.reports(sources) {
        // Writing to a text does not fail.
        let _ = handler.render_report(&mut out, &report);
        out.push('\n');
    }
    if diagnostics.dropped() > 0 {
        out.push_str(&format!("and {} more\n\n", diagnostics.dropped()));
    }
    out
}

/// Diagnostics for programs, as `miette` writes them.
pub(crate) fn diagnostics_json(
    diagnostics: &Diagnostics,
    sources: &Sources,
) -> Vec<serde_json::Value> {
    let handler = JSONReportHandler::new();
    let one = |report: &dyn Diagnostic| {
        let mut out = String::new();
        handler.render_report(&mut out, report).ok()?;
        serde_json::from_str(&out).ok()
    };
    diagnostics
        .reports(sources)
        .iter()
        .filter_map(|r| one(r))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_exec::store::StoreError;
    use runbook_lang::diagnostic::{Code, Diagnostic as Mistake};
    use runbook_lang::source::Span;

    fn mistakes() -> Error {
        let mut sources = Sources::new();
        let source = sources.add("a.yaml", b"runbook: x\nstepps: []\n").unwrap();
        let mut diagnostics = Diagnostics::new();
        diagnostics.push(
            Mistake::error(Code::UnknownKey, "unknown key `stepps`")
                .label(source.id(), Span::new(11, 17), "here")
                .help("did you mean `steps`?"),
        );
        let also = Some(Box::new(Error::NoStateDir));
        Error::Mistakes {
            diagnostics,
            sources,
            also,
        }
    }

    #[test]
    fn mistakes_show_their_place() {
        insta::assert_snapshot!(error_text(&mistakes(), false, 80));
    }

    #[test]
    fn mistakes_for_programs() {
        let json = error_json(&mistakes());
        assert_eq!(json["exit"], 2);
        assert_eq!(json["diagnostics"][0]["code"], "lang::unknown_key");
        assert_eq!(json["diagnostics"][0]["labels"][0]["span"]["offset"], 11);
    }

    #[test]
    fn errors_say_what_to_type() {
        let no_run = Error::from(StoreError::NoRun {
            wanted: "x\x1b".into(),
        });
        let all = [
            no_run,
            Error::Secret {
                name: "db".into(),
                place: "env:X".into(),
                problem: "it is not set".into(),
            },
            Error::Read {
                what: "inventory",
                path: "i.yaml".into(),
                source: io::ErrorKind::NotFound.into(),
            },
        ];
        let text: Vec<String> = all.iter().map(|e| error_text(e, false, 80)).collect();
        // What a build can read from is its own.
        let text = text.join("\n").replace(crate::secrets::PLACES, "(places)");
        insta::assert_snapshot!(text);
    }
}
