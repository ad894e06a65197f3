//! A run on simulated hosts: what a failure or a dead controller would leave behind, and what a
//! resume and a rollback would do then. No host is reached and no secret is read.
//!
//! The plan, its conditions and the dispatcher are the real ones. The world is one where every change
//! has still to be made and works, probes are content and people say yes. What steps say is made up;
//! where a condition would stop the run because of that alone, it is taken as it should be, and noted.

mod guess;
mod story;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use runbook_lang::evaluate::{EvaluateError, Evaluator};
use runbook_lang::value::Date;
use runbook_model::state::FoldError;
use runbook_model::{Millis, NodeIx, Plan, Record, RunState, Value};

use crate::graph::{Frozen, GraphError};
use crate::meaning::Meaning;
use crate::rollback::{self, RollbackError, Scope};
use crate::world::{Ending, What, World};
use guess::{Guess, Notes};

pub use story::MadeUp;

/// Outputs of step types as their tests have them: by type, by name.
pub type Plausible = BTreeMap<String, BTreeMap<String, Value>>;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish {
    /// This instance fails, as often as it is tried by the first controller.
    pub fail: Option<NodeIx>,
    /// The first controller dies after so many events.
    pub kill_at: Option<u64>,
}

/// One controller's part.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Its events.
    pub records: Vec<Record>,
    /// What all events up to its end add up to.
    pub state: RunState,
    /// How it ended.
    pub ending: Ending,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// The run up to its end, or the death of its controller.
    pub first: Part,
    /// What the run changed and is there at that moment, in the order of the changes.
    pub changed: Vec<NodeIx>,
    /// A second controller, if the first one left something to do.
    pub resumed: Option<Part>,
    /// What a rollback at that moment would do; nothing if the run does not even exist.
    pub back: Option<Result<Scope, RollbackError>>,
    /// Outputs that conditions read, and that were made up.
    pub made_up: Vec<MadeUp>,
    /// Conditions that were taken as they should be, or that made-up values decided; not yet made printable.
    pub assumed: Vec<String>,
}

/// Why there is nothing to rehearse.
#[derive(Debug, thiserror::Error)]
pub enum RehearseError {
    /// The plan is not consistent in itself.
    #[error("the plan cannot be run: {0}")]
    Plan(#[from] GraphError),
    /// A text of the plan cannot be read.
    #[error("the plan cannot be evaluated: {0}")]
    Text(#[from] EvaluateError),
    /// The journal of the simulated run contradicts itself.
    #[error("the simulated run contradicts itself: {0}")]
    Journal(#[from] FoldError),
}

/// Rehearses a plan. The same plan and wish give the same result.
///
/// # Errors
/// The plan cannot be run at all.
pub fn rehearse(
    plan: &Arc<Plan>,
    plausible: &Plausible,
    wish: Wish,
) -> Result<Rehearsal, RehearseError> {
    let graph = Frozen::new(plan)?;
    let evaluator = Rc::new(Evaluator::new(
        Arc::clone(plan),
        &BTreeMap::new(),
        "rehearsal",
        "/run/rehearsal",
    )?);
    let notes: Notes = Rc::new(RefCell::new(Vec::new()));
    let failing = Rc::new(RefCell::new(wish.fail));
    let rules = Guess {
        plan: Arc::clone(plan),
        meaning: Meaning::new(Arc::clone(plan), Rc::clone(&evaluator)),
        evaluator,
        notes: Rc::clone(&notes),
        failing: Rc::clone(&failing),
    };
    let behaviours = story::behaviours(plan, plausible, wish.fail);
    let mut world = World::with(Arc::clone(plan), behaviours, rules, 0);
    world.now = begin(plan).unwrap_or(world.now);
    let mut killed = None;
    let ending = world.run_watched(&mut |world| {
        let now = world.journal.len() as u64;
        if killed.is_none() && wish.kill_at.is_some_and(|at| now >= at) {
            // A process that is killed loses nothing that it has written.
            killed = Some(world.fork_whole());
        }
    });
    let ending = match killed {
        Some(at_that_moment) => {
            world = at_that_moment;
            Ending::Crashed
        }
        None => ending,
    };
    let first = Part {
        records: world.journal.clone(),
        state: world.state()?,
        ending,
    };
    let changed = changed(&world.happenings, |node| world.is_there(node));
    let back = first.state.run.is_some();
    let back = back.then(|| rollback::scope(plan, &graph, &first.state, None));
    // The cause is gone.
    *failing.borrow_mut() = None;
    let mut resumed = None;
    if goes_on(&first.ending) {
        let known = world.journal.len();
        let ending = world.run();
        resumed = Some(Part {
            records: world.journal.split_off(known.min(world.journal.len())),
            ending,
            state: RunState::default(),
        });
    }
    if let Some(part) = &mut resumed {
        part.state = first.state.clone();
        for record in &part.records {
            part.state.apply(record)?;
        }
    }
    let assumed = notes.borrow().clone();
    Ok(Rehearsal {
        first,
        changed,
        resumed,
        back,
        made_up: story::made_up(plan, plausible),
        assumed,
    })
}

/// Whether a resume would do something.
fn goes_on(ending: &Ending) -> bool {
    match ending {
        Ending::Closed(result) => result.goes_on(),
        other => *other == Ending::Crashed,
    }
}

fn changed(
    happenings: &[crate::world::Happening],
    is_there: impl Fn(NodeIx) -> bool,
) -> Vec<NodeIx> {
    let mut nodes = Vec::new();
    for happening in happenings {
        if matches!(happening.what, What::Effect(_)) && !nodes.contains(&happening.node) {
            nodes.push(happening.node);
        }
    }
    nodes.retain(|node| is_there(*node));
    nodes
}

/// A moment when the run may happen, where the plan says when that is.
pub(crate) fn begin(plan: &Plan) -> Option<Millis> {
    let window = plan.window.as_ref()?;
    let at = |date: &Option<String>| {
        let date = Date::parse(date.as_deref()?).ok()?;
        Some(date.at().as_millisecond())
    };
    let last = [at(&window.closes), at(&window.no_return_before)];
    // Whatever the simulated steps take, it is over by then.
    let before = last.into_iter().flatten().min().map(|end| end - DAY);
    at(&window.opens).or(before)
}

/// In milliseconds.
const DAY: Millis = 24 * 3_600_000;

#[cfg(test)]
mod tests;
