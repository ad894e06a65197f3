//! A plan as text: what will happen, where, in which order, and what is known of it now.

mod verdict;

use std::fmt::Write as _;

use runbook_model::plan::{Order, Phase};
use runbook_model::step::{Outage, Step};
use runbook_model::step_type::TypeKind;
use runbook_model::text::printable;
use runbook_model::{Forecast, HostName, Plan, Preview, StepIx};

use crate::facts;
use crate::text::{bounded, count, names, value_text, wrap};
use crate::time::written;
use crate::{Style, Tone};

/// Names of hosts in one list; the rest is counted.
const HOSTS: usize = 40;

/// The whole plan with its forecast, wrapped to the width of the style.
#[must_use]
pub fn plan_text(plan: &Plan, preview: &Preview, style: &Style) -> String {
    let mut text = PlanText {
        plan,
        preview,
        style,
        out: String::new(),
    };
    text.head();
    for (phase, at) in plan.phases.iter().zip(0u32..) {
        text.phase(phase, at);
    }
    text.end();
    text.out
}

struct PlanText<'a> {
    plan: &'a Plan,
    preview: &'a Preview,
    style: &'a Style,
    out: String,
}

impl PlanText<'_> {
    fn line(&mut self, tone: Tone, text: &str) {
        let _ = writeln!(self.out, "{}", self.style.paint(tone, text));
    }

    fn wrapped(&mut self, first: &str, hang: usize, text: &str) {
        wrap(&mut self.out, first, hang, text, self.style.width);
    }

    fn head(&mut self) {
        let (plan, preview) = (self.plan, self.preview);
        let name = format!("{} {}", printable(&plan.runbook), printable(&plan.version));
        let line = self.style.paint(Tone::Head, name.trim_end());
        let _ = writeln!(self.out, "{line}");
        if !plan.summary.is_empty() {
            self.wrapped("  ", 2, &bounded(&plan.summary, 400));
        }
        let asked = match preview.live {
            true => format!("{} asked", count(facts::hosts(plan), "host")),
            false => "offline: no host was asked".into(),
        };
        let digest: String = plan.digest.chars().take(12).collect();
        let _ = writeln!(self.out, "  plan {}, {asked}", printable(&digest));
        self.table(
            "groups",
            plan.groups
                .iter()
                .map(|(g, hosts)| (g.as_str(), host_names(hosts.iter()))),
        );
        self.table(
            "inputs",
            plan.inputs.iter().map(|(name, input)| {
                let value = match (&input.secret, &input.value) {
                    (Some(_), _) => "(secret)".into(),
                    (None, Some(value)) => value_text(value),
                    (None, None) => "(not given)".into(),
                };
                (name.as_str(), value)
            }),
        );
        self.table(
            "known now",
            preview
                .vars
                .iter()
                .map(|(name, v)| (name.as_str(), value_text(v))),
        );
        self.table(
            "cannot be used",
            preview
                .unusable
                .iter()
                .map(|(h, why)| (h.as_str(), bounded(why, 300))),
        );
        match preview.already_there {
            Some(true) => self.line(
                Tone::Good,
                "\nalready there: a run would change nothing (`done_when` is true)",
            ),
            Some(false) => self.line(Tone::Plain, "\nnot there yet (`done_when` is false)"),
            None if plan.done_when.is_some() => {
                self.line(
                    Tone::Plain,
                    "\nwhether everything is there already shows during the run (`done_when`)",
                );
            }
            None => {}
        }
    }

    fn table<'n>(&mut self, title: &str, rows: impl Iterator<Item = (&'n str, String)>) {
        let rows: Vec<_> = rows.collect();
        let wide = rows
            .iter()
            .map(|(name, _)| name.chars().count())
            .max()
            .unwrap_or(0);
        for (at, (name, value)) in rows.iter().enumerate() {
            if at == 0 {
                self.line(Tone::Head, &format!("\n{title}"));
            }
            self.wrapped(&format!("  {:wide$}  ", printable(name)), wide + 4, value);
        }
    }

    fn phase(&mut self, phase: &Phase, at: u32) {
        let order = match phase.order {
            Order::Steps => "step by step",
            Order::PerHost => "each host at its own pace",
            Order::Graph => "as written: needs and references",
        };
        let total = self.plan.phases.len();
        let head = self.style.paint(Tone::Head, &format!("phase {}", phase.id));
        let _ = write!(self.out, "\n{head} ({} of {total}): {order}", at + 1);
        if !phase.batches.is_empty() {
            let _ = write!(self.out, ", in {}", batches(phase.batches.len()));
        }
        self.out.push('\n');
        for (hosts, n) in phase.batches.iter().zip(1..) {
            self.wrapped(&format!("  batch {n}: "), 11, &host_names(hosts.iter()));
        }
        if let Some(when) = &phase.when {
            self.wrapped("  only when ", 4, &bounded(&when.text, 400));
        }
        for (step, ix) in self.plan.steps.iter().zip(0u32..) {
            if step.phase == at {
                self.step(step, StepIx(ix));
            }
        }
    }

    fn step(&mut self, step: &Step, ix: StepIx) {
        let plan = self.plan;
        let found: Vec<(&HostName, &Forecast)> = plan
            .instances_of(ix)
            .map(|(node, host)| {
                (
                    host,
                    self.preview
                        .nodes
                        .get(node.at())
                        .unwrap_or(&Forecast::Unknown),
                )
            })
            .collect();
        let hosts = match found.is_empty() {
            true => "on no host: the selector is empty".into(),
            false => format!("on {}", host_names(found.iter().map(|(h, _)| *h))),
        };
        let first = format!("  {} ", self.style.paint(Tone::Head, step.id.as_str()));
        // Colour has no width: wrap the plain text and colour the id afterwards.
        let plain = format!("  {} ", step.id);
        let mut text = String::new();
        let about = format!("({}) {hosts}{}", printable(&step.uses), marks(step));
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
            let _ = write!(self.out, "      {text}");
            self.wrapped("", 8, &bounded(&lost.text, 400));
        }
        if let Some(when) = &step.when {
            self.wrapped("      only when ", 8, &bounded(&when.text, 400));
        }
        if plan.type_of(step).is_some_and(|t| t.kind == TypeKind::Gate) {
            let message = step.with.get("message").map(value_text).unwrap_or_default();
            self.wrapped("      asks: ", 8, &message);
        }
        verdict::verdicts(&mut self.out, &found, self.style);
    }

    fn end(&mut self) {
        let marked = |mark| self.plan.steps.iter().find(move |s| s.outage == Some(mark));
        let outage = marked(Outage::Begin).map(|begin| match marked(Outage::End) {
            Some(end) => format!("outage from `{}` to `{}`", begin.id, end.id),
            None => format!("outage from `{}`", begin.id),
        });
        self.line(Tone::Head, "\nin all");
        let counts = verdict::counts(self.plan, self.preview);
        self.wrapped("  ", 2, &counts);
        if let Some(outage) = outage {
            self.wrapped("  ", 2, &outage);
        }
    }
}

