//! What a step waits for, and who waits for it: steps, not the points between them.

use std::collections::{BTreeMap, BTreeSet};

use runbook_model::node::{EdgeKind, Origin};
use runbook_model::plan::{Order, Plan};
use runbook_model::{HostName, NodeIx, NodeKind, StepIx};
use serde::Serialize;

use super::Explain;
use crate::plan::who::listed;
use crate::text::count;

/// One line of what is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Wait {
    /// A step, or what is no step: the end of a phase.
    pub(super) what: String,
    /// On which hosts, in words.
    pub(super) hosts: String,
    /// Failure spreads along it.
    pub(super) requires: bool,
    /// Why, in words.
    pub(super) why: &'static str,
}

/// Which way edges are followed.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
    Before,
    After,
}

/// Edges by the node that they are followed from.
struct Graph<'a> {
    plan: &'a Plan,
    before: BTreeMap<NodeIx, Vec<(NodeIx, EdgeKind, Origin)>>,
    after: BTreeMap<NodeIx, Vec<(NodeIx, EdgeKind, Origin)>>,
}

impl<'a> Graph<'a> {
    fn new(plan: &'a Plan) -> Self {
        let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
        for edge in &plan.edges {
            let one = |at| (at, edge.kind, edge.origin);
            before
                .entry(edge.to)
                .or_insert_with(Vec::new)
                .push(one(edge.from));
            after
                .entry(edge.from)
                .or_insert_with(Vec::new)
                .push(one(edge.to));
        }
        Self {
            plan,
            before,
            after,
        }
    }

    fn next(&self, node: NodeIx, way: Way) -> &[(NodeIx, EdgeKind, Origin)] {
        let edges = match way {
            Way::Before => &self.before,
            Way::After => &self.after,
        };
        edges.get(&node).map(Vec::as_slice).unwrap_or_default()
    }

    fn kind(&self, node: NodeIx) -> Option<&NodeKind> {
        self.plan.nodes.get(node.at()).map(|n| &n.kind)
    }

    fn ancestors(&self, of: NodeIx) -> BTreeSet<NodeIx> {
        let mut found = BTreeSet::new();
        let mut open = vec![of];
        while let Some(at) = open.pop() {
            for (from, _, _) in self.next(at, Way::Before) {
                if found.insert(*from) {
                    open.push(*from);
                }
            }
        }
        found
    }
}

/// What was met on one way from the instances of a step.
#[derive(Default)]
struct Met {
    /// Pairs of instances: the one that is explained, the other, why.
    pairs: BTreeMap<(StepIx, bool, Origin), BTreeSet<(NodeIx, NodeIx)>>,
    /// Phases that end before, or begin after.
    phases: BTreeSet<u32>,
    /// Another batch.
    batch: bool,
    /// More stands beyond the nearest point where everybody waits.
    further: bool,
}

impl Explain<'_> {
    pub(super) fn waits(&mut self) {
        let nodes: Vec<NodeIx> = self.all.iter().map(|w| w.node).collect();
        if nodes.is_empty() {
            return;
        }
        let lost: Vec<String> = lost(self.plan, self.of.step, &nodes)
            .iter()
            .map(ToString::to_string)
            .collect();
        for (way, title) in [
            (Way::Before, "what it waits for"),
            (Way::After, "who waits for it"),
        ] {
            self.title(title);
            let found = waits(self.plan, &nodes, way);
            if found.is_empty() {
                self.line(2, "nothing");
            }
            for wait in found {
                let strong = match wait.requires {
                    true => "requires",
                    false => "order only",
                };
                let hosts = match wait.hosts.is_empty() {
                    true => String::new(),
                    false => format!(" {}", wait.hosts),
                };
                let line = format!("{}{hosts} ({}; {strong})", wait.what, wait.why);
                self.line(2, &line);
            }
            if way == Way::Before && !lost.is_empty() {
                let stand = match lost.len() {
                    1 => "stands",
                    _ => "stand",
                };
                let line = format!(
                    "it does not wait for {}, which {stand} before it in the phase: its `needs` replaces that order",
                    listed(lost.iter().map(String::as_str))
                );
                self.toned(crate::Tone::Warn, 2, &line);
            }
        }
    }
}

