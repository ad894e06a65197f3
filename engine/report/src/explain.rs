//! Everything about one step of a plan: what it is, where it runs and why, where each of its values
//! comes from, what it waits for and who waits for it, and what would make it skip or stop.

mod ends;
mod json;
mod keys;
mod values;
mod waits;

use std::fmt::Write as _;

use runbook_model::plan::Part;
use runbook_model::step::{Outage, Step};
use runbook_model::step_type::TypeKind;
use runbook_model::text::printable;
use runbook_model::trace::Trace;
use runbook_model::{NodeIx, Plan, StepIx, StepType};

use crate::plan::phase::{budgets, order};
use crate::plan::step::hold_text;
use crate::plan::who::{self, Who, host_names};
use crate::text::{bounded, count, wrap};
use crate::time::written;
use crate::{Style, Tone};

pub use json::explain_json;

/// One step of a plan, all its instances or one, with where its values come from.
#[derive(Debug, Clone, Copy)]
pub struct Explained<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The step.
    pub step: StepIx,
    /// Only these instances; empty: all.
    pub only: &'a [NodeIx],
    /// Its texts.
    pub trace: &'a Trace,
}

/// Everything about a step, wrapped to the width of the style.
#[must_use]
pub fn explain_text(explained: &Explained<'_>, style: &Style) -> String {
    let Some(step) = explained.plan.steps.get(explained.step.at()) else {
        return String::new();
    };
    let mut text = Explain {
        of: *explained,
        plan: explained.plan,
        step,
        all: explained.instances(),
        style,
        out: String::new(),
    };
    text.head();
    text.hosts();
    text.values();
    text.waits();
    text.skips();
    text.failures();
    text.marks();
    text.out
}

impl<'a> Explained<'a> {
    /// The instances that are meant.
    fn instances(&self) -> Vec<Who<'a>> {
        let mut all = who::instances(self.plan, self.step);
        all.retain(|who| self.only.is_empty() || self.only.contains(&who.node));
        all
    }
}

struct Explain<'a> {
    of: Explained<'a>,
    plan: &'a Plan,
    step: &'a Step,
    all: Vec<Who<'a>>,
    style: &'a Style,
    out: String,
}

