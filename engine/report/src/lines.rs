//! A run as plain lines, for logs and pipes.

use std::io::{self, Write};

use runbook_model::{Plan, Record, RunState, Watcher};

use crate::narrate::{Narrator, Told};
use crate::time::clock;
use crate::{Style, Tone};

/// Writes one line for each thing that a person wants to hear about. After the first error of the
/// writer it is silent: a closed pipe does not end a run.
#[derive(Debug)]
pub struct Lines<W: Write> {
    out: W,
    style: Style,
    narrator: Narrator,
    broken: Option<io::Error>,
}

impl<W: Write> Lines<W> {
    /// Writes to `out`.
    pub fn new(out: W, style: Style) -> Self {
        Self {
            out,
            narrator: Narrator::new(false, style.clone()),
            style,
            broken: None,
        }
    }

    /// The error that made it silent, if there was one.
    #[must_use]
    pub fn error(&self) -> Option<&io::Error> {
        self.broken.as_ref()
    }
}

impl<W: Write> Watcher for Lines<W> {
    fn record(&mut self, record: &Record, plan: &Plan, state: &RunState) {
        if self.broken.is_some() {
            return;
        }
        let text: String = self
            .narrator
            .tell(record, plan, state)
            .iter()
            .map(|told| line(told, &self.style))
            .collect();
        if text.is_empty() {
            return;
        }
        let written = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
        self.broken = written.err();
    }

    fn missed(&mut self, events: u64, _: &Plan, _: &RunState) {
        if self.broken.is_none() {
            self.broken = writeln!(self.out, "({})", left_out(events)).err();
        }
    }
}

/// That a consumer did not keep up.
pub(crate) fn left_out(events: u64) -> String {
    format!("{events} events were left out: nothing took the output; the journal has them")
}

/// One thing that is told, as lines that end in a newline.
pub(crate) fn line(told: &Told, style: &Style) -> String {
    let time = style.paint(Tone::Quiet, &clock(told.at, style));
    let mut out = format!("{time}  {}\n", style.paint(told.tone, &told.text));
    for more in &told.more {
        out.push_str(&format!("{:10}  {more}\n", ""));
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::sample;
    use runbook_model::event::Verdict;
    use runbook_model::{Event, Failure, FailureKind};

    pub(crate) fn told(tape: &sample::Tape) -> String {
        let mut lines = Lines::new(Vec::new(), Style::plain(100));
        tape.play(&mut lines);
        String::from_utf8(lines.out).unwrap()
    }

    #[test]
    fn a_run_that_fails() {
        insta::assert_snapshot!(told(&sample::failed()));
    }

    #[test]
    fn a_run_that_is_resumed() {
        insta::assert_snapshot!(told(&sample::resumed()));
    }

    #[test]
    fn a_gate_that_is_refused() {
        insta::assert_snapshot!(told(&sample::refused()));
    }

    #[test]
    fn what_is_held_is_taken_back() {
        insta::assert_snapshot!(told(&sample::held()));
    }

    #[test]
    fn a_wish_to_stop_is_answered_whenever_it_comes() {
        let said = |tape: sample::Tape| {
            let text = told(&tape);
            let line = text.lines().find(|line| line.contains("interrupted:"));
            line.unwrap().to_owned()
        };
        let ending = said(sample::urged(sample::held()));
        let release = said(sample::urged(sample::released(None)));
        insta::assert_snapshot!(format!("{ending}\n{release}"));
    }

    #[test]
    fn what_happens_out_of_the_window() {
        let text = told(&sample::out_of_window());
        let last: Vec<&str> = text.lines().rev().take(1).collect();
        insta::assert_snapshot!(last.join("\n"));
    }

    #[test]
    fn a_release_by_hand_says_how_it_ended() {
        let end = |failure| {
            let text = told(&sample::released(failure));
            let at = text.rfind("releases").unwrap();
            text[text[..at].rfind('\n').unwrap()..].to_owned()
        };
        let failure = Failure::new(FailureKind::Apply, "podman: status 125");
        insta::assert_snapshot!(end(None) + &end(Some(failure)));
    }

    #[test]
    fn a_success_with_something_to_look_at() {
        insta::assert_snapshot!(told(&sample::left_behind()));
    }

    #[test]
    fn time_that_has_to_pass_is_told() {
        let text = told(&sample::patient());
        let waits: Vec<&str> = text.lines().rev().take(2).collect();
        insta::assert_snapshot!(waits.join("\n"));
    }

    #[test]
    fn only_instances_begin_again_by_name() {
        let text = told(&sample::reopened());
        let again: Vec<&str> = text.lines().filter(|l| l.contains(" again: ")).collect();
        assert_eq!(again, ["19:00:01  survey@quay01 again: the run ends again"]);
    }

    #[test]
    fn a_success_says_where_its_record_is() {
        let text = told(&sample::forgotten());
        let at = text.rfind("succeeded").unwrap();
        insta::assert_snapshot!(text[text[..at].rfind('\n').unwrap()..].trim());
    }

    #[test]
    fn a_difference_of_several_lines_keeps_them() {
        let mut tape = sample::looked_at(true);
        for record in &mut tape.records {
            if let Event::Looked {
                verdict: Verdict::Differs(why),
                ..
            } = &mut record.event
                && why[0] == "the container runs"
            {
                why[0].push_str(", and should not\n-running\n+stopped");
            }
        }
        let text = told(&tape);
        let at = text.rfind("stop@quay01 begins").unwrap();
        let lines: Vec<&str> = text[at..].lines().take(4).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_reason_is_told_once() {
        let text = told(&sample::failed());
        assert_eq!(
            text.matches("not yet: /health says 503").count(),
            1,
            "{text}"
        );
        assert_eq!(
            text.matches("not yet: /health says 200, database false")
                .count(),
            1,
            "{text}"
        );
    }

    #[test]
    fn a_closed_pipe_makes_it_silent() {
        struct Closed(usize);
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut lines = Lines::new(Closed(0), Style::plain(80));
        sample::failed().play(&mut lines);
        assert_eq!(lines.out.0, 1);
        assert_eq!(lines.error().unwrap().kind(), io::ErrorKind::BrokenPipe);
    }
}
