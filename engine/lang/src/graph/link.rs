//! Edges that somebody wrote: `needs`, references to outputs, and `done_when`.

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::plan::Part;
use runbook_model::{NodeIx, Origin};

use super::{Builder, Reference};

impl Builder<'_> {
    pub(super) fn add_needs(&mut self) {
        let draft = self.draft;
        for (at, step) in draft.steps.iter().enumerate() {
            for need in step.needs.iter().flatten() {
                match need.same_host {
                    true => self.need_on_host(at, need.step),
                    false => self.need_all(at, need.step),
                }
            }
        }
    }

    fn need_on_host(&mut self, to: usize, needed: usize) {
        for (host, ix) in self.instances[to].clone() {
            for from in self.on_host(needed, &host) {
                self.require(from, ix, Origin::Needs);
            }
        }
    }

    /// All instances; in a rolling phase all of the same batch, because the list runs batch by batch.
    fn need_all(&mut self, to: usize, needed: usize) {
        let draft = self.draft;
        let (phase, other) = (draft.steps[to].phase, draft.steps[needed].phase);
        let batches = draft.phases[phase].batches.as_slice();
        if batches.is_empty() || phase != other {
            let all = Reference {
                step: needed,
                same_host: false,
            };
            return self.link(to, &all, Origin::Needs);
        }
        for batch in batches {
            let before = self.within(needed, Some(batch));
            for ix in self.within(to, Some(batch)) {
                for from in &before {
                    self.require(*from, ix, Origin::Needs);
                }
            }
        }
    }

    pub(super) fn add_references(&mut self) {
        let draft = self.draft;
        for (at, step) in draft.steps.iter().enumerate() {
            for reference in self.inside(&step.references, draft.part_of(at)) {
                self.link(at, &reference, Origin::Reads);
            }
        }
        for (at, phase) in draft.phases.iter().enumerate() {
            for reference in self.inside(&phase.references, phase.part) {
                for from in self.all(reference.step) {
                    self.require(from, self.begin[at], Origin::Reads);
                }
            }
        }
    }

    /// References that stay in their part of the plan: the others are read when the time comes.
    fn inside(&self, references: &[Reference], part: Part) -> Vec<Reference> {
        let references = references.iter();
        references
            .filter(|of| self.draft.part_of(of.step) == part)
            .cloned()
            .collect()
    }

    fn link(&mut self, to: usize, reference: &Reference, origin: Origin) {
        let all = self.all(reference.step);
        let instead = match all.is_empty() {
            true => self.instead_of(reference.step),
            false => BTreeSet::new(),
        };
        for (host, ix) in self.instances[to].clone() {
            let here = match reference.same_host {
                true => self.on_host(reference.step, &host),
                false => Vec::new(),
            };
            for from in if here.is_empty() { &all } else { &here } {
                self.require(*from, ix, origin);
            }
            for from in &instead {
                self.order(*from, ix, origin);
            }
        }
    }

    /// What stands for a step that runs nowhere: an empty group must not undo the order of the rest.
    fn instead_of(&self, step: usize) -> BTreeSet<NodeIx> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::from([step]);
        let mut open = vec![step];
        while let Some(at) = open.pop() {
            found.extend(self.stand_ins[at].iter().copied());
            for need in self.draft.steps[at].needs.iter().flatten() {
                let instances = self.all(need.step);
                if instances.is_empty() && seen.insert(need.step) {
                    open.push(need.step);
                }
                found.extend(instances);
            }
        }
        found
    }

    /// Only what `done_when` reads, and what that waits for, runs before it. It is a question
    /// about the procedure itself: going back and the ending do not ask it.
    pub(super) fn add_done_when(&mut self) {
        let draft = self.draft;
        let (Some(node), Some(references)) = (self.done_when, &draft.done_when) else {
            return;
        };
        for reference in self.inside(references, Part::Main) {
            for from in self.all(reference.step) {
                self.require(from, node, Origin::DoneWhen);
            }
        }
        let ancestors = self.ancestors(node);
        for step in 0..draft.steps.len() {
            if draft.part_of(step) != Part::Main {
                continue;
            }
            for ix in self.all(step) {
                if !ancestors.contains(&ix) {
                    self.order(node, ix, Origin::DoneWhen);
                }
            }
        }
    }

    fn ancestors(&self, of: NodeIx) -> BTreeSet<NodeIx> {
        let mut before: BTreeMap<NodeIx, Vec<NodeIx>> = BTreeMap::new();
        for (from, to) in self.edges.keys() {
            before.entry(*to).or_default().push(*from);
        }
        let mut found = BTreeSet::new();
        let mut open = vec![of];
        while let Some(ix) = open.pop() {
            for from in before.get(&ix).into_iter().flatten() {
                if found.insert(*from) {
                    open.push(*from);
                }
            }
        }
        found
    }
}
