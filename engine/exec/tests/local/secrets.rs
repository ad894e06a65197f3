//! Secrets with real shells on this machine: those that scripts print, those that nobody gives, and those that scripts
//! give themselves.

use std::os::unix::fs::PermissionsExt as _;

use runbook_exec::driver::NOT_KEPT;
use runbook_exec::secrets::{Purpose, SecretError};
use runbook_model::secret::SecretOrigin;
use runbook_model::{Event, Outcome, RunResult};

use crate::support::Bench;

/// Prints a secret in every way that tools have, everywhere where a script can print.
const LEAK: (&str, &str) = ("test.leak", include_str!("../secrets/leak.yaml"));
/// Gives a secret, and makes it first.
const GIVE: (&str, &str) = (
    "test.give",
    "type: test.give\nsummary: Gives a secret\nparams: { file: { type: path, required: true } }\noutputs: { key: { type: string, secret: true }, all: { type: list, secret: true } }\ncheck: |\n  echo look >>\"$file.looks\"\n  if [ -e \"$file\" ]; then output key \"$(cat \"$file\")\"; output all \"[\\\"other $(echo secret)\\\"]\"; else differs missing; fi\napply: |\n  echo given \"$(echo secret)\" >\"$file\"\n  cat \"$file\"\n  cat \"$file\" >&2\n  if [ -e \"$file.fails\" ]; then exit 3; fi\n",
);
/// Takes a secret, and says what it is.
const TAKE: (&str, &str) = (
    "test.take",
    "type: test.take\nsummary: Takes a secret\nparams: { file: { type: path, required: true }, key: { type: string, required: true, secret: true }, all: { type: list, default: [], secret: true } }\noutputs: { said: { type: string } }\ncheck: |\n  output said \"it is $key\"\n  if [ ! -e \"$file\" ]; then differs \"no $key\"; fi\napply: |\n  eval \"set -- $all\"\n  echo \"took $key and $*\"\n  printf '%s/%s' \"$key\" \"$*\" >\"$file\"\n",
);
/// Quotes of every kind, a line end, what is no ASCII, and what URLs and XML write in another way.
const CANARY: &str = "ca'na\"ry $x `y` \\z é😀\nsecond <&> 100%/+= line";

/// The canary as tools write it, and its parts.
fn needles() -> Vec<&'static str> {
    vec![
        "ca'na",
        "na\"ry",
        "$x `y`",
        "é😀",
        "second <",
        "100%",
        // The beginnings of base64, hex, a URL and JSON.
        "Y2EnbmE",
        "NhJ25h",
        "jYSduYS",
        "6361276e61",
        "63 61 27",
        "%27na",
        "na%22",
        "%3c%26",
        "%3C%26",
        "u00e9",
        "&lt;&amp;",
        "na\\\"ry",
    ]
}

#[track_caller]
fn assert_clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for needle in needles() {
        assert!(!text.contains(needle), "{needle} is in {what}:\n{text}");
    }
}

#[test]
fn what_scripts_print_of_a_secret_is_nowhere() {
    for ending in ["fail", "skip", "status", "fine"] {
        let text = format!(
            "
runbook: leak
inputs:
  secret: {{ type: secret, required: true }}
steps:
  - {{ step: leak, uses: test.leak, on: a, with: {{ secret: '{{{{inputs.secret}}}}', file: DIR/made, ending: {ending} }} }}
"
        );
        let bench = Bench::with_secrets(&text, &[LEAK], &[("secret", CANARY)]);
        let preview = bench.preview();
        assert_clean("the preview", format!("{preview:?}").as_bytes());
        let left = bench.drive();
        assert!(left.result.is_some());
        let events = format!("{:?}", left.events);
        assert!(events.contains("(secret)"), "{ending}: {events}");
        assert_clean("events", events.as_bytes());
        assert_clean("what watchers see", &left.output);
        assert_clean("the store", &bench.files("store"));
        assert_clean("what is left on the host", &bench.files("hosts"));
        let stored = String::from_utf8_lossy(&bench.files("store")).into_owned();
        // Or nothing was proved.
        assert!(
            ending == "skip" || stored.contains("out [****"),
            "{ending}: {stored}"
        );
    }
}

