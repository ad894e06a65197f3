//! A simulated host: its boot, its attempts, and what is true on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use runbook_model::event::{AttemptEnd, Purpose, Verdict};
use runbook_model::step_type::TypeKind;
use runbook_model::{AttemptId, Epoch, Failure, FailureKind, Millis, NodeIx, Value};

use super::chain::SimChain;
use super::tables::{FATAL, OK};
use crate::dispatcher::UnitFound;

/// How an instance behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behaviour {
    /// Wanted state is there from the begin.
    pub there: bool,
    /// So many attempts fail, without an effect.
    pub fails_first: u32,
    /// So many undos fail, without an effect.
    pub undo_fails_first: u32,
    /// Every attempt fails, and a probe never finds what it wants.
    pub broken: bool,
    /// So many looks at wanted state say *differs* all the same.
    pub differs_first: u32,
    /// So many looks end without a verdict.
    pub errors_first: u32,
    /// So many answers are no.
    pub refuses_first: u32,
    /// What everybody says who does not refuse; what lets the gate pass, unless given.
    pub says: Option<String>,
    /// Nobody says anything.
    pub unanswered: bool,
    /// An attempt takes so long, in milliseconds.
    pub takes: Millis,
    /// A look takes so long, in milliseconds.
    pub looks: Millis,
    /// The limit of an attempt is over after so long, in milliseconds.
    pub limit: Option<Millis>,
    /// What its looks and attempts say, where that is not told by the numbers above.
    pub story: Option<Arc<Story>>,
}

/// What looks and attempts of an instance say, in order; the last of each list stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Story {
    /// Looks before an attempt has its effect.
    pub before: Vec<View>,
    /// Looks after it.
    pub after: Vec<View>,
    /// How an attempt ends: with outputs, or without an effect.
    pub attempt: Option<Result<BTreeMap<String, Value>, Failure>>,
}

/// What one look says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The verdict.
    pub verdict: Verdict,
    /// The outputs.
    pub outputs: BTreeMap<String, Value>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            there: false,
            fails_first: 0,
            undo_fails_first: 0,
            broken: false,
            differs_first: 0,
            errors_first: 0,
            refuses_first: 0,
            says: None,
            unanswered: false,
            takes: 20,
            looks: 5,
            limit: None,
            story: None,
        }
    }
}

/// Something that really happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// When.
    pub at: Millis,
    /// To which instance.
    pub node: NodeIx,
    /// Under which controller, counted from 1.
    pub during: u32,
    /// The last event that was in its journal.
    pub seq: u64,
    /// What.
    pub what: What,
}

/// What happened to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An attempt won its claim and began.
    Began(AttemptId),
    /// An attempt had its effect.
    Effect(AttemptId),
    /// An undo took an effect back.
    Undone(AttemptId),
    /// A look was taken.
    Look,
}

/// What is true of an instance.
#[derive(Debug, Clone, Default)]
pub(super) struct Truth {
    pub(super) there: bool,
    tries: u32,
    undo_tries: u32,
    differed: u32,
    erred: u32,
    refused: u32,
    /// Looks since the begin, since the effect, or since it was taken back.
    looked: usize,
}

impl Truth {
    pub(super) fn new(behaviour: &Behaviour) -> Self {
        Self {
            there: behaviour.there,
            ..Self::default()
        }
    }

    /// An attempt reaches its end: whether it has its effect, and what it says.
    pub(super) fn apply(&mut self, behaviour: &Behaviour) -> AttemptEnd {
        self.tries += 1;
        if behaviour.broken || self.tries <= behaviour.fails_first {
            return AttemptEnd::Failed(Failure::new(FailureKind::Apply, "it failed"));
        }
        let told = behaviour.story.as_ref().and_then(|s| s.attempt.clone());
        match told {
            Some(Err(failure)) => AttemptEnd::Failed(failure),
            Some(Ok(outputs)) => {
                (self.there, self.looked) = (true, 0);
                AttemptEnd::Completed { outputs }
            }
            None => {
                (self.there, self.looked) = (true, 0);
                AttemptEnd::Completed { outputs: outputs() }
            }
        }
    }

    /// An undo reaches its end.
    pub(super) fn undo(&mut self, behaviour: &Behaviour) -> AttemptEnd {
        self.undo_tries += 1;
        if self.undo_tries <= behaviour.undo_fails_first {
            return AttemptEnd::Failed(Failure::new(FailureKind::Apply, "the undo failed"));
        }
        (self.there, self.looked) = (false, 0);
        AttemptEnd::Completed {
            outputs: BTreeMap::new(),
        }
    }

    pub(super) fn look(&mut self, behaviour: &Behaviour, kind: TypeKind, purpose: Purpose) -> View {
        if matches!(purpose, Purpose::Undo | Purpose::Derive) {
            let verdict = match self.there {
                true => Verdict::Satisfied,
                false => Verdict::Differs(vec!["not there".into()]),
            };
            return View {
                verdict,
                outputs: outputs(),
            };
        }
        let Some(story) = &behaviour.story else {
            return View {
                verdict: self.verdict(behaviour, kind),
                outputs: outputs(),
            };
        };
        let views = match self.there {
            true => &story.after,
            false => &story.before,
        };
        let view = views.get(self.looked).or(views.last());
        self.looked += 1;
        view.cloned().unwrap_or_else(|| View {
            verdict: Verdict::Satisfied,
            outputs: BTreeMap::new(),
        })
    }

