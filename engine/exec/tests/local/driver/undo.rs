//! Files that are kept before the first change, and come back.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use runbook_model::event::{AttemptEnd, ReleasedBy};
use runbook_model::{Event, RunResult};

use super::{GO, outcomes};
use crate::support::Bench;

/// Overwrites a file that it has registered; a file `crash` beside it has the first attempt killed in its middle.
const CONF: (&str, &str) = (
    "test.conf",
    "type: test.conf\nsummary: A file with one word\nparams: { file: { type: path, required: true }, word: { type: string, required: true } }\ncheck: |\n  now=$(cat \"$file\" 2>/dev/null || :)\n  if [ \"$now\" != \"$word\" ]; then before_file conf \"$file\"; differs \"it is $now\"; fi\napply: |\n  if [ -e \"$file.crash\" ]; then\n    rm \"$file.crash\"; echo half >\"$file\"\n    kill -s KILL \"$(ps -o ppid= -p $$)\" $$\n  fi\n  printf %s \"$word\" >\"$file\"\n  if [ -e \"$file.fail\" ]; then rm \"$file.fail\"; echo half >\"$file\"; fail \"no luck\"; fi\nundo: |\n  if [ -z \"$before_conf\" ]; then rm -f -- \"$file\"; else cat <\"$before_conf\" >\"$file\"; chmod \"$before_conf_mode\" \"$file\"; fi\n",
);
const FILE: (&str, &str) = (
    "file",
    include_str!("../../../../../stdlib-steps/types/file.yaml"),
);

fn held(uses: &str, with: &str) -> String {
    format!(
        "
runbook: held
steps:
  - {{ step: change, uses: {uses}, on: control, with: {{ {with} }}, retry: {{ attempts: 2, delay: 0s }}, hold: {{ release: end, on_failure: keep }} }}
  - {{ step: go, uses: test.go, on: control, with: {{ file: 'DIR/go' }} }}
"
    )
}

fn conf() -> Bench {
    bench(&held("test.conf", "file: 'DIR/state', word: new"))
}

fn file() -> Bench {
    bench(&held("file", "path: 'DIR/state', text: new, mode: '0600'"))
}

/// `state` is there with a mode and bytes of its own.
fn bench(text: &str) -> Bench {
    let bench = Bench::new(text, &[CONF, FILE, GO]);
    std::fs::write(bench.path("state"), OLD).unwrap();
    chmod(&bench, 0o654);
    bench
}

const OLD: &[u8] = b"as\0it\xff was\n\n";

fn chmod(bench: &Bench, mode: u32) {
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(bench.path("state"), mode).unwrap();
}

fn is_as_it_was(bench: &Bench) {
    let path = bench.path("state");
    assert_eq!(std::fs::read(&path).unwrap(), OLD);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o654);
}

/// The directory of what is kept, if it is there.
fn store(bench: &Bench) -> PathBuf {
    bench
        .path("hosts/runs")
        .join(bench.id.as_str())
        .join("undo")
}

fn undone(events: &[Event]) -> Vec<Option<String>> {
    let undone = events.iter().filter_map(|event| match event {
        Event::Undone { failure, .. } => Some(failure.as_ref().map(|f| f.message.clone())),
        _ => None,
    });
    undone.collect()
}

#[test]
fn what_was_changed_comes_back_byte_for_byte() {
    for bench in [conf(), file()] {
        std::fs::write(bench.path("go"), "").unwrap();
        let left = bench.drive();
        assert_eq!(left.result, Some(RunResult::Succeeded));
        assert_eq!(undone(&left.events), [None]);
        is_as_it_was(&bench);
        assert!(!store(&bench).exists(), "nothing is kept of a closed run");
    }
}

#[test]
fn what_was_not_there_is_removed() {
    for bench in [conf(), file()] {
        std::fs::remove_file(bench.path("state")).unwrap();
        std::fs::write(bench.path("go"), "").unwrap();
        let left = bench.drive();
        assert_eq!(left.result, Some(RunResult::Succeeded));
        assert_eq!(undone(&left.events), [None]);
        assert!(!bench.path("state").exists());
    }
}