fn batches(n: usize) -> String {
    if n == 1 {
        "1 batch".into()
    } else {
        format!("{n} batches")
    }
}

fn host_names<'h>(hosts: impl Iterator<Item = &'h HostName>) -> String {
    let mut all: Vec<&str> = Vec::new();
    for host in hosts {
        if !all.contains(&host.as_str()) {
            all.push(host.as_str());
        }
    }
    if all.is_empty() {
        "(none)".into()
    } else {
        names(&all, HOSTS)
    }
}

/// The keys that steer a step, as words after a comma.
fn marks(step: &Step) -> String {
    let mut out = Vec::new();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_live_plan() {
        let plan = sample::plan();
        insta::assert_snapshot!(plan_text(
            &plan,
            &sample::preview(&plan),
            &Style::plain(100)
        ));
    }

    #[test]
    fn an_offline_plan_for_a_narrow_screen() {
        let plan = sample::plan();
        insta::assert_snapshot!(plan_text(&plan, &sample::offline(&plan), &Style::plain(60)));
    }

    #[test]
    fn no_line_is_wider_than_the_screen() {
        let plan = sample::plan();
        for width in [50, 80, 120] {
            let text = plan_text(&plan, &sample::preview(&plan), &Style::plain(width));
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let plan = sample::plan();
        let preview = sample::preview(&plan);
        let plain = Style::plain(80);
        let coloured = plan_text(
            &plan,
            &preview,
            &Style {
                colour: true,
                ..plain.clone()
            },
        );
        assert_eq!(
            sample::without_colour(&coloured),
            plan_text(&plan, &preview, &plain)
        );
        assert_ne!(coloured, plan_text(&plan, &preview, &plain));
    }

    #[test]
    fn a_forecast_that_is_too_short_is_no_panic() {
        let plan = sample::plan();
        assert!(plan_text(&plan, &Preview::default(), &Style::plain(80)).contains("not asked"));
    }
}
