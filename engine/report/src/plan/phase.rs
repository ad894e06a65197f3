//! A phase as text: its order, its batches and budgets, and its steps.

use runbook_model::plan::{Order, Part, Phase};
use runbook_model::step::OnFailure;

use super::PlanText;
use super::who::host_names;
use crate::text::{bounded, count};
use crate::time::written;
use crate::{Style, Tone};

impl PlanText<'_> {
    /// The heading of a part, where it is not the procedure itself.
    pub(super) fn part(&mut self, part: Part) {
        let text = match part {
            Part::Main => return,
            Part::Rollback => "rollback: the way back, run only when somebody asks for it",
            Part::Finally => "finally: on every ending",
        };
        self.line(Tone::Head, &format!("\n{text}"));
    }

    pub(super) fn phase(&mut self, phase: &Phase, at: u32) {
        let of_part = |p: &&Phase| p.part == phase.part;
        let before = self.plan.phases.iter().take(at as usize).filter(of_part);
        let (number, total) = (
            before.count() + 1,
            self.plan.phases.iter().filter(of_part).count(),
        );
        let title = heading(phase, number, total, self.style);
        self.out.push_str(&format!("\n{title}\n"));
        for (hosts, n) in phase.batches.iter().zip(1..) {
            self.wrapped(&format!("  batch {n}: "), 11, &host_names(hosts.iter()));
        }
        if phase.batches.is_empty() && !phase.hosts.is_empty() {
            self.wrapped("  on ", 5, &host_names(phase.hosts.iter()));
        }
        if let Some(when) = &phase.when {
            self.wrapped("  only when ", 4, &bounded(&when.text, 400));
        }
        for rule in budgets(phase) {
            self.wrapped("  ", 4, &rule);
        }
        for (step, ix) in self.plan.steps.iter().zip(0u32..) {
            if step.phase == at {
                self.step(step, runbook_model::StepIx(ix));
            }
        }
    }
}

fn heading(phase: &Phase, number: usize, total: usize, style: &Style) -> String {
    let head = style.paint(Tone::Head, &format!("phase {}", phase.id));
    let mut out = match total {
        1 => format!("{head}: {}", order(phase.order)),
        _ => format!("{head} ({number} of {total}): {}", order(phase.order)),
    };
    if !phase.batches.is_empty() {
        let n = phase.batches.len();
        let batches = if n == 1 {
            "1 batch".into()
        } else {
            format!("{n} batches")
        };
        out.push_str(&format!(", in {batches}"));
    }
    out
}

/// How the steps of a phase follow each other, in words.
pub(crate) fn order(order: Order) -> &'static str {
    match order {
        Order::Steps => "step by step",
        Order::PerHost => "each host at its own pace",
        Order::Graph => "as written: needs and references",
    }
}

/// What a phase bears, and what it does between batches; nothing where the usual holds.
pub(crate) fn budgets(phase: &Phase) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(by) = &phase.by {
        let by = bounded(by, 80);
        out.push(format!("no batch mixes values of `{by}`"));
    }
    if phase.on_failure == OnFailure::Continue {
        out.push("a host that fails leaves the phase, the others finish it".to_owned());
    }
    if phase.max_failures > 0 {
        let hosts = count(phase.max_failures as usize, "host");
        out.push(format!("goes on with up to {hosts} failed"));
    }
    if phase.min_ok > 0 {
        let hosts = count(phase.min_ok as usize, "host");
        out.push(format!("at least {hosts} must not have failed"));
    }
    if phase.pause_ms > 0 {
        out.push(format!("waits {} between batches", written(phase.pause_ms)));
    }
    out
}
