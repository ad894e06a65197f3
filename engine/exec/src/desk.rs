//! Where a run meets a person: questions of gates, and the wish to stop.

use std::future::Future;
use std::pin::Pin;

use runbook_model::gate::{Said, Terms, Vote};
use runbook_model::{NodeIx, Plan, Value};

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
