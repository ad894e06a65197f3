//! A step as text: where it runs, what steers it, what it marks, and what is known of it now.

use runbook_model::step::{Hold, HoldOnFailure, OnFailure, Outage, Step};
use runbook_model::step_type::TypeKind;
use runbook_model::text::printable;
use runbook_model::{Forecast, Plan, StepIx};

use super::{PlanText, verdict, who};
use crate::Tone;
use crate::text::{bounded, value_text, wrap};
use crate::time::written;

impl PlanText<'_> {
    pub(super) fn step(&mut self, step: &Step, ix: StepIx) {
        let plan = self.plan;
        let all = who::instances(plan, ix);
        let first = format!("  {} ", self.style.paint(Tone::Head, step.id.as_str()));
        // Colour has no width: wrap the plain text and colour the id afterwards.
        let plain = format!("  {} ", step.id);
        let mut text = String::new();
        let about = format!(
            "({}) {}{}",
            printable(&step.uses),
            who::place(&all),
            marks(step)
        );
        wrap(&mut text, &plain, 6, &about, self.style.width);
        self.out.push_str(&first);
        self.out
            .push_str(text.strip_prefix(&plain).unwrap_or(&text));
        match step.outage {
            Some(Outage::Begin) => self.line(Tone::Warn, "      the outage begins here"),
            Some(Outage::End) => self.line(Tone::Good, "      the outage ends here"),
            None => {}
        }
        if let Some(lost) = &step.no_return {
            let text = self.style.paint(Tone::Bad, "no return: ");
            self.out.push_str(&format!("      {text}"));
            self.wrapped("", 8, &bounded(&lost.text, 400));
        }
        if let Some(hold) = &step.hold {
            self.wrapped("      held ", 8, &hold_text(plan, hold));
        }
        if let Some(when) = &step.when {
            self.wrapped("      only when ", 8, &bounded(&when.text, 400));
        }
        if step.on_failure == OnFailure::Continue {
            self.line(
                Tone::Plain,
                "      a failure is recorded and counts as done",
            );
        }
        match plan.type_of(step).map(|t| t.kind) {
            Some(TypeKind::Gate) => {
                for key in ["message", "text"] {
                    if let Some(message) = step.with.get(key) {
                        self.wrapped("      asks: ", 8, &value_text(message));
                    }
                }
            }
            Some(TypeKind::Wait) => {
                for key in ["for", "until"] {
                    if let Some(value) = step.with.get(key) {
                        self.wrapped("      waits ", 8, &format!("{key} {}", value_text(value)));
                    }
                }
            }
            _ => {}
        }
        let found: Vec<(String, &Forecast)> = all
            .iter()
            .map(|who| {
                let forecast = self.preview.nodes.get(who.node.at());
                (who.label(), forecast.unwrap_or(&Forecast::Unknown))
            })
            .collect();
        verdict::verdicts(&mut self.out, &found, self.style);
    }
}

/// What releases a hold, and what becomes of it otherwise; follows the word "held".
pub(crate) fn hold_text(plan: &Plan, hold: &Hold) -> String {
    let by: Vec<String> = hold
        .release
        .iter()
        .filter_map(|at| plan.step_id(*at))
        .map(|id| format!("`{id}`"))
        .collect();
    let until = match by.is_empty() {
        true => "until the run ends".to_owned(),
        false => format!("until {}", by.join(" or ")),
    };
    let failed = match hold.on_failure {
        HoldOnFailure::Keep => "stays if the run fails",
        HoldOnFailure::Release => "is released if the run fails",
    };
    let most = hold
        .max_ms
        .map(|ms| format!("; longer than {} is reported", written(ms)));
    format!("{until}; {failed}{}", most.unwrap_or_default())
}

/// The keys that steer a step, as words after a comma.
fn marks(step: &Step) -> String {
    let mut out = Vec::new();
    if let Some(dir) = &step.chdir {
        out.push(format!("in {}", bounded(&dir.text, 200)));
    }
    if step.critical {
        out.push("critical: never killed, never repeated by itself".to_owned());
    }
    if step.once {
        out.push("once".into());
    }
    if let Some(ms) = step.fresh_ms {
        out.push(match ms {
            0 => "looked at again right before it counts".into(),
            ms => format!("not older than {}", written(ms)),
        });
    }
    if step.retry.attempts > 1 {
        out.push(format!("up to {} attempts", step.retry.attempts));
    }
    if let Some(until) = &step.until {
        out.push(format!(
            "until it holds: every {}, within {}",
            written(until.every_ms),
            written(until.within_ms)
        ));
    }
    if let Some(ms) = step.timeout_ms {
        out.push(format!("limit {}", written(ms)));
    }
    if step.undo_none {
        out.push("not taken back".into());
    }
    out.iter().map(|m| format!(", {m}")).collect()
}
