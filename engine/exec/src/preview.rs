//! The plan's forecast: what each instance would do now. Runs checks only, on all hosts at once;
//! what an earlier step would change first is said to be unknown, and never counts as an error.

mod later;
mod levels;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use runbook_lang::evaluate::{Argument, Context, Evaluator, assert_checks};
use runbook_model::event::{NodeSummary, Verdict};
use runbook_model::plan::Part;
use runbook_model::preview::Finding;
use runbook_model::resource;
use runbook_model::step::Expr;
use runbook_model::step_type::TypeKind;
use runbook_model::transition::Stage;
use runbook_model::{
    Epoch, Event, Forecast, HostName, NodeIx, NodeKind, Outcome, Plan, Preview, Record, RunId,
    RunState, Step, Value,
};
use runbook_remote::{Fault, RemoteError};

use levels::levels;

pub use names::RUN_ID;

use crate::driver::Reach;
use crate::driver::look::{self, Prepared};
use crate::driver::made::{self, Made};
use crate::driver::veil::Veil;
use crate::meaning::in_key;

/// How the forecast of an assert begins that is false as things are.
const NOT_NOW: &str = "does not hold now: ";

/// Looks at every host and says what a run would do now.
pub async fn live(plan: &Arc<Plan>, evaluator: &Evaluator, reach: &Reach) -> Preview {
    let mut forecaster = Forecaster::new(plan, evaluator);
    forecaster.made = made::made(plan, evaluator, &forecaster.state);
    for level in levels(plan) {
        let mut asked = Vec::new();
        for node in level {
            match forecaster.without_host(node) {
                Some(forecast) => forecaster.set(node, forecast),
                None => asked.extend(forecaster.prepare(node).map(|prepared| (node, prepared))),
            }
        }
        let looks = asked
            .iter()
            .map(|(_, prepared)| forecaster.look(reach, prepared));
        let found = futures_util::future::join_all(looks).await;
        for ((node, prepared), found) in asked.into_iter().zip(found) {
            forecaster.found(node, &prepared, found);
        }
        forecaster.take_vars();
    }
    forecaster.finish()
}

/// Says what can be said without asking a host.
#[must_use]
pub fn offline(plan: &Arc<Plan>, evaluator: &Evaluator) -> Preview {
    let mut forecaster = Forecaster::new(plan, evaluator);
    for node in levels(plan).into_iter().flatten() {
        let forecast = forecaster.without_host(node).unwrap_or(Forecast::Unknown);
        forecaster.set(node, forecast);
    }
    Preview {
        live: false,
        ..forecaster.finish()
    }
}

/// Resources that an instance reads and writes, by key.
#[derive(Default)]
struct Keys {
    touched: BTreeSet<String>,
    written: BTreeSet<String>,
}

/// Why nothing was found.
enum Problem {
    /// The account is made first, by this node.
    Later(NodeIx),
    /// A host cannot be used.
    Host(HostName, String),
}

struct Forecaster<'a> {
    plan: &'a Arc<Plan>,
    evaluator: &'a Evaluator,
    veil: Veil,
    state: RunState,
    forecasts: Vec<Forecast>,
    keys: Vec<Keys>,
    unusable: BTreeMap<HostName, String>,
    already_there: Option<bool>,
    /// Accounts that are not there yet, perhaps.
    made: Made,
}

impl<'a> Forecaster<'a> {
    fn new(plan: &'a Arc<Plan>, evaluator: &'a Evaluator) -> Self {
        let nodes = plan.nodes.iter().map(|node| NodeSummary {
            id: node.id.clone(),
            phase: String::new(),
            host: None,
        });
        let created = Event::RunCreated {
            run: RunId::new("plan").expect("a word of letters is a run id"),
            runbook: plan.runbook.clone(),
            plan: plan.digest.clone(),
            nodes: nodes.collect(),
        };
        let mut state = RunState::default();
        let first = state.apply(&Record {
            seq: 1,
            epoch: Epoch(1),
            at: 0,
            event: created,
        });
        debug_assert_eq!(first, Ok(()));
        let mut forecaster = Self {
            plan,
            evaluator,
            veil: Veil::new(evaluator.secrets()),
            state,
            forecasts: vec![Forecast::None; plan.nodes.len()],
            keys: plan.nodes.iter().map(|_| Keys::default()).collect(),
            unusable: BTreeMap::new(),
            already_there: None,
            made: Made::new(),
        };
        forecaster.take_vars();
        forecaster
    }

