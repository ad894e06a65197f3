//! Tests of the module beside this file.

use std::collections::BTreeSet;

use runbook_model::Item;
use runbook_model::plan::{Order, Part};

use super::*;

/// `a:q1,q2` is a step on two hosts, `a:q1!` one that everybody waits for, `b:q1 <a <c@` one with `needs`,
/// `b:q1 .a ~c` one that reads all of `a` and the same host's `c`.
fn steps(phase: usize, lines: &[&str], known: &mut Vec<DraftStep>) {
    let all: Vec<String> = known
        .iter()
        .map(|step| step.id.clone())
        .chain(lines.iter().map(|line| id(line)))
        .collect();
    let at = |name: &str| all.iter().position(|id| id == name).unwrap();
    for line in lines {
        let mut words = line.split(' ');
        let (_, hosts) = words.next().unwrap().split_once(':').unwrap();
        let mut step = DraftStep {
            id: id(line),
            phase,
            barrier: hosts.ends_with('!'),
            ..DraftStep::default()
        };
        step.instances = hosts
            .trim_end_matches('!')
            .split(',')
            .filter(|h| !h.is_empty())
            .map(instance)
            .collect();
        for word in words {
            let (kind, name) = word.split_at(1);
            let (step_ix, same_host) = (
                at(name.trim_end_matches('@')),
                name.ends_with('@') || kind == "~",
            );
            match kind {
                "<" => step.needs.get_or_insert_default().push(Need {
                    step: step_ix,
                    same_host,
                }),
                _ => step.references.push(Reference {
                    step: step_ix,
                    same_host,
                }),
            }
        }
        known.push(step);
    }
}

fn id(line: &str) -> String {
    line.split(':').next().unwrap().to_owned()
}

/// `q1`; `q1/lb` through another host; `q1=a` for an item.
fn instance(text: &str) -> DraftInstance {
    let (text, item) = text
        .split_once('=')
        .map_or((text, None), |(t, i)| (t, Some(i)));
    let (name, via) = text
        .split_once('/')
        .map_or((text, None), |(t, v)| (t, Some(v)));
    DraftInstance {
        via: via.map(host),
        item: item.map(|name| Item {
            name: name.to_owned(),
            value: name.into(),
        }),
        ..DraftInstance::on(host(name))
    }
}

fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

fn draft(order: Order, lines: &[&str]) -> Draft {
    let mut draft = Draft {
        phases: vec![phase("one", order)],
        ..Draft::default()
    };
    steps(0, lines, &mut draft.steps);
    draft
}

fn phase(id: &str, order: Order) -> DraftPhase {
    DraftPhase {
        id: id.to_owned(),
        order,
        ..DraftPhase::default()
    }
}

struct Built(Graph);

impl Built {
    fn of(draft: &Draft) -> Self {
        Self(build(draft).unwrap())
    }

    fn at(&self, id: &str) -> NodeIx {
        let at = self.0.nodes.iter().position(|node| node.id == id);
        NodeIx(u32::try_from(at.unwrap_or_else(|| panic!("no node `{id}`"))).unwrap())
    }

    /// Whether `to` waits for `from`, however long the way.
    fn waits(&self, to: &str, from: &str) -> bool {
        let (from, mut open) = (self.at(from), vec![self.at(to)]);
        let mut seen = BTreeSet::new();
        while let Some(node) = open.pop() {
            for edge in self.0.edges.iter().filter(|edge| edge.to == node) {
                if edge.from == from {
                    return true;
                }
                if seen.insert(edge.from) {
                    open.push(edge.from);
                }
            }
        }
        false
    }

    /// Instances that it requires.
    fn requires(&self, to: &str) -> Vec<&str> {
        let to = self.at(to);
        let edges = self
            .0
            .edges
            .iter()
            .filter(|edge| edge.to == to && edge.kind == EdgeKind::Requires);
        edges
            .map(|edge| self.0.nodes[edge.from.at()].id.as_str())
            .collect()
    }
}

