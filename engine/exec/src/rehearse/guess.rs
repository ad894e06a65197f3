//! Conditions of a rehearsal: the plan's own, but for what only made-up values would decide against
//! the run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use runbook_lang::condition::Condition;
use runbook_lang::evaluate::{Evaluator, assert_checks};
use runbook_lang::scope::{Reference, Segment};
use runbook_lang::template::Template;
use runbook_model::plan::Var;
use runbook_model::{Failure, FailureKind, HostName, Millis, NodeIx, Plan, RunState, Value};

use crate::meaning::Meaning;
use crate::rules::{Keys, Question, Rules};

/// What was taken as it should be, once each.
pub(super) type Notes = Rc<RefCell<Vec<String>>>;

/// The failure that was wished for.
pub(super) const WISHED: &str = "the rehearsal has it fail";

/// The plan's meaning, kinder where it can know nothing.
#[derive(Clone)]
pub(super) struct Guess {
    pub(super) plan: Arc<Plan>,
    pub(super) meaning: Meaning,
    pub(super) evaluator: Rc<Evaluator>,
    pub(super) notes: Notes,
    /// The instance that fails, while it does.
    pub(super) failing: Rc<RefCell<Option<NodeIx>>>,
}

impl Guess {
    fn note(&self, text: String) {
        let mut notes = self.notes.borrow_mut();
        if !notes.contains(&text) {
            notes.push(text);
        }
    }

    /// The step of an instance, as people name it.
    fn of(&self, node: NodeIx) -> &str {
        let step = self.plan.instance(node).map(|(step, _)| step.id.as_str());
        step.unwrap_or("?")
    }

    fn fails(&self, node: NodeIx) -> Result<(), Failure> {
        match *self.failing.borrow() == Some(node) {
            true => Err(Failure::new(FailureKind::Assert, WISHED)),
            false => Ok(()),
        }
    }

    /// A truth that may go either way, told where made-up values decide it against the run.
    fn decided(&self, whose: &str, text: &str, found: Result<bool, Failure>) -> bool {
        match found {
            Ok(true) => true,
            Ok(false) => {
                if reads_outputs(&self.plan, text) {
                    self.note(format!("{whose} is false by made-up values: {text}"));
                }
                false
            }
            Err(_) => {
                self.note(format!(
                    "{whose} has no value here and counts as true: {text}"
                ));
                true
            }
        }
    }
}

impl Rules for Guess {
    fn when(&self, node: NodeIx, state: &RunState) -> Result<bool, Failure> {
        let step = self.plan.instance(node).map(|(step, _)| step);
        let Some(when) = step.and_then(|step| step.when.as_ref()) else {
            return self.meaning.when(node, state);
        };
        let whose = format!("`when` of {}", self.of(node));
        Ok(self.decided(&whose, &when.text, self.meaning.when(node, state)))
    }

    fn phase_when(&self, phase: u32, state: &RunState) -> Result<bool, Failure> {
        let found = self.plan.phases.get(phase as usize);
        let Some((id, when)) = found.and_then(|phase| Some((&phase.id, phase.when.as_ref()?)))
        else {
            return self.meaning.phase_when(phase, state);
        };
        let whose = format!("`when` of phase {id}");
        Ok(self.decided(&whose, &when.text, self.meaning.phase_when(phase, state)))
    }

    fn done_when(&self, state: &RunState) -> Result<bool, Failure> {
        let Some(done) = &self.plan.done_when else {
            return Ok(false);
        };
        match self.meaning.done_when(state) {
            Ok(true) if !reads_outputs(&self.plan, &done.text) => Ok(true),
            Ok(false) => Ok(false),
            _ => {
                self.note(format!("`done_when` counts as false: {}", done.text));
                Ok(false)
            }
        }
    }

    fn vars(&self, state: &RunState) -> Vec<(String, Value)> {
        self.meaning.vars(state)
    }

    fn known(&self, _: NodeIx, _: &RunState) -> bool {
        false
    }

    /// One at a time: what is rehearsed is what a failure of one leaves behind.
    fn chains(&self, _: NodeIx, _: &RunState) -> bool {
        false
    }

    fn keys(&self, node: NodeIx, state: &RunState) -> Keys {
        self.meaning.keys(node, state)
    }

    fn expect(
        &self,
        node: NodeIx,
        outputs: &BTreeMap<String, Value>,
        state: &RunState,
    ) -> Result<bool, Failure> {
        let found = self.meaning.expect(node, outputs, state);
        if !matches!(found, Ok(true)) {
            self.note(format!("`expect` of {} counts as true", self.of(node)));
        }
        Ok(true)
    }

    fn fatal(
        &self,
        node: NodeIx,
        outputs: &BTreeMap<String, Value>,
        state: &RunState,
    ) -> Result<bool, Failure> {
        if !matches!(self.meaning.fatal(node, outputs, state), Ok(false)) {
            self.note(format!("`fatal` of {} counts as false", self.of(node)));
        }
        Ok(false)
    }

    fn assert(&self, node: NodeIx, state: &RunState) -> Result<(), Failure> {
        self.fails(node)?;
        let Some((step, _)) = self.plan.instance(node) else {
            return self.meaning.assert(node, state);
        };
        let context = self.evaluator.context(node);
        for (check, _) in assert_checks(step) {
            match self.evaluator.truth("check", check, context, state) {
                Ok(true) => {}
                // Nothing here is made up: it is false in a run as well.
                Ok(false) if !reads_outputs(&self.plan, check) => {
                    return self.meaning.assert(node, state);
                }
                _ => self.note(format!("{} counts as true: {check}", self.of(node))),
            }
        }
        Ok(())
    }

    fn wait_until(&self, node: NodeIx, since: Millis, state: &RunState) -> Result<Millis, Failure> {
        self.fails(node)?;
        Ok(self
            .meaning
            .wait_until(node, since, state)
            .unwrap_or_else(|_| {
                self.note(format!("{} waits for nothing", self.of(node)));
                since
            }))
    }

    fn reaches(&self, node: NodeIx, state: &RunState) -> Vec<HostName> {
        self.meaning.reaches(node, state)
    }

    fn question(&self, node: NodeIx, state: &RunState) -> Result<Question, Failure> {
        Ok(self.meaning.question(node, state).unwrap_or_default())
    }
}

/// Whether what a condition says depends on what steps said.
pub(super) fn reads_outputs(plan: &Plan, condition: &str) -> bool {
    let of = |text: &str| Condition::parse(text).map(|c| c.references().to_vec());
    reads(plan, &of(condition).unwrap_or_default(), plan.vars.len())
}

fn reads(plan: &Plan, references: &[Reference], left: usize) -> bool {
    references.iter().any(|reference| match reference.root() {
        "steps" | "outputs" => true,
        "vars" => {
            let name = reference.path.get(1).and_then(Segment::name);
            let inner = name.map(|name| of_var(plan, name)).unwrap_or_default();
            left > 0 && reads(plan, &inner, left - 1)
        }
        _ => false,
    })
}

/// What a variable reads.
pub(super) fn of_var(plan: &Plan, name: &str) -> Vec<Reference> {
    match plan.vars.get(name) {
        Some(Var::Cel(expr)) => Condition::parse(&expr.text)
            .map(|c| c.references().to_vec())
            .unwrap_or_default(),
        Some(Var::Template(expr)) => Template::parse(&expr.text)
            .map(|t| t.references().to_vec())
            .unwrap_or_default(),
        Some(Var::Literal(_)) | None => Vec::new(),
    }
}