/// What instances wait for, or who waits for them, the requirements first.
pub(super) fn waits(plan: &Plan, nodes: &[NodeIx], way: Way) -> Vec<Wait> {
    let graph = Graph::new(plan);
    let mut met = Met::default();
    for node in nodes {
        for (next, kind, origin) in graph.next(*node, way) {
            meet(&graph, &mut met, *node, *next, (*kind, *origin), way);
        }
    }
    let mut out = Vec::new();
    // What is required anyway need not be said again as an order.
    let strong: BTreeSet<StepIx> = met
        .pairs
        .keys()
        .filter(|(_, requires, _)| *requires)
        .map(|(step, _, _)| *step)
        .collect();
    let mut pairs: Vec<_> = met
        .pairs
        .iter()
        .filter(|((step, requires, _), _)| *requires || !strong.contains(step))
        .collect();
    pairs.sort_by_key(|((step, requires, origin), _)| (!requires, *step, *origin));
    for ((step, requires, origin), pairs) in pairs {
        let Some(id) = plan.step_id(*step) else {
            continue;
        };
        out.push(Wait {
            what: format!("`{id}`"),
            hosts: relation(plan, *step, nodes, pairs),
            requires: *requires,
            why: match (*origin, *requires) {
                (Origin::Phase, true) => "the condition of its phase reads its outputs",
                (origin, _) => why(origin),
            },
        });
    }
    let order = |what: String, why| Wait {
        what,
        hosts: String::new(),
        requires: false,
        why,
    };
    if met.further {
        let text = match way {
            Way::Before => "what stands before that in the phase",
            Way::After => "what stands after that in the phase",
        };
        out.push(order(text.into(), why(Origin::Steps)));
    }
    // Every step stands between the begin and the end of its phase: it is said where nothing else is.
    if out.is_empty() || way == Way::Before && out.iter().all(|w| w.requires) {
        for phase in &met.phases {
            if let Some(phase) = plan.phases.get(*phase as usize) {
                let text = match way {
                    Way::Before => format!("the end of phase {}", phase.id),
                    Way::After => format!("phase {}", phase.id),
                };
                out.push(order(text, why(Origin::Phase)));
            }
        }
    }
    if met.batch {
        let text = match way {
            Way::Before => "the batch before",
            Way::After => "the next batch",
        };
        out.push(order(text.into(), why(Origin::Batch)));
    }
    out
}

/// One node beside an instance: a step, or a point that leads to steps.
fn meet(
    graph: &Graph<'_>,
    met: &mut Met,
    node: NodeIx,
    next: NodeIx,
    (kind, origin): (EdgeKind, Origin),
    way: Way,
) {
    match graph.kind(next) {
        Some(NodeKind::Instance { step, .. }) => {
            let key = (*step, kind == EdgeKind::Requires, origin);
            met.pairs.entry(key).or_default().insert((node, next));
        }
        Some(NodeKind::Barrier { batch: Some(_), .. }) => met.batch = true,
        Some(NodeKind::Barrier { phase, batch: None }) => {
            let beyond = graph.next(next, way);
            let mut steps = 0;
            for (far, _, _) in beyond {
                match graph.kind(*far) {
                    Some(NodeKind::Instance { step, .. }) => {
                        steps += 1;
                        let key = (*step, false, Origin::Steps);
                        met.pairs.entry(key).or_default().insert((node, *far));
                    }
                    Some(NodeKind::PhaseBegin { phase: other }) if other != phase => {
                        met.phases.insert(*other);
                    }
                    _ => {}
                }
            }
            let points = beyond.iter().filter(|(far, _, _)| {
                matches!(graph.kind(*far), Some(NodeKind::Barrier { phase: p, batch: None }) if p == phase)
            });
            met.further |= steps > 0 && way == Way::Before && points.count() > 0;
        }
        Some(NodeKind::PhaseBegin { .. }) => {
            for (far, kind, _) in graph.next(next, way) {
                match graph.kind(*far) {
                    Some(NodeKind::Barrier { phase, .. }) => {
                        met.phases.insert(*phase);
                    }
                    Some(NodeKind::Instance { step, .. }) if way == Way::Before => {
                        let key = (*step, *kind == EdgeKind::Requires, Origin::Phase);
                        met.pairs.entry(key).or_default().insert((node, *far));
                    }
                    _ => {}
                }
            }
        }
        Some(NodeKind::DoneWhen) | None => {}
    }
}

