//! Steps that write one file come one after the other, on real files.

use runbook_model::{Event, Outcome, RunResult};

use super::outcomes;
use crate::support::Bench;

const LINE: (&str, &str) = (
    "line",
    include_str!("../../../../../stdlib-steps/types/line.yaml"),
);
/// Reads a file, and writes it with one line more a moment later.
const SLOW: (&str, &str) = (
    "test.slow",
    "type: test.slow\nsummary: A line in a file, slowly\nparams: { file: { type: path, required: true }, word: { type: string, required: true } }\nwrites: ['file:{{file}}']\ncheck: |\n  grep -qx -- \"$word\" \"$file\" || differs missing\napply: |\n  text=$(cat \"$file\")\n  sleep 0.3\n  printf '%s\\n%s\\n' \"$text\" \"$word\" >\"$file\"\n",
);

fn bench(uses: &str, with: &str) -> Bench {
    let text = format!(
        "
runbook: lines
steps:
  - {{ step: lines, uses: {uses}, on: control, for_each: [a, b, c, d, e], with: {{ {with} }} }}
  - {{ step: other, uses: {uses}, on: control, with: {{ {} }} }}
",
        with.replace("{{item}}", "f")
    );
    let bench = Bench::new(&text, &[LINE, SLOW]);
    std::fs::write(bench.path("file"), "first\n").unwrap();
    bench
}

fn all_is_there(bench: &Bench) {
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Succeeded), "{:?}", left.events);
    assert_eq!(outcomes(&left.events), ["changed"; 6]);
    let failed = |event: &Event| matches!(event, Event::Finished { outcome, .. } if matches!(outcome, Outcome::Failed(_)));
    assert!(!left.events.iter().any(failed));
    let mut lines: Vec<String> = bench.read("file").lines().map(str::to_owned).collect();
    assert_eq!(lines.remove(0), "first");
    lines.sort_unstable();
    assert_eq!(lines, ["a", "b", "c", "d", "e", "f"]);
}

#[test]
fn lines_of_one_file_are_all_there_in_the_end() {
    all_is_there(&bench("line", "path: 'DIR/file', text: '{{item}}'"));
}

#[test]
fn what_a_type_of_ones_own_writes_is_not_lost() {
    all_is_there(&bench("test.slow", "file: 'DIR/file', word: '{{item}}'"));
}