    fn set(&mut self, node: NodeIx, forecast: Forecast) {
        self.forecasts[node.at()] = forecast;
    }

    fn take_vars(&mut self) {
        // A variable may read another one.
        for _ in 0..=self.plan.vars.len() {
            let new = self.evaluator.new_vars(&self.state);
            let known: Vec<_> = new
                .into_iter()
                .filter_map(|(name, value)| Some((name, value.ok()?)))
                .collect();
            if known.is_empty() {
                return;
            }
            self.state.vars.extend(known);
        }
    }

    /// What can be said without the host, if anything.
    fn without_host(&mut self, node: NodeIx) -> Option<Forecast> {
        match &self.plan.nodes[node.at()].kind {
            NodeKind::Barrier { .. } => Some(Forecast::None),
            NodeKind::PhaseBegin { phase } => {
                let when = self
                    .plan
                    .phases
                    .get(*phase as usize)
                    .and_then(|phase| phase.when.as_ref());
                let truth = when.map(|expr| {
                    self.evaluator
                        .truth("when", &expr.text, Context::default(), &self.state)
                });
                Some(match truth {
                    Some(Ok(false)) => Forecast::Skipped("the phase's `when` is false".to_owned()),
                    _ => Forecast::None,
                })
            }
            NodeKind::DoneWhen => {
                let expr = self.plan.done_when.as_ref()?;
                let truth =
                    self.evaluator
                        .truth("done_when", &expr.text, Context::default(), &self.state);
                self.already_there = truth.ok();
                Some(Forecast::None)
            }
            NodeKind::Instance { .. } => self.instance_without_host(node),
        }
    }

    fn instance_without_host(&self, node: NodeIx) -> Option<Forecast> {
        let (step, _) = self.plan.instance(node)?;
        if let Some(skipped) = self.skipped_by_phase(step) {
            return Some(skipped);
        }
        let kind = self.plan.type_of(step).map(|of| of.kind)?;
        // How things are then, nobody can say now.
        match self.plan.part_of(node) {
            Part::Main => {}
            _ if kind == TypeKind::Gate => return Some(Forecast::Gate),
            Part::Rollback => {
                let text = "only done when somebody goes back".to_owned();
                return Some(Forecast::Maybe(text));
            }
            Part::Finally => {
                let text = "done on every ending, as things are by then".to_owned();
                return Some(Forecast::Maybe(text));
            }
        }
        let through = self.plan.runs_on(node)?;
        if let Some(problem) = self.unusable.get(through) {
            return Some(Forecast::Unreachable(problem.clone()));
        }
        let context = self.evaluator.context(node);
        if let Some(when) = &step.when
            && self
                .evaluator
                .truth("when", &when.text, context, &self.state)
                == Ok(false)
        {
            return Some(Forecast::Skipped("its `when` is false".to_owned()));
        }
        match kind {
            TypeKind::Gate => Some(Forecast::Gate),
            TypeKind::Assert => Some(Forecast::Assert(self.assert(step, context))),
            TypeKind::Record | TypeKind::Always | TypeKind::Wait => Some(Forecast::Always),
            TypeKind::Ordinary | TypeKind::Probe | TypeKind::Copy => None,
        }
    }

    fn skipped_by_phase(&self, step: &Step) -> Option<Forecast> {
        let begin = self
            .plan
            .nodes
            .iter()
            .position(|n| n.kind == NodeKind::PhaseBegin { phase: step.phase })?;
        match &self.forecasts[begin] {
            skipped @ Forecast::Skipped(_) => Some(skipped.clone()),
            _ => None,
        }
    }

