//! Forecasts: who is asked, who is not, and what nobody can know before the run.

use std::collections::BTreeMap;

use runbook_model::Forecast;
use runbook_model::preview::Finding;

use crate::support::Bench;

/// A word in a file; every look is written down.
const WORD: (&str, &str) = (
    "test.word",
    "type: test.word\nsummary: A word in a file\nparams: { file: { type: path, required: true }, word: { type: string, required: true } }\nwrites: ['word:{{file}}']\ncheck: |\n  echo look >>\"$file.looks\"\n  now=$(cat \"$file\" 2>/dev/null || :)\n  if [ \"$now\" != \"$word\" ]; then differs \"it is $now\"; fi\napply: |\n  printf %s \"$word\" >\"$file\"\n",
);
/// What a file says.
const READ: (&str, &str) = (
    "test.read",
    "type: test.read\nsummary: What a file says\nparams: { file: { type: path, required: true } }\nprobe: true\nreads: ['word:{{file}}']\noutputs: { word: { type: string } }\ncheck: |\n  echo look >>\"$file.looks\"\n  output word \"$(cat \"$file\")\"\n",
);
/// A word in a file, which is an output too.
const SEEN: (&str, &str) = (
    "test.seen",
    "type: test.seen\nsummary: A word in a file\nparams: { file: { type: path, required: true }, word: { type: string, required: true } }\nwrites: ['word:{{file}}']\noutputs: { word: { type: string } }\ncheck: |\n  now=$(cat \"$file\")\n  output word \"$now\"\n  if [ \"$now\" != \"$word\" ]; then differs \"it is $now\"; fi\napply: |\n  printf %s \"$word\" >\"$file\"\n",
);
/// A file that must be there, or there is no verdict.
const SIZE: (&str, &str) = (
    "test.size",
    "type: test.size\nsummary: How long a file is\nparams: { file: { type: path, required: true } }\nprobe: true\nreads: ['word:{{file}}']\noutputs: { size: { type: int } }\ncheck: |\n  [ -e \"$file\" ] || fail \"there is no file\"\n  output size \"$(wc -c <\"$file\")\"\n",
);

fn forecasts(text: &str) -> (Bench, BTreeMap<String, Forecast>) {
    let bench = Bench::new(text, &[WORD, READ, SEEN, SIZE]);
    for (name, word) in [("word", "old"), ("other", "other")] {
        std::fs::write(bench.path(name), word).unwrap();
    }
    let found = bench.forecasts();
    (bench, found)
}

fn first(what: &str) -> Forecast {
    Forecast::Maybe(format!("`{what}` changes something first"))
}

fn change() -> Forecast {
    Forecast::Change(vec!["it is ".to_owned()])
}

#[test]
fn an_instance_is_asked_where_it_runs() {
    let (bench, found) = forecasts(
        "
runbook: through
phases:
  - phase: change
    order: graph
    steps:
      - { step: other, uses: test.word, on: a, via: b, with: { file: DIR/word, word: new } }
      - { step: lost, uses: test.word, on: a, via: gone, with: { file: DIR/lost, word: new } }
      - { step: kept, uses: test.word, on: gone, via: b, with: { file: DIR/kept, word: new } }
  - phase: look
    order: graph
    steps:
      - { step: now, uses: test.word, on: all_of_them, with: { file: DIR/word, word: old } }
      - { step: back, uses: test.word, on: a, via: b, with: { file: DIR/word, word: old } }
",
    );
    let expected = [
        // What is written through `b` is on `b`: the same file on `a` is another one.
        ("back@a/b", first("other@a/b")),
        ("kept@gone/b", change()),
        ("now@a", Forecast::NoChange),
        ("now@b", first("other@a/b")),
        ("other@a/b", Forecast::Change(vec!["it is old".to_owned()])),
    ];
    let mut found = found;
    let lost = found.remove("lost@a/gone");
    assert!(matches!(lost, Some(Forecast::Unreachable(_))), "{lost:?}");
    let expected = expected.map(|(name, forecast)| (name.to_owned(), forecast));
    assert_eq!(found, expected.into());
    assert_eq!(bench.read("lost.looks"), "");
}

#[test]
fn other_parts_are_shown_and_not_asked() {
    let (bench, found) = forecasts(
        "
runbook: parts
inputs: { back: { type: bool, default: false } }
steps:
  - { step: main, uses: test.word, on: a, with: { file: DIR/word, word: old } }
rollback:
  phases:
    - phase: back
      steps:
        - { step: sure, uses: gate.approve, with: { message: Go back? } }
        - { step: restore, uses: test.word, on: a, with: { file: DIR/restore, word: '{{steps.main.started}}' } }
        - { step: far, uses: test.word, on: gone, with: { file: DIR/far, word: old } }
    - phase: never
      when: inputs.back
      steps:
        - { step: skipped, uses: test.word, on: a, with: { file: DIR/skipped, word: old } }
finally:
  - { step: close, uses: test.word, on: a, with: { file: DIR/close, word: old } }
  - { step: see, uses: test.read, on: a, with: { file: DIR/see } }
  - { step: record, uses: run.record, on: control }
",
    );
    let maybe = |text: &str| Forecast::Maybe(text.to_owned());
    let back = || maybe("only done when somebody goes back");
    let ending = || maybe("done on every ending, as things are by then");
    let expected = [
        ("close@a", ending()),
        ("far@gone", back()),
        ("main@a", Forecast::NoChange),
        ("record@control", ending()),
        ("restore@a", back()),
        ("see@a", ending()),
        (
            "skipped@a",
            Forecast::Skipped("the phase's `when` is false".to_owned()),
        ),
        ("sure@control", Forecast::Gate),
    ];
    let expected = expected.map(|(name, forecast)| (name.to_owned(), forecast));
    assert_eq!(found, expected.into());
    assert_eq!(bench.read("word.looks"), "look\n");
    for name in ["restore", "far", "skipped", "close", "see"] {
        assert!(!bench.path(&format!("{name}.looks")).exists(), "{name}");
    }
    assert_eq!(
        bench.preview().unusable,
        BTreeMap::new(),
        "nobody went there"
    );
}

