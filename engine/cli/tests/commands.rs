//! The binary as a script sees it: exit codes, and what goes to which stream.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A directory with runbooks, an inventory and a place for runs.
struct Place(tempfile::TempDir);

const INVENTORY: &str =
    "hosts:\n  web01: { address: 192.0.2.1 }\ngroups:\n  web: { hosts: [web01] }\n";

const GATE: &str = "\
runbook: gated
inputs:
  who: { type: string, required: true, help: whom }
steps:
  - { step: space, uses: host.disk_free, on: control, with: { path: /, at_least: 1B } }
  - { step: approve, uses: gate.approve, on: control, with: { message: 'Hello {{inputs.who}}?' } }
";

impl Place {
    fn new(name: &str, runbook: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(name), runbook).unwrap();
        std::fs::write(dir.path().join("inventory.yaml"), INVENTORY).unwrap();
        Self(dir)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command
            .args(words)
            .current_dir(self.0.path())
            .env_remove("RUNBOOK_INVENTORY")
            .env("XDG_STATE_HOME", self.0.path().join("state"))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> (i32, String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (
            status.code().expect("it ends by itself"),
            text(stdout),
            text(stderr),
        )
    }
}

#[test]
fn what_is_typed_wrong_is_a_mistake() {
    let place = Place::new("a.yaml", GATE);
    for words in [
        &["frobnicate"][..],
        &["check"],
        &["check", "a.yaml", "--input", "novalue"],
        &["steps", "podman.imge"],
    ] {
        let (code, out, err) = place.run(words);
        assert_eq!((code, out.as_str()), (2, ""), "{words:?}");
        assert!(!err.is_empty());
    }
    assert!(
        place
            .run(&["steps", "podman.imge"])
            .2
            .contains("did you mean podman.image?")
    );
    let (code, out, err) = place.run(&["check", "a.yaml", "--secret", "who=env:HOME"]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("give it with --input who="), "{err}");
    assert_eq!(place.run(&["--help"]).0, 0);
    assert_eq!(place.run(&["--version"]).0, 0);
}

#[test]
fn a_directory_is_no_runbook_and_those_in_it_are_named() {
    let place = Place::new("a.yaml", GATE);
    std::fs::write(place.0.path().join("b.yaml"), "# b\nrunbook: b\n").unwrap();
    std::fs::create_dir(place.0.path().join("empty")).unwrap();
    let (code, out, err) = place.run(&["check", "."]);
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains(". is a directory, not a runbook"), "{err}");
    assert!(err.contains("runbooks here: ./a.yaml, ./b.yaml\n"), "{err}");
    let (code, _, err) = place.run(&["run", "empty"]);
    assert!(
        code == 2 && err.contains("no runbook is in this directory"),
        "{err}"
    );
}

#[test]
fn what_is_given_twice_is_refused() {
    let place = Place::new("a.yaml", GATE);
    for command in ["check", "plan", "run"] {
        let (code, out, err) =
            place.run(&[command, "a.yaml", "--input", "who=you", "--input", "who=me"]);
        assert_eq!((code, out.as_str()), (2, ""));
        assert!(err.contains("--input gives `who` twice"), "{err}");
    }
    assert_eq!(place.run(&["runs"]).1, "no runs\n");
}

