//! What is drawn: one line for the whole, one for each phase in view, and the active hosts; never
//! more lines than the screen has.

use std::collections::BTreeMap;

use runbook_model::transition::Stage;
use runbook_model::{HostName, Millis, NodeIx, Plan, RunState};

use super::reached::Reached;
use crate::facts::{self, Pause};
use crate::text::cut;
use crate::time::{length, moment};
use crate::{Style, Tally};

/// Columns of the bar of the whole.
pub(super) const BAR: usize = 20;
/// Phases in view.
const PHASES: usize = 3;
/// Rows that stay free for what is above and for the cursor.
const FREE: usize = 2;

/// The lines to draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Screen {
    /// Instances that have ended.
    pub(super) done: usize,
    /// All instances.
    pub(super) total: usize,
    /// Behind the bar.
    pub(super) head: String,
    /// Below it.
    pub(super) below: Vec<String>,
}

impl Screen {
    pub(super) fn of(
        plan: &Plan,
        state: &RunState,
        reached: &Reached,
        (since, now): (Millis, Millis),
        (rows, columns): (u16, u16),
        style: &Style,
    ) -> Self {
        let (rows, columns) = (usize::from(rows), usize::from(columns));
        let all = Tally::of(plan, state, None);
        let current: Vec<(u32, Tally)> = (0u32..)
            .take(plan.phases.len())
            .map(|at| (at, Tally::of(plan, state, Some(at))))
            .filter(|(_, t)| t.done < t.total && t.done + t.active > 0)
            .collect();
        let done = all.done - all.failed;
        let mut head = length(now - since);
        if all.failed > 0 {
            head.push_str(&format!("  {} failed", all.failed));
        }
        if state.stopping.is_some() {
            head.push_str("  stopping");
        }
        let mut below: Vec<String> = Vec::new();
        for (at, tally) in current.iter().take(PHASES) {
            let words = tally.words();
            let id = plan.phases.get(*at as usize).map_or("", |p| p.id.as_str());
            below.push(format!(
                "phase {id}  {}/{}  {words}",
                tally.done, tally.total
            ));
        }
        let between = facts::between(plan, state, now, style);
        below.extend(between.iter().map(|text| format!("  {text}")));
        let hosts = active(plan, state, reached, now, style);
        let most = rows.saturating_sub(FREE + 1);
        below.truncate(most);
        // One line of the screen is the whole's; hosts take what is left.
        let left = most - below.len();
        if hosts.len() <= left {
            below.extend(hosts);
        } else if left > 0 {
            let more = hosts.len() - (left - 1);
            below.extend(hosts.into_iter().take(left - 1));
            below.push(format!("  and {more} more hosts"));
        }
        let wide = columns.saturating_sub(1).max(1);
        for text in &mut below {
            *text = cut(text.trim_end(), wide);
        }
        let numbers = format!("[] {done}/{}  ", all.total).len();
        let head = cut(&head, wide.saturating_sub(BAR + numbers).max(1));
        // What failed will be done again.
        Self {
            done,
            total: all.total,
            head,
            below,
        }
    }
}

/// A line for each host on which something is going on, the longest first.
fn active(
    plan: &Plan,
    state: &RunState,
    reached: &Reached,
    now: Millis,
    style: &Style,
) -> Vec<String> {
    let mut hosts: BTreeMap<&HostName, (Millis, &str, String, usize)> = BTreeMap::new();
    for (node, step, host, n) in facts::instances(plan, state) {
        let word = match n.stage {
            Stage::Waiting | Stage::Done => continue,
            // In a chain, and its turn has not come.
            Stage::Intended | Stage::Running if n.started_at.is_none() => continue,
            Stage::Pausing => match n.pausing_until.filter(|_| is_wait(plan, node)) {
                Some(until) => format!("  waits until {}", moment(until, now, style)),
                None => "  waits".to_owned(),
            },
            Stage::Asking | Stage::Answered => "  asks".to_owned(),
            Stage::InDoubt => "  in doubt".to_owned(),
            _ => reached
                .of(node)
                .map_or(String::new(), |text| format!("  {text}")),
        };
        let since = begun(state, node)
            .or(n.looking_since)
            .or(n.started_at)
            .unwrap_or(now);
        let entry = hosts
            .entry(host)
            .or_insert_with(|| (since, step.id.as_str(), word.clone(), 0));
        if since < entry.0 {
            (entry.0, entry.1, entry.2) = (since, step.id.as_str(), word);
        }
        entry.3 += 1;
    }
    let host_wide = hosts.keys().map(|h| h.as_str().len()).max().unwrap_or(0);
    let step_wide = hosts
        .values()
        .map(|(_, step, ..)| step.len())
        .max()
        .unwrap_or(0);
    let mut lines: Vec<_> = hosts.into_iter().collect();
    lines.sort_by_key(|(host, (since, ..))| (*since, *host));
    lines
        .into_iter()
        .map(|(host, (since, step, word, n))| {
            let more = if n > 1 {
                format!("  +{}", n - 1)
            } else {
                String::new()
            };
            format!(
                "  {:host_wide$}  {step:step_wide$}  {}{word}{more}",
                host.as_str(),
                length(now - since)
            )
        })
        .collect()
}

fn is_wait(plan: &Plan, node: NodeIx) -> bool {
    facts::pause_of(plan, node) == Some(Pause::Wait)
}

fn begun(state: &RunState, node: NodeIx) -> Option<Millis> {
    state
        .open_attempts()
        .find(|(_, a)| a.node == node)
        .map(|(_, a)| a.intended_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use proptest::prelude::*;

    fn screen(plan: &Plan, state: &RunState, after: Millis, size: (u16, u16)) -> Screen {
        let times = (state.created_at, state.last_at + after);
        Screen::of(
            plan,
            state,
            &Reached::default(),
            times,
            size,
            &Style::plain(80),
        )
    }

    #[test]
    fn the_screen_of_a_run() {
        let tape = sample::failed().until_gate_passed();
        insta::assert_debug_snapshot!(screen(&tape.plan, &tape.state(), 4_000, (24, 80)));
    }

    #[test]
    fn time_that_has_to_pass_is_shown() {
        let tape = sample::patient();
        let screen = screen(&tape.plan, &tape.state(), 4_000, (24, 80));
        insta::assert_snapshot!(screen.below.join("\n"));
    }

    #[test]
    fn many_hosts_are_counted() {
        let (plan, state) = sample::wide(100);
        let screen = screen(&plan, &state, 0, (10, 80));
        assert_eq!(screen.below.len(), 7);
        assert_eq!(
            screen.below.last().map(String::as_str),
            Some("  and 95 more hosts")
        );
    }

    proptest! {
        #[test]
        fn the_screen_is_never_too_small(hosts in 1usize..40, rows in 0u16..30, columns in 0u16..120) {
            let (plan, state) = sample::wide(hosts);
            let screen = screen(&plan, &state, 0, (rows, columns));
            prop_assert!(screen.below.len() < usize::from(rows).max(1));
            for line in &screen.below {
                prop_assert!(line.chars().count() <= usize::from(columns).max(1));
            }
        }
    }
}
