//! What holds for every draft.

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
        let steps = sorted
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
                    instances: names
                        .iter()
                        .enumerate()
                        .filter(|(bit, _)| hosts >> bit & 1 == 1)
                        .map(|(_, h)| DraftInstance::on(h.clone()))
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
                ..DraftPhase::default()
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
            .for_each(|step| step.instances.reverse());
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
        let wanted: usize = plan.draft.steps.iter().map(|step| step.instances.len()).sum();
        prop_assert_eq!(instances(&graph).len(), wanted);
    }

    #[test]
    fn the_order_of_hosts_and_a_new_host_rename_nothing(plan in any_draft()) {
        let Ok(graph) = build(&plan.draft) else { return Ok(()) };
        let turned = build(&plan.turned);
        prop_assert_eq!(turned.as_ref().ok().map(instances), Some(instances(&graph)));
        let mut more = plan.draft.clone();
        for step in &mut more.steps {
            step.instances.insert(0, instance("h0"));
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
            for on in &step.instances {
                let id = on.id(&step.id);
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
