//! The dispatcher in random worlds: what must hold whatever the plan is and whatever goes wrong.
//!
//! Each case is one seed. `RUNBOOK_CASES` sets how many; a failure prints its seed, and
//! `RUNBOOK_SEED` runs that one alone and tells its story; that of its calm twin with `RUNBOOK_CALM`.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_laws;
mod core_worlds;

use core_worlds::{Calm, cases, each_seed, ends_as, enough, wanted_seed};
use runbook_exec::world::{Ending, Size, World};
use runbook_model::RunResult;

fn world(seed: u64, faults: bool) -> World {
    core_worlds::world(seed, Size::LARGE, faults)
}

/// Runs one seed; the text says which law was broken.
fn case(seed: u64) -> Result<(), String> {
    let calm = Calm::run(world(seed, false))?;
    let controllers = calm.controllers;
    let mut disturbed = world(seed, true);
    let endings = disturbed.run_to_end(controllers);
    core_laws::hold(&disturbed, &endings)?;
    ends_as(&disturbed, &endings, &calm)?;

    if seed.is_multiple_of(8) {
        let mut again = world(seed, true);
        if again.run_to_end(controllers) != endings || again.journal != disturbed.journal {
            return Err("the same seed made another journal".into());
        }
    }
    Ok(())
}

#[test]
fn the_laws_hold_in_every_world() {
    if let Some(seed) = wanted_seed() {
        let calm = std::env::var("RUNBOOK_CALM").is_ok();
        let mut world = world(seed, !calm);
        let controllers = enough(&world);
        let endings = world.run_to_end(controllers);
        core_laws::tell(&world, &endings);
        return case(seed).unwrap();
    }
    each_seed(0..cases(1000), case);
}

/// Random worlds prove nothing if nothing happens in them.
#[test]
fn the_worlds_are_eventful() {
    use runbook_model::event::{ReleasedBy, StopReason};
    use runbook_model::plan::Part;
    use runbook_model::{Event, Outcome};
    let mut seen = std::collections::BTreeMap::<&str, usize>::new();
    for seed in 0..600 {
        let mut world = world(seed, true);
        let controllers = enough(&world);
        let endings = world.run_to_end(controllers);
        for ending in &endings {
            let name = match ending {
                Ending::Crashed => "crash",
                Ending::TakenOver => "taken over",
                Ending::Closed(RunResult::Succeeded) => "succeeded",
                Ending::Closed(RunResult::AlreadyThere) => "already there",
                Ending::Closed(RunResult::Stopped) => "stopped",
                Ending::Closed(RunResult::Refused) => "refused",
                Ending::Closed(RunResult::Failed) => "failed",
                _ => "wrong",
            };
            *seen.entry(name).or_default() += 1;
        }
        for record in &world.journal {
            let name = match &record.event {
                Event::Doubted { .. } => "doubted",
                Event::Finished {
                    outcome: Outcome::Left(_),
                    ..
                } => "left",
                Event::Finished {
                    outcome: Outcome::LeftOut { .. },
                    ..
                } => "left out",
                Event::Finished {
                    outcome: Outcome::Recorded(_),
                    ..
                } => "recorded",
                Event::Held { .. } => "held",
                Event::HoldOver { .. } => "too long",
                Event::Undone { failure: None, .. } => "undone",
                Event::Undone { .. } => "undo failed",
                Event::Released {
                    by: ReleasedBy::Step(by),
                    ..
                } if world.plan.part_of(*by) == Part::Finally => "released by the ending",
                Event::Released {
                    by: ReleasedBy::Step(_),
                    ..
                } => "released by a step",
                Event::Ending { .. } => "ending",
                Event::Stopping {
                    reason: StopReason::Budget(_),
                } => "budget",
                Event::Pausing { reason, .. } if reason.contains("batches") => "paused at a point",
                Event::OverTime { .. } => "over time",
                Event::Reopened { reason, .. } if reason.starts_with("too old") => "freshened",
                Event::Reopened { reason, .. } if reason.contains("after the resume") => {
                    "looked at again"
                }
                Event::Reopened { .. } => "reopened",
                Event::Pausing { .. } => "paused",
                Event::Detached { .. } => "detached",
                Event::Ordered { order, .. } => order.command.word(),
                Event::OrderRefused { .. } => "order refused",
                Event::HostUnusable { .. } => "unusable",
                Event::Ended {
                    end: runbook_model::event::AttemptEnd::NeverBegan,
                    ..
                } => "never began",
                _ => continue,
            };
            *seen.entry(name).or_default() += 1;
        }
    }
    let wanted = [
        "crash",
        "taken over",
        "pause",
        "block",
        "unblock",
        "note",
        "rerun",
        "kill",
        "cancel",
        "retry",
        "done",
        "skip",
        "exclude",
        "order refused",
        "succeeded",
        "already there",
        "stopped",
        "refused",
        "failed",
        "doubted",
        "over time",
        "freshened",
        "looked at again",
        "reopened",
        "paused",
        "detached",
        "unusable",
        "never began",
        "left",
        "left out",
        "recorded",
        "held",
        "undone",
        "undo failed",
        "released by a step",
        "released by the ending",
        "ending",
        "budget",
        "too long",
        "paused at a point",
    ];
    for name in wanted {
        assert!(
            seen.get(name).is_some_and(|n| *n >= 5),
            "too few of `{name}`: {seen:?}"
        );
    }
    assert_eq!(seen.get("wrong"), None);
}
