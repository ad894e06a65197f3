//! Plans written in code.

use std::collections::BTreeMap;

use runbook_model::plan::Phase;
use runbook_model::step::{Expr, Place, Retry};
use runbook_model::step_type::{InDoubt, Scripts, TypeKind};
use runbook_model::{
    Account, Connection, Edge, EdgeKind, Host, HostName, Node, NodeIx, NodeKind, Origin, Plan, Step,
    StepId, StepIx, StepType,
};

use super::host::Behaviour;
use super::random::Random;

/// A plan in the making.
#[derive(Debug, Clone)]
pub struct Sketch {
    plan: Plan,
}

impl Default for Sketch {
    fn default() -> Self {
        Self::new()
    }
}

fn name_of(kind: TypeKind, in_doubt: InDoubt) -> String {
    format!("sim.{kind:?}_{in_doubt:?}").to_lowercase()
}

/// A condition whose text does not matter: tables answer for it.
#[must_use]
pub(super) fn some_expr() -> Expr {
    Expr {
        text: "by table".into(),
        place: Place::default(),
    }
}

impl Sketch {
    /// A plan of one phase and no nodes.
    #[must_use]
    pub fn new() -> Self {
        let plan = Plan {
            version: "1".into(),
            digest: "sketch".into(),
            ..Plan::empty("simulated")
        };
        Self { plan }
    }

    /// An instance of a step of its own.
    ///
    /// # Panics
    /// The names are not valid.
    pub fn instance(&mut self, id: &str, host: &str, kind: TypeKind, in_doubt: InDoubt) -> NodeIx {
        let host = HostName::new(host).expect("a valid host name");
        self.host(&host);
        let uses = name_of(kind, in_doubt);
        self.plan
            .types
            .entry(uses.clone())
            .or_insert_with_key(|name| step_type(name, kind, in_doubt));
        let step = StepIx(index(self.plan.steps.len()));
        self.plan.steps.push(Step {
            retry: Retry {
                delay_ms: 10,
                ..Retry::default()
            },
            ..Step::new(
                StepId::new(id).expect("a valid step id"),
                uses,
                index(self.plan.phases.len().saturating_sub(1)),
            )
        });
        self.push(
            format!("{id}@{host}"),
            NodeKind::instance(step, host),
        )
    }

    /// An instance of an ordinary step.
    pub fn ordinary(&mut self, id: &str, host: &str) -> NodeIx {
        self.instance(id, host, TypeKind::Ordinary, InDoubt::Check)
    }

    /// An instance of a probe.
    pub fn probe(&mut self, id: &str, host: &str) -> NodeIx {
        self.instance(id, host, TypeKind::Probe, InDoubt::Check)
    }

    /// The begin of a phase; instances made after this belong to it.
    pub fn phase(&mut self, id: &str, conditional: bool) -> NodeIx {
        let phase = index(self.plan.phases.len());
        self.plan.phases.push(Phase {
            when: conditional.then(some_expr),
            ..Phase::new(id)
        });
        self.push(format!("phase {id}"), NodeKind::PhaseBegin { phase })
    }

    /// A point that everybody reaches before anybody passes.
    pub fn barrier(&mut self, id: &str) -> NodeIx {
        let phase = index(self.plan.phases.len().saturating_sub(1));
        self.push(id.to_owned(), NodeKind::barrier(phase))
    }

    /// The point where `done_when` is decided.
    pub fn done_when(&mut self) -> NodeIx {
        self.plan.done_when = Some(some_expr());
        self.push("done_when".into(), NodeKind::DoneWhen)
    }

    /// `to` needs `from`.
    pub fn requires(&mut self, from: NodeIx, to: NodeIx) {
        self.plan.edges.push(Edge {
            from,
            to,
            kind: EdgeKind::Requires,
            origin: Origin::Needs,
        });
    }

    /// `to` comes after `from`.
    pub fn order(&mut self, from: NodeIx, to: NodeIx) {
        self.plan.edges.push(Edge {
            from,
            to,
            kind: EdgeKind::Order,
            origin: Origin::Steps,
        });
    }

    /// The step of an instance, to be changed.
    ///
    /// # Panics
    /// The node is not an instance.
    pub fn step(&mut self, node: NodeIx) -> &mut Step {
        let NodeKind::Instance { step, .. } = &self.plan.nodes[node.at()].kind else {
            panic!("`{}` is not an instance", self.plan.nodes[node.at()].id);
        };
        &mut self.plan.steps[step.at()]
    }

    /// The plan itself, to be changed.
    pub fn plan(&mut self) -> &mut Plan {
        &mut self.plan
    }

    /// The finished plan.
    #[must_use]
    pub fn done(mut self) -> Plan {
        self.plan.edges.sort_unstable();
        self.plan.edges.dedup();
        self.plan
    }

    fn push(&mut self, id: String, kind: NodeKind) -> NodeIx {
        let node = NodeIx(index(self.plan.nodes.len()));
        self.plan.nodes.push(Node { id, kind });
        node
    }