#[test]
fn steps_wait_for_all_hosts_and_require_their_own() {
    let graph = Built::of(&draft(Order::Steps, &["a:q1,q2", "b:q1,q2", "c:q1"]));
    assert!(graph.waits("b@q1", "a@q2"));
    assert!(graph.waits("c@q1", "b@q2"));
    assert!(!graph.waits("a@q1", "a@q2"));
    assert_eq!(graph.requires("b@q1"), ["a@q1"]);
    assert_eq!(graph.requires("c@q1"), ["b@q1"]);
}

#[test]
fn each_host_walks_at_its_own_pace_and_stops_at_barriers() {
    let graph = Built::of(&draft(
        Order::PerHost,
        &["a:q1,q2", "b:q1,q2", "gate:control!", "c:q1,q2,q3"],
    ));
    assert!(!graph.waits("b@q1", "a@q2"));
    assert_eq!(graph.requires("b@q1"), ["a@q1"]);
    assert!(graph.waits("gate@control", "b@q1") && graph.waits("gate@control", "b@q2"));
    assert!(graph.waits("c@q1", "b@q2") && graph.waits("c@q3", "gate@control"));
    assert_eq!(
        graph.requires("c@q1"),
        [""; 0],
        "a gate between two steps is the one to wait for"
    );
}

#[test]
fn a_barrier_with_an_order_of_its_own_does_not_free_the_steps_after_it() {
    let lines = [
        "x:q1",
        "a:q1,q2",
        "gate:control! <x",
        "b:q1,q2,q3",
        "end:control!",
    ];
    let graph = Built::of(&draft(Order::PerHost, &lines));
    assert!(!graph.waits("gate@control", "a@q2"));
    for host in ["q1", "q2", "q3"] {
        assert!(graph.waits(&format!("b@{host}"), "gate@control"), "{host}");
    }
    assert!(
        graph.waits("b@q2", "a@q2"),
        "the list of a host keeps its order"
    );
    assert!(graph.waits("end@control", "b@q3") && graph.waits("end@control", "gate@control"));
}

#[test]
fn needs_replace_the_implied_order_of_their_step_only() {
    let graph = Built::of(&draft(
        Order::Steps,
        &["a:q1,q2", "b:q1,q2", "c:q1,q2 <a", "d:q1"],
    ));
    assert!(graph.waits("c@q1", "a@q2"));
    assert!(!graph.waits("c@q1", "b@q1"));
    assert_eq!(graph.requires("c@q1"), ["a@q1", "a@q2"]);
    assert!(graph.waits("d@q1", "b@q2") && graph.waits("d@q1", "c@q2"));
    assert!(graph.waits("c@q1", "phase one"));
}

#[test]
fn needs_of_the_same_host() {
    let graph = Built::of(&draft(Order::Steps, &["a:q1,q2", "b:q1,q2 <a@"]));
    assert_eq!(graph.requires("b@q1"), ["a@q1"]);
    assert!(!graph.waits("b@q1", "a@q2"));
}

#[test]
fn a_step_that_runs_nowhere_keeps_the_order_of_those_that_need_it() {
    for order in [Order::Steps, Order::PerHost] {
        let lines = [
            "stop:q1,q2",
            "gate:control!",
            "nobody:",
            "more: <nobody",
            "go:db <more",
        ];
        let graph = Built::of(&draft(order, &lines));
        assert!(
            graph.waits("go@db", "gate@control") && graph.waits("go@db", "stop@q2"),
            "{order:?}"
        );
    }
    let graph = Built::of(&draft(
        Order::Steps,
        &["x:q1", "stop:q1", "nobody: <x", "go:db <nobody"],
    ));
    assert!(graph.waits("go@db", "x@q1") && !graph.waits("go@db", "stop@q1"));
}

