//! Where a run meets a person: questions of gates, and the wish to stop.

use std::future::Future;
use std::pin::Pin;

use runbook_model::gate::{Said, Terms, Vote};
use runbook_model::{NodeIx, Plan, RunState, Value};

/// A gate's question.
#[derive(Debug, Clone, PartialEq)]
pub struct GateQuestion {
    /// The gate's instance.
    pub node: NodeIx,
    /// Its id, as people name it.
    pub gate: String,
    /// The message; not yet made printable.
    pub message: String,
    /// What the person is shown.
    pub shown: Vec<(String, Value)>,
    /// What it takes as an answer.
    pub terms: Terms,
    /// What people have said to it already.
    pub votes: Vec<Vote>,
    /// What tells it from other questions.
    pub mark: String,
    /// Whoever runs the run.
    pub runner: String,
}

impl GateQuestion {
    /// What a gate asks at the moment, if it does.
    #[must_use]
    pub fn of(plan: &Plan, state: &RunState, node: NodeIx) -> Option<Self> {
        let gate = plan.nodes.get(node.at())?.id.clone();
        let n = state.node(node)?;
        let question = n.question.clone()?;
        let runner = state.controller.as_ref().map(|of| of.user.clone());
        Some(Self {
            node,
            gate,
            mark: question.mark(),
            runner: runner.unwrap_or_default(),
            message: question.message,
            shown: question.shown,
            terms: question.terms,
            votes: n.votes.clone(),
        })
    }
}

/// A person's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What they say.
    pub said: Said,
    /// Who says so, as the controller's system names them.
    pub by: String,
}

/// Asks people.
pub trait Desk {
    /// Asks one question; resolves when it is answered. Dropping the future withdraws it. Without a
    /// person to ask, the answer is no.
    fn ask(&mut self, question: GateQuestion, plan: &Plan)
    -> Pin<Box<dyn Future<Output = Answer>>>;
}

/// A wish of the person at the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Nothing new starts: Ctrl-C once, SIGTERM, SIGHUP.
    Stop,
    /// Leave now; what runs on hosts runs on: Ctrl-C twice.
    Detach,
}
