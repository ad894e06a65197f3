//! `until` and `expect` on a step that changes something: what the plan says is what the run does.

use runbook_model::{Event, Forecast, Outcome, RunResult};

use super::support::Bench;

/// A file that is there; it counts its lines.
const FILE: (&str, &str) = (
    "test.file",
    "type: test.file\nsummary: A file\nparams: { file: { type: path, required: true } }\noutputs: { lines: { type: int } }\ncheck: |\n  if [ -e \"$file\" ]; then output lines \"$(grep -c . \"$file\" || :)\"; else differs missing; fi\napply: |\n  echo line >>\"$file\"\n",
);
const TEXT: &str = "
runbook: until
steps:
  - step: file
    uses: test.file
    on: control
    with: { file: 'DIR/file' }
    expect: outputs.lines >= 2
    until: { passes: 2, every: 10ms, within: 10m }
";

fn outcomes(events: &[Event]) -> Vec<&Outcome> {
    let finished = events.iter().filter_map(|event| match event {
        Event::Finished { outcome, .. } if *outcome != Outcome::Passed => Some(outcome),
        _ => None,
    });
    finished.collect()
}

#[test]
fn what_is_there_and_not_as_expected_is_changed() {
    let bench = Bench::new(TEXT, &[FILE]);
    std::fs::write(bench.path("file"), "line\n").unwrap();
    let reasons = vec!["`outputs.lines >= 2` is false".to_owned()];
    assert_eq!(bench.forecasts()["file@control"], Forecast::Change(reasons));
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Succeeded));
    assert_eq!(outcomes(&left.events), [&Outcome::Changed]);
    assert_eq!(bench.read("file"), "line\nline\n");
}

#[test]
fn what_is_there_as_expected_is_looked_at_as_often_as_it_says() {
    let bench = Bench::new(TEXT, &[FILE]);
    std::fs::write(bench.path("file"), "line\nline\n").unwrap();
    assert_eq!(bench.forecasts()["file@control"], Forecast::NoChange);
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Succeeded));
    assert_eq!(outcomes(&left.events), [&Outcome::Satisfied]);
    let looks = left
        .events
        .iter()
        .filter(|e| matches!(e, Event::Looked { .. }));
    assert_eq!(looks.count(), 2);
}
