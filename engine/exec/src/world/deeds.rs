//! What a controller does: the dispatcher's actions, carried out in virtual time.

use runbook_model::event::Purpose;
use runbook_model::gate::{Evidence, Follow, NO, Said, Terms, YES};
use runbook_model::{AttemptId, Event, Millis, NodeIx, Value};

use super::controller::{Ending, World};
use super::fault::Fault;
use super::ledger::Unwritten;
use super::nature::Coming;
use super::wrong::Wrong;
use crate::dispatcher::{Action, Input};
use crate::rules::Rules;

impl From<Unwritten> for Ending {
    fn from(unwritten: Unwritten) -> Self {
        Self::Unwritten(unwritten.0)
    }
}

impl<R: Rules + Clone> World<R> {
    /// Does as told, in order; the controller may die between any two.
    pub(super) fn carry_out(
        &mut self,
        actions: Vec<Action>,
        wake: &mut Option<Millis>,
        each: &mut dyn FnMut(&Self),
    ) -> Result<(), Ending> {
        for action in Wrong::order(self.wrong, actions) {
            let crash = self.faults.crash;
            if self.strikes(crash, Fault::Crash, None) {
                return Err(Ending::Crashed);
            }
            each(self);
            match action {
                Action::Record(record) => self.append(record)?,
                Action::Wake { at } => *wake = Some(at),
                Action::End(result) => {
                    self.sync()?;
                    return Err(Ending::Closed(result));
                }
                Action::Fault(text) => return Err(Ending::Fault(text)),
                Action::Ready { host } => self.ready(&host),
                Action::Ask { node } => self.ask(node),
                Action::Perform { node, attempt } => {
                    self.before_effect()?;
                    self.perform(node, attempt);
                }
                Action::Look {
                    look,
                    node,
                    purpose,
                } => self.look(look, node, purpose),
                Action::Undo { unit, node, host } => {
                    self.before_effect()?;
                    self.undos.insert(unit.clone());
                    self.launch(unit, node, &host);
                }
                Action::Kill { unit, host, .. } => {
                    let from = self.link(&host);
                    let delay = 2 + self.lag(&host);
                    let coming = Coming::Kill {
                        host: host.clone(),
                        unit,
                        from,
                    };
                    self.later(delay, coming);
                    self.misfortune(&host);
                }
                Action::Attend { unit, node, host } => {
                    let from = self.link(&host);
                    let delay = 2 + self.lag(&host);
                    let coming = Coming::Attend {
                        host: host.clone(),
                        unit,
                        node,
                        from,
                    };
                    self.later(delay, coming);
                    self.misfortune(&host);
                }
                Action::LaunchChain {
                    unit,
                    members,
                    host,
                } => {
                    self.before_effect()?;
                    self.chains.insert(unit.clone(), members.clone());
                    if let Some(first) = members.first() {
                        self.launch(unit, first.node, &host);
                    }
                }
                Action::Halt { unit, host, .. } => {
                    let from = self.link(&host);
                    let delay = 2 + self.lag(&host);
                    let halt = Coming::Halt {
                        host: host.clone(),
                        unit,
                        from,
                    };
                    self.later(delay, halt);
                    self.misfortune(&host);
                }
                Action::Launch {
                    unit, node, host, ..
                } => {
                    self.before_effect()?;
                    self.launch(unit, node, &host);
                }
            }
        }
        Ok(())
    }

    /// An effect begins only when everything recorded so far is durable.
    fn before_effect(&mut self) -> Result<(), Unwritten> {
        match self.wrong {
            Some(Wrong::NoSync) => Ok(()),
            _ => self.sync(),
        }
    }

    /// Each time somebody else answers.
    fn ask(&mut self, node: NodeIx) {
        if self.behaviours[node.at()].unanswered {
            return;
        }
        let yes = self.truths[node.at()].answer(&self.behaviours[node.at()]);
        let asked = self
            .journal
            .iter()
            .rev()
            .find_map(|record| match &record.event {
                Event::Asked {
                    node: of, terms, ..
                } if *of == node => Some(terms),
                _ => None,
            });
        let word = self.behaviours[node.at()].says.clone();
        let said = match (asked.filter(|_| yes), word) {
            (Some(_), Some(word)) => Said::Choice(word),
            (Some(terms), None) => agreeable(terms),
            (None, _) => Said::Choice(NO.to_owned()),
        };
        let is_vote = |event: &Event| matches!(event, Event::Said { node: of, .. } if *of == node);
        let others = self
            .journal
            .iter()
            .filter(|record| is_vote(&record.event))
            .count();
        let by = match others {
            0 => "somebody".to_owned(),
            others => format!("somebody{others}"),
        };
        let answered = Input::Answered { node, said, by };
        self.later(50, Coming::Input(self.incarnation, None, answered));
    }