/// On which hosts the other step is meant, in words.
fn relation(
    plan: &Plan,
    step: StepIx,
    nodes: &[NodeIx],
    pairs: &BTreeSet<(NodeIx, NodeIx)>,
) -> String {
    let all: Vec<(NodeIx, &HostName)> = plan.instances_of(step).collect();
    let host = |node: NodeIx| plan.instance(node).map(|(_, host)| host);
    let others: BTreeSet<NodeIx> = pairs.iter().map(|(_, other)| *other).collect();
    let hosts: BTreeSet<&HostName> = others.iter().filter_map(|n| host(*n)).collect();
    let here: BTreeSet<NodeIx> = pairs.iter().map(|(node, _)| *node).collect();
    let every = here.len() == nodes.len() && pairs.len() == nodes.len() * all.len();
    let same = pairs.iter().all(|(a, b)| host(*a) == host(*b));
    if hosts.len() == 1 && (all.len() == 1 || nodes.len() == 1 || every) {
        let one = hosts.iter().map(|h| h.as_str()).next().unwrap_or_default();
        return format!("on {one}");
    }
    if every {
        let hosts: BTreeSet<_> = all.iter().map(|(_, h)| *h).collect();
        return format!("on all {}", count(hosts.len(), "host"));
    }
    if same && nodes.len() > 1 {
        return "on the same host".into();
    }
    if hosts.len() > 1 && pairs.len() < nodes.len() * others.len() {
        return "on the hosts of the same batch".into();
    }
    format!("on {}", listed(hosts.iter().map(|h| h.as_str())))
}

fn why(origin: Origin) -> &'static str {
    match origin {
        Origin::Needs => "`needs`",
        Origin::Reads => "reads its outputs",
        Origin::SameHost => "the step before on the same host",
        Origin::Steps => "order of steps",
        Origin::Batch => "batches follow each other",
        Origin::Phase => "phases follow each other",
        Origin::DoneWhen => "`done_when`",
    }
}

/// An earlier step of the phase that is not waited for, although the order of the phase says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Lost {
    /// The step.
    pub(super) step: String,
    /// Where, in words, if it is waited for elsewhere.
    pub(super) hosts: String,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.hosts.as_str() {
            "" => write!(f, "`{}`", self.step),
            hosts => write!(f, "`{}` {hosts}", self.step),
        }
    }
}

/// Earlier steps of the phase that the order of the phase would have it wait for, and that it does
/// not wait for.
pub(super) fn lost(plan: &Plan, step: StepIx, nodes: &[NodeIx]) -> Vec<Lost> {
    let Some(own) = plan.steps.get(step.at()) else {
        return Vec::new();
    };
    let Some(phase) = plan.phases.get(own.phase as usize) else {
        return Vec::new();
    };
    if phase.order == Order::Graph {
        return Vec::new();
    }
    let graph = Graph::new(plan);
    let mut out = Vec::new();
    let place = |node: NodeIx| match graph.kind(node) {
        Some(NodeKind::Instance { host, batch, .. }) => Some((host, *batch)),
        _ => None,
    };
    let ancestors: Vec<_> = nodes.iter().map(|n| (*n, graph.ancestors(*n))).collect();
    for (earlier, at) in plan.steps.iter().zip(0u32..).take(step.at()) {
        if earlier.phase != own.phase {
            continue;
        }
        // Hosts of pairs of instances: not waited for, and waited for.
        let (mut lost, mut kept) = (BTreeSet::new(), BTreeSet::new());
        for (node, before) in &ancestors {
            let Some((host, batch)) = place(*node) else {
                continue;
            };
            for (other, _) in plan.instances_of(StepIx(at)) {
                let Some((there, other_batch)) = place(other) else {
                    continue;
                };
                let implied = match phase.order {
                    Order::PerHost => there == host,
                    _ => batch == other_batch,
                };
                if implied {
                    let pairs = match before.contains(&other) {
                        true => &mut kept,
                        false => &mut lost,
                    };
                    pairs.insert((host, there));
                }
            }
        }
        if lost.is_empty() {
            continue;
        }
        let elsewhere = lost.iter().all(|(host, there)| host != there);
        let hosts = match (kept.is_empty(), elsewhere) {
            (true, _) => String::new(),
            (false, true) => "on other hosts".to_owned(),
            (false, false) => {
                let there = lost.iter().map(|(_, there)| there.as_str());
                format!("on {}", listed(there))
            }
        };
        out.push(Lost {
            step: earlier.id.to_string(),
            hosts,
        });
    }
    out
}
