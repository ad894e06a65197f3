//! A run that goes on with changed files, as a script sees it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const RUNBOOK: &str = r#"runbook: edited
version: 1
inputs:
  dir: { type: path, required: true }
  tag: { type: string, default: v1 }
vars:
  word: 'tag-{{inputs.tag}}'
phases:
  - phase: one
    steps:
      - { step: look, uses: host.disk_free, on: control, with: { path: /, at_least: 1B } }
      - { step: first, uses: file, on: control, with: { path: '{{inputs.dir}}/first', text: "one\n" } }
      - { step: tagged, uses: file, on: control, with: { path: '{{inputs.dir}}/tagged', text: "{{vars.word}}\n" } }
      - { step: old, uses: file, on: control, with: { path: '{{inputs.dir}}/old', text: "old\n" } }
      - { step: ask, uses: gate.approve, on: control, with: { message: 'Go on?' } }
  - phase: two
    steps:
      - { step: last, uses: file, on: control, with: { path: '{{inputs.dir}}/last', text: "last\n" } }
"#;

struct Place(tempfile::TempDir);

impl Place {
    /// A run that stands at its gate.
    fn at_the_gate() -> (Self, String) {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.path("d")).unwrap();
        fs::write(
            place.path("inventory.yaml"),
            "hosts: { web01: { address: 192.0.2.1 } }\n",
        )
        .unwrap();
        fs::write(place.path("a.yaml"), RUNBOOK).unwrap();
        let dir = format!("dir={}", place.path("d").display());
        assert_eq!(place.run(&["run", "a.yaml", "--input", &dir]).0, 3);
        let runs = fs::read_dir(place.path("state/runs")).unwrap();
        let mut names = runs.map(|e| e.unwrap().file_name().into_string().unwrap());
        let id = names.find(|name| !name.starts_with('.')).unwrap();
        (place, id)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn of_run(&self, id: &str, name: &str) -> PathBuf {
        self.path("state/runs").join(id).join(name)
    }

    fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path("d").join(name)).ok()
    }

    fn change(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("a.yaml")).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(self.path("a.yaml"), text.replace(from, to)).unwrap();
    }

    fn run(&self, words: &[&str]) -> (i32, String, String) {
        self.run_in("state", words)
    }

    fn run_in(&self, state: &str, words: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_runbook"))
            .args(words)
            .arg("--state")
            .arg(self.path(state))
            .current_dir(self.0.path())
            .env_remove("RUNBOOK_INVENTORY")
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().expect("it ends by itself");
        (code, text(output.stdout), text(output.stderr))
    }
}

/// What is another one each time.
fn plain(text: &str, id: &str) -> String {
    let text = text.replace(id, "RUN");
    let mut out = String::new();
    for word in text.split_inclusive([' ', '\n', ')']) {
        let core = word.trim_end_matches([' ', '\n', ')', ';']);
        let time = core.len() == 8 && core.as_bytes()[2] == b':' && core.as_bytes()[5] == b':';
        match time {
            true => out.push_str(&word.replace(core, "TIME")),
            false => out.push_str(word),
        }
    }
    out
}

fn edit(place: &Place) {
    place.change("tag-{{", "label-{{");
    place.change("step: old,", "step: renamed,");
    place.change("message: 'Go on?'", "message: 'Shall we?'");
    let text = fs::read_to_string(place.path("a.yaml")).unwrap();
    let more = "      - { step: more, uses: file, on: control, with: { path: '{{inputs.dir}}/more', text: \"more\\n\" } }\n";
    fs::write(place.path("a.yaml"), text + more).unwrap();
}

