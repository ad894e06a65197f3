//! Locks of hosts: of two runs on one host one is refused, and what is of no use any more is given back.

use runbook_model::{Event, HostName, RunResult};

use super::{ADD, GO};
use crate::support::{Bench, Left};

/// One effect, and then a reason to stop.
const RUN: &str = "
runbook: run
steps:
  - { step: add, uses: test.add, on: a, with: { file: 'DIR/lines' } }
  - { step: go, uses: test.go, on: a, with: { file: 'DIR/go' } }
";

fn bench() -> Bench {
    Bench::new(RUN, &[ADD, GO])
}

fn go(bench: &Bench) {
    std::fs::write(bench.path("go"), "").unwrap();
}

fn problem(left: &Left) -> Option<String> {
    left.events.iter().find_map(|event| match event {
        Event::HostUnusable { host, problem } => Some(format!("{host}: {problem}")),
        _ => None,
    })
}

#[test]
fn a_run_that_has_succeeded_leaves_no_lock() {
    let bench = bench();
    go(&bench);
    let lock = bench.path("hosts/lock");
    let id = bench.id.to_string();
    let left = bench.drive_with(Box::new(move |event| {
        if let Event::Dispatched { .. } = event {
            let text = std::fs::read_to_string(&lock).unwrap();
            assert!(text.starts_with(&format!("{id} 1 ")), "{text}");
            assert!(text.ends_with(" me on here\n"), "{text}");
        }
    }));
    assert_eq!(left.result, Some(RunResult::Succeeded));
    assert_eq!(bench.read("lines"), "line\n");
    assert_eq!(bench.lock(), "");
}

#[test]
fn of_two_runs_on_one_host_one_is_refused() {
    let first = bench();
    let second = first.beside(RUN, &[ADD, GO]);
    go(&second);
    assert_eq!(first.drive().result, Some(RunResult::Failed));
    let held = first.lock();
    assert!(held.starts_with(first.id.as_str()), "{held}");

    let left = second.drive();
    assert_eq!(left.result, Some(RunResult::Failed));
    let problem = problem(&left).unwrap();
    let id = &first.id;
    for part in [
        format!("a: the run `{id}` has the lock of this host (me on here, since 20"),
        format!("`runbook resume {id}` or `runbook abandon {id}`"),
    ] {
        assert!(problem.contains(&part), "{problem}");
    }
    assert_eq!(second.read("lines"), "");
    assert_eq!(first.lock(), held, "who is refused takes nothing");

    go(&first);
    assert_eq!(first.drive().result, Some(RunResult::Succeeded));
    assert_eq!(first.read("lines"), "line\n");
    assert_eq!(second.drive().result, Some(RunResult::Succeeded));
    assert_eq!(second.read("lines"), "line\n");
    assert_eq!(first.lock(), "");
}

#[test]
fn a_run_that_has_done_nothing_leaves_no_lock() {
    let text = RUN.replace("uses: test.add", "uses: test.go");
    let bench = Bench::new(&text, &[GO]);
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Failed));
    assert_eq!(problem(&left), None);
    assert_eq!(bench.lock(), "");
}

#[test]
fn whoever_resumes_a_killed_run_has_its_locks() {
    let bench = bench();
    let dispatched = |event: &Event| matches!(event, Event::Dispatched { .. });
    assert_eq!(bench.drive_until(dispatched).result, None);
    assert!(bench.lock().starts_with(&format!("{} 1 ", bench.id)));
    assert_eq!(bench.drive().result, Some(RunResult::Failed));
    assert!(bench.lock().starts_with(&format!("{} 2 ", bench.id)));
    assert_eq!(bench.read("lines"), "line\n");
}

#[test]
fn a_lock_that_another_run_has_meanwhile_stops_the_run() {
    let bench = bench();
    assert_eq!(bench.drive().result, Some(RunResult::Failed));
    // Somebody has removed it by hand, and another run has come.
    std::fs::write(bench.path("hosts/lock"), "other 1 0 you on there\n").unwrap();
    go(&bench);
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Failed));
    let problem = problem(&left).unwrap();
    assert!(problem.contains("`other`"), "{problem}");
    assert_eq!(bench.lock(), "other 1 0 you on there\n");
}

#[test]
fn a_run_that_is_given_up_frees_its_hosts() {
    let bench = bench();
    assert_eq!(bench.drive().result, Some(RunResult::Failed));
    go(&bench);
    // The second controller of three.
    assert_eq!(
        bench
            .drive_until(|event| matches!(event, Event::HostReady { .. }))
            .result,
        None
    );
    let left = bench.release_locks(2);
    let [(host, why)] = left.as_slice() else {
        panic!("{left:?}")
    };
    assert_eq!(*host, HostName::new("a").unwrap());
    assert!(why.contains("has taken over"), "{why}");
    assert!(bench.lock().starts_with(&format!("{} 2 ", bench.id)));
    assert_eq!(bench.release_locks(0), []);
    assert_eq!(bench.lock(), "");
    assert_eq!(bench.release_locks(0), [], "there is nothing left to do");
}

#[test]
fn a_controller_that_is_killed_after_its_last_event_leaves_a_lock_that_somebody_can_give_back() {
    let bench = bench();
    go(&bench);
    assert_eq!(bench.drive().result, Some(RunResult::Succeeded));
    // As if it had not come so far as to give it back.
    let line = format!("{} 1 0 you on there\n", bench.id);
    std::fs::write(bench.path("hosts/lock"), line).unwrap();
    assert_eq!(bench.close_up(), []);
    assert_eq!(bench.lock(), "");
    assert_eq!(bench.close_up(), [], "there is nothing left to do");
}

#[test]
fn the_lock_of_a_run_that_goes_on_is_not_given_back() {
    let bench = bench();
    assert_eq!(bench.drive().result, Some(RunResult::Failed));
    assert_eq!(bench.close_up(), []);
    assert!(bench.lock().starts_with(&format!("{} 1 ", bench.id)));
}