#[test]
fn output_on_a_host_is_emptied_under_the_next_controller() {
    let text = "
runbook: leak
inputs:
  secret: { type: secret, required: true }
steps:
  - { step: leak, uses: test.leak, on: a, with: { secret: '{{inputs.secret}}', file: DIR/made, ending: fine } }
";
    let bench = Bench::with_secrets(text, &[LEAK], &[("secret", CANARY)]);
    let left = bench.drive_until(|event| matches!(event, Event::Launched { .. }));
    assert_eq!(left.result, None);
    let left = bench.drive();
    assert!(left.result.is_some());
    assert_clean("what is left on the host", &bench.files("hosts"));
}

const GENERATED: &str = "
runbook: make
inputs:
  key:
    type: secret
    generate: { length: 20, alphabet: hex }
    adopt: { on: all_of_them, file: DIR/config, pattern: '^KEY: (.+)$' }
    exists: { on: all_of_them, path: DIR/data }
steps:
  - { step: take, uses: test.take, on: control, with: { key: '{{inputs.key}}', file: DIR/taken } }
";

fn origins(events: &[Event]) -> Vec<SecretOrigin> {
    let settled = events.iter().filter_map(|event| match event {
        Event::SecretSettled { origin, .. } => Some(*origin),
        _ => None,
    });
    settled.collect()
}

#[test]
fn a_generated_secret_is_the_same_in_every_controller_of_a_run() {
    let bench = Bench::new(GENERATED, &[TAKE]);
    let left = bench.drive_until(|event| matches!(event, Event::Dispatched { .. }));
    assert_eq!(origins(&left.events), [SecretOrigin::Generated]);
    let stored: Vec<_> = std::fs::read_dir(bench.path("store/secrets"))
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(stored.len(), 1);
    let mode = stored[0].metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    // What hosts have by now, or what would forbid a new one, is no matter: the run has its value.
    std::fs::write(bench.path("config"), "KEY: another value\n").unwrap();
    std::fs::write(bench.path("data"), "").unwrap();
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Succeeded));
    assert_eq!(origins(&left.events), [], "it is said once");
    let taken = bench.read("taken");
    let value = taken.strip_suffix('/').unwrap();
    assert_eq!(value.len(), 20);
    assert!(
        std::fs::read_to_string(stored[0].path())
            .unwrap()
            .contains(value)
    );
    let runs = String::from_utf8_lossy(&bench.files("store/runs")).into_owned();
    assert!(
        runs.contains("took ********************") && !runs.contains(value),
        "{runs}"
    );
    let settled = bench.settle(Purpose::Run).unwrap();
    assert_eq!(settled.values["key"].as_str(), value);
}

#[test]
fn a_run_whose_secret_is_gone_does_not_go_on_with_another() {
    let bench = Bench::new(GENERATED, &[TAKE]);
    let _ = bench.drive_until(|event| matches!(event, Event::Dispatched { .. }));
    std::fs::remove_dir_all(bench.path("store/secrets")).unwrap();
    let error = bench.settle(Purpose::Run).unwrap_err();
    assert!(matches!(error, SecretError::Lost { .. }), "{error}");
}

#[test]
fn what_hosts_have_is_adopted_and_stored() {
    let bench = Bench::new(GENERATED, &[TAKE]);
    std::fs::write(bench.path("config"), "A: 1\nKEY: adopted value\n").unwrap();
    std::fs::write(bench.path("data"), "").unwrap();
    let settled = bench.settle(Purpose::Look).unwrap();
    assert_eq!(settled.values["key"].as_str(), "adopted value");
    assert!(
        !bench.path("store/secrets").exists(),
        "a look stores nothing"
    );
    let left = bench.drive();
    assert_eq!(origins(&left.events), [SecretOrigin::Adopted]);
    assert_eq!(bench.read("taken"), "adopted value/");
    std::fs::remove_file(bench.path("config")).unwrap();
    let settled = bench.settle(Purpose::Run).unwrap();
    assert_eq!(settled.values["key"].as_str(), "adopted value");
}

#[test]
fn a_new_secret_is_refused_where_data_are() {
    let bench = Bench::new(GENERATED, &[TAKE]);
    std::fs::write(bench.path("data"), "").unwrap();
    for purpose in [Purpose::Look, Purpose::Run] {
        let error = bench.settle(purpose).unwrap_err();
        assert!(matches!(error, SecretError::Data { .. }), "{error}");
        assert!(error.to_string().contains("is there on `a`"), "{error}");
    }
    assert!(!bench.path("store/secrets").exists());
}

