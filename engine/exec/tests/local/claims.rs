//! Attempts that were launched and take their time to claim what they are.

use runbook_model::{Event, RunResult};

use super::support::Bench;

/// Appends a line; whether it did, nobody can tell by looking.
const ADD: (&str, &str) = (
    "test.add",
    "type: test.add\nsummary: Appends a line\nparams: { file: { type: path, required: true } }\nalways: true\napply: |\n  echo line >>\"$file\"\n",
);
/// Fails until a file is there.
const GO: (&str, &str) = (
    "test.go",
    "type: test.go\nsummary: Looks for a file\nparams: { file: { type: path, required: true } }\nprobe: true\ncheck: |\n  if [ ! -e \"$file\" ]; then differs missing; fi\n",
);

/// Everything that is launched from here on claims its place late.
fn be_slow(bench: &Bench) {
    let library = std::fs::read_dir(bench.path("hosts/lib")).unwrap().next();
    let library = library.unwrap().unwrap().path();
    let text = std::fs::read_to_string(&library).unwrap();
    std::fs::write(&library, format!("sleep 2\n{text}")).unwrap();
}

#[test]
fn what_was_launched_and_has_not_claimed_its_place_yet_is_waited_for() {
    let bench = Bench::new(
        "
runbook: late
steps:
  - { step: go, uses: test.go, on: control, with: { file: 'DIR/go' } }
  - { step: add, uses: test.add, on: control, with: { file: 'DIR/lines' } }
",
        &[GO, ADD],
    );
    assert_eq!(bench.drive().result, Some(RunResult::Failed));
    be_slow(&bench);
    std::fs::write(bench.path("go"), "").unwrap();
    let killed = bench.drive_until(|event| matches!(event, Event::Launched { .. }));
    assert_eq!(killed.result, None);
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Succeeded), "{:?}", left.events);
    assert_eq!(bench.read("lines"), "line\n");
}
