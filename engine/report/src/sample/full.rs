//! A plan with everything that the language knows: parts, hosts gone through, items, holds, budgets.

use std::collections::BTreeMap;

use runbook_model::node::{Edge, EdgeKind, Item, Origin};
use runbook_model::plan::{Order, Part, Phase, Source, Window};
use runbook_model::step::{Hold, HoldOnFailure, OnFailure, Outage};
use runbook_model::step_type::TypeKind;
use runbook_model::{Account, HostName, Node, NodeIx, NodeKind, Plan, Step, StepIx};
use serde_json::json;

use super::{a_host, container_type, expr, host, step, step_type};

/// The certificate of every node, one batch after the other, behind two load balancers.
pub(crate) fn full() -> Plan {
    let quay = ["quay01", "quay02", "quay03"].map(host);
    let lb = ["lb01", "lb02"].map(host);
    let phases = vec![
        Phase {
            order: Order::PerHost,
            ..Phase::new("look")
        },
        Phase {
            batches: vec![quay[..1].to_vec(), quay[1..].to_vec()],
            by: Some("region".into()),
            hosts: quay.to_vec(),
            on_failure: OnFailure::Continue,
            max_failures: 1,
            min_ok: 2,
            pause_ms: 300_000,
            ..Phase::new("roll")
        },
        Phase {
            order: Order::Graph,
            when: Some(expr("inputs.all")),
            ..Phase::new("after")
        },
        Phase {
            part: Part::Rollback,
            hosts: lb.to_vec(),
            ..Phase::new("reopen")
        },
        Phase {
            part: Part::Finally,
            ..Phase::new("finally")
        },
    ];
    let steps = steps();
    let mut wiring = Wiring::default();
    wiring.phases(&phases, &steps, &quay, &lb);
    let types = [
        step_type("tls.certificate", "A certificate", TypeKind::Probe),
        step_type(
            "haproxy.server",
            "A server behind HAProxy",
            TypeKind::Ordinary,
        ),
        step_type("wait", "Lets time pass", TypeKind::Wait),
        step_type("gate.approve", "A person decides", TypeKind::Gate),
        step_type("run.record", "What happened", TypeKind::Record),
        container_type(),
    ];
    Plan {
        version: "1".into(),
        summary: "Put a new certificate on every node without an outage".into(),
        digest: "77aa02bc19d0".into(),
        sources: vec![Source {
            name: "rotate.yaml".into(),
            text: "runbook: rotate\n".into(),
        }],
        hosts: quay
            .iter()
            .chain(&lb)
            .map(|name| (name.clone(), a_host(name)))
            .collect(),
        groups: BTreeMap::from([("lb".into(), lb.to_vec()), ("quay".into(), quay.to_vec())]),
        types: types.into_iter().map(|t| (t.name.clone(), t)).collect(),
        window: Some(Window {
            opens: Some("2026-11-22T22:00:00+01:00".into()),
            closes: Some("2026-11-23T04:00:00+01:00".into()),
            no_return_before: None,
        }),
        phases,
        steps,
        nodes: wiring.nodes,
        edges: wiring.edges,
        ..Plan::empty("rotate")
    }
}

fn steps() -> Vec<Step> {
    vec![
        step("cert", "tls.certificate", 0),
        Step {
            via: true,
            outage: Some(Outage::Begin),
            hold: Some(Hold {
                release: vec![StepIx(4), StepIx(8)],
                on_failure: HoldOnFailure::Keep,
                max_ms: Some(7_200_000),
            }),
            ..step("drain", "haproxy.server", 1)
        },
        Step {
            for_each: true,
            chdir: Some(expr("/srv/{{host.name}}")),
            on_failure: OnFailure::Continue,
            ..step("users", "podman.container", 1)
        },
        Step {
            with: BTreeMap::from([("for".into(), json!("5m"))]),
            ..step("settle", "wait", 1)
        },
        Step {
            via: true,
            outage: Some(Outage::End),
            ..step("back", "haproxy.server", 1)
        },
        Step {
            hold: Some(Hold {
                release: Vec::new(),
                on_failure: HoldOnFailure::Release,
                max_ms: None,
            }),
            ..step("flag", "podman.container", 2)
        },
        Step {
            with: BTreeMap::from([("message".into(), json!("Is everything well?"))]),
            no_return: Some(expr("the first push after this is lost")),
            ..step("word", "gate.approve", 2)
        },
        Step {
            critical: true,
            ..step("mirror", "podman.container", 2)
        },
        step("rb_open", "haproxy.server", 3),
        step("record", "run.record", 4),
    ]
}

/// Nodes and edges, much as the language makes them.
#[derive(Default)]
struct Wiring {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

impl Wiring {
    fn add(&mut self, id: String, kind: NodeKind) -> NodeIx {
        self.nodes.push(Node { id, kind });
        NodeIx(u32::try_from(self.nodes.len() - 1).unwrap())
    }

