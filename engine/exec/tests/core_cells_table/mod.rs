//! Cells: how they are counted, shown, and which cannot occur.
#![allow(unreachable_pub, reason = "a part of the suite")]

use std::collections::BTreeMap;
use std::fmt;

use runbook_exec::world::{Fault, World};
use runbook_model::event::{AttemptEnd, Purpose};
use runbook_model::transition::{Stage, TABLE, Trigger};
use runbook_model::{Event, HostName, NodeIx, RunState};

/// A fault, where something stood when it struck, and the transition that it made then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    pub fault: Fault,
    /// An undo of a step, not the step itself.
    pub undo: bool,
    /// The row of the table of transitions.
    row: usize,
}

impl Cell {
    /// Every cell there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let rows = |fault, undo| (0..TABLE.len()).map(move |row| Self { fault, undo, row });
        Fault::ALL.into_iter().flat_map(move |fault| {
            [false, true]
                .into_iter()
                .flat_map(move |undo| rows(fault, undo))
        })
    }

    fn new(fault: Fault, undo: bool, stage: Stage, trigger: Trigger) -> Option<Self> {
        let row = TABLE
            .iter()
            .position(|(from, by, _)| *from == stage && *by == trigger)?;
        Some(Self { fault, undo, row })
    }

    fn stage(self) -> Stage {
        TABLE[self.row].0
    }

    fn trigger(self) -> Trigger {
        TABLE[self.row].1
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = if self.undo { "undo" } else { "step" };
        let (fault, stage, trigger) = (self.fault, self.stage(), self.trigger());
        write!(f, "{fault:?}, {of} {stage:?}, {trigger:?}")
    }
}

/// A step, or its undo.
type Subject = (NodeIx, bool);

/// Counts the cells of a world, by its journal and by what struck.
pub fn count(world: &World, counts: &mut BTreeMap<Cell, usize>) {
    let mut struck: Vec<(u64, Fault, Option<&HostName>)> = world
        .struck
        .iter()
        .map(|s| (survived(world, s.during, s.seq), s.fault, s.host.as_ref()))
        .collect();
    struck.sort_by_key(|(seq, ..)| *seq);
    let mut struck = struck.into_iter().peekable();
    let mut state = RunState::default();
    let mut pending: BTreeMap<Subject, Vec<(Fault, Stage)>> = BTreeMap::new();
    for record in &world.journal {
        while let Some((_, fault, host)) = struck.next_if(|(seq, ..)| *seq < record.seq) {
            for (subject, stage) in subjects(world, &state, host) {
                pending.entry(subject).or_default().push((fault, stage));
            }
        }
        for (subject, trigger) in transitions(&state, &record.event) {
            for (fault, stage) in pending.remove(&subject).unwrap_or_default() {
                if let Some(cell) = Cell::new(fault, subject.1, stage, trigger) {
                    *counts.entry(cell).or_default() += 1;
                }
            }
        }
        // What an order moves, it moves without a transition.
        if let Event::Ordered { nodes, .. } = &record.event {
            pending.retain(|(node, _), _| !nodes.contains(node));
        }
        if state.apply(record).is_err() {
            return;
        }
    }
}

/// The last event that was there at that moment and is there still.
fn survived(world: &World, during: u32, seq: u64) -> u64 {
    let later = world.journal.iter().filter(
        |record| matches!(&record.event, Event::Opened { controller } if controller.pid > during),
    );
    later
        .map(|record| record.seq - 1)
        .chain([seq])
        .min()
        .unwrap_or(seq)
}

/// What a fault concerns: all, or what is on that host.
fn subjects(world: &World, state: &RunState, host: Option<&HostName>) -> Vec<(Subject, Stage)> {
    let here = |node: &NodeIx| host.is_none() || world.plan.runs_on(*node) == host;
    let nodes = (0u32..).map(NodeIx).zip(&state.nodes);
    let steps = nodes.map(|(node, n)| ((node, false), n.stage));
    let undos = state.undos.iter().map(|(node, u)| ((*node, true), u.stage));
    let all = steps.chain(undos);
    all.filter(|((node, _), _)| here(node)).collect()
}