#[test]
fn what_cannot_be_seen_is_not_taken_for_absent() {
    let bench = Bench::new(GENERATED, &[TAKE]);
    std::os::unix::fs::symlink("/nonexistent/target", bench.path("config")).unwrap();
    let error = bench.settle(Purpose::Run).unwrap_err();
    assert!(error.to_string().contains("a link to nothing"), "{error}");
    std::fs::remove_file(bench.path("config")).unwrap();
    std::fs::create_dir(bench.path("config")).unwrap();
    let error = bench.settle(Purpose::Run).unwrap_err();
    assert!(error.to_string().contains("is not a file"), "{error}");
    std::fs::remove_dir(bench.path("config")).unwrap();
    std::fs::write(bench.path("config"), vec![b'x'; 300_000]).unwrap();
    let error = bench.settle(Purpose::Run).unwrap_err();
    assert!(error.to_string().contains("is larger than"), "{error}");
    // Shells drop what is no text, and the rest would be another secret.
    std::fs::write(bench.path("config"), b"KEY: hun\0ter2\n").unwrap();
    let error = bench.settle(Purpose::Run).unwrap_err();
    assert!(error.to_string().contains("is not text"), "{error}");
}

const OUTPUTS: &str = "
runbook: outputs
steps:
  - { step: give, uses: test.give, on: a, with: { file: DIR/key } }
  - { step: take, uses: test.take, on: a, with: { file: DIR/taken, key: '{{steps.give.outputs.key}}', all: '{{steps.give.outputs.all}}' } }
";

#[test]
fn a_secret_output_goes_to_its_reader_and_nowhere_else() {
    let bench = Bench::new(OUTPUTS, &[GIVE, TAKE]);
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Succeeded), "{:?}", left.events);
    assert_eq!(bench.read("taken"), "given secret/other secret");
    for (what, bytes) in [
        ("events", format!("{:?}", left.events).into_bytes()),
        ("output", left.output),
        ("the store", bench.files("store")),
        ("the host", bench.files("hosts")),
    ] {
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            !text.contains("given secret") && !text.contains("other secret"),
            "{what}: {text}"
        );
    }
    let stored = String::from_utf8_lossy(&bench.files("store")).into_owned();
    assert!(
        stored.contains("it is (secret)") && stored.contains("took ****"),
        "{stored}"
    );
}

/// What apply prints of a secret is printed before anybody knows that it is one.
#[test]
fn what_is_printed_where_a_secret_is_made_is_not_kept() {
    let bench = Bench::new(OUTPUTS, &[GIVE, TAKE]);
    std::fs::write(bench.path("key.fails"), "").unwrap();
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Failed));
    let failed = left.events.iter().find_map(|event| match event {
        Event::Finished {
            outcome: Outcome::Failed(failure),
            ..
        } => Some(failure.clone()),
        _ => None,
    });
    let failed = failed.unwrap();
    assert_eq!((failed.status, failed.tail.as_str()), (Some(3), NOT_KEPT));
    for bytes in [format!("{left:?}").into_bytes(), bench.files("store")] {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("given secret"), "{text}");
    }
    assert!(bench.logs().contains(NOT_KEPT), "{}", bench.logs());
}

#[test]
fn a_secret_output_is_derived_again_by_the_next_controller() {
    let bench = Bench::new(OUTPUTS, &[GIVE, TAKE]);
    let is_first = |event: &Event| matches!(event, Event::Finished { node, .. } if node.0 == 1);
    let _ = bench.drive_until(is_first);
    let before = bench.read("key.looks").lines().count();
    let left = bench.drive();
    assert_eq!(left.result, Some(RunResult::Succeeded), "{:?}", left.events);
    assert_eq!(bench.read("taken"), "given secret/other secret");
    assert_eq!(bench.read("key.looks").lines().count(), before + 1);
    let applied = |event: &&Event| matches!(event, Event::Dispatched { .. });
    assert_eq!(
        left.events.iter().filter(applied).count(),
        1,
        "nothing is done twice"
    );
}