#[test]
fn items_and_hosts_gone_through_have_instances_of_their_own() {
    for order in [Order::Steps, Order::PerHost] {
        let lines = [
            "pull:q1=a,q1=b,q2=a",
            "drain:q1/lb1,q1/lb2,q2/lb1",
            "stop:q1,q2",
            "x:q1 <pull@",
        ];
        let graph = Built::of(&draft(order, &lines));
        assert_eq!(
            graph.requires("drain@q1/lb1"),
            ["pull:a@q1", "pull:b@q1"],
            "{order:?}"
        );
        assert_eq!(
            graph.requires("stop@q1"),
            ["drain@q1/lb1", "drain@q1/lb2"],
            "{order:?}"
        );
        assert_eq!(graph.requires("stop@q2"), ["drain@q2/lb1"], "{order:?}");
        assert_eq!(
            graph.requires("x@q1"),
            ["pull:a@q1", "pull:b@q1"],
            "{order:?}"
        );
        assert!(!graph.waits("pull:b@q1", "pull:a@q1"), "{order:?}");
    }
}

#[test]
fn a_phase_without_an_order_holds_what_is_written_only() {
    let graph = Built::of(&draft(
        Order::Graph,
        &[
            "a:q1",
            "b:q1",
            "c:q1 <a",
            "d:q1 .b",
            "nobody:",
            "e:q1 <nobody",
        ],
    ));
    assert!(!graph.waits("b@q1", "a@q1") && !graph.waits("e@q1", "a@q1"));
    assert!(graph.waits("c@q1", "a@q1") && graph.waits("d@q1", "b@q1"));
    assert!(graph.waits("e@q1", "phase one") && graph.waits("end of one", "e@q1"));
}

#[test]
fn no_edge_leads_from_one_part_to_another() {
    let mut draft = draft(Order::Steps, &["a:q1", "b:q1"]);
    for (at, (id, part)) in [
        ("back", Part::Rollback),
        ("again", Part::Rollback),
        ("last", Part::Finally),
    ]
    .into_iter()
    .enumerate()
    {
        draft.phases.push(DraftPhase {
            part,
            ..phase(id, Order::Steps)
        });
        let lines = [format!("{id}_one:q1 .a"), format!("{id}_two:q1")];
        steps(at + 1, &[&lines[0], &lines[1]], &mut draft.steps);
    }
    draft.phases[1].references = vec![Reference {
        step: 0,
        same_host: false,
    }];
    draft.done_when = Some(vec![Reference {
        step: 0,
        same_host: false,
    }]);
    let graph = Built::of(&draft);
    assert!(graph.waits("again_one@q1", "back_two@q1"));
    for id in [
        "back_one@q1",
        "again_two@q1",
        "last_one@q1",
        "phase back",
        "end of last",
    ] {
        assert!(
            !graph.waits(id, "a@q1")
                && !graph.waits(id, "done when")
                && !graph.waits(id, "end of one"),
            "{id}"
        );
    }
    assert!(!graph.waits("phase last", "end of again"));
}

#[test]
fn an_edge_says_where_it_comes_from_and_the_strongest_wins() {
    let graph = Built::of(&draft(Order::Steps, &["a:q1,q2", "b:q1 .a", "c:q1 <b"]));
    let origin = |from, to| {
        let (from, to) = (graph.at(from), graph.at(to));
        let edge = graph.0.edges.iter().find(|e| e.from == from && e.to == to);
        edge.map(|e| (e.kind, e.origin))
    };
    assert_eq!(
        origin("a@q1", "b@q1"),
        Some((EdgeKind::Requires, Origin::Reads))
    );
    assert_eq!(
        origin("a@q2", "b@q1"),
        Some((EdgeKind::Requires, Origin::Reads))
    );
    assert_eq!(
        origin("b@q1", "c@q1"),
        Some((EdgeKind::Requires, Origin::Needs))
    );
    assert_eq!(
        origin("phase one", "a@q1"),
        Some((EdgeKind::Order, Origin::Steps))
    );
}

