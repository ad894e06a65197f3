//! The driver with real shells on this machine: controllers that die, journals that are too old, secrets that scripts
//! print.

mod chain;
mod clean;
mod copy;
mod keys;
mod locks;
mod remaining;
mod undo;

use runbook_model::{Event, Outcome, RunResult};

use crate::support::Bench;

/// Appends a line, each time that it runs.
const ADD: (&str, &str) = (
    "test.add",
    "type: test.add\nsummary: Appends a line\nparams: { file: { type: path, required: true } }\nalways: true\napply: |\n  echo line >>\"$file\"\n  sleep 1\n",
);
/// A file that is there.
const FILE: (&str, &str) = (
    "test.file",
    "type: test.file\nsummary: A file\nparams: { file: { type: path, required: true } }\noutputs: { there: { type: bool } }\ncheck: |\n  if [ -e \"$file\" ]; then output there true; else output there false; differs missing; fi\napply: |\n  : >\"$file\"\n",
);
/// Fails until a file is there.
const GO: (&str, &str) = (
    "test.go",
    "type: test.go\nsummary: Looks for a file\nparams: { file: { type: path, required: true } }\nprobe: true\ncheck: |\n  if [ ! -e \"$file\" ]; then differs missing; fi\n",
);
/// Prints a secret everywhere where a script can print.
const LEAK: (&str, &str) = (
    "test.leak",
    "type: test.leak\nsummary: Prints what it must not\nparams: { password: { type: string, secret: true, required: true } }\noutputs: { said: { type: string } }\ncheck: |\n  output said \"it is $password\"\n  before was \"$password\"\n  differs \"not $password\"\napply: |\n  echo \"out $password\"\n  echo \"err $password\" >&2\n  fail \"no $password\"\n",
);

const TWO: &str = "
runbook: two
steps:
  - { step: add, uses: test.add, on: control, with: { file: 'DIR/lines' } }
  - { step: file, uses: test.file, on: control, with: { file: 'DIR/file' } }
";

fn outcomes(events: &[Event]) -> Vec<&'static str> {
    let finished = events.iter().filter_map(|event| match event {
        Event::Finished { outcome, .. } if *outcome != Outcome::Passed => Some(outcome.word()),
        _ => None,
    });
    finished.collect()
}

#[test]
fn a_run_does_each_thing_once() {
    let bench = Bench::new(TWO, &[ADD, FILE]);
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Succeeded));
    assert_eq!(outcomes(&left.events), ["changed", "changed"]);
    assert_eq!(bench.read("lines"), "line\n");
    assert!(bench.path("file").exists());
}

#[test]
fn an_effect_outlives_its_controller_and_happens_once() {
    let moments: [fn(&Event) -> bool; 3] = [
        |event| matches!(event, Event::Dispatched { .. }),
        |event| matches!(event, Event::Launched { .. }),
        |event| matches!(event, Event::Ended { .. }),
    ];
    for (at, moment) in moments.into_iter().enumerate() {
        let bench = Bench::new(TWO, &[ADD, FILE]);
        assert_eq!(bench.drive_until(moment).result, None, "{at}");
        let left = bench.drive();
        let said = format!("{at}: {:?}", left.events);
        assert_eq!(left.result, Some(RunResult::Succeeded), "{said}");
        assert_eq!(bench.read("lines"), "line\n", "{said}");
    }
}

#[test]
fn a_journal_that_is_not_the_newest_does_nothing() {
    let text = TWO.replace(
        "steps:\n",
        "steps:\n  - { step: go, uses: test.go, on: control, with: { file: 'DIR/go' } }\n",
    );
    let bench = Bench::new(&text, &[GO, ADD, FILE]);
    assert_eq!(bench.drive().result, Some(RunResult::Failed));
    let old = std::fs::read(bench.journal()).unwrap();
    std::fs::write(bench.path("go"), "").unwrap();
    assert_eq!(
        bench
            .drive_until(|event| matches!(event, Event::Ended { .. }))
            .result,
        None
    );
    assert_eq!(bench.read("lines"), "line\n");
    std::fs::write(bench.journal(), old).unwrap();
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Failed));
    let problem = left.events.iter().find_map(|event| match event {
        Event::HostUnusable { host, problem } => Some(format!("{host}: {problem}")),
        _ => None,
    });
    let problem = problem.unwrap();
    // The second controller was of epoch 2, and so is this one: even an id of the own epoch is not its own.
    let attempt = format!(
        "control: the attempt `a-{}-2-1` of this run is there",
        bench.id
    );
    assert!(
        problem.starts_with(&attempt) && problem.contains("older copy"),
        "{problem}"
    );
    assert_eq!(bench.read("lines"), "line\n");
}

#[test]
fn a_copy_to_a_host_that_is_not_there_stays_off_the_controller() {
    let bench = Bench::new(
        "
runbook: copy
steps:
  - { step: away, uses: copy, with: { from: 'DIR/from', to: 'nowhere:DIR/to' } }
",
        &[],
    );
    std::fs::write(bench.path("from"), "x").unwrap();
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Failed));
    assert!(!bench.path("to").exists());
    let failed = left.events.iter().any(|event| match event {
        Event::Finished {
            outcome: Outcome::Failed(failure),
            ..
        } => failure.message.contains("no host `nowhere`"),
        _ => false,
    });
    assert!(failed, "{:?}", left.events);
}

