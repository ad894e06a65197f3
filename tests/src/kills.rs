//! When a controller is killed, and what that came to: moments that can be repeated, and the figures
//! of many of them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use runbook_exec::store::Seen;
use runbook_model::transition::Stage;
use runbook_model::{Event, Record};

use crate::chance::Chance;
use crate::operator::Session;
use crate::terminal::MOMENT;

/// How long an undisturbed run is. Where it is shorter, the last kills find it done.
#[derive(Debug, Clone, Copy)]
pub struct Length {
    /// Roughly how many events it has.
    pub events: u64,
    /// Roughly how many milliseconds it takes.
    pub millis: u64,
}

/// When the controller is killed.
#[derive(Debug, Clone, Copy)]
pub enum Moment {
    /// Right after the event of this number was written.
    Event(u64),
    /// So long after it is waited for.
    Delay(Duration),
}

/// Where a run stood when its controller was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Struck {
    /// The kind of its last event.
    pub last: String,
    /// What was under way: each node with its stage.
    pub under_way: Vec<(String, Stage)>,
    /// Attempts whose end was not known.
    pub open: usize,
}

/// What came of many kills.
#[derive(Debug, Default)]
pub struct Figures {
    /// Controllers killed.
    pub kills: u64,
    /// Runs begun.
    pub runs: u64,
    /// Kills while an attempt was on its way.
    pub in_flight: u64,
    /// How often a person was asked what became of an effect.
    pub questions: u64,
    /// Kills by the last event before them.
    pub last: BTreeMap<String, u64>,
    /// What was under way at kills, by stage; a kill counts for each node.
    pub stages: BTreeMap<String, u64>,
    /// Faults beside the kills.
    pub faults: BTreeMap<&'static str, u64>,
    /// Files that were to take the place of others and are still there.
    pub strays: u64,
}

impl Moment {
    /// The next of so many moments, which shall be spread over what is left of the run.
    pub fn draw(chance: &mut Chance, length: Length, written: u64, kills: u64) -> Self {
        let left = length.events.saturating_sub(written);
        let part = |whole: u64| 2 * whole / (kills + 1);
        if chance.below(2) == 0 {
            Self::Event(written + 1 + chance.below(part(left)))
        } else {
            let millis = part(length.millis * left / length.events);
            Self::Delay(Duration::from_millis(chance.below(millis)))
        }
    }

    /// The same, of a run that has written so many events more than one that is undisturbed.
    #[must_use]
    pub fn after(self, more: u64) -> Self {
        match self {
            Self::Event(seq) => Self::Event(seq + more),
            delay @ Self::Delay(_) => delay,
        }
    }

    /// Whether it came before the session's end; gates that ask are let pass.
    pub fn comes(self, session: &mut Session) -> bool {
        let begin = Instant::now();
        loop {
            let over = !session.terminal.runs();
            let newest = session.records().last().map(|(record, _)| record.seq);
            let now = match self {
                Self::Event(seq) => newest.is_some_and(|newest| newest >= seq),
                Self::Delay(delay) => begin.elapsed() >= delay,
            };
            if over || now {
                return !over;
            }
            session.terminal.agree();
            std::thread::sleep(MOMENT);
        }
    }
}

impl Struck {
    /// Before the run was there.
    #[must_use]
    pub fn nowhere() -> Self {
        Self {
            last: "none".to_owned(),
            under_way: Vec::new(),
            open: 0,
        }
    }

    /// Where this run stands.
    #[must_use]
    pub fn of(seen: &Seen) -> Self {
        let id = |at: usize| seen.plan.nodes.get(at).map_or("?", |node| &node.id);
        let nodes = seen.state.nodes.iter().enumerate();
        let mut under_way: Vec<_> = nodes
            .map(|(at, node)| (id(at).to_owned(), node.stage))
            .filter(|(_, stage)| !matches!(stage, Stage::Waiting | Stage::Done))
            .collect();
        let undos = seen.state.undos.iter();
        under_way.extend(
            undos
                .filter(|(_, undo)| !matches!(undo.stage, Stage::Waiting | Stage::Done))
                .map(|(node, undo)| (format!("undo of {}", id(node.at())), undo.stage)),
        );
        Self {
            last: seen.journal.records.last().map_or("none".into(), kind),
            under_way,
            open: seen.state.open_attempts().count(),
        }
    }
}

impl fmt::Display for Struck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "after {}, under way: [", self.last)?;
        for (at, (node, stage)) in self.under_way.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{node} {stage:?}")?;
        }
        write!(f, "]")
    }
}

impl Figures {
    /// A controller was killed here.
    pub fn kill(&mut self, struck: &Struck) {
        self.kills += 1;
        self.in_flight += u64::from(struck.open > 0);
        *self.last.entry(struck.last.clone()).or_default() += 1;
        for (node, stage) in &struck.under_way {
            let undo = node.starts_with("undo of ");
            let what = if undo { "undo" } else { "step" };
            *self.stages.entry(format!("{what} {stage:?}")).or_default() += 1;
        }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |entries: &mut dyn Iterator<Item = (String, u64)>| {
            entries
                .map(|(name, times)| format!("{name} {times}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let texts = |map: &BTreeMap<String, u64>| list(&mut map.clone().into_iter());
        let faults = self.faults.iter().map(|(name, n)| ((*name).to_owned(), *n));
        writeln!(
            f,
            "{} kills in {} runs, {} of them while something ran on a host; {} questions",
            self.kills, self.runs, self.in_flight, self.questions
        )?;
        writeln!(f, "  last event before the kill: {}", texts(&self.last))?;
        writeln!(f, "  under way at the kill: {}", texts(&self.stages))?;
        writeln!(f, "  other faults: {}", list(&mut faults.into_iter()))?;
        write!(f, "  files left beside their targets: {}", self.strays)
    }
}

/// The kind of an event, as the journal has it.
fn kind(record: &Record) -> String {
    if let Event::Looking { purpose, .. } = &record.event {
        return format!("looking {purpose:?}").to_lowercase();
    }
    let value = serde_json::to_value(&record.event).unwrap_or_default();
    let kind = value.get("kind").and_then(serde_json::Value::as_str);
    kind.unwrap_or("?").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_ahead_and_can_be_repeated() {
        let length = Length {
            events: 100,
            millis: 1000,
        };
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            let one = |at| Moment::draw(&mut chance, length, at, 3);
            (0..200u64).map(one).collect::<Vec<_>>()
        };
        for (written, moment) in draw(7).into_iter().enumerate() {
            match moment {
                Moment::Event(seq) => assert!(seq > written as u64, "{seq} after {written}"),
                Moment::Delay(delay) => assert!(delay < Duration::from_millis(500), "{delay:?}"),
            }
        }
        assert_eq!(format!("{:?}", draw(3)), format!("{:?}", draw(3)));
    }

    #[test]
    fn figures_tell_where_kills_struck() {
        let mut figures = Figures::default();
        figures.kill(&Struck::nowhere());
        figures.kill(&Struck {
            last: "launched".into(),
            under_way: vec![
                ("one@a".into(), Stage::Running),
                ("undo of two@b".into(), Stage::Intended),
            ],
            open: 2,
        });
        assert_eq!(
            figures.to_string(),
            "2 kills in 0 runs, 1 of them while something ran on a host; 0 questions\n  \
             last event before the kill: launched 1, none 1\n  \
             under way at the kill: step Running 1, undo Intended 1\n  other faults: \n  \
             files left beside their targets: 0"
        );
    }
}