#[test]
fn every_mistake_is_reported_at_once() {
    let place = Place::new(
        "bad.yaml",
        "runbook: bad\nstepps: []\nsteps:\n  - { step: One, uses: nothing.known, on: nowhere }\n  - { step: two }\n",
    );
    let (code, out, err) = place.run(&["check", "bad.yaml"]);
    assert_eq!((code, out.as_str()), (2, ""));
    for wanted in [
        "bad.yaml:2:",
        "bad.yaml:4:",
        "bad.yaml:5:",
        "nothing was started",
    ] {
        assert!(err.contains(wanted), "{wanted}: {err}");
    }
    let (code, _, err) = place.run(&["check", "bad.yaml", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&err).unwrap();
    assert_eq!((code, &json["exit"]), (2, &serde_json::json!(2)));
    assert!(json["diagnostics"].as_array().unwrap().len() >= 3, "{json}");
}

#[test]
fn a_missing_inventory_does_not_hide_mistakes() {
    let place = Place::new("bad.yaml", "runbook: bad\nstepps: []\n");
    let (code, _, err) = place.run(&["check", "bad.yaml", "-i", "nowhere.yaml"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("stepps") && err.contains("cannot read the inventory nowhere.yaml"),
        "{err}"
    );
    assert!(err.contains("RUNBOOK_INVENTORY"), "{err}");
}

#[test]
fn a_file_of_another_kind_is_one_mistake() {
    let place = Place::new("a.yaml", GATE);
    let types = place.0.path().join("types");
    std::fs::create_dir(&types).unwrap();
    std::fs::write(
        types.join("own.look.yaml"),
        "type: own.look\nsummary: A look\nprobe: true\ncheck: 'true'\n",
    )
    .unwrap();
    for (file, told) in [
        ("types/own.look.yaml", "runbook test types/own.look.yaml"),
        ("inventory.yaml", "runbook check RUNBOOK -i inventory.yaml"),
    ] {
        let (code, out, err) = place.run(&["check", file]);
        assert_eq!((code, out.as_str()), (2, ""));
        assert_eq!(err.matches("lang::").count(), 1, "{err}");
        let flat: String = err
            .split_whitespace()
            .filter(|word| *word != "│")
            .collect::<Vec<_>>()
            .join(" ");
        assert!(flat.contains(told), "{err}");
        assert!(!err.contains("cannot read"), "{err}");
    }
}

#[test]
fn mistakes_in_a_file_of_inputs_point_into_it_and_show_no_secret() {
    let runbook = GATE.replace(
        "steps:",
        "  token: { type: secret, required: true }\nsteps:",
    );
    let place = Place::new("a.yaml", &runbook);
    let inputs = "token: hunter2\nwho: 3\n# more\nwhoo: hunter2\n";
    std::fs::write(place.0.path().join("given.yaml"), inputs).unwrap();
    let (code, _, err) = place.run(&["check", "a.yaml", "--inputs", "given.yaml"]);
    assert_eq!(code, 2);
    for told in ["given.yaml:1:1", "given.yaml:2:6", "given.yaml:4:1"] {
        assert!(err.contains(told), "{told}: {err}");
    }
    assert!(!err.contains("hunter2"), "{err}");
    let (_, out, err) = place.run(&["check", "a.yaml", "--inputs", "given.yaml", "--json"]);
    assert!(!(out + &err).contains("hunter2"));
}

#[test]
fn missing_inputs_are_unknown_to_check_and_refused_by_run() {
    let place = Place::new("a.yaml", GATE);
    let (code, out, _) = place.run(&["check", "a.yaml"]);
    assert_eq!(code, 0);
    assert!(out.contains("not given yet: who"), "{out}");
    for words in [["run", "a.yaml"], ["plan", "a.yaml"]] {
        let (code, _, err) = place.run(&words);
        assert_eq!(code, 2);
        assert!(err.contains("the input `who` is missing"), "{err}");
    }
}

#[test]
fn a_gate_without_a_terminal_is_refused_and_the_run_can_go_on() {
    let place = Place::new("a.yaml", GATE);
    let words = ["run", "a.yaml", "--input", "who=you"];
    let (code, out, err) = place.run(&words);
    assert_eq!(code, 3, "{out}{err}");
    assert!(
        out.contains("there is no terminal to ask at") && out.contains("asks again, at a terminal"),
        "{out}"
    );

    assert_eq!(place.run(&words).0, 3, "nothing was done: a new one begins");
    assert_eq!(place.run(&["resume"]).0, 3);
    let (code, out, _) = place.run(&["runs", "--json"]);
    let runs: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &runs["runs"][0]["standing"]),
        (0, &serde_json::json!("refused"))
    );
    let (code, out, _) = place.run(&["status"]);
    assert!(
        code == 0 && out.contains("a gate was not approved"),
        "{out}"
    );
    assert_eq!(place.run(&["logs"]).0, 0);
    let whole = place.run(&["logs", "space@control"]);
    assert_eq!(whole.0, 0);
    assert_eq!(
        place.run(&["logs", "last", "space"]),
        whole,
        "a step on one host is an instance"
    );
    let (code, _, err) = place.run(&["logs", "last", "spac"]);
    assert!(code == 2 && err.contains("did you mean space?"), "{err}");
    let (code, _, err) = place.run(&["logs", "spice@control"]);
    assert!(
        code == 2 && err.contains("did you mean space@control?"),
        "{err}"
    );
}

#[test]
fn a_run_that_has_done_something_is_resumed_first() {
    let note = "steps:\n  - { step: note, uses: file, on: control, with: { path: DIR/note, text: hello } }\n";
    let place = Place::new("a.yaml", "");
    let note = note.replace("DIR", &place.0.path().to_string_lossy());
    std::fs::write(
        place.0.path().join("a.yaml"),
        GATE.replace("steps:\n", &note),
    )
    .unwrap();
    let words = ["run", "a.yaml", "--input", "who=you"];
    let (code, out, err) = place.run(&words);
    assert_eq!(code, 3, "{out}{err}");
    assert!(out.contains("note@control changed"), "{out}");
    let (code, _, err) = place.run(&words);
    assert_eq!(code, 5, "{err}");
    assert!(err.contains("runbook resume "), "{err}");
}

