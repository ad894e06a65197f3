//! What cannot be known before the run, because an earlier step changes something first.

use std::collections::BTreeMap;

use runbook_model::plan::Part;
use runbook_model::preview::Finding;
use runbook_model::step_type::TypeKind;
use runbook_model::{EdgeKind, Forecast, HostName, NodeIx, Preview};

use super::levels::topological;
use super::{Forecaster, NOT_NOW, names};

impl Forecaster<'_> {
    /// What an earlier step changes first is not known before the run.
    pub(super) fn finish(mut self) -> Preview {
        let order = topological(self.plan);
        let mut requires: BTreeMap<NodeIx, Vec<NodeIx>> = BTreeMap::new();
        for edge in self
            .plan
            .edges
            .iter()
            .filter(|edge| edge.kind == EdgeKind::Requires)
        {
            requires.entry(edge.to).or_default().push(edge.from);
        }
        let mut changed_before: Vec<Option<NodeIx>> = vec![None; self.plan.nodes.len()];
        // Who writes first what a node itself looks at: of an earlier phase nothing is required.
        let mut written_before: Vec<Option<NodeIx>> = vec![None; self.plan.nodes.len()];
        let mut writers: BTreeMap<(HostName, String), NodeIx> = BTreeMap::new();
        for node in order {
            let ancestors = requires.get(&node).into_iter().flatten();
            let by_ancestor = ancestors
                .clone()
                .find_map(|from| match self.changes(*from) {
                    true => Some(*from),
                    false => changed_before[from.at()],
                });
            changed_before[node.at()] = by_ancestor;
            let (Some(host), Part::Main) = (self.plan.runs_on(node), self.plan.part_of(node))
            else {
                continue;
            };
            let key = |key: &String| (host.clone(), key.clone());
            let by_key = self.keys[node.at()]
                .touched
                .iter()
                .find_map(|k| writers.get(&key(k)).copied());
            written_before[node.at()] = by_key;
            let by_read = || ancestors.clone().find_map(|from| written_before[from.at()]);
            if let (Forecast::Assert(text), Some(first)) =
                (&self.forecasts[node.at()], by_ancestor.or_else(by_read))
                && text.starts_with(NOT_NOW)
            {
                let id = &self.plan.nodes[first.at()].id;
                let text = format!("decided in the run: `{id}` changes something first");
                self.forecasts[node.at()] = Forecast::Assert(text);
            }
            let first = match &self.forecasts[node.at()] {
                Forecast::NoChange | Forecast::Change(_) => by_key,
                Forecast::Error(_) | Forecast::Probe(Finding::Differs(_) | Finding::Unknown) => {
                    by_key.or(by_ancestor)
                }
                _ => None,
            };
            if let Some(first) = first {
                let id = &self.plan.nodes[first.at()].id;
                self.forecasts[node.at()] =
                    Forecast::Maybe(format!("`{id}` changes something first"));
            }
            if self.changes(node) {
                for written in &self.keys[node.at()].written {
                    writers.entry(key(written)).or_insert(node);
                }
            }
        }
        let mut preview = Preview {
            live: true,
            nodes: self.forecasts,
            unusable: self.unusable,
            already_there: self.already_there,
            vars: self.state.vars,
        };
        names::show(&mut preview);
        preview
    }

    fn changes(&self, node: NodeIx) -> bool {
        let is_probe = || {
            let step_type = self
                .plan
                .instance(node)
                .and_then(|(step, _)| self.plan.type_of(step));
            step_type.is_some_and(|of| of.kind == TypeKind::Probe)
        };
        match &self.forecasts[node.at()] {
            Forecast::Change(_) | Forecast::Always => true,
            Forecast::Maybe(_) => !is_probe(),
            _ => false,
        }
    }
}
