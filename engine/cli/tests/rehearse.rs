//! What could happen, what is left, how it is now: by the binary, on this machine alone.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A directory with a runbook, an inventory and a place for runs.
struct Place(tempfile::TempDir);

const RUNBOOK: &str = "\
runbook: gated
version: 1
inputs: { dir: { type: path, required: true } }
phases:
  - phase: make
    steps:
      - { step: space, uses: host.disk_free, on: control, with: { path: /, at_least: 1B } }
      - { step: first, uses: file, on: control, with: { path: '{{inputs.dir}}/first', text: \"one\\n\" } }
      - { step: sure, uses: gate.approve, on: control, with: { message: 'Go on?' } }
  - phase: use
    steps:
      - { step: second, uses: file, on: control, with: { path: '{{inputs.dir}}/second', text: \"it's two\\n\", mode: '0600' } }
";

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.yaml"), RUNBOOK).unwrap();
        let inventory = "hosts: { web01: { address: 192.0.2.1 } }\n";
        std::fs::write(dir.path().join("inventory.yaml"), inventory).unwrap();
        Self(dir)
    }

    fn run(&self, words: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_runbook"))
            .args(words)
            .current_dir(self.0.path())
            .env_remove("RUNBOOK_INVENTORY")
            .env("HOME", self.0.path())
            .env("XDG_STATE_HOME", self.0.path().join("state"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().expect("it ends by itself");
        (code, text(output.stdout), text(output.stderr))
    }

    fn dir(&self) -> String {
        format!("dir={}", self.0.path().display())
    }

    /// The file with what is left of the only run.
    fn kept(&self) -> PathBuf {
        let runs = self.0.path().join("state/runbook/runs");
        let mut runs = std::fs::read_dir(runs).unwrap().map(|e| e.unwrap().path());
        let run = runs.find(|path| path.is_dir()).unwrap();
        run.join("remaining.sh")
    }
}

fn readable(text: &Path) {
    let status = Command::new("sh").arg("-n").arg(text).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_rehearsal_reaches_nothing_and_says_what_would_be_left() {
    let place = Place::new();
    let input = place.dir();
    let words = ["rehearse", "a.yaml", "--input", &input];
    let (code, out, err) = place.run(&words);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("=> the run succeeds"), "{out}");
    let again = place.run(&words);
    assert_eq!(again.1, out);
    let (code, out, _) = place.run(&[&words[..], &["--fail", "second"]].concat());
    assert_eq!(code, 0);
    let stable = out.replace(&*place.0.path().to_string_lossy(), "DIR");
    insta::assert_snapshot!(stable);
    let (code, out, _) = place.run(&[&words[..], &["--kill-at", "12", "--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["run"]["end"]), (0, &"died".into()));
    assert_eq!(json["resume"]["end"], "succeeded");
    assert!(!place.0.path().join("state").exists());
    assert!(!place.0.path().join("first").exists());
    let (code, _, err) = place.run(&[&words[..], &["--fail", "secnd@control"]].concat());
    assert_eq!(code, 2);
    assert!(err.contains("did you mean second@control?"), "{err}");
}

#[test]
fn what_is_left_can_be_seen_typed_and_looked_at() {
    let place = Place::new();
    let input = place.dir();
    let (code, out, err) = place.run(&["run", "a.yaml", "--input", &input]);
    assert_eq!(code, 3, "nobody is there to ask: {out}{err}");
    let (code, out, _) = place.run(&["remaining"]);
    assert_eq!(code, 0);
    assert!(
        out.contains("sure") && out.contains("second") && !out.contains("first"),
        "{out}"
    );

    let kept = place.kept();
    let mode = std::fs::metadata(&kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    readable(&kept);
    let (code, typed, _) = place.run(&["remaining", "--as-commands"]);
    assert_eq!(code, 0);
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), typed);
    // As a person does it: the words, then one part.
    let (_, words) = typed.split_once("exit 2\n").unwrap();
    let (words, _) = words.split_once("# ==== what is left").unwrap();
    let at = typed.find("# second@control").unwrap();
    let (part, _) = typed[at..].split_once("\n)\n").unwrap();
    let done = Command::new("sh")
        .arg("-c")
        .arg(format!("{words}{part}\n)"))
        .status()
        .unwrap();
    assert!(done.success(), "{words}{part}");
    let second = place.0.path().join("second");
    assert_eq!(std::fs::read_to_string(&second).unwrap(), "it's two\n");
    // As a whole it does nothing.
    std::fs::remove_file(&second).unwrap();
    let whole = Command::new("sh")
        .arg(&kept)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!((whole.code(), second.exists()), (Some(2), false));

    let journal = kept.with_file_name("journal.jsonl");
    let before = std::fs::read(&journal).unwrap();
    let (code, out, err) = place.run(&["probe", "second"]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("second@control: differs\n"), "{out}");
    let (code, out, _) = place.run(&["probe", "first@control", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &json["instances"][0]["verdict"]),
        (0, &"satisfied".into())
    );
    let (code, out, _) = place.run(&["probe", "sure"]);
    assert_eq!(
        (code, out.as_str()),
        (1, "sure@control: not looked at\n  its type has no check\n")
    );
    assert_eq!(place.run(&["probe", "nothing"]).0, 2);
    assert_eq!(std::fs::read(&journal).unwrap(), before);
    assert!(!second.exists());
}