/// The transitions of an event.
fn transitions(state: &RunState, event: &Event) -> Vec<(Subject, Trigger)> {
    let of_attempt = |id, trigger| {
        let attempt = state.attempts.get(id);
        attempt
            .map(|a| ((a.node, a.undo), trigger))
            .into_iter()
            .collect()
    };
    let step = |node: &NodeIx, trigger| vec![((*node, false), trigger)];
    let undo = |node: &NodeIx, trigger| vec![((*node, true), trigger)];
    match event {
        Event::Opened { .. } => {
            let steps = (0u32..).map(NodeIx).take(state.nodes.len());
            let steps = steps.map(|node| ((node, false), Trigger::Opened));
            let undos = state
                .undos
                .keys()
                .map(|node| ((*node, true), Trigger::Opened));
            steps.chain(undos).collect()
        }
        Event::Decided { node } => step(node, Trigger::Decided),
        Event::Looking {
            node,
            purpose: Purpose::Undo,
        } => undo(node, Trigger::Looking),
        Event::Looking { node, .. } => step(node, Trigger::Looking),
        Event::Looked { node, .. } => step(node, Trigger::Looked),
        Event::UndoLooked { node, .. } => undo(node, Trigger::Looked),
        Event::Dispatched { instances, .. } => instances
            .iter()
            .map(|intent| ((intent.node, false), Trigger::Dispatched))
            .collect(),
        Event::Undoing { node, .. } => undo(node, Trigger::Dispatched),
        Event::Launched { unit } => {
            let members = state.by_unit.get(unit).into_iter().flatten();
            members
                .flat_map(|id| of_attempt(id, Trigger::Launched))
                .collect()
        }
        Event::Ended { attempt, end } => {
            let of_chain = state
                .attempts
                .get(attempt)
                .is_some_and(|a| a.unit != *attempt);
            match of_chain && *end == AttemptEnd::NeverBegan {
                true => of_attempt(attempt, Trigger::Returned),
                false => of_attempt(attempt, Trigger::Ended),
            }
        }
        Event::Doubted { attempt, .. } => of_attempt(attempt, Trigger::Doubted),
        Event::Pausing { node, .. } => step(node, Trigger::Pausing),
        Event::Asked { node, .. } => step(node, Trigger::Asked),
        Event::Said { node, .. } => step(node, Trigger::Said),
        Event::Answered { node, .. } => step(node, Trigger::Answered),
        Event::Finished { node, .. } => step(node, Trigger::Finished),
        Event::Undone { node, .. } => undo(node, Trigger::Finished),
        Event::Reopened { node, .. } => step(node, Trigger::Reopened),
        _ => Vec::new(),
    }
}

/// A cell that occurs less often is one that another draw of the worlds may lack.
const FEW: usize = 5;

