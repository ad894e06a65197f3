//! Gates: people are asked, what they say is judged by the terms of the gate, and a deadline ends
//! the waiting.

use runbook_model::gate::{Follow, Said, Terms, person, same_person};
use runbook_model::{Event, Failure, FailureKind, NodeIx, Outcome};

use super::queue::Flight;
use super::{Action, Dispatcher, Mode};
use crate::rules::Rules;

/// Who has decided where time alone did.
const CLOCK: &str = "the clock";
/// Bytes of a name.
const LONGEST: usize = 200;

impl<R: Rules> Dispatcher<R> {
    pub(super) fn ask(&mut self, node: NodeIx) {
        let mut question = match self.rules.question(node, &self.state) {
            Ok(question) => question,
            Err(failure) => return self.finish(node, Outcome::Failed(failure)),
        };
        if let Terms::Wait(until) = &mut question.terms {
            // It waits from its first start, whoever goes on with it.
            let since = self.state.nodes[node.at()].started_at.unwrap_or(self.now);
            match self.rules.wait_until(node, since, &self.state) {
                Ok(at) => *until = at,
                Err(failure) => return self.finish(node, Outcome::Failed(failure)),
            }
        }
        let deadline = question.terms.deadline();
        self.record(Event::Asked {
            node,
            message: question.message,
            shown: question.shown,
            terms: question.terms,
        });
        self.fly(node, Flight::Ask);
        if self.decided_by_votes(node) {
            return;
        }
        match deadline {
            Some(at) if at <= self.now => self.past_deadline(node),
            Some(at) => {
                self.deadlines.insert((at, node));
                self.act(Action::Ask { node });
            }
            None => self.act(Action::Ask { node }),
        }
    }

    /// Somebody at the terminal of this controller said something. What is no answer is asked for again.
    pub(super) fn answered(&mut self, node: NodeIx, said: Said, by: String) {
        if self.flights.get(&node) != Some(&Flight::Ask) {
            return;
        }
        let _ = self.say(node, said, by);
        if self.flights.get(&node) == Some(&Flight::Ask) {
            self.act(Action::Ask { node });
        }
    }

    /// The gate that an answer is for.
    pub(super) fn to_answer(
        &self,
        what: &str,
        said: &Said,
        question: &str,
        by: &str,
    ) -> Result<Vec<NodeIx>, String> {
        if by.len() > LONGEST {
            return Err(format!("a name has at most {LONGEST} bytes"));
        }
        let mut nodes = self.named(what)?;
        nodes.retain(|node| self.flights.get(node) == Some(&Flight::Ask));
        match nodes.as_slice() {
            [] => Err(format!("`{what}` is not asked at the moment")),
            [node] => {
                let asked = self.state.nodes[node.at()].question.as_ref();
                if asked.is_some_and(|asked| asked.mark() != question) {
                    return Err(format!(
                        "`{what}` asks something else by now: read it again"
                    ));
                }
                self.weigh(*node, said, by).map(|_| nodes)
            }
            _ => {
                let ids = nodes
                    .iter()
                    .map(|n| format!("`{}`", self.plan.nodes[n.at()].id));
                let ids = ids.collect::<Vec<_>>().join(", ");
                Err(format!("more than one is asked: name one of {ids}"))
            }
        }
    }

    /// What follows an answer.
    ///
    /// # Errors
    /// Why it does not count, for people.
    fn weigh(&self, node: NodeIx, said: &Said, by: &str) -> Result<Follow, String> {
        let n = &self.state.nodes[node.at()];
        let terms = n.question.as_ref().map(|question| &question.terms);
        let terms = terms.ok_or_else(|| format!("`{}` is not asked", n.summary.id))?;
        let follow = terms.judge(said)?;
        let runner = self.state.controller.as_ref().map(|of| of.user.as_str());
        let is_runner = runner.is_some_and(|runner| same_person(runner, by));
        if follow == Follow::Continue && terms.not_runner() && is_runner {
            return Err(format!(
                "whoever runs it is none of those who approve it, and that is {}",
                person(by)
            ));
        }
        Ok(follow)
    }

    /// Takes in what somebody says.
    pub(super) fn say(&mut self, node: NodeIx, said: Said, by: String) -> Result<(), String> {
        let follow = self.weigh(node, &said, &by)?;
        let word = said.word().to_owned();
        self.record(Event::Said {
            node,
            said,
            by: by.clone(),
        });
        match follow {
            Follow::Stop => {
                let how = match word.as_str() {
                    runbook_model::gate::NO => format!("refused by {by}"),
                    word => format!("{by} said `{word}`"),
                };
                self.decide(node, Err(how), by);
            }
            Follow::Continue => drop(self.decided_by_votes(node)),
        }
        Ok(())
    }

    /// Whether enough people have said yes; then it has passed.
    fn decided_by_votes(&mut self, node: NodeIx) -> bool {
        let n = &self.state.nodes[node.at()];
        let Some(question) = &n.question else {
            return false;
        };
        let runner = self.state.controller.as_ref().map(|of| of.user.as_str());
        let people = question.terms.in_favour(&n.votes, self.now, runner);
        let enough = people.len() >= usize::try_from(question.terms.approvers()).unwrap_or(1);
        if enough {
            let by = people.join(", ");
            self.decide(node, Ok(()), by);
        }
        enough
    }

    fn decide(&mut self, node: NodeIx, how: Result<(), String>, by: String) {
        self.land(node);
        self.deadlines.retain(|(_, of)| *of != node);
        let approved = how.is_ok();
        self.record(Event::Answered { node, approved, by });
        let outcome = match how {
            Ok(()) => Outcome::Passed,
            Err(why) => Outcome::Failed(Failure::new(FailureKind::Refused, why)),
        };
        self.finish(node, outcome);
    }

    fn past_deadline(&mut self, node: NodeIx) {
        let terms = self.state.nodes[node.at()].question.as_ref();
        match terms.map(|question| &question.terms) {
            Some(Terms::Wait(_)) => self.decide(node, Ok(()), CLOCK.to_owned()),
            terms => {
                let at = terms.and_then(Terms::deadline).unwrap_or(self.now);
                let at = jiff::Timestamp::from_millisecond(at)
                    .map_or_else(|_| at.to_string(), |at| at.to_string());
                let why = format!("nobody had decided by {at}");
                self.decide(node, Err(why), CLOCK.to_owned());
            }
        }
    }

    /// Takes in the answers that came before anything was asked.
    pub(super) fn take_answers(&mut self) {
        if self.mode != Mode::Going || self.answers.is_empty() {
            return;
        }
        for order in std::mem::take(&mut self.answers) {
            self.ordered(order);
        }
        self.pump();
    }

    /// Decides what nobody has decided in time.
    pub(super) fn meet_deadlines(&mut self) {
        while let Some((at, node)) = self.deadlines.first().copied() {
            if at > self.now {
                break;
            }
            self.deadlines.pop_first();
            if self.flights.get(&node) == Some(&Flight::Ask) {
                self.past_deadline(node);
            }
        }
    }
}
