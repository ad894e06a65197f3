//! One controller's part, from the journal that it finds to the one that it leaves.

use runbook_model::event::Controller;
use runbook_model::{AttemptId, Epoch, Millis, Order, RunId, RunState};

use super::controller::{Ending, Left, World};
use super::fault::Fault;
use super::nature::Coming;
use super::wrong::Wrong;
use crate::dispatcher::{AttemptIds, Dispatcher, Errand, Input};
use crate::rules::Rules;

/// A controller that has had so many inputs does not come to an end.
const INPUTS: usize = 20_000;

impl<R: Rules + Clone> World<R> {
    /// Ids of one controller: with its epoch in them, they are never used twice in a run.
    fn ids(&self) -> AttemptIds {
        let epoch = match self.wrong {
            Some(Wrong::SameIds) => Epoch(1),
            _ => self.epoch,
        };
        let mut count = 0u64;
        Box::new(move || {
            count += 1;
            AttemptId::new(format!("a{epoch}-{count}")).expect("a valid attempt id")
        })
    }

    /// One controller's part, whatever for; the world is shown before each action.
    pub(super) fn control(&mut self, errand: Errand, each: &mut dyn FnMut(&Self)) -> Ending {
        if let Err(ending) = self.open_journal() {
            return ending;
        }
        let state = match self.state() {
            Ok(state) => state,
            Err(error) => return Ending::Unreadable(error),
        };
        self.incarnation += 1;
        self.epoch = Epoch(state.epoch.0 + 1);
        self.asleep_until = 0;
        let plan = Wrong::plan(self.wrong, &self.plan);
        let (tables, ids) = (self.tables.clone(), self.ids());
        let mut dispatcher = match Dispatcher::resume(plan, tables, self.options, ids, state) {
            Ok(dispatcher) => dispatcher,
            Err(error) => return Ending::BadPlan(error),
        };
        let run = RunId::new("sim").expect("a valid run id");
        let controller = Controller {
            host: "sim".into(),
            pid: self.incarnation,
            user: "sim".into(),
            engine: "sim".into(),
        };
        let mut wake = None;
        let mut actions = dispatcher.take_up(self.clock(), run, controller, self.epoch, errand);
        for _ in 0..INPUTS {
            if let Err(ending) = self.carry_out(actions, &mut wake, each) {
                return self.gone(ending);
            }
            let ghost = self.faults.taken_over;
            if self.strikes(ghost, Fault::TakenOver, None) {
                self.put_to_sleep(dispatcher);
                return self.gone(Ending::TakenOver);
            }
            let input = match self.next(&mut wake, dispatcher.state()) {
                Ok(Some(input)) => input,
                Ok(None) => {
                    actions = Vec::new();
                    continue;
                }
                Err(ending) => return self.gone(ending),
            };
            actions = dispatcher.handle(self.clock(), input);
        }
        self.gone(Ending::Stuck)
    }

    /// What comes to the controller next; nothing if only hosts are concerned.
    fn next(
        &mut self,
        wake: &mut Option<Millis>,
        state: &RunState,
    ) -> Result<Option<Input>, Ending> {
        if let Some(input) = self.disturb(state) {
            return Ok(Some(input));
        }
        if let Some(order) = self.due() {
            return Ok(Some(Input::Ordered(order)));
        }
        let tick = wake.map(|at| at.saturating_sub(self.offset).max(self.asleep_until));
        let next = self.events.first_key_value().map(|((at, _), _)| *at);
        match (next, tick) {
            (at, Some(tick)) if at.is_none_or(|at| tick < at) => {
                *wake = None;
                self.now = self.now.max(tick);
                Ok(Some(Input::Tick))
            }
            (Some(_), _) => Ok(self.next_input()),
            (None, _) => match self
                .inbox
                .iter_mut()
                .find(|o| o.seen_by != self.incarnation)
            {
                Some(left) => {
                    left.after = 0;
                    Ok(None)
                }
                None => Err(Ending::Stuck),
            },
        }
    }

    /// The order whose time has come. It stays where it is: whoever comes next sees it as well.
    fn due(&mut self) -> Option<Order> {
        let new = |left: &&mut Left| left.seen_by != self.incarnation;
        let now = self
            .inbox
            .iter_mut()
            .filter(new)
            .find(|left| left.after == 0);
        let found = now.map(|left| {
            left.seen_by = self.incarnation;
            left.order.clone()
        });
        for left in &mut self.inbox {
            left.after = left.after.saturating_sub(1);
        }
        found
    }

    /// The controller's part is over.
    fn gone(&mut self, ending: Ending) -> Ending {
        if ending.goes_on() {
            self.lose_journal();
        }
        self.leave_all();
        ending
    }

    /// What the controller did itself ends with it, before or after its effect; a launch that has
    /// left it may still arrive, however late.
    pub(super) fn leave_all(&mut self) {
        let performing = self.events.iter().filter_map(|(key, coming)| match coming {
            Coming::Perform { node, attempt, .. } => Some((*key, *node, attempt.clone())),
            _ => None,
        });
        let performing: Vec<_> = performing.collect();
        for (key, node, attempt) in performing {
            self.events.remove(&key);
            if self.random.chance(500) {
                self.effect(node, attempt);
            }
        }
    }
}
