//! The binary at a terminal, without hosts: mistakes are found before any connection, and gates ask.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::Path;

use runbook_model::RunResult;
use runbook_tests::operator::{Operator, replaced};
use runbook_tests::root;

/// Mistakes as a person makes them: what is written, what it becomes, and the message about it.
const MISTAKES: [(&str, &str, &str); 5] = [
    (
        "on: quay, fresh: 30m, with: { image",
        "on: quays, fresh: 30m, with: { image",
        "the inventory has no group and no host `quays`",
    ),
    (
        "uses: name.resolves",
        "uses: name.resolve",
        "no step type `name.resolve`",
    ),
    (
        "at_most: 0 }",
        "at_most: none }",
        "`at_most` should be a whole number, is `none`",
    ),
    (
        "step: dump, uses: postgres.dump, on: db, critical: true",
        "step: dump, uses: postgres.dump, on: db, criticl: true",
        "unknown key `criticl` in a step",
    ),
    (
        "outputs.revision == steps.schema_target.only.outputs.revision'",
        "outputs.revision == steps.schema_tagret.only.outputs.revision'",
        "there is no step `schema_tagret`",
    ),
];

#[test]
fn five_mistakes_are_five_messages_and_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let hosts: String = (1..=3)
        .map(|n| format!("  quay0{n}: {{ address: 127.0.0.1, port: {port}, vars: {{ container: q, storage_preference: r, region: a }} }}\n"))
        .collect();
    let inventory = format!(
        "hosts:\n  db01: {{ address: 127.0.0.1, port: {port} }}\n{hosts}groups:\n  quay: {{ hosts: [quay01, quay02, quay03] }}\n  mirror: {{ hosts: [] }}\n  db: {{ hosts: [db01] }}\n  lb: {{ hosts: [db01] }}\n"
    );
    let inputs = format!(
        "from: 3.7.0\nto: 3.8.0\ndigest: sha256:{}\nhostname: registry.example\nca: /etc/hostname\nfirst: quay01\ndump_copy: /tmp\nwindow: {{ opens: 2026-01-01T00:00Z, no_return_before: 2026-01-01T04:00Z, closes: 2026-01-01T06:00Z }}\n",
        "0".repeat(64)
    );
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let good = std::fs::read_to_string(root().join("runbooks/upgrade-geo.yaml")).unwrap();
    let changes = MISTAKES.map(|(from, to, _)| (from, to));
    let bad = replaced(good, &changes);
    let mut operator = Operator::new(
        &write("bad.yaml", &bad),
        &write("inventory.yaml", &inventory),
    );
    operator.inputs = Some(write("inputs.yaml", &inputs));

    for command in ["check", "plan", "run"] {
        let mut args = operator.run_args();
        args[0] = command.into();
        let secret = "smoke_password=command:echo not-a-secret";
        args.extend(["--secret".into(), secret.into()]);
        let output = operator.alone(&args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command}:\n{text}");
        assert!(text.contains("5 mistakes"), "{command}:\n{text}");
        for (_, mistake, message) in MISTAKES {
            let line = 1 + bad.lines().position(|line| line.contains(mistake)).unwrap();
            let told = text
                .split(message)
                .nth(1)
                .unwrap_or_else(|| panic!("{command}: nothing says {message}:\n{text}"));
            let place = told
                .lines()
                .find(|line| line.contains("bad.yaml:"))
                .unwrap();
            assert!(
                place.contains(&format!("bad.yaml:{line}:")),
                "{command}: {message} at line {line}, not {place}"
            );
        }
    }
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock,
        "somebody was contacted"
    );
    assert!(operator.runs().is_empty());
}

const QUESTION: &str = "runbook: ask\nversion: 1\nsteps:\n  - { step: sure, uses: gate.approve, with: { message: 'Really?' } }\n";

fn asking() -> Operator {
    let mut operator = Operator::new(Path::new(""), Path::new(""));
    operator.runbook = operator.file("ask.yaml", QUESTION);
    let nobody = "hosts:\n  nobody: { address: 192.0.2.1 }\n";
    operator.inventory = operator.file("inventory.yaml", nobody);
    operator
}

#[test]
fn a_gate_takes_yes_from_a_terminal_only() {
    let operator = asking();
    let alone = operator.run_alone();
    assert_eq!(alone.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&alone.stdout).contains("there is no terminal to ask at"));

    let mut session = operator.resume();
    session.terminal.answer("sure@control", "no");
    assert_eq!(session.terminal.end().code, Some(3));

    let mut session = operator.resume();
    session.terminal.answer("sure@control", "perhaps");
    session.terminal.wait_for("type yes to go on, no to stop: ");
    session.terminal.interrupt();
    assert_eq!(session.terminal.end().code, Some(4));

    let mut session = operator.resume();
    session.terminal.answer("sure@control", "yes");
    assert_eq!(session.terminal.end().code, Some(0));
}

const TERMS: &str = "\
runbook: terms
version: 1
steps:
  - { step: two, uses: gate.approve, with: { message: 'Everything stops.', approvers: 2 } }
  - { step: word, uses: gate.confirm, with: { message: 'It is erased.', type_word: erase } }
  - { step: task, uses: manual.task, with: { text: 'Restore it elsewhere.', evidence: { minutes: { type: int } } } }
  - { step: noted, uses: assert, with: { all: [ { check: 'steps.task.only.outputs.minutes == 12', message: it took another time } ] } }
";