    fn assert(&self, step: &Step, context: Context<'_>) -> String {
        let mut broken = Vec::new();
        for (check, message) in assert_checks(step) {
            match self.evaluator.truth("check", check, context, &self.state) {
                Ok(true) => {}
                Ok(false) => {
                    let message = self
                        .evaluator
                        .render("message", message, context, &self.state);
                    broken.push(
                        message
                            .ok()
                            .and_then(|text| text.as_str().map(str::to_owned))
                            .unwrap_or_default(),
                    );
                }
                Err(_) => return "not known before the run".to_owned(),
            }
        }
        if broken.is_empty() {
            "holds now".to_owned()
        } else {
            format!("{NOT_NOW}{}", broken.join("; "))
        }
    }

    /// What its check needs; sets the forecast itself if that is not known.
    fn prepare(&mut self, node: NodeIx) -> Option<Prepared> {
        match look::prepare(self.plan, self.evaluator, &self.state, node) {
            Ok(prepared) => {
                let fill = |keys: &[String]| {
                    keys.iter()
                        .filter_map(|key| filled(key, &prepared.arguments))
                        .collect()
                };
                let (reads, writes): (BTreeSet<_>, BTreeSet<_>) = (
                    fill(&prepared.step_type.reads),
                    fill(&prepared.step_type.writes),
                );
                let touched = reads.union(&writes).cloned().collect();
                self.keys[node.at()] = Keys {
                    touched,
                    written: writes,
                };
                Some(prepared)
            }
            Err(failure) => {
                self.set(node, Forecast::Maybe(failure.message));
                None
            }
        }
    }

    async fn look(&self, reach: &Reach, prepared: &Prepared) -> Result<look::Finding, Problem> {
        let mut found = look::run(reach, prepared).await.map_err(|error| {
            if let Some(maker) = self.maker(prepared, &error) {
                return Problem::Later(maker);
            }
            let host = HostName::new(error.host.clone()).unwrap_or_else(|_| prepared.host.clone());
            let mut problem = error.fault.to_string();
            self.veil.prose(&mut problem);
            Problem::Host(host, problem)
        })?;
        for secret in found.secret.values() {
            self.veil.add(secret);
        }
        self.veil
            .looked(&mut found.verdict, &mut found.outputs, &mut found.before);
        Ok(found)
    }

    /// Who makes the account that is missing.
    fn maker(&self, prepared: &Prepared, error: &RemoteError) -> Option<NodeIx> {
        let missing = matches!(error.fault, Fault::NoAccount { .. });
        let account = prepared.account.clone().filter(|_| missing)?;
        self.made.get(&(prepared.host.clone(), account)).copied()
    }

    fn found(&mut self, node: NodeIx, prepared: &Prepared, found: Result<look::Finding, Problem>) {
        let is_probe = prepared.step_type.kind == TypeKind::Probe;
        let found = match found {
            Ok(found) => found,
            Err(Problem::Later(maker)) => {
                let id = &self.plan.nodes[maker.at()].id;
                let text = format!("`{id}` makes the account first");
                return self.set(node, Forecast::Maybe(text));
            }
            Err(Problem::Host(host, problem)) => {
                self.set(node, Forecast::Unreachable(problem.clone()));
                self.unusable.insert(host, problem);
                return;
            }
        };
        let forecast = match found.verdict {
            ref verdict if self.is_fatal(node, is_probe, verdict, &found.outputs) => {
                self.would_fail(node, found.verdict)
            }
            Verdict::Satisfied if is_probe => self.expected(node, &found.outputs),
            Verdict::Satisfied if self.repeats_and_expects(node) => {
                match self.expected(node, &found.outputs) {
                    Forecast::Probe(Finding::Differs(reasons)) => Forecast::Change(reasons),
                    Forecast::Probe(Finding::Unknown) => {
                        Forecast::Maybe("what it expects is known only during the run".to_owned())
                    }
                    _ => Forecast::NoChange,
                }
            }
            Verdict::Satisfied => Forecast::NoChange,
            Verdict::Differs(reasons) if is_probe => Forecast::Probe(Finding::Differs(reasons)),
            Verdict::Differs(reasons) => Forecast::Change(reasons),
            Verdict::Skipped(reason) => Forecast::Skipped(reason),
            Verdict::Error(failure) => Forecast::Error(failure.message),
        };
        let is_known = matches!(forecast, Forecast::NoChange | Forecast::Probe(_));
        let n = &mut self.state.nodes[node.at()];
        n.outputs = found.outputs;
        self.evaluator.keep(node, found.secret);
        if is_known {
            n.stage = Stage::Done;
            n.outcome = Some(Outcome::Looked);
        }
        self.set(node, forecast);
    }

