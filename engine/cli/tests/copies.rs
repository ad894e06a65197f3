//! Runs that are looked at closely, copied and taken over, as a script sees it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const INVENTORY: &str =
    "hosts:\n  web01: { address: 192.0.2.1 }\ngroups:\n  web: { hosts: [web01] }\n";
const GATE: &str = "\
runbook: gated
steps:
  - { step: space, uses: host.disk_free, on: control, with: { path: /, at_least: 1B } }
  - { step: approve, uses: gate.approve, on: control, with: { message: 'Go on?' } }
";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.yaml"), GATE).unwrap();
        std::fs::write(dir.path().join("inventory.yaml"), INVENTORY).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, state: &str, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runbook"));
        command
            .args(words)
            .arg("--state")
            .arg(self.path(state))
            .current_dir(self.0.path())
            .env_remove("RUNBOOK_INVENTORY")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, state: &str, words: &[&str]) -> (i32, String, String) {
        let output = self.command(state, words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().expect("it ends by itself");
        (code, text(output.stdout), text(output.stderr))
    }

    /// The only run of a state directory.
    fn id(&self, state: &str) -> String {
        let runs = std::fs::read_dir(self.path(state).join("runs")).unwrap();
        let mut ids = runs
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with('.'));
        let id = ids.next().unwrap();
        assert_eq!(ids.next(), None);
        id
    }

    fn journal(&self, state: &str) -> PathBuf {
        let id = self.id(state);
        self.path(state).join("runs").join(id).join("journal.jsonl")
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn epochs(journal: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(journal).unwrap();
    let mut all: Vec<u64> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["epoch"]
                .as_u64()
                .unwrap()
        })
        .collect();
    all.dedup();
    all
}

