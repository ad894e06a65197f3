//! What goes into the dispatcher and what comes out of it.

use std::collections::BTreeMap;

use runbook_model::event::{AttemptEnd, Purpose, Verdict};
use runbook_model::gate::Said;
use runbook_model::{
    AttemptId, Failure, HostName, Millis, NodeIx, Order, Record, RunResult, Value,
};

/// What happened outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Answer to [`Action::Ready`]: the host may be used.
    HostReady {
        /// Which host.
        host: HostName,
        /// Its boot.
        boot: String,
        /// Its machine id; empty where it has none.
        machine: String,
        /// The host's clock less the controller's, in milliseconds.
        clock_offset_ms: i64,
    },
    /// Answer to [`Action::Ready`]: it may not.
    HostUnusable {
        /// Which host.
        host: HostName,
        /// Why, for people.
        problem: String,
    },
    /// The link to a host is lost. Results of looks that were asked there before are dropped.
    HostLost {
        /// Which host.
        host: HostName,
        /// Why, for people.
        problem: String,
    },
    /// Answer to [`Action::Look`].
    Looked {
        /// The number of the look.
        look: u64,
        /// Of which instance.
        node: NodeIx,
        /// What the check said.
        verdict: Verdict,
        /// Typed outputs, secret ones left out.
        outputs: BTreeMap<String, Value>,
        /// State captured before a change.
        before: BTreeMap<String, String>,
    },
    /// The host confirmed a launch.
    Launched {
        /// Which unit.
        unit: AttemptId,
    },
    /// Whether a launch arrived is not known; the host is asked.
    LaunchUnknown {
        /// Which unit.
        unit: AttemptId,
    },
    /// Answer to [`Action::Attend`].
    UnitState {
        /// Which unit.
        unit: AttemptId,
        /// What the host says of it.
        found: UnitFound,
    },
    /// An attempt ended. A launch that failed before any effect ends as failed, too.
    Ended {
        /// Which unit.
        unit: AttemptId,
        /// How.
        end: AttemptEnd,
    },
    /// What became of members of a chain, in their order; each is told once or more.
    Members {
        /// Which unit.
        unit: AttemptId,
        /// Those that are known by now.
        ended: Vec<(AttemptId, MemberEnd)>,
    },
    /// The limit of a critical attempt is over; it runs on.
    OverTime {
        /// Which unit.
        unit: AttemptId,
    },
    /// A person answered.
    Answered {
        /// The gate's instance.
        node: NodeIx,
        /// What they say.
        said: Said,
        /// Who.
        by: String,
    },
    /// Answer to [`Action::Perform`].
    Performed {
        /// Of which instance.
        node: NodeIx,
        /// Which attempt.
        attempt: AttemptId,
        /// How it ended.
        end: AttemptEnd,
    },
    /// Somebody has left an order.
    Ordered(Order),
    /// Time has passed.
    Tick,
    /// Nothing new is to start.
    Interrupt,
    /// Leave at once; what runs on hosts runs on.
    Detach,
}

/// What is known of a member of a chain.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberEnd {
    /// Its effect is under way.
    Acts(Begun),
    /// It ended, or it is certain that it never begins.
    Ended {
        /// How.
        end: AttemptEnd,
        /// With what its effect began, if it did.
        began: Option<Begun>,
    },
    /// What became of it cannot be known.
    Lost {
        /// Why, for people.
        found: String,
        /// With what its effect began, if that is known.
        began: Option<Begun>,
    },
}

/// What a host found before the effect of a member.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Begun {
    /// Why something is changed.
    pub reasons: Vec<String>,
    /// State captured before.
    pub before: BTreeMap<String, String>,
}

/// A member of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The instance.
    pub node: NodeIx,
    /// Its attempt.
    pub attempt: AttemptId,
}