#[test]
fn an_assert_says_what_holds_now_and_what_is_decided_later() {
    let (_bench, found) = forecasts(
        "
runbook: asserts
phases:
  - phase: before
    steps:
      - { step: early, uses: test.read, on: a, with: { file: DIR/word } }
      - step: is_old
        uses: assert
        on: control
        with: { all: [ { check: 'steps.early.only.outputs.word == \"old\"', message: it is not old } ] }
      - step: is_new
        uses: assert
        on: control
        with: { all: [ { check: 'steps.early.only.outputs.word == \"new\"', message: it is not new } ] }
  - phase: change
    steps:
      - { step: set, uses: test.word, on: a, with: { file: DIR/word, word: new } }
      - { step: seen, uses: test.read, on: a, with: { file: DIR/word } }
      - step: is_seen
        uses: assert
        on: control
        with: { all: [ { check: 'steps.seen.only.outputs.word == \"new\"', message: it is not seen } ] }
  - phase: after
    steps:
      - { step: late, uses: test.read, on: a, with: { file: DIR/word } }
      - { step: size, uses: test.size, on: a, with: { file: DIR/made } }
      - { step: other, uses: test.read, on: b, with: { file: DIR/word } }
      - step: is_set
        uses: assert
        on: control
        with: { all: [ { check: 'steps.late.only.outputs.word == \"new\"', message: it is not set } ] }
      - step: is_there
        uses: assert
        on: control
        with: { all: [ { check: 'steps.size.only.outputs.size == 3', message: it is short } ] }
      - step: is_other
        uses: assert
        on: control
        with: { all: [ { check: 'steps.other.only.outputs.word == \"other\"', message: it is the same } ] }
",
    );
    let assert = |text: &str| Forecast::Assert(text.to_owned());
    let expected = [
        ("early@a", Forecast::Probe(Finding::Content)),
        ("is_new@control", assert("does not hold now: it is not new")),
        ("is_old@control", assert("holds now")),
        (
            "is_other@control",
            assert("does not hold now: it is the same"),
        ),
        (
            "is_seen@control",
            assert("decided in the run: `set@a` changes something first"),
        ),
        (
            "is_set@control",
            assert("decided in the run: `set@a` changes something first"),
        ),
        ("is_there@control", assert("not known before the run")),
        ("late@a", Forecast::Probe(Finding::Content)),
        ("other@b", Forecast::Probe(Finding::Content)),
        ("seen@a", Forecast::Probe(Finding::Content)),
        ("set@a", Forecast::Change(vec!["it is old".to_owned()])),
        ("size@a", Forecast::Error("there is no file".to_owned())),
    ];
    let expected = expected.map(|(name, forecast)| (name.to_owned(), forecast));
    assert_eq!(found, expected.into());
}

#[test]
fn what_would_fail_at_its_first_look_says_so() {
    let until = "until: { every: 1s, within: 5s, fatal: 'outputs.word == \"old\"' }";
    let (_bench, found) = forecasts(
        &"
runbook: fatal
phases:
  - phase: before
    order: graph
    steps:
      - { step: now, uses: test.read, on: a, with: { file: DIR/word }, UNTIL }
      - { step: both, uses: test.read, on: a, with: { file: DIR/word }, expect: 'outputs.word == \"new\"', UNTIL }
      - { step: there, uses: test.seen, on: a, with: { file: DIR/word, word: old }, UNTIL }
      - { step: comes, uses: test.seen, on: a, with: { file: DIR/word, word: other }, UNTIL }
      - { step: fine, uses: test.read, on: b, with: { file: DIR/other }, UNTIL }
  - phase: after
    steps:
      - { step: set, uses: test.word, on: a, with: { file: DIR/word, word: new } }
      - { step: then, uses: test.read, on: a, with: { file: DIR/word }, UNTIL }
"
        .replace("UNTIL", until),
    );
    let fatal = "`fatal` is true, a run would fail here at once: outputs.word == \"old\"";
    let fails = || Forecast::Probe(Finding::Differs(vec![fatal.to_owned()]));
    let expected = [
        ("both@a", fails()),
        ("comes@a", Forecast::Change(vec!["it is old".to_owned()])),
        ("fine@b", Forecast::Probe(Finding::Content)),
        ("now@a", fails()),
        ("set@a", first("comes@a")),
        ("then@a", first("comes@a")),
        ("there@a", fails()),
    ];
    let expected = expected.map(|(name, forecast)| (name.to_owned(), forecast));
    assert_eq!(found, expected.into());
}
