//! Chains with real shells on this machine: what one unit does, what is left of it, and what is done again.

use runbook_model::event::AttemptEnd;
use runbook_model::{Event, RunResult};

use super::outcomes;
use crate::support::{Bench, Left};

/// A line in a file, once; it may take its time, or fail until a file is there.
const LINE: (&str, &str) = (
    "test.line",
    "type: test.line\nsummary: A line in a file\nparams: { file: { type: path, required: true }, line: { type: string, required: true }, after: { type: int, default: 0 }, unless: { type: string, default: '' } }\ncheck: |\n  before lines \"$(wc -l <\"$file\" 2>/dev/null || echo none)\"\n  grep -qxF -e \"$line\" \"$file\" 2>/dev/null || differs \"there is no $line\"\napply: |\n  if [ -n \"$unless\" ] && [ ! -e \"$unless\" ]; then fail \"not yet\"; fi\n  echo \"adding $line\"\n  sleep \"$after\"\n  echo \"$line\" >>\"$file\"\n",
);

/// A file with a text, as it is shipped.
const FILE: (&str, &str) = (
    "file",
    include_str!("../../../../../stdlib-steps/types/file.yaml"),
);

/// The instances of each unit.
fn units(left: &Left) -> Vec<usize> {
    let of = |event: &Event| match event {
        Event::Dispatched { instances, .. } => Some(instances.len()),
        _ => None,
    };
    left.events.iter().filter_map(of).collect()
}

fn ends(left: &Left) -> Vec<&'static str> {
    let of = |event: &Event| match event {
        Event::Ended { end, .. } => Some(match end {
            AttemptEnd::Completed { .. } => "completed",
            AttemptEnd::Failed(_) => "failed",
            AttemptEnd::NeverBegan => "never",
            AttemptEnd::Lost => "lost",
            AttemptEnd::Looked { .. } => "looked",
            AttemptEnd::Converged { .. } => "converged",
        }),
        _ => None,
    };
    left.events.iter().filter_map(of).collect()
}

const ROW: &str = "
runbook: row
steps:
  - { step: one, uses: test.line, on: control, with: { file: 'DIR/lines', line: one } }
  - { step: two, uses: file, on: control, with: { path: 'DIR/two', text: \"it's\\ntwo\\n\", mode: '0600' } }
  - { step: there, uses: file, on: control, with: { path: 'DIR/there', text: there, mode: '0640' } }
  - { step: four, uses: test.line, on: control, with: { file: 'DIR/lines', line: four, after: AFTER, unless: 'UNLESS' } }
  - { step: five, uses: file, on: control, with: { path: 'DIR/five', text: five } }
";

fn row(after: &str, unless: &str) -> Bench {
    let text = ROW.replace("AFTER", after).replace("UNLESS", unless);
    let bench = Bench::new(&text, &[LINE, FILE]);
    std::fs::write(bench.path("there"), "there").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
    std::fs::set_permissions(bench.path("there"), mode).unwrap();
    bench
}

#[test]
fn one_unit_does_what_differs_and_says_why() {
    let bench = row("0", "");
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Succeeded));
    assert_eq!(units(&left), [5]);
    let done = ["converged", "converged", "looked", "converged", "converged"];
    assert_eq!(ends(&left), done);
    let words = ["changed", "changed", "no change", "changed", "changed"];
    assert_eq!(outcomes(&left.events), words);
    assert_eq!(bench.read("lines"), "one\nfour\n");
    assert_eq!(bench.read("two"), "it's\ntwo\n");
    let reasons = left.events.iter().filter_map(|event| match event {
        Event::Began {
            reasons, before, ..
        } => Some((reasons.join("; "), before.clone())),
        _ => None,
    });
    let reasons: Vec<_> = reasons.collect();
    assert_eq!(reasons[0].0, "there is no one");
    assert!(reasons[1].0.contains("is not there") && reasons[1].0.contains("+two"));
    assert_eq!(
        reasons[2].1["lines"].trim(),
        "1",
        "it was captured right before"
    );
    let said = String::from_utf8_lossy(&left.output).into_owned();
    assert!(
        said.contains("adding one\n") && said.contains("adding four\n"),
        "{said}"
    );
    let logs = bench.logs();
    assert!(
        logs.contains("adding one") && logs.contains("adding four"),
        "{logs}"
    );
}

#[test]
fn a_failure_ends_it_and_the_next_controller_goes_on() {
    let bench = row("0", "DIR/go");
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Failed));
    assert_eq!(
        ends(&left),
        ["converged", "converged", "looked", "failed", "never"]
    );
    assert!(!bench.path("five").exists());
    std::fs::write(bench.path("go"), "").unwrap();
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Succeeded));
    assert_eq!(bench.read("lines"), "one\nfour\n");
    assert_eq!(bench.read("five"), "five");
}

#[test]
fn it_outlives_its_controller_and_every_effect_happens_once() {
    let moments: [fn(&Event) -> bool; 4] = [
        |event| matches!(event, Event::Dispatched { .. }),
        |event| matches!(event, Event::Launched { .. }),
        |event| matches!(event, Event::Ended { .. }),
        // The slow one: the next controller finds it at work, and nothing after it begins by itself.
        |event| matches!(event, Event::Began { reasons, .. } if reasons[0].contains("four")),
    ];
    for (at, moment) in moments.into_iter().enumerate() {
        let bench = row("3", "");
        assert_eq!(bench.drive_until(moment).result, None, "{at}");
        let left = bench.drive();
        let said = format!("{at}: {:?}", left.events);
        assert_eq!(left.result, Some(RunResult::Succeeded), "{said}");
        assert_eq!(bench.read("lines"), "one\nfour\n", "{said}");
        assert_eq!(bench.read("five"), "five", "{said}");
    }
}

#[test]
fn what_a_host_decides_is_what_the_controller_would() {
    let modes = ["0644", "0600", "0755"];
    for (text, mode) in [("a", 0o644), ("b", 0o644), ("a", 0o600), ("a\n", 0o755)] {
        let steps: String = (0..)
            .zip(modes)
            .map(|(at, mode)| {
                format!("  - {{ step: s{at}, uses: file, on: control, with: {{ path: 'DIR/f{at}', text: a, mode: '{mode}', owner: root, group: '0' }} }}\n")
            })
            .collect();
        let bench = Bench::new(&format!("runbook: rules\nsteps:\n{steps}"), &[FILE]);
        let mut wanted = Vec::new();
        for (at, goal) in modes.iter().enumerate() {
            let path = bench.path(&format!("f{at}"));
            std::fs::write(&path, text).unwrap();
            let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(&path, permissions).unwrap();
            let same = text == "a" && u32::from_str_radix(goal, 8).unwrap() == mode;
            wanted.push(if same { "no change" } else { "changed" });
        }
        let left = bench.drive();
        assert_eq!(left.result, Some(RunResult::Succeeded));
        assert_eq!(units(&left), [3], "{:?}", left.events);
        assert_eq!(outcomes(&left.events), wanted);
    }
}