/// One person at the terminal, one elsewhere: what is decided elsewhere withdraws the question, and the
/// next line that is typed belongs to the next one.
#[test]
fn a_gate_is_decided_at_the_terminal_and_from_elsewhere() {
    let mut operator = asking();
    operator.runbook = operator.file("terms.yaml", TERMS);
    let mut session = operator.run();
    session.terminal.answer("two@control", "yes");
    session.terminal.wait_for("2 people must agree; ");
    session.terminal.wait_for("type yes to go on, no to stop: ");
    let run = operator.runs()[0].clone();
    let elsewhere = |more: &[&str]| {
        let mut args: Vec<OsString> = vec!["approve".into(), run.as_str().into()];
        args.extend(more.iter().map(OsString::from));
        let ended = operator.alone(&args);
        (
            ended.status.code(),
            String::from_utf8_lossy(&ended.stderr).into_owned(),
        )
    };
    let (code, said) = elsewhere(&["word", "--word", "erase"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("asked at the moment: `two@control`"),
        "{said}"
    );
    assert_eq!(
        elsewhere(&["two", "--say", "yes", "--by", "bob"]).0,
        Some(0)
    );
    session
        .terminal
        .wait_for("type the word erase to go on, no to stop: ");
    session.terminal.send("erase\n");
    session
        .terminal
        .wait_for("type done when it is done, no to stop: ");
    let (code, said) = elsewhere(&["task", "--evidence", "minutes=many"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("`minutes` should be a whole number"),
        "{said}"
    );
    assert_eq!(elsewhere(&["task", "--evidence", "minutes=12"]).0, Some(0));
    assert_eq!(session.terminal.end().code, Some(0));
}

const BACK: &str = "\
runbook: back
version: 1
steps:
  - { step: note, uses: file, on: control, with: { path: PATH, text: hello } }
  - { step: sure, uses: gate.approve, needs: [note], with: { message: 'Really?', options: { go: continue, back: rollback } } }
";

/// A word at the terminal takes back what was done, in the same session and without another question.
#[test]
fn a_word_takes_the_run_back() {
    let mut operator = asking();
    let note = operator.file("note", "");
    std::fs::remove_file(&note).unwrap();
    let text = BACK.replace("PATH", &note.to_string_lossy());
    operator.runbook = operator.file("back.yaml", &text);
    let mut session = operator.run();
    session
        .terminal
        .wait_for("back: the run stops, and what it did is taken back");
    session
        .terminal
        .wait_for("type back or go, or no to stop: ");
    assert!(note.exists());
    session.terminal.send("back\n");
    let ended = session.terminal.end();
    assert_eq!(ended.code, Some(3), "{}", ended.text);
    assert!(!note.exists(), "{}", ended.text);
    let head = "was rolled back: ";
    assert!(ended.text.contains(head), "{}", ended.text);
    let seen = operator.seen();
    assert_eq!(seen.state.result, Some(RunResult::RolledBack));
    assert!(seen.state.epoch.0 == 2, "a part of its own");
}

const SECRET: &str = "correct horse battery";

const ASKS: &str = "\
runbook: asks
inputs:
  who: { type: string, required: true, help: whom to greet }
  word: { type: secret, required: true }
steps:
  - { step: sure, uses: gate.approve, with: { message: 'Greet {{inputs.who}}?' } }
";

#[test]
fn what_is_missing_is_asked_and_a_secret_is_not_shown() {
    let mut operator = asking();
    operator.runbook = operator.file("asks.yaml", ASKS);
    let mut session = operator.run();
    let terminal = &mut session.terminal;
    terminal.wait_for("who (whom to greet)");
    terminal.send("everybody\n");
    terminal.wait_for("word:");
    terminal.wait_for_silence();
    terminal.send(&format!("{SECRET}\n"));
    terminal.answer("sure@control", "yes");
    let ended = terminal.end();
    assert_eq!(ended.code, Some(0), "{}", ended.text);
    assert!(ended.text.contains("Greet everybody?"), "{}", ended.text);
    assert!(!ended.text.contains(SECRET), "{}", ended.text);
    let seen = operator.seen();
    assert_eq!(seen.state.result, Some(RunResult::Succeeded));
    assert!(!format!("{:?}", seen.plan).contains(SECRET));
}

/// Says how far it is, once a second.
const SLOW: &str = "type: slow
summary: Four steps
params: {}
always: true
progress: '^STEP \\[(.*)\\]'
apply: |
  for word in one two three four; do echo \"STEP [part $word] of four\"; sleep 1; done
";

#[test]
fn how_far_a_step_is_can_be_seen_from_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    };
    write("types/slow.yaml", SLOW);
    let operator = Operator::new(
        &write(
            "slow.yaml",
            "runbook: slow\nsteps: [{ step: slow, uses: slow, on: control }]\n",
        ),
        &write("inventory.yaml", "hosts: {}\n"),
    );
    let mut session = operator.run();
    session.terminal.wait_for("1: part one");
    let mut other = operator.session(&["attach".into()]);
    // Whichever it is by then.
    other.terminal.wait_for(": part ");
    let followed = operator.alone(&["logs", "last", "slow", "--follow"].map(OsString::from));
    let said = String::from_utf8_lossy(&followed.stdout).into_owned();
    assert_eq!(followed.status.code(), Some(0), "{said}");
    for word in ["one", "two", "three", "four"] {
        let line = format!("  | STEP [part {word}] of four");
        assert_eq!(said.lines().filter(|l| *l == line).count(), 1, "{said}");
    }
    assert_eq!(session.terminal.end().code, Some(0));
    assert_eq!(other.terminal.end().code, Some(0));
}