    fn verdict(&mut self, behaviour: &Behaviour, kind: TypeKind) -> Verdict {
        if behaviour.broken && kind == TypeKind::Probe {
            return Verdict::Differs(vec!["broken".into()]);
        }
        if self.erred < behaviour.errors_first {
            self.erred += 1;
            return Verdict::Error(Failure::new(FailureKind::Check, "no verdict"));
        }
        if kind != TypeKind::Probe && !self.there {
            return Verdict::Differs(vec!["not there".into()]);
        }
        if kind == TypeKind::Probe && self.differed < behaviour.differs_first {
            self.differed += 1;
            return Verdict::Differs(vec!["not yet".into()]);
        }
        Verdict::Satisfied
    }

    pub(super) fn answer(&mut self, behaviour: &Behaviour) -> bool {
        let refuses = self.refused < behaviour.refuses_first;
        self.refused += u32::from(refuses);
        !refuses
    }
}

pub(super) fn outputs() -> BTreeMap<String, Value> {
    BTreeMap::from([
        (OK.to_owned(), Value::Bool(true)),
        (FATAL.to_owned(), Value::Bool(false)),
    ])
}

/// A host.
#[derive(Debug, Clone)]
pub(super) struct SimHost {
    pub(super) boot: u32,
    /// Raised whenever a link is lost: what was under way on an older one never arrives.
    pub(super) link: u32,
    /// The link that the controller has: what it sends goes out on that, until it is told.
    pub(super) known: u32,
    pub(super) reachable_from: Millis,
    /// Until then nothing comes back, and what is sent may be lost.
    pub(super) deaf_until: Millis,
    /// Until then what is sent may be late.
    pub(super) slow_until: Millis,
    /// The highest epoch of a controller that was here.
    pub(super) epoch: Epoch,
    pub(super) units: BTreeMap<AttemptId, Unit>,
}

/// An attempt on a host.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) node: NodeIx,
    pub(super) now: UnitNow,
    /// Who hears of its end: controller and link.
    pub(super) watch: Option<(u32, u32)>,
    /// Its members, if it has several.
    pub(super) chain: Option<SimChain>,
}

#[derive(Debug, Clone)]
pub(super) enum UnitNow {
    /// Its claim is taken by somebody who does not want it to begin.
    Cancelled,
    Running,
    Done(AttemptEnd),
    Lost(&'static str),
}

impl SimHost {
    pub(super) fn new() -> Self {
        Self {
            boot: 1,
            link: 0,
            known: 0,
            reachable_from: 0,
            deaf_until: 0,
            slow_until: 0,
            epoch: Epoch(0),
            units: BTreeMap::new(),
        }
    }

    pub(super) fn boot_id(&self) -> String {
        format!("boot-{}", self.boot)
    }

    /// What the host says of a unit. What is not claimed is claimed as cancelled first, so that a
    /// launch that is still under way does not begin later.
    pub(super) fn attend(
        &mut self,
        unit: &AttemptId,
        node: NodeIx,
        watch: (u32, u32),
    ) -> UnitFound {
        let cancelled = || Unit {
            node,
            now: UnitNow::Cancelled,
            watch: None,
            chain: None,
        };
        let unit = self.units.entry(unit.clone()).or_insert_with(cancelled);
        match &unit.now {
            UnitNow::Cancelled => UnitFound::NoTrace,
            UnitNow::Done(end) => UnitFound::Ended(end.clone()),
            UnitNow::Lost(found) => UnitFound::Lost((*found).to_owned()),
            UnitNow::Running => {
                unit.watch = Some(watch);
                UnitFound::Running
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(word: &str) -> View {
        View {
            verdict: Verdict::Differs(vec![word.to_owned()]),
            outputs: BTreeMap::new(),
        }
    }

    #[test]
    fn a_story_begins_again_when_it_is_taken_back() {
        let story = Story {
            before: vec![view("first"), view("second")],
            after: vec![view("done"), view("later")],
            attempt: None,
        };
        let behaviour = Behaviour {
            story: Some(Arc::new(story)),
            ..Behaviour::default()
        };
        let mut truth = Truth::new(&behaviour);
        let looks = |truth: &mut Truth| {
            [(); 2].map(|()| truth.look(&behaviour, TypeKind::Ordinary, Purpose::Before))
        };
        assert_eq!(looks(&mut truth), [view("first"), view("second")]);
        let _ = truth.apply(&behaviour);
        assert_eq!(looks(&mut truth), [view("done"), view("later")]);
        let _ = truth.undo(&behaviour);
        assert_eq!(looks(&mut truth), [view("first"), view("second")]);
    }
}