#[test]
fn decisions_that_a_run_cannot_take_are_refused_all_at_once_before_anything_is_begun() {
    let place = Place::new("a.yaml", GATE);
    assert_eq!(place.run(&["run", "a.yaml", "--input", "who=you"]).0, 3);
    let before = place.run(&["journal", "dump", "last", "--json"]).1;
    let words = ["resume", "--skip", "space", "--retry", "space@control"];
    let (code, out, err) = place.run(&[&words[..], &["--reason", "a test"]].concat());
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    let runs = place.run(&["runs", "--json"]).1;
    let runs: serde_json::Value = serde_json::from_str(&runs).unwrap();
    let id = runs["runs"][0]["run"].as_str().expect("an id");
    insta::assert_snapshot!(err.replace(id, "RUN"), @r"
    error: run RUN refuses: `space@control` has not failed; `space` has not failed
      see how it stands: runbook status RUN
    ");
    let after = place.run(&["journal", "dump", "last", "--json"]).1;
    assert_eq!(before, after);
}

#[test]
fn a_run_that_succeeds_gives_0_and_leaves_nothing_to_resume() {
    let place = Place::new(
        "ok.yaml",
        &GATE
            .lines()
            .filter(|l| !l.contains("approve"))
            .map(|l| format!("{l}\n"))
            .collect::<String>(),
    );
    let (code, out, err) = place.run(&["run", "ok.yaml", "--input", "who=you", "--json"]);
    assert_eq!(code, 0, "{out}{err}");
    for (line, seq) in out.lines().zip(1..) {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["format"], 1);
        assert_eq!(
            event["seq"], seq,
            "from the first event on, none is left out"
        );
    }
    assert!(
        out.starts_with('{') && out.contains("\"kind\":\"run_created\""),
        "{out}"
    );
    assert!(
        out.lines()
            .last()
            .unwrap()
            .contains("\"result\":\"succeeded\""),
        "{out}"
    );
    assert_eq!(place.run(&["resume"]).0, 2);
    let (code, out, _) = place.run(&["resume", "last"]);
    assert!(code == 0 && out.contains("nothing to go on with"), "{out}");
}

#[test]
fn a_finding_is_a_failure_with_a_card() {
    let place = Place::new("full.yaml", &GATE.replace("1B", "900TiB"));
    let (code, out, _) = place.run(&["run", "full.yaml", "--input", "who=you"]);
    assert_eq!(code, 1, "{out}");
    // From its first event on: a run that opens says so.
    for wanted in [
        ": gated, 2 instances on 1 host",
        "space@control failed",
        "full.yaml:5:",
        "never started",
        "runbook resume",
    ] {
        assert!(out.contains(wanted), "{wanted}: {out}");
    }
}

#[test]
fn a_run_that_does_not_exist_is_a_mistake() {
    let place = Place::new("a.yaml", GATE);
    assert_eq!(place.run(&["runs"]), (0, "no runs\n".into(), String::new()));
    for words in [["status", "k3"], ["resume", "k3"], ["logs", "k3"]] {
        assert_eq!(place.run(&words).0, 2, "{words:?}");
    }
}

#[test]
fn a_damaged_journal_is_the_engines_own() {
    let place = Place::new("a.yaml", GATE);
    assert_eq!(place.run(&["run", "a.yaml", "--input", "who=you"]).0, 3);
    let runs = place.0.path().join("state/runbook/runs");
    let run = std::fs::read_dir(&runs)
        .unwrap()
        .find_map(|e| Some(e.ok()?.path()).filter(|p| p.is_dir()))
        .unwrap();
    damage(&run.join("journal.jsonl"));
    for words in [&["resume", "last"][..], &["status"]] {
        let (code, _, err) = place.run(words);
        assert_eq!(code, 7, "{err}");
        assert!(err.contains("damaged at byte"), "{err}");
    }
    let (code, out, _) = place.run(&["runs"]);
    assert!(code == 0 && out.contains("damaged"), "{out}");
}

fn damage(journal: &Path) {
    let mut bytes = std::fs::read(journal).unwrap();
    let at = bytes.len() / 3;
    bytes[at] ^= 1;
    std::fs::write(journal, bytes).unwrap();
}

#[test]
fn a_closed_pipe_is_no_error() {
    let place = Place::new("a.yaml", GATE);
    let mut child = place
        .command(&["steps"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn colours_are_for_terminals() {
    let place = Place::new("a.yaml", GATE);
    assert!(!place.run(&["steps"]).1.contains('\x1b'));
    assert!(
        place
            .run(&["steps", "--color", "always"])
            .1
            .contains('\x1b')
    );
}