#[test]
fn a_journal_is_verified_and_dumped() {
    let place = Place::new();
    assert_eq!(place.run("a", &["run", "a.yaml"]).0, 3);
    let journal = place.journal("a");
    let (code, out, _) = place.run("a", &["journal", "verify"]);
    assert!(code == 0 && out.contains(": whole\n"), "{out}");
    let (code, out, _) = place.run("a", &["journal", "dump", &place.id("a")]);
    assert_eq!(code, 0);
    for wanted in [
        "run_created",
        "looking node=space@control",
        "closed result=refused",
    ] {
        assert!(out.contains(wanted), "{wanted}: {out}");
    }
    let raw = std::fs::read_to_string(&journal).unwrap();
    assert_eq!(out.lines().count(), raw.lines().count());
    assert_eq!(place.run("a", &["journal", "dump", "--json"]).1, raw);

    // Cut in the middle of the last line: a crash.
    let bytes = raw.as_bytes();
    let file = place.path("j.jsonl");
    std::fs::write(&file, &bytes[..bytes.len() - 9]).unwrap();
    let (code, out, _) = place.run("a", &["journal", "verify", "./j.jsonl"]);
    assert!(code == 0 && out.contains("cut short at byte"), "{out}");

    // Another byte in the middle: damage, and what is before it can still be read.
    let mut damaged = bytes.to_vec();
    let third: usize = raw.lines().take(3).map(|l| l.len() + 1).sum();
    damaged[third + 20] ^= 1;
    std::fs::write(&file, &damaged).unwrap();
    let (code, out, _) = place.run("a", &["journal", "verify", "./j.jsonl"]);
    assert!(
        code == 7 && out.contains(&format!("damaged at byte {third}:")),
        "{out}"
    );
    let (code, out, _) = place.run("a", &["journal", "verify", "./j.jsonl", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (code, &json["offset"], &json["records"]),
        (7, &third.into(), &3.into())
    );
    let (code, out, err) = place.run("a", &["journal", "dump", "./j.jsonl"]);
    assert_eq!((code, out.lines().count()), (7, 3), "{err}");
    assert!(err.contains("damaged at byte"), "{err}");
    assert_eq!(
        place.run("a", &["journal", "verify", "./nowhere.jsonl"]).0,
        7
    );
}

#[test]
fn a_run_is_exported_imported_and_taken_over() {
    let place = Place::new();
    assert_eq!(place.run("a", &["run", "a.yaml"]).0, 3);
    let id = place.id("a");
    let (code, out, err) = place.run("a", &["runs", "export", &id, "--out", "r.tar"]);
    assert!(code == 0 && out.is_empty() && err.contains(&id), "{err}");
    assert_eq!(mode(&place.path("r.tar")), 0o600);
    let (code, _, err) = place.run("a", &["runs", "export", &id, "--out", "r.tar"]);
    assert!(code == 2 && err.contains("is there already"), "{err}");
    let piped = place
        .command("a", &["runs", "export", &id])
        .output()
        .unwrap();
    assert_eq!(piped.stdout, std::fs::read(place.path("r.tar")).unwrap());

    let (code, out, err) = place.run("b", &["runs", "import", "r.tar"]);
    assert!(code == 0 && out.contains("is here now"), "{out}{err}");
    assert_eq!(mode(&place.path("b/runs").join(&id)), 0o700);
    assert_eq!(mode(&place.journal("b")), 0o600);
    assert!(place.run("b", &["runs"]).1.contains(&id));
    let (code, out, _) = place.run("b", &["runs", "import", "r.tar"]);
    assert!(
        code == 0 && out.contains("in the same state already"),
        "{out}"
    );

    // The gate asks nobody here either; what counts is whose the run is.
    let words = [
        "takeover",
        &id,
        "--from",
        "r.tar",
        "--reason",
        "ada's laptop is gone",
    ];
    let (code, out, err) = place.run("b", &words);
    assert_eq!(code, 3, "{out}{err}");
    let took = epochs(&place.journal("b"));
    assert_eq!(
        (took.len(), took[0], took[2]),
        (3, 1, took[1] + 1),
        "{took:?}"
    );
    assert!(took[1] >= 1_000, "{took:?}");
    let (_, dump, _) = place.run("b", &["journal", "dump"]);
    assert!(
        dump.contains("taken over from r.tar: ada's laptop is gone"),
        "{dump}"
    );

    // The old controller is refused, here on the only host there is; what it wrote meanwhile is another history.
    let (code, _, err) = place.run("b", &["runs", "import", "r.tar"]);
    assert!(code == 2 && err.contains("in a later state"), "{err}");
    let (code, out, err) = place.run("a", &["resume"]);
    assert!(
        code == 6 && out.contains("another controller has taken over this run"),
        "{out}{err}"
    );
    assert_eq!(
        place.run("a", &["runs", "export", &id, "-o", "old.tar"]).0,
        0
    );
    let (code, _, err) = place.run("b", &["runs", "import", "old.tar"]);
    assert!(
        code == 2 && err.contains("both went on from there"),
        "{err}"
    );
    let (code, _, err) = place.run("b", &["takeover", "zzz", "--from", "r.tar"]);
    assert!(code == 2 && err.contains("the file has run"), "{err}");
    let (code, _, err) = place.run("b", &["takeover", &id, "--from", "r.tar", "--epoch", "7"]);
    assert!(code == 2 && err.contains("knows epoch"), "{err}");
}

#[test]
fn a_damaged_journal_is_replaced_by_a_whole_copy() {
    let place = Place::new();
    assert_eq!(place.run("a", &["run", "a.yaml"]).0, 3);
    let id = place.id("a");
    assert_eq!(place.run("a", &["runs", "export", &id, "-o", "r.tar"]).0, 0);
    let journal = place.journal("a");
    let mut bytes = std::fs::read(&journal).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&journal, &bytes).unwrap();
    let (code, out, err) = place.run("a", &["runs", "import", "r.tar"]);
    assert!(
        code == 0 && out.contains("has a whole one now"),
        "{out}{err}"
    );
    assert_eq!(place.run("a", &["journal", "verify"]).0, 0);
    assert_eq!(
        std::fs::read(journal.with_file_name("journal.damaged")).unwrap(),
        bytes
    );

    // A copy that is shorter than what is damaged does not have all of it.
    assert_eq!(place.run("a", &["resume"]).0, 3);
    let mut bytes = std::fs::read(&journal).unwrap();
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    std::fs::write(&journal, &bytes).unwrap();
    let (code, _, err) = place.run("a", &["runs", "import", "r.tar"]);
    assert!(code == 2 && err.contains("would be lost"), "{err}");
    assert_eq!(std::fs::read(&journal).unwrap(), bytes);
}