    fn perform(&mut self, node: NodeIx, attempt: AttemptId) {
        self.began(node, attempt.clone());
        let takes = self.behaviours[node.at()].takes;
        let incarnation = self.incarnation;
        let coming = Coming::Perform {
            node,
            attempt,
            incarnation,
        };
        self.later(takes, coming);
    }

    fn look(&mut self, look: u64, node: NodeIx, purpose: Purpose) {
        let host = self.host_of(node);
        let from = self.link(&host);
        let delay = self.behaviours[node.at()].looks + self.lag(&host);
        let coming = Coming::Look {
            host: host.clone(),
            look,
            node,
            purpose,
            from,
        };
        self.later(delay, coming);
        self.misfortune(&host);
    }

    pub(super) fn launch(&mut self, unit: AttemptId, node: NodeIx, host: &runbook_model::HostName) {
        let from = self.link(host);
        let (silence, twice) = (self.faults.silence, self.faults.twice);
        let silent = self.strikes(silence, Fault::Silence, Some(host));
        if let Some(limit) = self.behaviours[node.at()].limit {
            self.later_from(host, limit, Input::OverTime { unit: unit.clone() });
        }
        let boot = self.intended_under(&unit).unwrap_or_default();
        let launch = |answered| Coming::Launch {
            host: host.clone(),
            unit: unit.clone(),
            node,
            from,
            epoch: self.epoch,
            boot: boot.clone(),
            answered,
        };
        let (first, second) = (launch(!silent), launch(false));
        if !silent || self.random.chance(600) {
            let late = match silent {
                true => 1 + i64::try_from(self.random.below(300)).unwrap_or(0),
                false => 2 + self.lag(host),
            };
            self.later(late, first);
        }
        if self.strikes(twice, Fault::Twice, Some(host)) {
            let late = 3 + i64::try_from(self.random.below(500)).unwrap_or(0);
            self.later(late, second);
        }
        if silent {
            self.later_from(host, 20, Input::LaunchUnknown { unit });
        }
        self.misfortune(host);
    }

    /// The boot of the host that the intent of a unit names.
    fn intended_under(&self, unit: &AttemptId) -> Option<String> {
        self.journal.iter().rev().find_map(|r| match &r.event {
            Event::Dispatched { unit: u, boot, .. } if u == unit => Some(boot.clone()),
            Event::Undoing { attempt, boot, .. } if attempt == unit => Some(boot.clone()),
            _ => None,
        })
    }

    pub(super) fn later_from(
        &mut self,
        host: &runbook_model::HostName,
        delay: Millis,
        input: Input,
    ) {
        let (incarnation, link) = self.link(host);
        let from = Some((host.clone(), link));
        self.later(delay, Coming::Input(incarnation, from, input));
    }
}

/// An answer that lets a gate pass, made up.
fn agreeable(terms: &Terms) -> Said {
    let made_up = |kind: &Evidence| match kind {
        Evidence::Int => Value::from(1),
        Evidence::Bool => Value::from(true),
        Evidence::String => Value::from("seen"),
        Evidence::Duration => Value::from("1m"),
        Evidence::Date => Value::from("2026-01-01T00:00:00Z"),
    };
    match terms {
        Terms::Confirm(word) => Said::Word(word.clone()),
        Terms::Task(asked) => {
            let given = asked.iter();
            Said::Evidence(
                given
                    .map(|(name, kind)| (name.clone(), made_up(kind)))
                    .collect(),
            )
        }
        Terms::Approve(of) if of.options.is_empty() => Said::Choice(YES.to_owned()),
        Terms::Approve(of) => {
            let mut options = of.options.iter();
            let goes_on = options.find(|(_, follow)| **follow == Follow::Continue);
            let mut options = of.options.iter();
            let back = options.find(|(_, follow)| **follow == Follow::Rollback);
            // Where every answer stops the run, people refuse.
            Said::Choice(goes_on.or(back).map_or(NO, |(name, _)| name).to_owned())
        }
        Terms::Wait(_) => Said::Choice(YES.to_owned()),
    }
}
