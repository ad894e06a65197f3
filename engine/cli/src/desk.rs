//! Gates at the terminal. A gate never passes for lack of somebody to ask.

use std::future::Future;
use std::io::{self, BufRead, Read, Write};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use runbook_exec::desk::{Answer, Desk, GateQuestion};
use runbook_model::text::{printable, printable_lines};
use runbook_model::{Plan, Value};
use runbook_report::{Curtain, Held, Style, Tone, value_text};
use tokio::sync::oneshot;

/// A longer answer is none.
const LONGEST: u64 = 1_024;
/// Unclear answers, after which the answer is no.
const PATIENCE: usize = 20;

/// One question at a time: there is one terminal.
static TERMINAL: Mutex<()> = Mutex::new(());

/// Asks the person at the terminal.
#[derive(Debug)]
pub(crate) struct TerminalDesk {
    /// What draws meanwhile.
    pub(crate) curtain: Option<Curtain>,
    /// Whether there is a terminal.
    pub(crate) terminal: bool,
    /// Who is asked: `op on laptop`.
    pub(crate) person: String,
    /// How questions look.
    pub(crate) style: Style,
}

impl Desk for TerminalDesk {
    /// Dropping the future withdraws the question and gives the display back.
    fn ask(&mut self, asked: GateQuestion, _: &Plan) -> Pin<Box<dyn Future<Output = Answer>>> {
        let (sender, receiver) = oneshot::channel();
        let open = Open {
            asked: self.terminal,
            _held: self.curtain.as_ref().map(Curtain::hold),
        };
        let text = question(&asked, &self.person, &self.style);
        let person = self.person.clone();
        let terminal = self.terminal;
        if terminal {
            // A blocked read cannot be taken back, so it has a thread that nobody waits for.
            std::thread::spawn(move || {
                let _alone = TERMINAL.lock().unwrap_or_else(PoisonError::into_inner);
                if sender.is_closed() {
                    return;
                }
                let approved = decide(&mut io::stdin().lock(), &mut io::stderr(), &text);
                let _ = sender.send(approved);
            });
        }
        Box::pin(async move {
            // All of it moves in here: it ends with the question, not before.
            let mut open = open;
            if !terminal {
                return Answer {
                    approved: false,
                    by: "the engine: there is no terminal to ask at".into(),
                };
            }
            let approved = receiver.await.unwrap_or(false);
            open.asked = false;
            Answer {
                approved,
                by: person,
            }
        })
    }
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
    out.push_str(&format!("\nyou are {}\n", printable(person)));
    out
}

/// Reads answers until one is clear. The end of the input, an error, and too many unclear answers
/// are a no.
fn decide(input: &mut dyn BufRead, output: &mut dyn Write, question: &str) -> bool {
    // If the question cannot be shown, nobody has read it.
    if output.write_all(question.as_bytes()).is_err() {
        return false;
    }
    for _ in 0..PATIENCE {
        if output
            .write_all(b"type yes to go on, no to stop: ")
            .and_then(|()| output.flush())
            .is_err()
        {
            return false;
        }
        let mut answer = String::new();
        match Read::take(&mut *input, LONGEST).read_line(&mut answer) {
            Ok(n) if n > 0 && answer.ends_with('\n') => {}
            _ => return false,
        }
        match answer.trim() {
            "yes" => return true,
            "no" => return false,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use runbook_model::NodeIx;
    use serde_json::json;

    fn answered(text: &str) -> bool {
        decide(&mut text.as_bytes(), &mut Vec::new(), "?")
    }

    #[test]
    fn only_yes_is_yes() {
        assert!(answered("yes\n"));
        assert!(answered("\nwhat\n yes \n"));
        for no in [
            "no\n",
            "",
            "yes",
            "y\n",
            "YES\n",
            &"y".repeat(5_000),
            &"x\n".repeat(50),
        ] {
            assert!(!answered(no), "{no:.20}");
        }
    }

    #[test]
    fn a_question_that_cannot_be_shown_is_not_answered() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(!decide(&mut "yes\n".as_bytes(), &mut Closed, "?"));
    }

    fn asked(shown: Vec<(String, Value)>) -> GateQuestion {
        let (gate, message) = ("approve@control".into(), "All stop.\nReally\x07.".into());
        GateQuestion {
            node: NodeIx(0),
            gate,
            message,
            shown,
        }
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
            person: "op".into(),
            style: Style::plain(80),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let answer = runtime.block_on(desk.ask(asked(Vec::new()), &empty_plan()));
        assert!(!answer.approved);
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