#[test]
fn a_mirror_is_current_and_can_be_taken_over() {
    let place = Place::new();
    let (code, out, err) = place.run("a", &["run", "a.yaml", "--mirror", "local:copies"]);
    assert_eq!(code, 3, "{out}{err}");
    assert!(!err.contains("mirror:"), "{err}");
    let id = place.id("a");
    let copy = place.path("copies").join(&id);
    assert_eq!(
        (mode(&copy), mode(&copy.join("journal.jsonl"))),
        (0o700, 0o600)
    );
    let same = |name: &str, of: &Path| {
        assert_eq!(
            std::fs::read(copy.join(name)).unwrap(),
            std::fs::read(of.with_file_name(name)).unwrap(),
            "{name}"
        );
    };
    for name in ["plan.json", "plan.json.sha256", "journal.jsonl"] {
        same(name, &place.journal("a"));
    }
    let (code, out, err) = place.run(
        "b",
        &[
            "takeover",
            &id,
            "--from",
            "local:copies",
            "--mirror",
            "local:copies",
        ],
    );
    assert_eq!(code, 3, "{out}{err}");
    same("journal.jsonl", &place.journal("b"));

    // The old controller comes back and is refused; the copy stays that of the later one.
    let (code, _, err) = place.run("a", &["resume", "--mirror", "local:copies"]);
    assert_eq!(code, 6, "{err}");
    assert_eq!(err.matches("mirror:").count(), 1, "{err}");
    assert!(err.contains("a later controller (epoch"), "{err}");
    same("journal.jsonl", &place.journal("b"));
    for wrong in ["nowhere", "db09:/x", "web01:x", "local:"] {
        let (code, _, err) = place.run("c", &["run", "a.yaml", "--mirror", wrong]);
        assert!(
            code == 2 && err.contains("is no place for a copy"),
            "{wrong}: {err}"
        );
    }
    let (code, _, err) = place.run("c", &["takeover", &id, "--from", "web01:/srv/copies"]);
    assert!(code == 2 && err.contains("-i FILE"), "{err}");
}

#[test]
fn a_mirror_that_fails_is_told_once_and_the_run_goes_on() {
    let place = Place::new();
    std::fs::write(place.path("taken"), "").unwrap();
    let (code, out, err) = place.run("a", &["run", "a.yaml", "--mirror", "local:taken"]);
    assert_eq!(code, 3, "{out}{err}");
    assert_eq!(err.matches("mirror:").count(), 1, "{err}");
    assert!(err.contains("the run goes on"), "{err}");
}

#[test]
fn a_run_is_handed_over() {
    let place = Place::new();
    assert_eq!(place.run("a", &["run", "a.yaml"]).0, 3);
    let id = place.id("a");
    let (code, out, err) = place.run("a", &["handover"]);
    assert!(code == 0, "{out}{err}");
    let typed = format!("runbook takeover {id} --from {id}.tar");
    assert!(out.contains(&typed), "{out}");
    let words: Vec<_> = typed.split(' ').skip(1).collect();
    assert_eq!(place.run("b", &words).0, 3);
    let (code, _, err) = place.run("a", &["handover"]);
    assert!(code == 2 && err.contains("is there already"), "{err}");
}

const PHASES: &str = "\
runbook: watched
phases:
  - phase: one
    steps:
      - { step: first, uses: test.current, on: control, with: { copies: COPIES, run: '{{run.id}}' } }
  - phase: two
    steps:
      - { step: second, uses: test.current, on: control, with: { copies: COPIES, run: '{{run.id}}' } }
