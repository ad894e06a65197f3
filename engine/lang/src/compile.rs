//! From a runbook as it is written, an inventory and inputs to a plan: everything resolved and
//! checked, all mistakes reported. A list of passes, each in a file of its own:
//!
//! ```text
//! inputs ─► hosts and groups ─► who runs what ─► names in every text ─► steps ─► graph ─► digest
//! ```

mod arguments;
mod batches;
mod draft;
mod generated;
mod given;
mod holds;
mod hosts;
mod imported;
mod inputs;
mod items;
mod known;
mod lost;
mod names;
mod outage;
mod select;
mod states;
mod steps;
mod texts;
mod types;
mod window;

use std::collections::BTreeMap;

use runbook_model::plan::{PLAN_FORMAT, SecretSource};
use runbook_model::{Plan, Value, plan};
use sha2::{Digest, Sha256};

use crate::ast::Runbook;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::graph;
use crate::inventory::Inventory;
use crate::source::{Source, Sources};
use crate::steptype::Catalog;

pub use given::{Given, Placed};
pub use lost::{LostEdge, lost_edges};

/// What is compiled.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// All texts that were read.
    pub sources: &'a Sources,
    /// The runbook's own text.
    pub source: &'a Source,
    /// The runbook.
    pub runbook: &'a Runbook,
    /// Where it runs.
    pub inventory: &'a Inventory,
    /// What it can use.
    pub catalog: &'a Catalog,
    /// Its inputs.
    pub given: &'a Given,
    /// Whether a required input may be missing: it is then unknown, and the plan is good for
    /// looking at, not for running.
    pub allow_missing: bool,
}

/// Compiles. There is a plan only if there is no error.
#[must_use]
pub fn compile(request: &Request<'_>) -> (Option<Plan>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let plan = Compiler {
        request,
        diagnostics: &mut diagnostics,
    }
    .plan();
    diagnostics.sort();
    let plan = plan.filter(|_| !diagnostics.has_errors());
    (plan, diagnostics)
}

/// What the passes share.
struct Compiler<'a> {
    request: &'a Request<'a>,
    diagnostics: &'a mut Diagnostics,
}

impl Compiler<'_> {
    fn plan(&mut self) -> Option<Plan> {
        let runbook = self.request.runbook;
        let hosts = self.hosts();
        self.check_groups(&hosts);
        let inputs = self.inputs(&hosts);
        let chosen = self.select(&hosts, &inputs);
        let texts = self.check_texts(&hosts, &inputs, &chosen);
        self.check_late();
        let window = self.window(&hosts, &inputs);
        let steps = self.steps(&chosen);
        let types = self.types();
        if self.diagnostics.has_errors() {
            return None;
        }
        let graph = self.graph(&chosen, &texts)?;
        let mut plan = Plan {
            format: PLAN_FORMAT,
            runbook: runbook.name.value.clone(),
            version: runbook
                .version
                .as_ref()
                .map(|v| v.value.clone())
                .unwrap_or_default(),
            summary: runbook
                .summary
                .as_ref()
                .map(|s| s.value.clone())
                .unwrap_or_default(),
            digest: String::new(),
            sources: self.sources(),
            inputs: inputs.plan.clone(),
            vars: self.vars(),
            hosts: hosts.by_name.clone(),
            groups: hosts.groups.clone(),
            types,
            done_when: runbook.done_when.as_ref().map(|expr| self.expr(expr)),
            window,
            phases: self.phases(&chosen),
            steps,
            nodes: graph.nodes,
            edges: graph.edges,
        };
        plan.digest = digest(&plan);
        self.check_arguments(&plan, &hosts, &inputs);
        self.check_outages(&plan);
        self.warn_states(&plan, &hosts, &inputs);
        self.warn_holds(&plan, &hosts, &inputs);
        Some(plan)
    }

    fn graph(&mut self, chosen: &select::Chosen, texts: &texts::Texts) -> Option<graph::Graph> {
        match graph::build(&self.draft(chosen, texts)) {
            Ok(graph) => Some(graph),
            Err(cycles) => {
                for cycle in cycles {
                    let span = self.cycle_span(&cycle);
                    let walk: Vec<_> = cycle.0.iter().map(|id| format!("`{id}`")).collect();
                    self.error(
                        Code::Cycle,
                        format!("these wait for each other: {}", walk.join(" before ")),
                        span,
                        "one of them",
                        Some(
                            "`needs`, references and the order of phases must not lead back"
                                .to_owned(),
                        ),
                    );
                }
                None
            }
        }
    }

    /// The first step that takes part, which is where a person can change something.
    fn cycle_span(&self, cycle: &graph::Cycle) -> crate::source::Span {
        let is_in = |id: &str| {
            cycle
                .0
                .iter()
                .any(|node| node.split('@').next() == Some(id))
        };
        let step = self
            .request
            .runbook
            .steps()
            .find(|(_, step)| step.needs.is_some() && is_in(&step.id.value));
        let step = step.or_else(|| {
            self.request
                .runbook
                .steps()
                .find(|(_, step)| is_in(&step.id.value))
        });
        step.map_or(self.request.runbook.name.span, |(_, step)| step.id.span)
    }

    fn sources(&self) -> Vec<plan::Source> {
        let sources = self.request.sources.iter();
        sources
            .map(|source| plan::Source {
                name: source.name().to_owned(),
                text: source.text().to_owned(),
            })
            .collect()
    }

    fn error(
        &mut self,
        code: Code,
        message: impl AsRef<str>,
        span: crate::source::Span,
        label: &str,
        help: Option<String>,
    ) {
        let diagnostic = Diagnostic::error(code, message)
            .label(span.source, span, label)
            .maybe_help(help);
        self.diagnostics.push(diagnostic);
    }
}

/// SHA-256 over everything in a plan; values of secrets are not in it.
fn digest(plan: &Plan) -> String {
    let text = serde_json::to_vec(plan).expect("a plan has text keys only");
    let hash = Sha256::digest(&text);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Values of inputs by name, as the command line and a file give them.
pub type Values = BTreeMap<String, Value>;
/// Where secrets are read from.
pub type Secrets = BTreeMap<String, SecretSource>;
