//! Gates at the terminal. A gate never passes for lack of somebody to ask.

mod reply;

use std::future::Future;
use std::io::{self, BufRead, Read, Write};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use runbook_exec::desk::{Answer, Desk, GateQuestion};
use runbook_model::gate::{Follow, NO, Said, Terms};
use runbook_model::text::{printable, printable_lines};
use runbook_model::{Plan, Value};
use runbook_report::{Curtain, Held, Style, Tone, value_text};
use rustix::event::{self, Timespec};
use rustix::io::Errno;
use rustix::termios;
use tokio::sync::oneshot;

pub(crate) use reply::{Heard, piece, reply};

/// A longer answer is none.
const LONGEST: u64 = 4_096;
/// How often a question that waits looks whether it is still asked.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// One question at a time: there is one terminal.
static TERMINAL: Mutex<()> = Mutex::new(());

/// Asks the person at the terminal.
#[derive(Debug)]
pub(crate) struct TerminalDesk {
    /// What draws meanwhile.
    pub(crate) curtain: Option<Curtain>,
    /// Whether there is a terminal.
    pub(crate) terminal: bool,
    /// Without one, others are waited for.
    pub(crate) waits: bool,
    /// Who is asked: `op on laptop`.
    pub(crate) person: String,
    /// How questions look.
    pub(crate) style: Style,
}

impl Desk for TerminalDesk {
    /// Dropping the future withdraws the question and gives the display back.
    fn ask(&mut self, asked: GateQuestion, _: &Plan) -> Pin<Box<dyn Future<Output = Answer>>> {
        if !self.terminal {
            // Time passes without anybody.
            let waits = self.waits || matches!(asked.terms, Terms::Wait(_));
            return Box::pin(async move {
                if waits {
                    std::future::pending::<()>().await;
                }
                Answer {
                    said: Said::Choice(NO.to_owned()),
                    by: "the engine: there is no terminal to ask at".into(),
                }
            });
        }
        let (sender, receiver) = oneshot::channel();
        let open = Open {
            asked: true,
            _held: self.curtain.as_ref().map(Curtain::hold),
        };
        let text = question(&asked, &self.person, &self.style);
        let person = self.person.clone();
        std::thread::spawn(move || {
            let _alone = TERMINAL.lock().unwrap_or_else(PoisonError::into_inner);
            if sender.is_closed() {
                return;
            }
            forget_typed();
            let mut hear = || next(|| sender.is_closed());
            let said = reply(&mut hear, &mut io::stderr(), &text, &asked.terms);
            if let Some(said) = said {
                let _ = sender.send(said);
            }
        });
        Box::pin(async move {
            // All of it moves in here: it ends with the question, not before.
            let mut open = open;
            let said = receiver.await;
            open.asked = false;
            Answer {
                said: said.unwrap_or_else(|_| Said::Choice(NO.to_owned())),
                by: person,
            }
        })
    }
}

/// What was typed before a question was there is no answer to it, not the beginning of one either.
fn forget_typed() {
    let _ = termios::tcflush(io::stdin(), termios::QueueSelector::IFlush);
}

/// The next line that is typed while the question is asked. Nothing is read when it is not.
fn next(withdrawn: impl Fn() -> bool) -> Heard {
    let input = io::stdin();
    loop {
        if withdrawn() {
            return Heard::Withdrawn;
        }
        let mut polled = [event::PollFd::new(&input, event::PollFlags::IN)];
        match event::poll(&mut polled, Some(&LOOK)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return line(&mut input.lock()).map_or(Heard::End, Heard::Line),
            Err(_) => return Heard::End,
        }
    }
}

/// One whole line of at most [`LONGEST`] bytes.
fn line(input: &mut dyn BufRead) -> Option<String> {
    let mut text = String::new();
    match Read::take(&mut *input, LONGEST).read_line(&mut text) {
        Ok(n) if n > 0 && text.ends_with('\n') => Some(text),
        _ => None,
    }
}

/// Asks at this terminal, now; nothing where nobody answers.
pub(crate) fn ask_here(asked: &GateQuestion, person: &str, style: &Style) -> Option<Said> {
    let text = question(asked, person, style);
    let mut hear = || line(&mut io::stdin().lock()).map_or(Heard::End, Heard::Line);
    reply(&mut hear, &mut io::stderr(), &text, &asked.terms)
}

/// A question on the screen.
struct Open {
    asked: bool,
    _held: Option<Held>,
}

