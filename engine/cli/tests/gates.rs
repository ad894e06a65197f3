//! Gates as scripts and colleagues see them: what is asked, who answers from where, and a rollback that
//! follows an answer or a deadline by itself.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

const DECIDE: &str = "\
runbook: decide
inputs: { late: { type: date, default: 2096-01-01T00:00:00Z } }
steps:
  - { step: note, uses: file, on: control, with: { path: DIR/note, text: hello } }
  - step: decide
    uses: gate.approve
    needs: [note]
    with:
      message: How do we go on?
      options: { fast: continue, slow: continue, back: rollback }
      deadline: inputs.late
      on_deadline: rollback
  - { step: careful, uses: file, on: control, when: \"steps.decide.outputs.option == 'slow'\", with: { path: DIR/slow, text: yes } }
finally:
  - { step: record, uses: run.record, with: { include: [decide] } }
";

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new(runbook: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = runbook.replace("DIR", &dir.path().to_string_lossy());
        std::fs::write(dir.path().join("a.yaml"), text).unwrap();
        std::fs::write(dir.path().join("inventory.yaml"), "hosts: {}\n").unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command
            .args(words)
            .current_dir(self.dir.path())
            .env_remove("RUNBOOK_INVENTORY")
            .env("XDG_STATE_HOME", self.path("state"))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> (i32, String, String) {
        let output = self.command(words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().expect("it ends by itself");
        (code, text(output.stdout), text(output.stderr))
    }

    fn begin(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        let file = std::fs::File::create(self.path("told")).unwrap();
        command.stdout(file).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    fn told(&self) -> String {
        std::fs::read_to_string(self.path("told")).unwrap()
    }

    /// How the last run stands.
    fn status(&self) -> Value {
        let (code, out, _) = self.run(&["status", "--json"]);
        match code {
            0 => serde_json::from_str(&out).unwrap(),
            _ => Value::Null,
        }
    }

    /// How it stands once that holds.
    fn once(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            if holds(&status) {
                return status;
            }
            assert!(Instant::now() < until, "never {what}: {status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// How it stands once a gate is asked.
    fn asked(&self) -> Value {
        self.once("asked", |status| !status["asks"][0].is_null())
    }

    fn record(&self, run: &str) -> Value {
        let path = self.path("state/runbook/runs").join(run);
        let text = std::fs::read_to_string(path.join("record.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

fn code(mut child: Child) -> Option<i32> {
    child.wait().unwrap().code()
}

#[test]
fn an_answer_from_elsewhere_takes_the_run_back() {
    let place = Place::new(DECIDE);
    let running = place.begin(&["run", "a.yaml", "--wait-at-gates"]);
    let status = place.asked();
    let run = status["run"].as_str().unwrap();
    assert!(place.path("note").exists());
    let (said, _, err) = place.run(&[
        "approve",
        run,
        "decide",
        "--say",
        "back",
        "--by",
        "bob",
        "--reason",
        "it is late",
    ]);
    assert_eq!(said, 0, "{err}");
    assert_eq!(code(running), Some(3), "{}", place.told());
    assert!(!place.path("note").exists(), "it is taken back");
    let told = place.told();
    assert!(told.contains("said `back` at decide@control"), "{told}");
    assert!(
        told.contains("is rolled back, as its gate had it"),
        "{told}"
    );
    let end = told.rsplit("as its gate had it").next().unwrap();
    assert!(!end.contains("runbook resume"), "{told}");

    let status = place.status();
    assert_eq!(status["result"], "rolled_back");
    assert_eq!(status["rollback"]["stands"], "over");
    assert_eq!(status["rollback"]["gate"], "decide@control");
    let (_, text, _) = place.run(&["status"]);
    assert!(text.contains("rolled back: bob on "), "{text}");
    let record = place.record(run);
    assert_eq!(record["rollback"]["gate"], "decide@control");
    assert_eq!(record["answers"][0]["option"], "back");
    assert_eq!(record["answers"][0]["rollback"], true);
    assert_eq!(record["steps"]["decide"]["option"], "back");
    let (code, out, _) = place.run(&["resume", run]);
    assert_eq!(code, 0);
    assert!(out.contains("is rolled back; there is nothing"), "{out}");
}

#[test]
fn a_deadline_takes_the_run_back_in_the_background() {
    let place = Place::new(DECIDE);
    let words = [
        "run",
        "a.yaml",
        "--detach",
        "--input",
        "late=2020-01-01T00:00:00Z",
    ];
    let (code, out, err) = place.run(&words);
    assert_eq!(code, 0, "{out}{err}");
    let (code, out, _) = place.run(&["attach"]);
    assert_eq!(code, 3, "{out}");
    assert!(
        out.contains("the clock rolls the run back: nobody had decided at decide@control by 2020-01-01T00:00:00Z"),
        "{out}"
    );
    assert!(!place.path("note").exists());
    assert_eq!(place.status()["rollback"]["by"], "the clock");
}

/// The controller is killed while what follows on the ending runs.
#[test]
fn a_resume_goes_back_and_not_forward() {
    let ending = "finally:\n  - { step: pause, uses: wait, with: { for: 2s } }\n";
    let place = Place::new(&DECIDE.replace("finally:\n", ending));
    let mut running = place.begin(&["run", "a.yaml", "--wait-at-gates"]);
    let run = place.asked()["run"].as_str().unwrap().to_owned();
    place.run(&["approve", &run, "decide", "--say", "back"]);
    place.once("due", |status| status["rollback"]["stands"] == "due");
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(place.path("note").exists());
    let (_, text, _) = place.run(&["status"]);
    assert!(text.contains("a resume rolls it back: "), "{text}");
    let (_, out, _) = place.run(&["remaining", &run]);
    assert!(out.contains("note"), "{out}");
    let text = std::fs::read_to_string(place.path("a.yaml")).unwrap();
    std::fs::write(place.path("a.yaml"), text.replace("text: yes", "text: no")).unwrap();
    let (code, _, err) = place.run(&["resume", &run, "--edited"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("is being rolled back"), "{err}");

    let (code, out, err) = place.run(&["resume", &run]);
    assert_eq!(code, 3, "{out}{err}");
    assert!(!place.path("note").exists() && !place.path("slow").exists());
    assert_eq!(place.status()["result"], "rolled_back");
}

#[test]
fn a_second_copy_has_the_way_back_too() {
    let place = Place::new(DECIDE);
    let mirror = format!("local:{}", place.path("copies").display());
    let late = "late=2020-01-01T00:00:00Z";
    let words = ["run", "a.yaml", "--input", late, "--mirror", &mirror];
    let (code, out, err) = place.run(&words);
    assert_eq!(code, 3, "{out}{err}");
    let run = place.status()["run"].as_str().unwrap().to_owned();
    let read = |dir: PathBuf| std::fs::read(dir.join(&run).join("journal.jsonl")).unwrap();
    let own = read(place.path("state/runbook/runs"));
    assert!(String::from_utf8_lossy(&own).contains("rolled_back"));
    assert_eq!(read(place.path("copies")), own);
}

#[test]
fn without_a_terminal_the_answer_is_no_and_nothing_is_taken_back() {
    let place = Place::new(DECIDE);
    let (code, out, _) = place.run(&["run", "a.yaml"]);
    assert_eq!(code, 3, "{out}");
    assert!(place.path("note").exists());
    assert_eq!(place.status()["rollback"], Value::Null);
    assert_eq!(place.status()["asks"], json!([]));
}

#[test]
fn the_answer_is_an_output_that_conditions_read() {
    for (said, slow) in [("slow", true), ("fast", false)] {
        let place = Place::new(DECIDE);
        let running = place.begin(&["run", "a.yaml", "--wait-at-gates"]);
        let status = place.asked();
        let run = status["run"].as_str().unwrap();
        place.run(&["approve", run, "decide", "--say", said]);
        assert_eq!(code(running), Some(0), "{}", place.told());
        assert_eq!(place.path("slow").exists(), slow);
        assert_eq!(place.record(run)["steps"]["decide"]["option"], said);
    }
}

const MANY: &str = "\
runbook: many
steps:
  - step: decide
    uses: gate.approve
    with:
      message: All nodes stop.
      approvers: 2
      options: { go: continue, back: rollback }
      deadline: timestamp('2096-01-01T00:00:00Z')
      on_deadline: rollback
";

#[test]
fn a_status_says_what_is_asked_and_what_answers_it() {
    let place = Place::new(MANY);
    let running = place.begin(&["run", "a.yaml", "--wait-at-gates"]);
    let run = place.asked()["run"].as_str().unwrap().to_owned();
    let approve = |by: &str| {
        let words = ["approve", &run, "decide", "--say", "go", "--by", by];
        let (code, out, err) = place.run(&words);
        assert_eq!(code, 0, "{out}{err}");
    };
    approve("ann");
    let status = place.once("agreed", |status| !status["asks"][0]["agreed"][0].is_null());
    let asked = &status["asks"][0];
    assert_eq!(asked["gate"], "decide@control");
    assert_eq!(
        (&asked["approvers"], &asked["on_deadline"]),
        (&json!(2), &json!("rollback"))
    );
    assert_eq!(asked["until"], "2096-01-01T00:00:00Z");
    let command = format!("runbook approve {run} decide");
    assert_eq!(asked["command"], command.as_str());
    let answer = |at: usize| {
        let answer = &asked["answers"][at];
        let typed = answer["command"].as_str().unwrap();
        let typed = typed.strip_prefix(&command).unwrap().trim();
        (
            typed.to_owned(),
            answer["follows"].as_str().unwrap().to_owned(),
        )
    };
    for (at, typed, follows) in [
        (0, "--say back", "rollback"),
        (1, "--say go", "continue"),
        (2, "--say no", "stop"),
    ] {
        assert_eq!(answer(at), (typed.to_owned(), follows.to_owned()));
    }
    let (_, text, _) = place.run(&["status"]);
    for line in [
        "  decide@control asks: All nodes stop.\n",
        "    1 of 2 agree: ann on ",
        &format!("    {command} asks for the answer, or takes it:\n"),
        "      --say back: the run stops, and what it did is taken back\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    approve("bob");
    assert_eq!(code(running), Some(0));
    assert_eq!(place.status()["asks"], json!([]));
}

const BACK: &str = "\
runbook: back
steps:
  - { step: note, uses: file, on: control, with: { path: DIR/note, text: hello } }
  - { step: decide, uses: gate.approve, needs: [note], with: { message: 'On?', options: { go: continue, back: rollback } } }
rollback:
  phases:
    - phase: over
      steps:
        - { step: sure, uses: gate.approve, with: { message: 'Is it over there?' } }
        - { step: other, uses: file, on: control, needs: [sure], with: { path: DIR/other, text: there } }
";

/// The gates of the way back wait too, whoever began it.
#[test]
fn the_way_back_waits_at_its_gates() {
    let place = Place::new(BACK);
    let running = place.begin(&["run", "a.yaml", "--wait-at-gates"]);
    let run = place.asked()["run"].as_str().unwrap().to_owned();
    place.run(&["approve", &run, "decide", "--say", "back"]);
    place.once("on the way back", |status| {
        status["asks"][0]["gate"] == "sure@control"
    });
    assert_eq!(place.run(&["approve", &run, "sure", "--say", "yes"]).0, 0);
    assert_eq!(code(running), Some(3), "{}", place.told());
    assert!(place.path("other").exists());

    let place = Place::new(BACK);
    assert_eq!(place.run(&["run", "a.yaml"]).0, 3);
    let run = place.status()["run"].as_str().unwrap().to_owned();
    let words = [
        "rollback",
        &run,
        "--reason",
        "late",
        "--confirm",
        &run,
        "--wait-at-gates",
    ];
    let running = place.begin(&words);
    place.asked();
    assert_eq!(place.run(&["approve", &run, "sure", "--say", "yes"]).0, 0);
    assert_eq!(code(running), Some(0), "{}", place.told());
}

#[test]
fn whoever_takes_over_waits_at_gates_too() {
    let place = Place::new(MANY);
    assert_eq!(place.run(&["run", "a.yaml"]).0, 3);
    let run = place.status()["run"].as_str().unwrap().to_owned();
    let (code_of, _, err) = place.run(&["runs", "export", &run, "-o", "run.tar"]);
    assert_eq!(code_of, 0, "{err}");
    let words = ["takeover", &run, "--from", "run.tar", "--wait-at-gates"];
    let running = place.begin(&words);
    place.asked();
    let words = ["approve", &run, "decide", "--say", "back"];
    assert_eq!(place.run(&words).0, 0);
    assert_eq!(code(running), Some(3), "{}", place.told());
    assert_eq!(place.status()["result"], "rolled_back");
}

#[test]
fn what_follows_on_an_ending_and_the_way_back_take_nothing_back() {
    for part in ["finally", "rollback"] {
        let gate =
            "{ step: ask, uses: gate.approve, with: { message: m, options: { back: rollback } } }";
        let steps = match part {
            "finally" => format!("finally:\n  - {gate}\n"),
            _ => format!("rollback:\n  phases:\n    - {{ phase: back, steps: [{gate}] }}\n"),
        };
        let place = Place::new(&format!(
            "runbook: r\nsteps:\n  - {{ step: w, uses: wait, with: {{ for: 1s }} }}\n{steps}"
        ));
        let (code, _, err) = place.run(&["check", "a.yaml"]);
        assert_eq!(code, 2, "{err}");
        let said = match part {
            "finally" => "takes nothing back",
            _ => "the way back already",
        };
        assert!(err.contains(said), "{err}");
    }
}
