//! What a run asks people: each open gate with its question, who has agreed so far, what can be
//! answered and what follows, and the command that answers it.

use std::borrow::Cow;

use runbook_model::gate::{Follow, NO, Said, Terms};
use runbook_model::plan::Part;
use runbook_model::state::{NodeState, Question};
use runbook_model::text::printable;
use runbook_model::transition::Stage;
use runbook_model::{Millis, NodeIx, NodeKind, Plan, RunState, Value};
use serde_json::{Map, json};

use crate::Style;
use crate::facts::node_id;
use crate::next::run_id;
use crate::text::{bounded, value_text, wrap};
use crate::time::{length, moment};

/// Characters of a question, and of what is shown beside it.
const LONGEST: usize = 1_000;

/// A gate that waits for people.
struct Open<'a> {
    node: NodeIx,
    n: &'a NodeState,
    question: &'a Question,
}

/// The gates that are asked now. Those of a run that has ended are asked again by whoever resumes it.
fn open<'a>(plan: &'a Plan, state: &'a RunState) -> impl Iterator<Item = Open<'a>> {
    let asks = |node: NodeIx| {
        let on_ending = plan.part_of(node) == Part::Finally;
        let over = state.stopping.is_some() || state.due.is_some();
        state.result.is_none() && (on_ending || !over)
    };
    let nodes = (0u32..).map(NodeIx).zip(&state.nodes);
    nodes.filter_map(move |(node, n)| {
        let question = n.question.as_ref()?;
        (n.stage == Stage::Asking && asks(node)).then_some(Open { node, n, question })
    })
}

/// An answer, what is typed behind the command for it, and what follows.
struct Answer {
    word: String,
    typed: String,
    follow: Follow,
}

impl Open<'_> {
    fn terms(&self) -> &Terms {
        &self.question.terms
    }

    /// Who has agreed so far.
    fn agreed(&self, state: &RunState, now: Millis) -> Vec<&str> {
        let runner = state.controller.as_ref().map(|of| of.user.as_str());
        self.terms().in_favour(&self.n.votes, now, runner)
    }

    /// What can be said, no last.
    fn answers(&self) -> Vec<Answer> {
        let terms = self.terms();
        let one = |word: String| {
            let said = Said::Choice(word.clone());
            let (typed, follow) = match terms {
                _ if word == NO => (format!("--say {NO}"), Follow::Stop),
                Terms::Confirm(_) => (format!("--word {}", quoted(&word)), Follow::Continue),
                Terms::Task(asked) => {
                    let given = asked.iter().map(|(name, kind)| {
                        let kind = kind.word().to_uppercase();
                        format!("--evidence {}={kind}", quoted(name))
                    });
                    (given.collect::<Vec<_>>().join(" "), Follow::Continue)
                }
                Terms::Approve(_) | Terms::Wait(_) => (
                    format!("--say {}", quoted(&word)),
                    terms.judge(&said).unwrap_or(Follow::Stop),
                ),
            };
            Answer {
                word,
                typed,
                follow,
            }
        };
        let all = terms.answers().into_iter().map(one);
        // That something is done is said at a terminal where nothing shows it.
        all.filter(|answer| !answer.typed.is_empty()).collect()
    }

    /// What asks for an answer.
    fn command(&self, plan: &Plan, state: &RunState) -> String {
        // The step is its name where it has one instance.
        let step = plan.nodes.get(self.node.at()).and_then(|n| match n.kind {
            NodeKind::Instance { step, .. } => Some(step),
            _ => None,
        });
        let alone = step.filter(|step| plan.instances_of(*step).nth(1).is_none());
        let gate = match alone.and_then(|step| plan.step_id(step)) {
            Some(id) => id.to_string(),
            None => self.n.summary.id.clone(),
        };
        format!("runbook approve {} {}", run_id(state), quoted(&gate))
    }
}

