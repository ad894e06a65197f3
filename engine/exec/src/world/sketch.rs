//! Plans written in code.

use std::collections::BTreeMap;

use runbook_model::plan::Phase;
use runbook_model::step::{Expr, Place, Retry};
use runbook_model::step_type::{InDoubt, Scripts, TypeKind};
use runbook_model::{
    Account, Connection, Edge, EdgeKind, Host, HostName, Node, NodeIx, NodeKind, Origin, Plan,
    Step, StepId, StepIx, StepType,
};

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
        self.push(format!("{id}@{host}"), NodeKind::instance(step, host))
    }

    /// An instance of an ordinary step.
    pub fn ordinary(&mut self, id: &str, host: &str) -> NodeIx {
        self.instance(id, host, TypeKind::Ordinary, InDoubt::Check)
    }

    /// An instance of a probe.
    pub fn probe(&mut self, id: &str, host: &str) -> NodeIx {
        self.instance(id, host, TypeKind::Probe, InDoubt::Check)
    }

    /// An instance that belongs to one host and runs on another.
    ///
    /// # Panics
    /// The names are not valid.
    pub fn via(&mut self, node: NodeIx, through: &str) {
        let through = HostName::new(through).expect("a valid host name");
        self.host(&through);
        let at = &mut self.plan.nodes[node.at()];
        at.id = format!("{}/{through}", at.id);
        if let NodeKind::Instance { via, .. } = &mut at.kind {
            *via = Some(through);
        }
    }

    /// Another instance of the step of `node`, on another host.
    ///
    /// # Panics
    /// The node is not an instance, or the name is not valid.
    pub fn also_on(&mut self, node: NodeIx, host: &str) -> NodeIx {
        let NodeKind::Instance { step, .. } = self.plan.nodes[node.at()].kind else {
            panic!("`{}` is not an instance", self.plan.nodes[node.at()].id);
        };
        let host = HostName::new(host).expect("a valid host name");
        self.host(&host);
        let id = format!("{}@{host}", self.plan.steps[step.at()].id);
        self.push(id, NodeKind::instance(step, host))
    }

    /// The position of the step of an instance.
    ///
    /// # Panics
    /// The node is not an instance.
    #[must_use]
    pub fn step_ix(&self, node: NodeIx) -> StepIx {
        match self.plan.nodes[node.at()].kind {
            NodeKind::Instance { step, .. } => step,
            _ => panic!("`{}` is not an instance", self.plan.nodes[node.at()].id),
        }
    }

    /// The last phase, to be changed.
    ///
    /// # Panics
    /// There is none.
    pub fn last_phase(&mut self) -> &mut Phase {
        self.plan.phases.last_mut().expect("a phase was made")
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

    /// The end of a batch of the last phase.
    pub fn batch_end(&mut self, batch: u32) -> NodeIx {
        let phase = index(self.plan.phases.len().saturating_sub(1));
        let id = format!("batch {batch} of {phase}");
        let batch = Some(batch);
        self.push(id, NodeKind::Barrier { phase, batch })
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

    /// `to` comes after `from` on the same host.
    pub fn same_host(&mut self, from: NodeIx, to: NodeIx) {
        self.plan.edges.push(Edge {
            from,
            to,
            kind: EdgeKind::Requires,
            origin: Origin::SameHost,
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
                meaning: Default::default(),
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
        rules: Vec::new(),
        outputs: BTreeMap::new(),
        reads: Vec::new(),
        writes: Vec::new(),
        volatile: false,
        restarts_host: false,
        progress: None,
        in_doubt,
        check_timeout_ms: 30_000,
        apply_timeout_ms: 300_000,
        scripts: Scripts {
            // What takes effect can be taken back, unless no check tells whether it is there.
            undo: match kind {
                TypeKind::Ordinary => "undo".to_owned(),
                _ => String::new(),
            },
            ..Scripts::default()
        },
        content: None,
        examples: Vec::new(),
    }
}
