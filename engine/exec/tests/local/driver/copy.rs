//! Copies with a mode and an owner, on real files.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};

use runbook_model::{Event, Forecast, Outcome, RunResult};

use super::outcomes;
use crate::support::{Bench, Left};

/// A copy of `from` over `to`, with these parameters more.
fn bench(more: &str) -> Bench {
    let bench = Bench::new(
        &format!(
            "
runbook: copy
steps:
  - {{ step: over, uses: copy, on: control, with: {{ from: 'DIR/from', to: 'DIR/to'{more} }} }}
"
        ),
        &[],
    );
    std::fs::write(bench.path("from"), "new").unwrap();
    bench
}

fn put(bench: &Bench, text: &str, mode: u32) {
    std::fs::write(bench.path("to"), text).unwrap();
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(bench.path("to"), mode).unwrap();
}

/// What is there: the text, the mode, the owner, and which file it is.
fn there(bench: &Bench) -> (String, u32, u32, u64) {
    let found = std::fs::metadata(bench.path("to")).unwrap();
    let mode = found.mode() & 0o7777;
    (bench.read("to"), mode, found.uid(), found.ino())
}

/// What the step would change, without the place.
fn reasons(bench: &Bench) -> Vec<String> {
    let place = format!("control:{}", bench.path("to").display());
    match bench.forecasts().remove("over@control") {
        Some(Forecast::Change(reasons)) => {
            let reasons = reasons.iter().map(|why| why.strip_prefix(&place));
            reasons.map(|why| why.unwrap().to_owned()).collect()
        }
        Some(Forecast::NoChange) => Vec::new(),
        other => panic!("{other:?}"),
    }
}

fn changes(bench: &Bench) -> Left {
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Succeeded), "{:?}", left.events);
    assert_eq!(outcomes(&left.events), ["changed"]);
    assert_eq!(reasons(bench), [""; 0]);
    left
}

fn failure(left: &Left) -> String {
    let failed = left.events.iter().find_map(|event| match event {
        Event::Finished {
            outcome: Outcome::Failed(failure),
            ..
        } => Some(failure.message.clone()),
        _ => None,
    });
    failed.unwrap_or_else(|| panic!("{:?}", left.events))
}

#[test]
fn a_new_copy_is_for_nobody_else_unless_its_mode_says_so() {
    for (more, wanted) in [("", 0o600), (", mode: '0640'", 0o640)] {
        let bench = bench(more);
        assert_eq!(reasons(&bench), [" is not there"]);
        changes(&bench);
        let (text, mode, ..) = there(&bench);
        assert_eq!((text.as_str(), mode), ("new", wanted));
    }
}

#[test]
fn what_is_not_said_is_kept_of_the_file_that_was_there() {
    let bench = bench("");
    put(&bench, "old", 0o644);
    let is_root = there(&bench).2 == 0;
    if is_root {
        chown(bench.path("to"), Some(65534), Some(65534)).unwrap();
    }
    let (_, _, owner, old) = there(&bench);
    assert_eq!(reasons(&bench), [" has other content"]);
    changes(&bench);
    let (text, mode, now, new) = there(&bench);
    assert_eq!((text.as_str(), mode, now), ("new", 0o644, owner));
    assert_ne!(old, new, "it was not swapped");
}

#[test]
fn a_wrong_mode_is_mended_without_sending_anything() {
    let bench = bench(", mode: '0640'");
    put(&bench, "new", 0o604);
    let (.., same) = there(&bench);
    assert_eq!(reasons(&bench), [": mode is 0604, should be 0640"]);
    changes(&bench);
    let (text, mode, _, file) = there(&bench);
    assert_eq!((text.as_str(), mode, file), ("new", 0o640, same));
}

#[test]
fn content_and_mode_are_mended_at_once() {
    let bench = bench(", mode: '0440'");
    put(&bench, "old", 0o644);
    assert_eq!(
        reasons(&bench),
        [" has other content", ": mode is 0644, should be 0440"]
    );
    changes(&bench);
    let (text, mode, ..) = there(&bench);
    assert_eq!((text.as_str(), mode), ("new", 0o440));
}

#[test]
fn a_copy_gets_its_owner_or_does_not_take_its_place() {
    let bench = bench(", owner: '65534', group: '65534'");
    put(&bench, "old", 0o600);
    if there(&bench).2 != 0 {
        assert!(failure(&bench.drive()).contains("cannot be given to the owner 65534"));
        return assert_eq!(there(&bench).0, "old");
    }
    let found = reasons(&bench);
    assert_eq!(found[0], " has other content");
    assert!(found[1].ends_with("should be 65534") && found[2].ends_with("should be 65534"));
    changes(&bench);
    assert_eq!((there(&bench).0.as_str(), there(&bench).2), ("new", 65534));
}

#[test]
fn a_wrong_owner_is_mended_without_sending_anything() {
    let bench = bench(", owner: '65534'");
    put(&bench, "new", 0o644);
    if there(&bench).2 != 0 {
        assert!(failure(&bench.drive()).contains("cannot be given to the owner 65534"));
        return;
    }
    let (.., same) = there(&bench);
    assert_eq!(reasons(&bench), [": owner is root, should be 65534"]);
    changes(&bench);
    let (_, mode, owner, file) = there(&bench);
    assert_eq!((mode, owner, file), (0o644, 65534, same));
}

#[test]
fn an_owner_that_nobody_is_leaves_the_old_file_in_its_place() {
    let bench = bench(", owner: nobody-has-this-name");
    put(&bench, "old", 0o600);
    let said = failure(&bench.drive());
    assert!(
        said.contains("cannot be given to the owner nobody-has-this-name"),
        "{said}"
    );
    assert_eq!(there(&bench).0, "old");
    let left = std::fs::read_dir(bench.path("to").parent().unwrap()).unwrap();
    let left = left.filter(|file| {
        let name = file.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("to.")
    });
    assert_eq!(left.count(), 0, "the new file is left");
}