#[test]
fn references_are_requirements() {
    let graph = Built::of(&draft(
        Order::PerHost,
        &["a:q1,q2", "b:q1,q2 ~a", "c:db .a", "d:q1,db ~a"],
    ));
    assert_eq!(graph.requires("b@q1"), ["a@q1"]);
    assert_eq!(graph.requires("c@db"), ["a@q1", "a@q2"]);
    assert_eq!(
        graph.requires("d@db"),
        ["a@q1", "a@q2", "c@db"],
        "all of them where it does not run"
    );
}

#[test]
fn phases_are_barriers_and_their_conditions_wait() {
    let mut draft = draft(Order::Steps, &["a:q1,q2"]);
    draft.phases.push(phase("two", Order::Steps));
    draft.phases.push(DraftPhase {
        references: vec![Reference {
            step: 0,
            same_host: false,
        }],
        ..phase("three", Order::Steps)
    });
    steps(1, &["b:q1"], &mut draft.steps);
    steps(2, &["c:q2"], &mut draft.steps);
    let graph = Built::of(&draft);
    assert!(graph.waits("b@q1", "a@q2") && graph.waits("c@q2", "b@q1"));
    assert_eq!(graph.requires("phase three"), ["a@q1", "a@q2"]);
    assert_eq!(graph.requires("b@q1"), [""; 0]);
}

#[test]
fn a_rolling_phase_runs_its_list_batch_by_batch() {
    for order in [Order::Steps, Order::PerHost] {
        let mut draft = draft(order, &["a:q1,q2,q3", "b:q1,q2,q3", "c:q1,q2,q3 <a"]);
        draft.phases[0].batches = vec![vec![host("q1")], vec![host("q2"), host("q3")]];
        let graph = Built::of(&draft);
        assert!(
            graph.waits("a@q2", "c@q1") && graph.waits("a@q2", "b@q1"),
            "{order:?}"
        );
        assert!(graph.waits("b@q2", "a@q2"));
        assert_eq!(graph.waits("b@q2", "a@q3"), order == Order::Steps);
        assert_eq!(
            graph.requires("c@q2"),
            ["a@q2", "a@q3"],
            "those of its batch"
        );
        assert!(graph.waits("end of one", "batch 2 of one"));
    }
}

#[test]
fn only_ancestors_run_before_done_when() {
    let mut draft = draft(Order::PerHost, &["a:q1,q2", "b:q1,q2", "c:db"]);
    draft.done_when = Some(vec![Reference {
        step: 1,
        same_host: false,
    }]);
    let graph = Built::of(&draft);
    assert!(graph.waits("done when", "b@q1") && graph.waits("done when", "a@q2"));
    assert!(!graph.waits("done when", "c@db"));
    assert!(graph.waits("c@db", "done when"));
    assert_eq!(graph.requires("done when"), ["b@q1", "b@q2"]);
    draft.done_when = Some(Vec::new());
    let graph = Built::of(&draft);
    assert!(graph.waits("a@q1", "done when"));
}

#[test]
fn every_knot_is_reported_with_its_walk() {
    let circle = |lines: &[&str]| build(&draft(Order::PerHost, lines)).unwrap_err();
    let cycles = circle(&["a:q1 <b", "b:q1 <a", "x:q2 <x"]);
    assert_eq!(cycles.len(), 2);
    assert_eq!(cycles[0].0, ["a@q1", "b@q1", "a@q1"]);
    assert_eq!(cycles[1].0, ["x@q2", "x@q2"]);
    let mut draft = draft(Order::Steps, &["a:q1"]);
    draft.phases.push(phase("two", Order::Steps));
    steps(1, &["b:q1"], &mut draft.steps);
    draft.steps[0].needs = Some(vec![Need {
        step: 1,
        same_host: false,
    }]);
    let cycles = build(&draft).unwrap_err();
    assert_eq!(cycles.len(), 1);
    let walk = &cycles[0].0;
    assert_eq!(walk.first(), walk.last());
    assert!(walk.len() > 2);
}

mod properties;