impl Drop for Open {
    /// A question that is withdrawn leaves its line; what is told next begins on its own.
    fn drop(&mut self) {
        if self.asked {
            let _ = io::stderr().write_all(b"\n");
        }
    }
}

fn question(asked: &GateQuestion, person: &str, style: &Style) -> String {
    let mut out = format!(
        "\n{}\n",
        style.paint(Tone::Head, &format!("{} asks:", printable(&asked.gate)))
    );
    for line in printable_lines(&asked.message) {
        out.push_str(&format!("  {line}\n"));
    }
    for (name, value) in &asked.shown {
        let name = printable(name);
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                out.push_str(&format!("\n  {name}:\n"));
                for (key, value) in fields {
                    out.push_str(&format!("    {}: {}\n", printable(key), value_text(value)));
                }
            }
            value => out.push_str(&format!("\n  {name}: {}\n", value_text(value))),
        }
    }
    out.push_str(&standing(asked));
    out.push_str(&format!("\nyou are {}\n", printable(person)));
    out
}

/// What follows which answer, who has agreed so far, and how others can.
fn standing(asked: &GateQuestion) -> String {
    let wants = asked.terms.approvers();
    let mut out = String::new();
    if let Terms::Approve(of) = &asked.terms
        && !of.options.is_empty()
    {
        out.push('\n');
        for (word, follow) in &of.options {
            out.push_str(&format!("  {}: {}\n", printable(word), follow.words()));
        }
    }
    if asked.terms.on_deadline() == Follow::Rollback {
        let words = Follow::Rollback.words();
        out.push_str(&format!("\nnobody decides in time: {words}\n"));
    }
    if wants > 1 {
        let now = jiff::Timestamp::now().as_millisecond();
        let agreed = asked
            .terms
            .in_favour(&asked.votes, now, Some(&asked.runner));
        let names: Vec<_> = agreed.iter().map(|by| printable(by)).collect();
        let names = match names.is_empty() {
            true => "nobody yet".to_owned(),
            false => names.join(", "),
        };
        out.push_str(&format!("\n{wants} people must agree; {names}\n"));
    }
    if asked.terms.not_runner() {
        out.push_str("\nwhoever runs this may say no, and is none of those who agree\n");
    }
    if wants > 1 || asked.terms.not_runner() {
        out.push_str(&format!(
            "others answer with `runbook approve RUN {}`\n",
            printable(&asked.gate)
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_model::NodeIx;
    use runbook_model::gate::{Approve, Vote};
    use serde_json::json;

    fn asked(shown: Vec<(String, Value)>) -> GateQuestion {
        let (gate, message) = ("approve@control".into(), "All stop.\nReally\x07.".into());
        GateQuestion {
            node: NodeIx(0),
            gate,
            message,
            shown,
            terms: Terms::default(),
            votes: Vec::new(),
            mark: String::new(),
            runner: "op".into(),
        }
    }

    #[test]
    fn a_question_says_who_has_agreed() {
        let mut question_of_two = asked(Vec::new());
        question_of_two.terms = Terms::Approve(Approve {
            approvers: 2,
            not_runner: true,
            ..Approve::default()
        });
        question_of_two.votes = vec![Vote {
            at: 1,
            by: "ada on desk".into(),
            said: Said::Choice("yes".into()),
        }];
        let text = question(&question_of_two, "op on laptop", &Style::plain(80));
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_question_shows_what_is_decided_about() {
        let shown = vec![
            (
                "survey".to_owned(),
                json!({ "quay01": { "version": "v3.7.0" }, "quay02": "\u{1b}[2J" }),
            ),
            ("size".to_owned(), json!("12 GiB")),
        ];
        insta::assert_snapshot!(question(&asked(shown), "op on laptop", &Style::plain(80)));
    }

    #[test]
    fn without_a_terminal_the_answer_is_no() {
        let mut desk = TerminalDesk {
            curtain: None,
            terminal: false,
            waits: false,
            person: "op".into(),
            style: Style::plain(80),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let answer = runtime.block_on(desk.ask(asked(Vec::new()), &empty_plan()));
        assert_eq!(answer.said, Said::Choice("no".into()));
        assert!(answer.by.contains("no terminal"));
    }

    fn empty_plan() -> Plan {
        let plan = json!({
            "format": 1, "runbook": "r", "version": "", "summary": "", "digest": "", "sources": [], "inputs": {},
            "vars": {}, "hosts": {}, "groups": {}, "types": {}, "done_when": null, "phases": [], "steps": [],
            "nodes": [], "edges": [],
        });
        serde_json::from_value(plan).unwrap()
    }
}
