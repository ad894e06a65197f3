//! A simulated run goes on with another plan: what is true on its hosts stays, under other numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runbook_model::event::Controller;
use runbook_model::state::FoldError;
use runbook_model::{Epoch, Event, NodeIx, Record};

use super::controller::World;
use super::host::{Behaviour, SimHost, Truth};
use super::nature::Coming;
use crate::dispatcher::Input;
use crate::edited::Edit;
use crate::rules::Rules;

impl<R: Rules + Clone> World<R> {
    /// Has the run go on with another plan, after its controller is gone; the journal is one in memory.
    /// Instances that do something else than before find nothing of it on their hosts.
    ///
    /// # Errors
    /// The journal does not fold, or the change does not fit it.
    pub fn edit(
        &mut self,
        edit: Edit,
        behaviours: Vec<Behaviour>,
        rules: R,
    ) -> Result<(), FoldError> {
        let mut state = self.state()?;
        let kept = edit.event.kept.iter().copied();
        let again = edit
            .event
            .again
            .iter()
            .map(|again| (again.from, again.node));
        let places: BTreeMap<NodeIx, NodeIx> = kept.chain(again).collect();
        let anew = edit.event.again.iter().filter(|again| again.anew);
        let anew: BTreeSet<NodeIx> = anew.map(|again| again.node).collect();
        let controller = Controller {
            host: "sim".into(),
            pid: self.incarnation,
            user: "sim".into(),
            engine: "sim".into(),
        };
        let event = Event::Edited {
            by: "somebody".into(),
            edit: Box::new(edit.event),
        };
        let epoch = Epoch(state.epoch.0 + 1);
        for event in [Event::Opened { controller }, event] {
            let record = Record {
                seq: state.seq + 1,
                epoch,
                at: self.clock(),
                event,
            };
            state.apply(&record)?;
            self.journal.push(record);
        }
        self.durable = self.journal.len();
        self.epoch = epoch;
        let mut truths: Vec<Truth> = behaviours.iter().map(Truth::new).collect();
        for (old, new) in places.iter().filter(|(_, new)| !anew.contains(new)) {
            truths[new.at()] = self.truths[old.at()].clone();
        }
        self.truths = truths;
        self.behaviours = Arc::new(behaviours);
        self.plan = Arc::new(edit.plan);
        self.tables = rules;
        self.renumber(&places);
        let plan = Arc::clone(&self.plan);
        for (node, ..) in plan.instances() {
            if let Some(host) = plan.runs_on(node) {
                self.hosts.entry(host.clone()).or_insert_with(SimHost::new);
            }
        }
        Ok(())
    }

    fn renumber(&mut self, places: &BTreeMap<NodeIx, NodeIx>) {
        for host in self.hosts.values_mut() {
            host.units.retain(|_, unit| places.contains_key(&unit.node));
            for unit in host.units.values_mut() {
                unit.node = places[&unit.node];
            }
        }
        self.happenings
            .retain(|done| places.contains_key(&done.node));
        for done in &mut self.happenings {
            done.node = places[&done.node];
        }
        self.said.clear();
        self.ghost = None;
        // What is on its way to a controller that is gone reaches nobody.
        for (at, mut coming) in std::mem::take(&mut self.events) {
            let goes = match &mut coming {
                Coming::Launch { node, .. }
                | Coming::Attend { node, .. }
                | Coming::Look { node, .. }
                | Coming::Perform { node, .. } => match places.get(node) {
                    Some(new) => {
                        *node = *new;
                        true
                    }
                    None => false,
                },
                Coming::Input(_, _, Input::Looked { .. }) => false,
                _ => true,
            };
            if goes {
                self.events.insert(at, coming);
            }
        }
    }
}
