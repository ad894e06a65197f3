//! Tests of the module beside this file.

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
        step.hosts = hosts
            .trim_end_matches('!')
            .split(',')
            .filter(|h| !h.is_empty())
            .map(host)
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

mod properties {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    struct Plan {
        draft: Draft,
        /// Another order of the same hosts.
        turned: Draft,
    }

    fn any_draft() -> impl Strategy<Value = Plan> {
        let step = (
            0..3usize,
            1..16u8,
            any::<bool>(),
            prop::collection::vec((0..8usize, any::<bool>(), any::<bool>()), 0..3),
        );
        let drafts = (
            prop::collection::vec((any::<bool>(), any::<bool>()), 3),
            prop::collection::vec(step, 1..8),
            any::<bool>(),
        );
        drafts.prop_map(|(phases, steps, done_when)| {
            let names: Vec<HostName> = ["h1", "h2", "h3", "h4"].into_iter().map(host).collect();
            let mut sorted = steps;
            sorted.sort_by_key(|step| step.0);
            let size = sorted.len();
            let steps =
                sorted
                    .into_iter()
                    .enumerate()
                    .map(|(at, (phase, hosts, barrier, links))| {
                        let links: Vec<_> = links
                            .into_iter()
                            .map(|(to, need, same)| (to % size, need, same))
                            .collect();
                        let needs: Vec<Need> = links
                            .iter()
                            .filter(|l| l.1)
                            .map(|l| Need {
                                step: l.0,
                                same_host: l.2,
                            })
                            .collect();
                        DraftStep {
                            id: format!("s{at}"),
                            phase,
                            hosts: names
                                .iter()
                                .enumerate()
                                .filter(|(bit, _)| hosts >> bit & 1 == 1)
                                .map(|(_, h)| h.clone())
                                .collect(),
                            barrier,
                            needs: (!needs.is_empty()).then_some(needs),
                            references: links
                                .iter()
                                .filter(|l| !l.1)
                                .map(|l| Reference {
                                    step: l.0,
                                    same_host: l.2,
                                })
                                .collect(),
                        }
                    });
            let phases = phases
                .into_iter()
                .enumerate()
                .map(|(at, (per_host, rolls))| DraftPhase {
                    id: format!("p{at}"),
                    order: if per_host {
                        Order::PerHost
                    } else {
                        Order::Steps
                    },
                    batches: if rolls {
                        names.chunks(2).map(<[_]>::to_vec).collect()
                    } else {
                        Vec::new()
                    },
                    references: Vec::new(),
                });
            let done_when = done_when.then(|| {
                vec![Reference {
                    step: 0,
                    same_host: false,
                }]
            });
            let draft = Draft {
                phases: phases.collect(),
                steps: steps.collect(),
                done_when,
            };
            let mut turned = draft.clone();
            turned
                .steps
                .iter_mut()
                .for_each(|step| step.hosts.reverse());
            Plan { draft, turned }
        })
    }

    fn instances(graph: &Graph) -> BTreeSet<&str> {
        let instances = graph
            .nodes
            .iter()
            .filter(|node| matches!(node.kind, NodeKind::Instance { .. }));
        instances.map(|node| node.id.as_str()).collect()
    }

    proptest! {
        #[test]
        fn a_graph_has_no_circle_or_is_refused(plan in any_draft()) {
            match build(&plan.draft) {
                Ok(graph) => prop_assert!(cycle::all(&graph.nodes, &graph.edges).is_empty()),
                Err(cycles) => for cycle in cycles {
                    prop_assert!(cycle.0.len() > 1 && cycle.0.first() == cycle.0.last());
                },
            }
        }

        #[test]
        fn ids_are_unique_and_complete(plan in any_draft()) {
            let Ok(graph) = build(&plan.draft) else { return Ok(()) };
            let ids: BTreeSet<_> = graph.nodes.iter().map(|node| &node.id).collect();
            prop_assert_eq!(ids.len(), graph.nodes.len());
            let wanted: usize = plan.draft.steps.iter().map(|step| step.hosts.len()).sum();
            prop_assert_eq!(instances(&graph).len(), wanted);
        }

        #[test]
        fn the_order_of_hosts_and_a_new_host_rename_nothing(plan in any_draft()) {
            let Ok(graph) = build(&plan.draft) else { return Ok(()) };
            let turned = build(&plan.turned);
            prop_assert_eq!(turned.as_ref().ok().map(instances), Some(instances(&graph)));
            let mut more = plan.draft.clone();
            for step in &mut more.steps {
                step.hosts.insert(0, host("h0"));
            }
            for batches in more.phases.iter_mut().map(|phase| &mut phase.batches).filter(|of| !of.is_empty()) {
                batches.push(vec![host("h0")]);
            }
            if let Ok(more) = build(&more) {
                prop_assert!(instances(&more).is_superset(&instances(&graph)));
            }
        }

        #[test]
        fn every_instance_lies_inside_its_phase(plan in any_draft()) {
            let Ok(graph) = build(&plan.draft) else { return Ok(()) };
            let built = Built(graph);
            for step in &plan.draft.steps {
                for on in &step.hosts {
                    let id = format!("{}@{on}", step.id);
                    let (begin, end) = (format!("phase p{}", step.phase), format!("end of p{}", step.phase));
                    prop_assert!(built.waits(&id, &begin));
                    prop_assert!(built.waits(&end, &id));
                }
            }
        }

        #[test]
        fn the_same_draft_gives_the_same_graph(plan in any_draft()) {
            prop_assert_eq!(build(&plan.draft), build(&plan.draft));
        }
    }
}
