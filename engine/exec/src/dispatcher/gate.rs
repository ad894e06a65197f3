//! Gates: people are asked, what they say is judged by the terms of the gate, and a deadline ends
//! the waiting.

use std::collections::BTreeMap;

use runbook_model::gate::{Follow, NO, OPTION, Said, Terms, person, same_person};
use runbook_model::{Event, Failure, FailureKind, Millis, NodeIx, Outcome, Value};

use super::queue::Flight;
use super::{Action, Dispatcher, Mode};
use crate::rules::Rules;

/// Who has decided where time alone did.
const CLOCK: &str = "the clock";
/// Bytes of a name.
const LONGEST: usize = 200;

/// How a gate is decided.
struct Decision {
    follow: Follow,
    by: String,
    /// The answer; none where time alone has decided.
    said: Option<String>,
    /// Why it does not pass, where the answer does not say it.
    why: String,
}

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
            // What was said in time is not taken in yet: see `take_answers`.
            Some(at) if at <= self.now && self.answers.is_empty() => self.past_deadline(node),
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
        at: Option<Millis>,
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
                let deadline = asked.and_then(|asked| asked.terms.deadline());
                if deadline.is_some_and(|deadline| deadline <= at.unwrap_or(self.now)) {
                    return Err(format!("the time to answer `{what}` is over"));
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
            Follow::Stop | Follow::Rollback => self.decide_as(node, follow, word, by),
            Follow::Continue => drop(self.decided_by_votes(node)),
        }
        Ok(())
    }

    /// Whether what people have said decides it: enough of them agree, or one has it taken back.
    fn decided_by_votes(&mut self, node: NodeIx) -> bool {
        let n = &self.state.nodes[node.at()];
        let Some(question) = &n.question else {
            return false;
        };
        let terms = &question.terms;
        let back = n
            .votes
            .iter()
            .find(|vote| terms.judge(&vote.said) == Ok(Follow::Rollback));
        if let Some(vote) = back {
            let (word, by) = (vote.said.word().to_owned(), vote.by.clone());
            self.decide_as(node, Follow::Rollback, word, by);
            return true;
        }
        let runner = self.state.controller.as_ref().map(|of| of.user.as_str());
        let agreed = terms.agreed(&n.votes, self.now, runner);
        let enough = usize::try_from(terms.approvers()).unwrap_or(1);
        let Some((said, people)) = agreed.filter(|(_, people)| people.len() >= enough) else {
            return false;
        };
        let (word, by) = (said.word().to_owned(), people.join(", "));
        self.decide_as(node, Follow::Continue, word, by);
        true
    }

    fn decide_as(&mut self, node: NodeIx, follow: Follow, word: String, by: String) {
        let why = match (word.as_str(), follow) {
            (NO, _) => format!("refused by {by}"),
            (word, Follow::Rollback) => format!("{by} said `{word}`: what was done is taken back"),
            (word, _) => format!("{by} said `{word}`"),
        };
        let said = Some(word);
        let decision = Decision {
            follow,
            by,
            said,
            why,
        };
        self.decide(node, decision);
    }

    fn decide(&mut self, node: NodeIx, decision: Decision) {
        self.land(node);
        self.deadlines.retain(|(_, of)| *of != node);
        self.record(Event::Answered {
            node,
            approved: decision.follow == Follow::Continue,
            by: decision.by,
            rollback: decision.follow == Follow::Rollback,
        });
        let outcome = match decision.follow {
            Follow::Continue => Outcome::Passed,
            Follow::Stop | Follow::Rollback => {
                Outcome::Failed(Failure::new(FailureKind::Refused, decision.why))
            }
        };
        let n = &self.state.nodes[node.at()];
        let terms = n.question.as_ref().map(|question| &question.terms);
        let outputs = match (terms, decision.said) {
            (Some(Terms::Approve(_)), said) => said
                .map(|word| (OPTION.to_owned(), Value::from(word)))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
            _ => n.outputs.clone(),
        };
        self.finish_with(node, outcome, outputs);
    }

    fn past_deadline(&mut self, node: NodeIx) {
        let terms = self.state.nodes[node.at()].question.as_ref();
        let terms = terms.map(|question| &question.terms);
        let follow = terms.map_or(Follow::Stop, Terms::on_deadline);
        let at = terms.and_then(Terms::deadline).unwrap_or(self.now);
        let at = jiff::Timestamp::from_millisecond(at)
            .map_or_else(|_| at.to_string(), |at| at.to_string());
        let then = match follow {
            Follow::Rollback => ": what was done is taken back",
            Follow::Continue | Follow::Stop => "",
        };
        let decision = Decision {
            follow,
            by: CLOCK.to_owned(),
            said: None,
            why: format!("nobody had decided by {at}{then}"),
        };
        self.decide(node, decision);
    }

    /// Takes in the answers that came before anything was asked.
    pub(super) fn take_answers(&mut self) {
        if self.mode != Mode::Going || self.answers.is_empty() {
            return;
        }
        for order in std::mem::take(&mut self.answers) {
            self.ordered(order);
        }
        self.meet_deadlines();
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