impl Explain<'_> {
    fn title(&mut self, text: &str) {
        let _ = writeln!(self.out, "\n{}", self.style.paint(Tone::Head, text));
    }

    /// A line of a section, wrapped.
    fn line(&mut self, indent: usize, text: &str) {
        self.toned(Tone::Plain, indent, text);
    }

    fn toned(&mut self, tone: Tone, indent: usize, text: &str) {
        let mut lines = String::new();
        let first = " ".repeat(indent);
        wrap(&mut lines, &first, indent + 2, text, self.style.width);
        for line in lines.lines() {
            let _ = writeln!(self.out, "{}", self.style.paint(tone, line));
        }
    }

    fn step_type(&self) -> Option<&StepType> {
        self.plan.type_of(self.step)
    }

    fn head(&mut self) {
        let step = self.step;
        let place = crate::plan::place(self.plan, step.place);
        let id = self.style.paint(Tone::Head, step.id.as_str());
        let _ = writeln!(self.out, "{id} ({place})");
        let about = self.step_type().map(|t| {
            let digest: String = t.digest.chars().take(12).collect();
            let digest = match digest.is_empty() {
                true => String::new(),
                false => format!(", {}", printable(&digest)),
            };
            (
                format!("{}: {}", printable(&t.name), bounded(&t.summary, 300)),
                format!(
                    "{}; {}{digest}",
                    crate::steps::kind(t.kind),
                    crate::steps::origin(&t.origin)
                ),
            )
        });
        match about {
            Some((what, kind)) => {
                self.line(2, &what);
                self.line(2, &kind);
            }
            None => self.line(2, &format!("{} (not known)", printable(&step.uses))),
        }
        if let Some(phase) = self.plan.phases.get(step.phase as usize) {
            let part = match phase.part {
                Part::Main => "",
                Part::Rollback => " of the rollback",
                Part::Finally => ", on every ending",
            };
            let text = format!("phase {}{part}: {}", phase.id, order(phase.order));
            self.line(2, &text);
            for rule in budgets(phase) {
                self.line(4, &rule);
            }
        }
        if !step.tags.is_empty() {
            let tags: Vec<_> = step.tags.iter().map(|t| printable(t)).collect();
            self.line(2, &format!("tags: {}", tags.join(", ")));
        }
    }

    fn hosts(&mut self) {
        self.title("where it runs");
        let place = who::place(&self.all);
        self.line(2, &place);
        let batches = self.plan.phases.get(self.step.phase as usize);
        let batches = batches.map(|p| p.batches.as_slice()).unwrap_or_default();
        for (hosts, n) in batches.iter().zip(1..) {
            let here: Vec<_> = hosts
                .iter()
                .filter(|h| self.all.iter().any(|w| w.host == *h))
                .collect();
            if !here.is_empty() {
                let names = host_names(here.into_iter());
                self.line(2, &format!("batch {n}: {names}"));
            }
        }
        let selectors = &self.of.trace.selectors;
        for text in selectors {
            values::text(self, text);
        }
        if selectors.iter().all(|t| !t.what.ends_with("on")) && !self.all.is_empty() {
            let on_control = self.all.iter().all(|w| w.host.is_control());
            match on_control {
                true => self.line(2, "nobody says where: the engine does it on the controller"),
                false => self.line(2, "as its phase says"),
            }
        }
    }

    /// Keys that are marks, each with its meaning.
    fn marks(&mut self) {
        let step = self.step;
        let mut lines = Vec::new();
        match step.outage {
            Some(Outage::Begin) => lines.push("the outage begins with it".to_owned()),
            Some(Outage::End) => lines.push("the outage ends with it".into()),
            None => {}
        }
        if let Some(lost) = &step.no_return {
            lines.push(format!("no return: {}", bounded(&lost.text, 300)));
        }
        if let Some(hold) = &step.hold {
            lines.push(format!(
                "what it did is held {}",
                hold_text(self.plan, hold)
            ));
        }
        let own = self.of.step;
        for holder in &self.plan.steps {
            if holder
                .hold
                .as_ref()
                .is_some_and(|h| h.release.contains(&own))
            {
                lines.push(format!("it releases what `{}` holds", holder.id));
            }
        }
        if step.undo_none {
            lines.push("it is left out of the automatic rollback (`undo: none`)".into());
        }
        if let Some(t) = self.step_type() {
            if t.restarts_host {
                lines.push("it restarts the host, and waits for it".into());
            }
            if t.volatile {
                lines.push("what its check says holds only for the moment".into());
            }
            for (word, keys) in [("reads", &t.reads), ("writes", &t.writes)] {
                if !keys.is_empty() {
                    lines.push(format!("{word} {}", self.keys(t, keys)));
                }
            }
        }
        if lines.is_empty() {
            return;
        }
        self.title("what else it means");
        for line in lines {
            self.line(2, &line);
        }
    }

    /// Whether the type has this kind.
    fn is(&self, kind: TypeKind) -> bool {
        self.step_type().is_some_and(|t| t.kind == kind)
    }

    fn limits(&self) -> Vec<String> {
        let step = self.step;
        let Some(t) = self.step_type() else {
            return Vec::new();
        };
        let mut out = Vec::new();
        let by = |own: Option<u64>, default: u64| match own {
            Some(ms) => written(ms),
            None => format!("{} (default of the type)", written(default)),
        };
        let (check, apply) = (t.check_timeout_ms, t.apply_timeout_ms);
        let both =
            |limit: String| format!("one attempt may take {limit}, one check {}", written(check));
        match t.kind {
            TypeKind::Probe => {
                out.push(format!("one check may take {}", by(step.timeout_ms, check)))
            }
            TypeKind::Always => out.push(format!(
                "one attempt may take {}",
                by(step.timeout_ms, apply)
            )),
            TypeKind::Ordinary | TypeKind::Copy => out.push(both(by(step.timeout_ms, apply))),
            TypeKind::Gate | TypeKind::Assert | TypeKind::Record | TypeKind::Wait => {}
        }
        if matches!(
            t.kind,
            TypeKind::Ordinary | TypeKind::Always | TypeKind::Copy
        ) {
            let retry = step.retry;
            out.push(match (step.critical, retry.attempts) {
                (true, _) => "critical: never killed, never repeated by itself; when its time is over, the run stops and it runs on".into(),
                (false, 1) => "one attempt (default)".into(),
                (false, n) => format!(
                    "up to {}, {} after the first, then {} times as long, at most {}",
                    count(n as usize, "attempt"),
                    written(retry.delay_ms),
                    retry.backoff,
                    written(retry.max_delay_ms)
                ),
            });
        }
        if let Some(until) = &step.until {
            let passes = match until.passes {
                0 | 1 => String::new(),
                n => format!(" {n} times in a row"),
            };
            out.push(format!(
                "its check is repeated every {} until it is as wanted{passes}, for {} at most from its first start",
                written(until.every_ms),
                written(until.within_ms)
            ));
        }
        match step.fresh_ms {
            Some(0) => out.push("looked at again right before each step that requires it".into()),
            Some(ms) => out.push(format!(
                "looked at again before a step that requires it, if it is older than {}",
                written(ms)
            )),
            None => {}
        }
        if step.once {
            out.push("once: a record that is never taken again, not on resume either".into());
        }
        out
    }
}

#[cfg(test)]
mod tests;