    fn edge(&mut self, from: NodeIx, to: NodeIx, kind: EdgeKind, origin: Origin) {
        self.edges.push(Edge {
            from,
            to,
            kind,
            origin,
        });
    }

    fn phases(&mut self, phases: &[Phase], steps: &[Step], quay: &[HostName], lb: &[HostName]) {
        let mut last: Option<(Part, NodeIx)> = None;
        for (phase, at) in phases.iter().zip(0u32..) {
            let begin = self.add(
                format!("phase {}", phase.id),
                NodeKind::PhaseBegin { phase: at },
            );
            if let Some((_, end)) = last.filter(|(part, _)| *part == phase.part) {
                self.edge(end, begin, EdgeKind::Order, Origin::Phase);
            }
            let end = self.add(format!("end of {}", phase.id), NodeKind::barrier(at));
            let whole = [quay.to_vec()];
            let batches = if phase.batches.is_empty() {
                &whole[..]
            } else {
                &phase.batches
            };
            let mut gate = begin;
            for (number, batch) in (0u32..).zip(batches) {
                for (ix, step) in (0u32..).zip(steps).filter(|(_, s)| s.phase == at) {
                    let here = self.instances(StepIx(ix), step, batch, lb, number);
                    for node in &here {
                        let origin = match gate == begin {
                            true => Origin::Phase,
                            false => Origin::Steps,
                        };
                        self.edge(gate, *node, EdgeKind::Order, origin);
                        self.edge(*node, end, EdgeKind::Order, Origin::Phase);
                    }
                    if phase.order == Order::Steps {
                        let kind = NodeKind::barrier(at);
                        let after = self.add(format!("after {} ({number})", step.id), kind);
                        for node in here {
                            self.edge(node, after, EdgeKind::Order, Origin::Steps);
                        }
                        gate = after;
                    }
                }
                if !phase.batches.is_empty() {
                    let kind = NodeKind::Barrier {
                        phase: at,
                        batch: Some(number),
                    };
                    let id = format!("batch {} of {}", number + 1, phase.id);
                    let done = self.add(id, kind);
                    self.edge(gate, done, EdgeKind::Order, Origin::Batch);
                    self.edge(done, end, EdgeKind::Order, Origin::Phase);
                    gate = done;
                }
            }
            last = Some((phase.part, end));
        }
        self.require("drain", "back", Origin::Reads);
        self.require("flag", "word", Origin::Needs);
        self.require("cert", "word", Origin::Reads);
    }

    fn instances(
        &mut self,
        ix: StepIx,
        step: &Step,
        batch: &[HostName],
        lb: &[HostName],
        number: u32,
    ) -> Vec<NodeIx> {
        let id = step.id.as_str();
        let control = [HostName::control()];
        let hosts = match id {
            "settle" | "word" | "record" => &control[..],
            "rb_open" => lb,
            "mirror" => &[],
            _ => batch,
        };
        // On the controller a step is there once, not once for each batch.
        let hosts = if number > 0 && hosts == &control[..] {
            &[]
        } else {
            hosts
        };
        let mut out = Vec::new();
        for host in hosts {
            let vias: Vec<_> = lb.iter().filter(|_| step.via).map(Some).collect();
            let vias = if vias.is_empty() { vec![None] } else { vias };
            let items = ["blue", "green"].map(Some);
            let items = if step.for_each { &items[..] } else { &[None] };
            for (via, item) in vias
                .iter()
                .flat_map(|v| items.iter().map(move |i| (*v, *i)))
            {
                let (colon, slash) = (
                    item.map_or(String::new(), |i| format!(":{i}")),
                    via.map_or(String::new(), |v| format!("/{v}")),
                );
                let kind = NodeKind::Instance {
                    step: ix,
                    host: host.clone(),
                    via: via.cloned(),
                    item: item.map(|name| Item {
                        name: name.into(),
                        value: json!({ "uid": 1000 }),
                    }),
                    account: step.for_each.then(|| Account::Sudo("quay".into())),
                    batch: number,
                };
                out.push(self.add(format!("{id}{colon}@{host}{slash}"), kind));
            }
        }
        out
    }

    /// Instances on the same host where there are some, all of them otherwise.
    fn require(&mut self, from: &str, to: &str, origin: Origin) {
        let of = |nodes: &[Node], id: &str| -> Vec<(NodeIx, HostName)> {
            let found = nodes
                .iter()
                .zip(0u32..)
                .filter_map(|(n, at)| match &n.kind {
                    NodeKind::Instance { host, .. } if n.id.starts_with(&format!("{id}@")) => {
                        Some((NodeIx(at), host.clone()))
                    }
                    _ => None,
                });
            found.collect()
        };
        let (before, after) = (of(&self.nodes, from), of(&self.nodes, to));
        for (node, host) in &after {
            let same = before.iter().any(|(_, on)| on == host);
            for (other, on) in &before {
                if !same || on == host {
                    self.edge(*other, *node, EdgeKind::Requires, origin);
                }
            }
        }
    }
}