#[test]
fn what_is_held_by_a_failed_run_is_kept_until_it_is_released() {
    for bench in [conf(), file()] {
        assert_eq!(bench.drive().result, Some(RunResult::Failed));
        assert_eq!(bench.read("state"), "new");
        assert_eq!(bench.drive().result, Some(RunResult::Failed), "resumed");
        assert!(store(&bench).exists());
        let left = bench.release("change@control");
        assert!(left.events.iter().any(|event| matches!(
            event,
            Event::Released {
                by: ReleasedBy::Undo,
                ..
            }
        )));
        is_as_it_was(&bench);
        // Held again, it is what is there by then that is kept.
        std::fs::write(bench.path("state"), "later").unwrap();
        std::fs::write(bench.path("go"), "").unwrap();
        assert_eq!(bench.drive().result, Some(RunResult::Succeeded));
        assert_eq!(bench.read("state"), "later");
        assert!(!store(&bench).exists());
    }
}

#[test]
fn a_file_that_is_not_what_was_written_stays() {
    let bench = file();
    assert_eq!(bench.drive().result, Some(RunResult::Failed));
    std::fs::write(bench.path("state"), "somebody").unwrap();
    let left = bench.release("change@control");
    let why = undone(&left.events);
    assert!(
        matches!(why.as_slice(), [Some(why)] if why.contains("changed by somebody else after it was written")),
        "{why:?}"
    );
    assert_eq!(bench.read("state"), "somebody");
    assert!(store(&bench).exists());
    // What was written again is taken back.
    std::fs::write(bench.path("state"), "new").unwrap();
    let left = bench.release("change@control");
    assert_eq!(undone(&left.events), [None]);
    is_as_it_was(&bench);
}

#[test]
fn a_second_attempt_keeps_what_the_first_one_found() {
    let bench = conf();
    std::fs::write(bench.path("state.fail"), "").unwrap();
    std::fs::write(bench.path("go"), "").unwrap();
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Succeeded));
    let failed = |event: &Event| {
        matches!(
            event,
            Event::Ended {
                end: AttemptEnd::Failed(_),
                ..
            }
        )
    };
    assert!(left.events.iter().any(failed));
    assert_eq!(undone(&left.events), [None]);
    is_as_it_was(&bench);
}

#[test]
fn what_a_killed_attempt_has_kept_is_what_comes_back() {
    let bench = conf();
    std::fs::write(bench.path("state.crash"), "").unwrap();
    std::fs::write(bench.path("go"), "").unwrap();
    let dispatched = |event: &Event| matches!(event, Event::Launched { .. });
    assert_eq!(bench.drive_until(dispatched).result, None);
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Succeeded));
    let lost = |event: &Event| {
        matches!(
            event,
            Event::Ended {
                end: AttemptEnd::Lost,
                ..
            }
        )
    };
    assert!(left.events.iter().any(lost), "{:?}", left.events);
    assert_eq!(undone(&left.events), [None]);
    is_as_it_was(&bench);
}

#[test]
fn a_file_that_changes_after_the_check_is_looked_at_again() {
    let bench = conf();
    std::fs::write(bench.path("go"), "").unwrap();
    let path = bench.path("state");
    let left = bench.drive_with(Box::new(move |event| {
        let first =
            matches!(event, Event::Dispatched { instances, .. } if instances[0].number == 1);
        if first {
            std::fs::write(&path, "meanwhile").unwrap();
        }
    }));
    assert_eq!(left.result, Some(RunResult::Succeeded));
    let never = |event: &Event| {
        matches!(
            event,
            Event::Ended {
                end: AttemptEnd::NeverBegan,
                ..
            }
        )
    };
    assert!(left.events.iter().any(never), "{:?}", left.events);
    assert_eq!(outcomes(&left.events)[0], "changed");
    assert_eq!(bench.read("state"), "meanwhile", "that is what came back");
}

#[test]
fn a_link_is_not_kept() {
    let bench = conf();
    std::fs::rename(bench.path("state"), bench.path("there")).unwrap();
    std::os::unix::fs::symlink(bench.path("there"), bench.path("state")).unwrap();
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Failed));
    let why = left.events.iter().find_map(|event| match event {
        Event::Finished { outcome, .. } => outcome.failure().map(|f| f.message.clone()),
        _ => None,
    });
    assert!(why.unwrap().contains("is a symbolic link"));
    assert_eq!(std::fs::read(bench.path("there")).unwrap(), OLD);
}