/// A word as a shell takes it, harmless on a screen.
fn quoted(word: &str) -> String {
    let shown = printable(word);
    let plain = |c: char| c.is_ascii_alphanumeric() || "@._-:/+=,".contains(c);
    match !shown.is_empty() && shown.chars().all(plain) {
        true => shown.into_owned(),
        false => format!("'{}'", shown.replace('\'', r"'\''")),
    }
}

/// Each open gate as lines; nothing where nobody is asked.
pub(crate) fn text(out: &mut String, plan: &Plan, state: &RunState, now: Millis, style: &Style) {
    let mut line = |indent: usize, text: &str| {
        wrap(out, &" ".repeat(indent), indent + 2, text, style.width);
    };
    for open in open(plan, state) {
        let asked = bounded(&open.question.message, LONGEST);
        line(2, &format!("{} asks: {asked}", node_id(plan, open.node)));
        for (name, value) in &open.question.shown {
            line(4, &format!("{}: {}", printable(name), value_text(value)));
        }
        let terms = open.terms();
        if let Some(until) = terms.deadline() {
            let left = match until - now {
                left if left > 0 => format!("in {}", length(left)),
                _ => "over".to_owned(),
            };
            let until = moment(until, now, style);
            let then = terms.on_deadline().words();
            line(4, &format!("until {until} ({left}); then {then}"));
        }
        let wants = terms.approvers();
        if wants > 1 {
            let agreed = open.agreed(state, now);
            let names: Vec<Cow<'_, str>> = agreed.iter().map(|by| printable(by)).collect();
            let names = match names.is_empty() {
                true => "nobody yet".to_owned(),
                false => names.join(", "),
            };
            line(4, &format!("{} of {wants} agree: {names}", agreed.len()));
        }
        if terms.not_runner() {
            line(4, "whoever runs it is none of those who agree");
        }
        let command = open.command(plan, state);
        line(4, &format!("{command} asks for the answer, or takes it:"));
        for answer in open.answers() {
            let words = answer.follow.words();
            line(6, &format!("{}: {words}", bounded(&answer.typed, LONGEST)));
        }
    }
}

/// The open gates for programs.
pub(crate) fn json(plan: &Plan, state: &RunState, now: Millis) -> Value {
    let time = |at: Millis| {
        jiff::Timestamp::from_millisecond(at).map_or(Value::Null, |at| at.to_string().into())
    };
    let one = |open: Open<'_>| {
        let terms = open.terms();
        let kind = match terms {
            Terms::Approve(_) => "approve",
            Terms::Confirm(_) => "confirm",
            Terms::Task(_) => "task",
            Terms::Wait(_) => "wait",
        };
        let evidence = match terms {
            Terms::Task(asked) => asked
                .iter()
                .map(|(name, kind)| (name.clone(), Value::from(kind.word())))
                .collect(),
            _ => Map::new(),
        };
        let said = open.n.votes.iter();
        let said = said
            .map(|vote| json!({ "at": time(vote.at), "by": vote.by, "said": vote.said.word() }));
        let command = open.command(plan, state);
        let answers = open.answers().into_iter().map(|answer| {
            let whole = format!("{command} {}", answer.typed);
            json!({ "answer": answer.word, "follows": answer.follow, "command": whole })
        });
        json!({
            "gate": open.n.summary.id,
            "kind": kind,
            "message": open.question.message,
            "shown": open.question.shown.iter().cloned().collect::<Map<_, _>>(),
            "until": terms.deadline().map_or(Value::Null, time),
            "on_deadline": terms.deadline().map(|_| terms.on_deadline()),
            "approvers": terms.approvers(),
            "agreed": open.agreed(state, now),
            "not_runner": terms.not_runner(),
            "said": said.collect::<Vec<_>>(),
            "answers": answers.collect::<Vec<_>>(),
            "evidence": evidence,
            "command": command,
        })
    };
    open(plan, state).map(one).collect()
}