/// Why a cell may be empty.
#[derive(Debug, Clone, Copy)]
pub enum Excuse {
    /// It cannot occur.
    Never(&'static str),
    /// It can, and chance does not find it in every thousand worlds.
    Seldom(&'static str),
}

use Excuse::{Never, Seldom};
use Fault as F;
use Stage as S;
use Trigger as T;

/// Why a cell may be empty, if it may.
pub fn excuse(cell: &Cell) -> Option<Excuse> {
    let found = EXCUSES.iter().find(|(holds, _)| holds(cell));
    found.map(|(_, reason)| *reason)
}

type Rule = (fn(&Cell) -> bool, Excuse);

/// The controller is gone with it.
fn ends_it(cell: &Cell) -> bool {
    matches!(
        cell.fault,
        F::Crash | F::PowerCut | F::SyncFails | F::TakenOver | F::Detach
    )
}

/// A state that the dispatcher leaves before it waits for anything.
fn passing(cell: &Cell) -> bool {
    matches!(
        cell.stage(),
        S::Judging | S::Applied | S::InDoubt | S::Answered
    )
}

/// What strikes the journal: it is noticed at the next write to the disk, which is the sync before
/// an effect.
fn of_journal(cell: &Cell) -> bool {
    matches!(
        cell.fault,
        F::PowerCut | F::WriteFails | F::SyncFails | F::DiskFull
    )
}

/// What strikes at an action that goes to a host.
fn of_host(cell: &Cell) -> bool {
    matches!(
        cell.fault,
        F::Cut
            | F::HalfOpen
            | F::Slow
            | F::Unreachable
            | F::Silence
            | F::Twice
            | F::Reboot
            | F::Forgets
            | F::Killed
    )
}

/// Cells that may be empty, each with the reason; the first that fits counts.
const EXCUSES: &[Rule] = &[
    (
        |c| ends_it(c) && c.trigger() != T::Opened,
        Never("its controller makes no transition after it"),
    ),
    (
        |c| {
            let stage = matches!(c.stage(), S::Pausing | S::Asking | S::Answered);
            let trigger = matches!(
                c.trigger(),
                T::Decided | T::Pausing | T::Asked | T::Reopened
            );
            c.undo && (stage || trigger)
        },
        Never("an undo has no conditions, no pauses and no questions"),
    ),
    (
        |c| c.undo && c.trigger() == T::Returned,
        Never("no undo goes in a row with others"),
    ),
    (
        |c| c.fault == F::Forgets && c.trigger() == T::Returned,
        Seldom("of a row that its host has forgotten, mostly all is in doubt"),
    ),
    (
        |c| c.stage() == S::InDoubt && c.trigger() == T::Looking,
        Never("an attempt in doubt has ended before its check looks"),
    ),
    (
        |c| c.undo && c.stage() == S::InDoubt && c.trigger() == T::Finished,
        Never("a check settles every undo"),
    ),
    (
        |c| c.undo && c.stage() == S::Waiting && c.trigger() == T::Dispatched,
        Never("an undo that has begun is looked at before it is tried again"),
    ),
    (
        |c| passing(c) && c.trigger() != T::Opened,
        Seldom(
            "the state is left in the same call: only what strikes between two records finds it",
        ),
    ),
    (
        |c| passing(c) && (c.fault != F::Crash || (c.undo && c.stage() == S::InDoubt)),
        Seldom("as above; the deaths of the controller show it"),
    ),
    (
        |c| {
            let reboot = matches!(c.fault, F::Reboot | F::Forgets);
            reboot && c.stage() == S::Intended && c.trigger() == T::Launched
        },
        Never("a launch that was meant for the boot before is refused"),
    ),
    (
        |c| c.fault == F::Sleep && c.stage() == S::Intended && c.trigger() == T::Launched,
        Never("in an hour every attempt of these worlds has ended"),
    ),
    (
        |c| of_journal(c) && c.trigger() != T::Opened,
        Seldom("it is noticed at the next sync: what moves before that is chance"),
    ),
    (
        |c| of_journal(c) && (c.undo || matches!(c.stage(), S::Pausing | S::Asking)),
        Seldom("nothing of that is near an effect; the deaths of the controller show it"),
    ),
    (
        |c| c.stage() == S::Looking && c.trigger() == T::Finished && c.fault != F::Unreachable,
        Seldom("only a host that is gone for good does that"),
    ),
    (
        |c| {
            let ends = matches!(c.fault, F::Reboot | F::Forgets | F::Killed);
            c.stage() == S::Running && c.trigger() == T::Doubted && (c.undo || !ends)
        },
        Seldom("only what ends an attempt without a word does that, and undos are few"),
    ),
    (
        |c| {
            let reboot = matches!(c.fault, F::Reboot | F::Forgets);
            let cut_off = matches!(c.stage(), S::Running | S::Intended);
            reboot && cut_off && c.trigger() == T::Ended
        },
        Seldom("what runs is cut off, unless it had ended at that moment"),
    ),
    (
        |c| c.undo && c.stage() == S::Waiting && c.fault != F::Crash,
        Seldom("an undo stands there only between a death and the next move"),
    ),
    (
        |c| c.undo && c.trigger() == T::Opened && !ends_it(c),
        Seldom("that takes a second fault within one short undo"),
    ),
    (
        |c| {
            let ends = matches!(c.fault, F::Reboot | F::Forgets);
            c.undo && c.trigger() == T::Doubted && !ends
        },
        Seldom("that takes a second fault within one short undo"),
    ),
    (
        |c| {
            let goes_on = matches!(c.trigger(), T::Launched | T::Ended | T::Looked);
            c.undo && goes_on && matches!(c.fault, F::Sleep | F::Interrupt)
        },
        Seldom("undos are few and short: hardly anybody sleeps or stops just then"),
    ),
    (
        |c| c.undo && matches!(c.fault, F::TakenOver | F::Detach),
        Seldom("undos are few and short: hardly anybody leaves or takes over just then"),
    ),
    (
        |c| {
            let silent = matches!(c.fault, F::HalfOpen | F::Silence);
            c.undo && silent && c.trigger() == T::Launched
        },
        Seldom("who asks a host that was silent mostly hears of an end"),
    ),
    (
        |c| c.stage() == S::Pausing && c.trigger() == T::Dispatched,
        Seldom("only what has no check is launched from a pause"),
    ),
    (
        |c| of_host(c) && c.trigger() == T::Asked,
        Seldom("a question concerns no host"),
    ),
    (
        |c| c.undo && c.stage() == S::Looking && c.trigger() == T::Finished,
        Seldom("undos are few, and their hosts seldom gone for good"),
    ),
    (
        |c| {
            let waits = matches!(c.stage(), S::Pausing | S::Asking);
            waits && c.trigger() == T::Opened && !ends_it(c)
        },
        Seldom("that takes a second fault within one pause or question"),
    ),
    (
        |c| of_journal(c) && c.stage() == S::Running,
        Seldom("it strikes at the sync before an effect: what runs beside that is chance"),
    ),
    (
        |c| c.stage() == S::Asking && c.trigger() == T::Answered,
        Seldom("what somebody says comes first, and what that decides follows at once"),
    ),
    (
        |c| of_host(c) && matches!(c.stage(), S::Pausing | S::Asking),
        Seldom("nothing of it is on a host at that time"),
    ),
    (
        |c| {
            let launch = matches!(c.fault, F::Silence | F::Twice);
            launch && c.stage() != S::Intended
        },
        Seldom("it concerns a launch; others only happen to be on that host"),
    ),
    (
        |c| c.fault == F::Unreachable && !matches!(c.trigger(), T::Opened | T::Finished),
        Seldom("a run stops at a host that it needs"),
    ),
    (
        |c| {
            let starts = matches!(c.trigger(), T::Decided | T::Pausing | T::Asked);
            let given_up = matches!(c.stage(), S::Pausing | S::Asking) && c.trigger() != T::Opened;
            c.fault == F::Interrupt && (starts || given_up)
        },
        Seldom("nothing new starts after it, save what follows on every ending"),
    ),
];

/// How many cells occurred, and why the others did not.
pub fn summed(counts: &BTreeMap<Cell, usize>) -> String {
    let mut text = format!(
        "{} of {} cells occurred.\n",
        counts.len(),
        Cell::all().count()
    );
    for (why, cells) in empty(counts) {
        text += &format!("{:>5} {why}\n", cells.len());
    }
    let few: Vec<String> = few(counts)
        .map(|(cell, n)| format!("{cell}: {n}"))
        .collect();
    if !few.is_empty() {
        text += &format!("Few, and without a reason: {}\n", few.join("; "));
    }
    text
}

/// Cells that are there by luck: another draw of the worlds may lack them, and no reason says why.
pub fn few(counts: &BTreeMap<Cell, usize>) -> impl Iterator<Item = (Cell, usize)> {
    let counts = counts.iter().map(|(cell, n)| (*cell, *n));
    counts.filter(|(cell, n)| *n < FEW && excuse(cell).is_none())
}

/// The cells that did not occur, by the reason.
fn empty(counts: &BTreeMap<Cell, usize>) -> BTreeMap<String, Vec<Cell>> {
    let mut empty: BTreeMap<String, Vec<Cell>> = BTreeMap::new();
    for cell in Cell::all().filter(|cell| !counts.contains_key(cell)) {
        let why = match excuse(&cell) {
            Some(Never(reason)) => format!("never: {reason}"),
            Some(Seldom(reason)) => format!("seldom: {reason}"),
            None => "for no reason".to_owned(),
        };
        empty.entry(why).or_default().push(cell);
    }
    empty
}

/// The whole table: how often each cell occurred, and which did not.
pub fn table(counts: &BTreeMap<Cell, usize>) -> String {
    let mut text = format!("{:32}", "");
    for fault in Fault::ALL {
        text += &format!("{:>12}", format!("{fault:?}"));
    }
    for undo in [false, true] {
        for (row, (stage, trigger, _)) in TABLE.iter().enumerate() {
            let of = if undo { "undo" } else { "step" };
            text += &format!("\n{:32}", format!("{of} {stage:?}, {trigger:?}"));
            for fault in Fault::ALL {
                let cell = Cell { fault, undo, row };
                let times = match (counts.get(&cell), excuse(&cell)) {
                    (Some(n), _) => n.to_string(),
                    (None, Some(Never(_))) => "-".to_owned(),
                    (None, Some(Seldom(_))) => "(-)".to_owned(),
                    (None, None) => "?".to_owned(),
                };
                text += &format!("{times:>12}");
            }
        }
    }
    for (why, cells) in empty(counts) {
        let cells: Vec<String> = cells.iter().map(Cell::to_string).collect();
        text += &format!("\n\n{why}: {}", cells.join("; "));
    }
    text + "\n"
}