#[test]
fn what_becomes_of_everything_is_shown_and_confirmed_first() {
    let (place, id) = Place::at_the_gate();
    edit(&place);
    let journal = || fs::read(place.of_run(&id, "journal.jsonl")).unwrap();
    let before = journal();
    let (code, out, _) = place.run(&["resume", &id, "--edited", "--plan"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(plain(&out, &id));
    let (code, _, err) = place.run(&["resume", &id, "--edited", "--confirm", "another"]);
    assert!(
        code == 2 && err.contains("nothing was done"),
        "{code} {err}"
    );
    let (code, _, err) = place.run(&["resume", &id, "--edited"]);
    assert!(code == 2 && err.contains("--confirm"), "{code} {err}");
    let (code, out, _) = place.run(&["resume", &id, "--edited", "--plan", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["instances"][2]["fate"]), (0, &"again".into()));
    assert_eq!(journal(), before);
    assert!(!place.of_run(&id, "plan.2.json").exists());

    assert_eq!(
        place.run(&["resume", &id, "--edited", "--confirm", &id]).0,
        3
    );
    assert_eq!(place.text("tagged").unwrap(), "label-v1\n");
    assert_eq!(place.text("old").unwrap(), "old\n");
    assert!(place.of_run(&id, "plan.2.json").exists());
    // What is done and the same was not attempted again.
    let (_, out, _) = place.run(&["logs", &id]);
    let attempts = |of: &str| {
        let wanted = format!("{of}@control attempt");
        let acted = |line: &&str| !line.contains("nothing was to be done");
        let mine = out.lines().filter(|line| line.contains(&wanted));
        mine.filter(acted).count()
    };
    let found = (
        attempts("first"),
        attempts("tagged"),
        attempts("renamed"),
        attempts("old"),
    );
    assert_eq!(found, (1, 2, 0, 1), "{out}");
    let (_, out, _) = place.run(&["journal", "dump", &id]);
    assert!(out.contains(" edited by="), "{out}");
    assert_eq!(place.run(&["journal", "verify", &id]).0, 0);
    let (_, out, _) = place.run(&["status", &id]);
    assert!(out.contains("not in the runbook any more"), "{out}");
    assert!(out.contains("old@control: done before"), "{out}");
    let (_, out, _) = place.run(&["rollback", &id, "--plan"]);
    assert!(
        out.contains("not taken back") && out.contains("tagged@control: done with other"),
        "{out}"
    );
    assert_eq!(place.run(&["attach", &id]).0, 3);
}

#[test]
fn the_old_plan_counts_until_the_journal_names_another() {
    let (place, id) = Place::at_the_gate();
    edit(&place);
    // What a crash may leave beside the journal.
    fs::write(place.of_run(&id, "plan.2.json"), "half").unwrap();
    fs::write(place.of_run(&id, ".plan.2.json.sha256"), "").unwrap();
    assert_eq!(place.run(&["status", &id]).0, 0);
    assert_eq!(
        place.run(&["resume", &id, "--edited", "--confirm", &id]).0,
        3
    );
    let path = place.of_run(&id, "journal.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let edited = whole
        .lines()
        .position(|line| line.contains("\"kind\":\"edited\""))
        .unwrap();
    // Every record around it: before it the old plan counts, from it on the new one.
    for end in edited - 1..edited + 4 {
        let lines: Vec<&str> = whole.lines().take(end).collect();
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        let (code, out, err) = place.run(&["status", &id, "--json"]);
        assert_eq!(code, 0, "{err}");
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        let instances = json["instances"].as_array().unwrap();
        let has = |name: &str| instances.iter().any(|one| one["step"] == name);
        let new = end > edited;
        assert_eq!(
            (has("more"), has("renamed"), has("old")),
            (new, new, !new),
            "{end}"
        );
    }
    // A plan that the journal names and that is not whole is refused.
    fs::write(place.of_run(&id, "plan.2.json"), "half").unwrap();
    let (code, _, err) = place.run(&["resume", &id]);
    assert!(code != 0 && err.contains("plan.2.json is damaged"), "{err}");
}

#[test]
fn inputs_stay_as_the_run_has_them() {
    let (place, id) = Place::at_the_gate();
    place.change("default: v1", "default: v2");
    let (code, out, err) = place.run(&["resume", &id, "--edited", "--plan"]);
    assert_eq!(code, 0);
    assert!(
        err.contains("the input `tag` stays v1, as the run has it; its default is v2"),
        "{err}"
    );
    assert!(out.contains("0 again"), "{out}");
    let other = ["resume", &id, "--edited", "--plan", "--input", "tag=v3"];
    let (_, out, _) = place.run(&other);
    assert!(
        out.contains("tagged@control: its parameter `text` changed"),
        "{out}"
    );
    fs::write(place.path("a.yaml"), RUNBOOK).unwrap();
    let (code, _, err) = place.run(&["resume", &id, "--edited"]);
    assert!(code == 3 && err.contains("has changed"), "{code} {err}");
}

#[test]
fn files_with_mistakes_change_nothing() {
    let (place, id) = Place::at_the_gate();
    let before = fs::read(place.of_run(&id, "journal.jsonl")).unwrap();
    place.change("uses: gate.approve", "uses: gate.aprove");
    let (code, ..) = place.run(&["resume", &id, "--edited", "--confirm", &id]);
    assert_eq!(code, 2);
    fs::remove_file(place.path("a.yaml")).unwrap();
    let (code, _, err) = place.run(&["resume", &id, "--edited", "--confirm", &id]);
    assert!(code == 2 && err.contains("--file"), "{code} {err}");
    fs::write(
        place.path("b.yaml"),
        RUNBOOK.replace("runbook: edited", "runbook: another"),
    )
    .unwrap();
    let (code, _, err) = place.run(&[
        "resume",
        &id,
        "--edited",
        "--file",
        "b.yaml",
        "--confirm",
        &id,
    ]);
    assert!(
        code == 2 && err.contains("the run is of `edited`"),
        "{code} {err}"
    );
    assert_eq!(
        fs::read(place.of_run(&id, "journal.jsonl")).unwrap(),
        before
    );
}

#[test]
fn copies_have_the_plan_that_counts() {
    let (place, id) = Place::at_the_gate();
    edit(&place);
    let mirror = format!("local:{}", place.path("mirror").display());
    let words = [
        "resume",
        &id,
        "--edited",
        "--confirm",
        &id,
        "--mirror",
        &mirror,
    ];
    assert_eq!(place.run(&words).0, 3);
    for name in [
        "plan.json",
        "plan.2.json",
        "plan.2.json.sha256",
        "journal.jsonl",
    ] {
        let copy = fs::read(place.path("mirror").join(&id).join(name)).unwrap();
        assert!(copy == fs::read(place.of_run(&id, name)).unwrap(), "{name}");
    }
    let (code, _, err) = place.run_in("other", &["takeover", &id, "--from", &mirror]);
    assert_eq!(code, 3, "{err}");
    let (_, out, _) = place.run_in("other", &["status", &id, "--json"]);
    assert!(out.contains("\"more\""), "{out}");
    let file = place.path("run.tar").display().to_string();
    let (code, _, err) = place.run(&["runs", "export", &id, "--out", &file]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = place.run_in("third", &["runs", "import", &file]);
    assert_eq!(code, 0, "{err}");
    let (_, out, _) = place.run_in("third", &["status", &id, "--json"]);
    assert!(out.contains("\"more\""), "{out}");
}