    /// Whether a run would fail at its first look. An effect, where one is to come, comes first.
    fn is_fatal(
        &self,
        node: NodeIx,
        is_probe: bool,
        verdict: &Verdict,
        outputs: &BTreeMap<String, Value>,
    ) -> bool {
        let looks_only = match verdict {
            Verdict::Satisfied => {
                is_probe
                    || !matches!(
                        self.expected(node, outputs),
                        Forecast::Probe(Finding::Differs(_))
                    )
            }
            Verdict::Differs(_) => is_probe,
            Verdict::Skipped(_) | Verdict::Error(_) => false,
        };
        let Some(fatal) = self.fatal(node).filter(|_| looks_only) else {
            return false;
        };
        let context = Context {
            outputs: Some(outputs),
            ..self.evaluator.context(node)
        };
        let truth = self
            .evaluator
            .truth("fatal", &fatal.text, context, &self.state);
        truth == Ok(true)
    }

    fn fatal(&self, node: NodeIx) -> Option<&Expr> {
        let (step, _) = self.plan.instance(node)?;
        step.until.as_ref()?.fatal.as_ref()
    }

    fn would_fail(&self, node: NodeIx, verdict: Verdict) -> Forecast {
        let text = self.fatal(node).map_or("", |expr| expr.text.as_str());
        let fatal = format!("`fatal` is true, a run would fail here at once: {text}");
        let reasons = match verdict {
            Verdict::Differs(reasons) => reasons,
            _ => Vec::new(),
        };
        Forecast::Probe(Finding::Differs(
            std::iter::once(fatal).chain(reasons).collect(),
        ))
    }

    /// Whether an `expect` that is false counts as a difference.
    fn repeats_and_expects(&self, node: NodeIx) -> bool {
        let step = self.plan.instance(node).map(|(step, _)| step);
        step.is_some_and(|step| step.until.is_some() && step.expect.is_some())
    }

    fn expected(&self, node: NodeIx, outputs: &BTreeMap<String, Value>) -> Forecast {
        let Some((step, _)) = self.plan.instance(node) else {
            return Forecast::Unknown;
        };
        let context = Context {
            outputs: Some(outputs),
            ..self.evaluator.context(node)
        };
        let expect = step.expect.as_ref();
        match expect.map(|expr| {
            (
                expr,
                self.evaluator
                    .truth("expect", &expr.text, context, &self.state),
            )
        }) {
            None | Some((_, Ok(true))) => Forecast::Probe(Finding::Content),
            Some((expr, Ok(false))) => {
                Forecast::Probe(Finding::Differs(vec![format!("`{}` is false", expr.text)]))
            }
            Some((_, Err(_))) => Forecast::Probe(Finding::Unknown),
        }
    }
}

/// A resource key with its parameters filled in, as a run fills it in.
fn filled(key: &str, arguments: &[Argument]) -> Option<String> {
    resource::filled(key, |name| {
        let found = arguments.iter().find(|argument| argument.name == name)?;
        match found.secret {
            true => Some(String::new()),
            false => in_key(&found.value),
        }
    })
}