/// What a host says of a unit whose end is not known.
#[derive(Debug, Clone, PartialEq)]
pub enum UnitFound {
    /// It runs; [`Input::Ended`] follows.
    Running,
    /// It has ended, or was claimed and is certain never to have begun.
    Ended(AttemptEnd),
    /// There is no trace of a begin, and the host has made sure that none comes late: its claim is
    /// taken, as cancelled. Counts as *never began* only under the boot of the intent and without a
    /// launch on record; otherwise it is in doubt.
    NoTrace,
    /// What became of it cannot be known, and why, for people.
    Lost(String),
}

/// What is to be done outside, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Append this to the journal.
    Record(Record),
    /// Connect to a host and see whether it may be used.
    Ready {
        /// Which host.
        host: HostName,
    },
    /// Run the check of an instance.
    Look {
        /// Number of this look, given back with its result.
        look: u64,
        /// Of which instance.
        node: NodeIx,
        /// What for.
        purpose: Purpose,
    },
    /// Launch a unit on its host, after everything recorded so far is durable.
    Launch {
        /// The unit.
        unit: AttemptId,
        /// Of which instance.
        node: NodeIx,
        /// Which attempt.
        attempt: AttemptId,
        /// Where.
        host: HostName,
    },
    /// Launch a chain on its host, after everything recorded so far is durable. [`Input::Members`]
    /// follows, in one piece or more, until all have ended.
    LaunchChain {
        /// The unit.
        unit: AttemptId,
        /// Its members, in order.
        members: Vec<Link>,
        /// Where.
        host: HostName,
    },
    /// Have a chain begin no further effect; what runs of it ends as it would.
    Halt {
        /// The unit.
        unit: AttemptId,
        /// One of its instances.
        node: NodeIx,
        /// Where.
        host: HostName,
    },
    /// Launch the undo of an instance, after everything recorded so far is durable.
    Undo {
        /// The unit, and the attempt.
        unit: AttemptId,
        /// Of which instance.
        node: NodeIx,
        /// Where.
        host: HostName,
    },
    /// Ask the host what became of a unit; if it runs, wait for its end.
    Attend {
        /// The unit.
        unit: AttemptId,
        /// Of which instance.
        node: NodeIx,
        /// Where.
        host: HostName,
    },
    /// End a unit that runs; [`Input::Ended`] follows as for any other.
    Kill {
        /// The unit.
        unit: AttemptId,
        /// Of which instance.
        node: NodeIx,
        /// Where.
        host: HostName,
    },
    /// Do what the engine itself does, after everything recorded so far is durable.
    Perform {
        /// Of which instance.
        node: NodeIx,
        /// Which attempt.
        attempt: AttemptId,
    },
    /// Put a gate's question to a person; it is in the record before this.
    Ask {
        /// The gate's instance.
        node: NodeIx,
    },
    /// Send [`Input::Tick`] at this time; replaces an earlier one.
    Wake {
        /// When.
        at: Millis,
    },
    /// This controller's part is over. What it performs itself must have ended before the program
    /// does: nobody can ask for it later, so that it counts as lost.
    End(RunResult),
    /// The dispatcher itself is wrong; the run must end here. The text is for people.
    Fault(String),
}

/// Holds that somebody wants released after the end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The instances that hold.
    pub nodes: Vec<NodeIx>,
    /// Who; not verified.
    pub by: String,
    /// Why, in the person's words.
    pub reason: String,
}

/// What a controller opens a run for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Errand {
    /// To run it, or to go on with what is under way.
    #[default]
    Run,
    /// To release holds of a run that has ended.
    Release(Ask),
    /// To take back what it did: [`runbook_model::Command::RollBack`].
    RollBack(Order),
}

/// Limits of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Looks and attempts on one host at a time.
    pub per_host: usize,
    /// Looks and attempts at a time in all.
    pub global: usize,
    /// The last phase that is run, by its position.
    pub until: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            per_host: 4,
            global: 64,
            until: None,
        }
    }
}

/// Gives a new attempt id at each call, never the same twice in a run.
pub type AttemptIds = Box<dyn FnMut() -> AttemptId + Send>;

pub(super) fn first_line(failure: &Failure) -> &str {
    failure.message.lines().next().unwrap_or("it failed")
}