";
/// At its own look, the last record of the copy is that this look has begun.
const CURRENT: &str = "\
type: test.current
summary: The copy of the journal is current
probe: true
params:
  copies: { type: string, required: true }
  run: { type: string, required: true }
check: |
  last=$(tail -n 1 \"$copies/$run/journal.jsonl\")
  case $last in *'\"kind\":\"looking\"'*) ;; *) fail \"the copy ends in $last\" ;; esac
";

#[test]
fn a_mirror_is_current_before_each_phase() {
    let place = Place::new();
    let copies = place.path("copies").to_string_lossy().into_owned();
    std::fs::write(place.path("b.yaml"), PHASES.replace("COPIES", &copies)).unwrap();
    std::fs::create_dir(place.path("types")).unwrap();
    std::fs::write(place.path("types/test.current.yaml"), CURRENT).unwrap();
    let (code, out, err) = place.run("a", &["run", "b.yaml", "--mirror", "local:copies"]);
    assert_eq!(code, 0, "{out}{err}");
    // It can fail: without a mirror there is nothing to look at.
    std::fs::remove_dir_all(place.path("copies")).unwrap();
    assert_eq!(place.run("a", &["run", "b.yaml"]).0, 1);
}

#[test]
fn a_run_under_way_is_stopped_and_handed_over() {
    let place = Place::new();
    let waits = "runbook: waits\nsteps:\n  - { step: a, uses: wait, on: control, with: { for: 1s } }\n  \
                 - { step: b, uses: wait, on: control, with: { for: 2m } }\n";
    std::fs::write(place.path("w.yaml"), waits).unwrap();
    let mut running = place
        .command("a", &["run", "w.yaml"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !place.path("a/runs").exists() || place.run("a", &["status"]).0 != 0 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let (_, out, _) = place.run("a", &["runs", "--json"]);
    assert!(out.contains("running"), "{out}");
    let id = place.id("a");
    let (code, _, err) = place.run("a", &["runs", "export", &id, "-o", "early.tar"]);
    assert!(code == 0 && err.contains("a controller runs it"), "{err}");
    // Whoever runs it is not overrun by a copy.
    let (code, _, err) = place.run("a", &["takeover", &id, "--from", "early.tar"]);
    assert!(code == 5 && err.contains("is held by"), "{err}");
    let (code, out, err) = place.run("a", &["handover", &id, "--reason", "my shift ends"]);
    assert_eq!(code, 0, "{out}{err}");
    running.wait().unwrap();
    let tar = format!("{id}.tar");
    let (code, _, _) = place.run("b", &["runs", "import", &tar]);
    assert_eq!(code, 0);
    let (_, dump, _) = place.run("b", &["journal", "dump"]);
    assert!(dump.contains("handed over: my shift ends"), "{dump}");
    assert!(dump.lines().last().unwrap().contains(" closed "), "{dump}");
}

#[test]
fn of_two_that_take_over_the_second_is_told() {
    let place = Place::new();
    assert_eq!(place.run("a", &["run", "a.yaml"]).0, 3);
    let id = place.id("a");
    assert_eq!(place.run("a", &["runs", "export", &id, "-o", "r.tar"]).0, 0);
    let words = |epoch| ["takeover", &id, "--from", "r.tar", "--epoch", epoch];
    let (code, out, err) = place.run("b", &words("5000"));
    assert_eq!(code, 3, "{out}{err}");
    let (code, out, err) = place.run("c", &words("4000"));
    assert_eq!(code, 5, "{out}{err}");
    assert!(
        err.contains("control knows a controller of epoch 5001"),
        "{err}"
    );
    assert!(err.contains("--epoch 5002"), "{err}");
    let (code, out, err) = place.run("c", &words("5002"));
    assert_eq!(code, 3, "{out}{err}");
    let (code, out, _) = place.run("b", &["resume"]);
    assert!(
        code == 6 && out.contains("has taken over this run (epoch 5003)"),
        "{out}"
    );
}
