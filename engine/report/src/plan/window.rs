//! The window of a plan: its dates, and whether now is outside of it.

use jiff::Timestamp;
use runbook_model::plan::{Part, Window};
use runbook_model::{Millis, Plan};

use crate::text::bounded;
use crate::time::length;

/// The dates, as the runbook gives them.
pub(super) fn rows(window: &Window) -> Vec<(&'static str, String)> {
    let rows = [
        ("not before", &window.opens),
        ("nothing new after", &window.closes),
        ("no return before", &window.no_return_before),
    ];
    rows.iter()
        .filter_map(|(name, date)| Some((*name, bounded(date.as_deref()?, 80))))
        .collect()
}

/// Sentences about what a run would not do now, because of the time.
pub(super) fn outside(plan: &Plan, now: Millis) -> Vec<String> {
    let Some(window) = &plan.window else {
        return Vec::new();
    };
    let date = |text: &Option<String>| {
        let at = text.as_ref()?.parse::<Timestamp>().ok()?;
        Some((at.as_millisecond(), at.to_string()))
    };
    if let Some((at, date)) = date(&window.closes).filter(|(at, _)| now >= *at) {
        let ago = length(now - at);
        return vec![format!(
            "a run would do nothing now: its window has closed at {date}, {ago} ago"
        )];
    }
    let mut out = Vec::new();
    if let Some((at, date)) = date(&window.opens).filter(|(at, _)| now < *at) {
        let left = length(at - now);
        out.push(format!(
            "a run would look and do nothing now: its window opens at {date}, in {left}"
        ));
    }
    let first = plan.steps.iter().find(|step| {
        let phase = plan.phases.get(step.phase as usize);
        step.no_return.is_some() && phase.is_none_or(|p| p.part == Part::Main)
    });
    let late = date(&window.no_return_before).filter(|(at, _)| now >= *at);
    if let (Some((_, date)), Some(step)) = (late, first) {
        out.push(format!(
            "a run would stop before `{}` now: no return had to be passed before {date}",
            step.id
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_plan_outside_of_its_window_says_so() {
        let mut plan = sample::plan();
        assert_eq!(outside(&plan, 0), [""; 0]);
        let date = |text: &str| Some(text.to_owned());
        plan.window = Some(Window {
            opens: date("2026-11-22T20:00:00Z"),
            closes: date("2026-11-23T02:00:00Z"),
            no_return_before: date("2026-11-23T00:30:00Z"),
        });
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        let said = |text: &str| outside(&plan, at(text)).join("\n");
        let all = [
            "2026-11-22T19:30:00Z",
            "2026-11-22T20:00:00Z",
            "2026-11-23T00:30:00Z",
            "2026-11-23T03:00:00Z",
        ];
        insta::assert_snapshot!(all.map(said).join("\n-\n"));
        plan.window = Some(Window::default());
        assert_eq!(outside(&plan, 0), [""; 0]);
    }
}