#[test]
fn what_scripts_print_of_a_secret_is_stored_nowhere() {
    let bench = Bench::with_secrets(
        "
runbook: leak
inputs:
  password: { type: secret, required: true }
steps:
  - { step: leak, uses: test.leak, on: control, with: { password: '{{inputs.password}}' } }
",
        &[LEAK],
        &[("password", "hunter2")],
    );
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Failed));
    let stored = bench.stored();
    assert!(
        stored.contains("not (secret)") && stored.contains("it is (secret)"),
        "{stored}"
    );
    assert!(!stored.contains("hunter2"), "{stored}");
    let logs = bench.logs();
    assert!(
        logs.contains("out *******") && logs.contains("err *******"),
        "{logs}"
    );
    assert!(!logs.contains("hunter2"), "{logs}");
}

/// Writes a word into a file, and takes it back.
const WORD: (&str, &str) = (
    "test.word",
    "type: test.word\nsummary: A word in a file\nparams: { file: { type: path, required: true }, word: { type: string, required: true } }\ncheck: |\n  now=$(cat \"$file\" 2>/dev/null || :)\n  before now \"$now\"\n  if [ \"$now\" != \"$word\" ]; then differs \"it is $now\"; fi\napply: |\n  printf %s \"$word\" >\"$file\"\nundo: |\n  printf %s \"$before_now\" >\"$file\"\n",
);
/// Says where it is.
const WHERE: (&str, &str) = (
    "test.where",
    "type: test.where\nsummary: Says where it is\nprobe: true\noutputs: { dir: { type: string } }\ncheck: |\n  output dir \"$(pwd -P)\"\n",
);

const HOLD: &str = "
runbook: held
steps:
  - { step: freeze, uses: test.word, on: control, with: { file: 'DIR/state', word: frozen }, hold: { release: end, on_failure: KEEP } }
  - { step: go, uses: test.go, on: control, with: { file: 'DIR/go' } }
finally:
  - { step: last, uses: test.add, on: control, with: { file: 'DIR/ends' } }
";

#[test]
fn what_is_held_until_the_end_is_taken_back() {
    let bench = Bench::new(&HOLD.replace("KEEP", "keep"), &[WORD, GO, ADD]);
    std::fs::write(bench.path("state"), "as it was").unwrap();
    std::fs::write(bench.path("go"), "").unwrap();
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Succeeded));
    assert_eq!(bench.read("state"), "as it was");
    assert_eq!(bench.read("ends"), "line\n");
}

#[test]
fn what_is_kept_by_a_failed_run_is_released_by_hand() {
    let bench = Bench::new(&HOLD.replace("KEEP", "keep"), &[WORD, GO, ADD]);
    std::fs::write(bench.path("state"), "as it was").unwrap();
    assert_eq!(bench.drive().result, Some(RunResult::Failed));
    assert_eq!(bench.read("state"), "frozen");
    let left = bench.release("freeze@control");
    assert_eq!(left.result, Some(RunResult::Failed), "how it ended stays");
    assert_eq!(bench.read("state"), "as it was");
    assert!(
        left.events
            .iter()
            .any(|e| matches!(e, Event::Released { .. }))
    );
    assert_eq!(bench.read("ends"), "line\n", "nothing else is done");
    // The next controller holds it again before it goes on.
    std::fs::write(bench.path("go"), "").unwrap();
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Succeeded));
    assert!(left.events.iter().any(|e| matches!(e, Event::Held { .. })));
    assert_eq!(bench.read("state"), "as it was");
    assert_eq!(bench.read("ends"), "line\nline\n");
}

#[test]
fn an_undo_outlives_its_controller_and_happens_once() {
    let bench = Bench::new(&HOLD.replace("KEEP", "release"), &[WORD, GO, ADD]);
    std::fs::write(bench.path("state"), "as it was").unwrap();
    let killed = bench.drive_until(|event| matches!(event, Event::Undoing { .. }));
    assert_eq!(killed.result, None);
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Failed));
    assert_eq!(bench.read("state"), "as it was");
    assert_eq!(bench.read("ends"), "line\n");
}

#[test]
fn scripts_run_in_their_directory() {
    let text = "
runbook: there
steps:
  - { step: there, uses: test.where, on: control, chdir: 'DIR', expect: 'outputs.dir != \"/\"' }
  - { step: missing, uses: test.where, on: control, chdir: 'DIR/nowhere' }
";
    let bench = Bench::new(text, &[WHERE]);
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Failed));
    assert_eq!(outcomes(&left.events), ["ok", "failed"]);
    let why = left.events.iter().find_map(|event| match event {
        Event::Finished { outcome, .. } => outcome.failure().map(|f| f.message.clone()),
        _ => None,
    });
    assert!(why.unwrap().contains("there is no directory"));
}