    fn host(&mut self, name: &HostName) {
        if !name.is_control() {
            self.plan.hosts.entry(name.clone()).or_insert_with(|| Host {
                name: name.clone(),
                connection: Connection {
                    address: name.to_string(),
                    ..Connection::default()
                },
                account: Account::Login,
                vars: BTreeMap::new(),
                groups: Vec::new(),
            });
        }
    }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).expect("a sketch is small")
}

fn step_type(name: &str, kind: TypeKind, in_doubt: InDoubt) -> StepType {
    StepType {
        name: name.to_owned(),
        summary: String::new(),
        doc: String::new(),
        origin: "engine".into(),
        digest: String::new(),
        kind,
        params: BTreeMap::new(),
        outputs: BTreeMap::new(),
        reads: Vec::new(),
        writes: Vec::new(),
        volatile: false,
        in_doubt,
        check_timeout_ms: 30_000,
        apply_timeout_ms: 300_000,
        scripts: Scripts::default(),
        content: None,
        examples: Vec::new(),
    }
}

/// A plan in layers, one phase a layer, with everything that a step may have, and how each of its
/// instances behaves; all from the seed.
#[must_use]
pub fn plan(random: &mut Random) -> (Plan, Vec<Behaviour>) {
    let mut sketch = Sketch::new();
    let mut behaviours = Vec::new();
    let hosts = ["h1", "h2", "h3", "control"];
    let mut earlier: Vec<NodeIx> = Vec::new();
    let mut barrier = None;
    for layer in 0..1 + random.below(4) {
        let begin = sketch.phase(&format!("p{layer}"), random.chance(200));
        behaviours.push(Behaviour::default());
        if let Some(barrier) = barrier {
            sketch.order(barrier, begin);
        }
        let mut mine = Vec::new();
        for at in 0..1 + random.below(4) {
            let mut last: BTreeMap<&str, NodeIx> = BTreeMap::new();
            for part in 0..1 + random.below(3) {
                let host = *random.pick(&hosts);
                let node =
                    random_instance(&mut sketch, random, &format!("s{layer}_{at}_{part}"), host);
                behaviours.push(random_behaviour(&mut sketch, random, node));
                sketch.order(begin, node);
                if let Some(before) = last.insert(host, node) {
                    sketch.requires(before, node);
                }
                for _ in 0..random.below(3) {
                    if !earlier.is_empty() {
                        sketch.requires(*random.pick(&earlier), node);
                    }
                }
                earlier.push(node);
                mine.push(node);
            }
        }
        let end = sketch.barrier(&format!("end of p{layer}"));
        behaviours.push(Behaviour::default());
        for node in mine {
            sketch.order(node, end);
        }
        barrier = Some(end);
        if layer == 0 && random.chance(150) {
            let done = sketch.done_when();
            behaviours.push(Behaviour::default());
            sketch.order(end, done);
            barrier = Some(done);
        }
    }
    (sketch.done(), behaviours)
}

fn random_instance(sketch: &mut Sketch, random: &mut Random, id: &str, host: &str) -> NodeIx {
    use TypeKind as K;
    let kinds = [
        K::Ordinary,
        K::Ordinary,
        K::Ordinary,
        K::Probe,
        K::Probe,
        K::Always,
        K::Gate,
        K::Assert,
        K::Copy,
        K::Record,
    ];
    let kind = *random.pick(&kinds);
    let in_doubt = if kind == K::Ordinary && random.chance(150) {
        InDoubt::Ask
    } else {
        InDoubt::Check
    };
    let node = sketch.instance(id, host, kind, in_doubt);
    let step = sketch.step(node);
    step.retry.attempts = 1 + u32::try_from(random.below(3)).expect("small");
    step.critical = random.chance(150);
    step.when = random.chance(150).then(some_expr);
    step.expect = random.chance(200).then(some_expr);
    let looks = matches!(kind, K::Probe | K::Assert);
    step.fresh_ms = (looks && random.chance(500)).then(|| *random.pick(&[0, 5, 100, 60_000]));
    step.once = kind == K::Probe && step.fresh_ms.is_none() && random.chance(300);
    if matches!(kind, K::Probe | K::Ordinary) && random.chance(300) {
        step.until = Some(runbook_model::step::Until {
            every_ms: 5 + random.below(50),
            passes: 1 + u32::try_from(random.below(3)).expect("small"),
            within_ms: 20_000,
            fatal: random.chance(300).then(some_expr),
        });
    }
    node
}

fn random_behaviour(sketch: &mut Sketch, random: &mut Random, node: NodeIx) -> Behaviour {
    let step = sketch.step(node);
    let small = |random: &mut Random| u32::try_from(random.below(3)).expect("small");
    Behaviour {
        there: random.chance(200),
        fails_first: if random.chance(250) { small(random) } else { 0 },
        differs_first: if random.chance(250) { small(random) } else { 0 },
        errors_first: if random.chance(100) { small(random) } else { 0 },
        refuses_first: if random.chance(200) { 1 } else { 0 },
        takes: 1 + i64::try_from(random.below(200)).expect("small"),
        looks: 1 + i64::try_from(random.below(20)).expect("small"),
        limit: (step.critical && random.chance(300)).then_some(50),
    }
}
