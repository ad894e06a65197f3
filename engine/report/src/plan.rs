//! A plan as text: what will happen, where, in which order, and what is known of it now.

mod json;
pub(crate) mod phase;
pub(crate) mod step;
mod verdict;
pub(crate) mod who;
mod window;

use std::fmt::Write as _;

use runbook_model::plan::Part;
use runbook_model::step::{Outage, Place, Step};
use runbook_model::text::printable;
use runbook_model::{Millis, Plan, Preview};

use crate::facts;
use crate::text::{bounded, count, value_text, wrap};
use crate::{Style, Tone};

pub use json::plan_json;
use who::host_names;

/// The whole plan with its forecast at `now`, wrapped to the width of the style.
#[must_use]
pub fn plan_text(plan: &Plan, preview: &Preview, now: Millis, style: &Style) -> String {
    let mut text = PlanText {
        plan,
        preview,
        now,
        style,
        out: String::new(),
    };
    text.head();
    let mut part = Part::Main;
    for (phase, at) in plan.phases.iter().zip(0u32..) {
        if phase.part != part {
            part = phase.part;
            text.part(part);
        }
        text.phase(phase, at);
    }
    text.end();
    text.out
}

struct PlanText<'a> {
    plan: &'a Plan,
    preview: &'a Preview,
    now: Millis,
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
        for text in window::outside(plan, self.now) {
            let mut line = String::new();
            wrap(&mut line, "", 2, &text, self.style.width);
            self.line(Tone::Bad, &format!("\n{}", line.trim_end()));
        }
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
        if let Some(window) = &plan.window {
            let rows = window::rows(window);
            self.table("window", rows.iter().map(|(n, v)| (*n, v.clone())));
        }
        match preview.already_there {
            Some(true) => {
                let what = match verdict::of_ending(plan, preview) {
                    0 => "change nothing".to_owned(),
                    n => format!(
                        "do only what follows on every ending, {}",
                        count(n, "instance")
                    ),
                };
                let text = format!("\nalready there: a run would {what} (`done_when` is true)");
                self.line(Tone::Good, &text);
            }
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

    fn end(&mut self) {
        self.line(Tone::Head, "\nin all");
        let counts = verdict::counts(self.plan, self.preview);
        self.wrapped("  ", 2, &counts);
        for (part, of) in [(Part::Main, ""), (Part::Rollback, "rollback: ")] {
            if let Some(outage) = self.outage(part) {
                self.wrapped("  ", 2, &format!("{of}{outage}"));
            }
        }
        for step in self.plan.steps.iter().filter(|s| s.hold.is_some()) {
            if let Some(hold) = &step.hold {
                let text = format!("`{}` is held {}", step.id, step::hold_text(self.plan, hold));
                self.wrapped("  ", 4, &text);
            }
        }
    }

    fn outage(&self, part: Part) -> Option<String> {
        let is_in = |s: &&Step| {
            let phase = self.plan.phases.get(s.phase as usize);
            phase.is_some_and(|p| p.part == part)
        };
        let marked = |mark| {
            let mut steps = self.plan.steps.iter().filter(is_in);
            steps.find(|s| s.outage == Some(mark))
        };
        let begin = marked(Outage::Begin)?;
        Some(match marked(Outage::End) {
            Some(end) => format!("outage from `{}` to `{}`", begin.id, end.id),
            None => format!("outage from `{}`", begin.id),
        })
    }
}

/// A place for people: `upgrade.yaml:12`.
pub(crate) fn place(plan: &Plan, place: Place) -> String {
    match plan.sources.get(place.source as usize) {
        Some(source) => format!("{}:{}", printable(&source.name), place.line),
        None => format!("line {}", place.line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    /// 2026-11-22 19:00:00 UTC.
    const NOW: Millis = 1_795_374_000_000;

    fn text(plan: &Plan, preview: &Preview, width: usize) -> String {
        plan_text(plan, preview, NOW, &Style::plain(width))
    }

    #[test]
    fn a_live_plan() {
        let plan = sample::plan();
        insta::assert_snapshot!(text(&plan, &sample::preview(&plan), 100));
    }

    #[test]
    fn an_offline_plan_for_a_narrow_screen() {
        let plan = sample::plan();
        insta::assert_snapshot!(text(&plan, &sample::offline(&plan), 60));
    }

    #[test]
    fn a_plan_with_everything() {
        let plan = sample::full();
        insta::assert_snapshot!(text(&plan, &sample::offline(&plan), 90));
    }

    #[test]
    fn what_follows_on_every_ending_is_done_even_where_everything_is_there() {
        let there = |plan: &Plan| {
            let preview = Preview {
                already_there: Some(true),
                ..sample::offline(plan)
            };
            let text = text(plan, &preview, 100);
            let line = text.lines().find(|l| l.starts_with("already there"));
            line.unwrap().to_owned()
        };
        insta::assert_snapshot!(format!(
            "{}\n{}",
            there(&sample::plan()),
            there(&sample::full())
        ));
    }

    #[test]
    fn no_line_is_wider_than_the_screen() {
        let mut plan = sample::plan();
        plan.window = Some(runbook_model::plan::Window {
            opens: Some("2026-11-22T20:00:00Z".into()),
            ..Default::default()
        });
        for width in [50, 80, 120] {
            let text = text(&plan, &sample::preview(&plan), width);
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
        let colour = Style {
            colour: true,
            ..plain.clone()
        };
        let coloured = plan_text(&plan, &preview, NOW, &colour);
        let plain = plan_text(&plan, &preview, NOW, &plain);
        assert_eq!(sample::without_colour(&coloured), plain);
        assert_ne!(coloured, plain);
    }

    #[test]
    fn a_forecast_that_is_too_short_is_no_panic() {
        let plan = sample::plan();
        assert!(text(&plan, &Preview::default(), 80).contains("not asked"));
    }
}
