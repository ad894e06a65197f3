//! What other runs have left on a host, in every shell: what is dead and old goes, and of the dead the oldest when there
//! is too much; nothing that is alive, locked, wanted or young, and nothing that is no directory of a run.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeSet;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use runbook_model::{Account, Epoch, RunId};
use runbook_remote::{Bounds, Fault, Job, JobState, RemoteError};
use support::{Bench, LONG, body, dies, id, kill};

support::in_every_shell!(
    what_is_old_goes_and_what_is_young_stays,
    what_is_alive_stays_until_it_is_not,
    what_has_the_lock_stays,
    what_is_wanted_stays,
    the_oldest_go_when_there_is_too_much,
    what_its_controller_may_still_use_stays,
    no_link_is_followed,
    other_names_are_left_alone,
    an_earlier_controller_stays_out,
    what_was_renamed_only_is_removed_later,
    what_cannot_be_removed_holds_nobody_up,
    what_was_never_claimed_goes_and_begins_no_more,
    secrets_that_nobody_fetched_go,
    a_visit_is_bounded,
    who_was_replaced_removes_nothing
);

/// Small ones, so that no test writes much; ages are the real ones.
const BOUNDS: Bounds = Bounds {
    age: Duration::from_hours(30 * 24),
    size: 1 << 20,
    rest: Duration::from_hours(1),
    entries: 1000,
    time: Duration::from_secs(60),
};

fn name(name: &str) -> RunId {
    RunId::new(name).unwrap()
}

fn runs(bench: &Bench) -> PathBuf {
    bench.dir.path().join("state/runs")
}

fn dir(bench: &Bench, run: &str) -> PathBuf {
    runs(bench).join(run)
}

/// A run of another controller that did something here: with so many KiB of output, and a file for undo.
async fn left(bench: &Bench, run: &str, kib: u32) {
    let other = bench.host.as_account(&Account::Login).await.unwrap();
    other.ready(&name(run), Epoch(1)).await.unwrap();
    let text = format!("head -c {kib}k /dev/zero");
    start(bench, run, "a-1", &text).await;
    let (run, attempt) = (name(run), id("a-1"));
    let state = other.wait(&run, &attempt, LONG).await.unwrap();
    assert!(!state.is_alive(), "{state:?}");
    let store = other.undo_store(&run, &attempt);
    std::fs::create_dir_all(&store).unwrap();
    std::fs::write(format!("{store}/conf.was"), "absent\n").unwrap();
    // What wraps an attempt ends a moment after its result is there.
    let claim = std::fs::read_to_string(dir(bench, run.as_str()).join("jobs/a-1/claim")).unwrap();
    dies(claim.split(' ').next().unwrap()).await;
}

async fn start(bench: &Bench, run: &str, attempt: &str, text: &str) {
    let job = Job {
        run: name(run),
        ..bench.job(attempt, body(text))
    };
    bench.host.start(&job).await.unwrap();
}

/// Everything under a path was last changed so many hours ago.
fn age(path: &Path, hours: u32) {
    let touched = Command::new("find")
        .arg(path)
        .args([
            "-exec",
            "touch",
            "-h",
            "-d",
            &format!("{hours} hours ago"),
            "{}",
            "+",
        ])
        .status();
    assert!(touched.unwrap().success());
}

/// The same of a directory alone.
fn set_only(path: &Path, hours: u32) {
    let touched = Command::new("touch")
        .args(["-d", &format!("{hours} hours ago")])
        .arg(path)
        .status();
    assert!(touched.unwrap().success());
}

const DAY: u32 = 24;
const OLD: u32 = 31 * DAY;

/// Cleans up, and gives who is gone.
async fn cleaned(bench: &Bench) -> Result<Vec<String>, RemoteError> {
    let wanted = BTreeSet::new();
    let gone = bench.host.clean(&bench.run, &wanted, &BOUNDS).await?;
    for run in &gone {
        assert!(!dir(bench, run.as_str()).join("jobs").exists(), "{run}");
    }
    Ok(gone.iter().map(ToString::to_string).collect())
}

/// What is in the directory of runs beside this run's own.
fn there(bench: &Bench) -> Vec<String> {
    let all = std::fs::read_dir(runs(bench)).unwrap();
    let names = all.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name != bench.run.as_str()).collect();
    names.sort();
    names
}

async fn what_is_old_goes_and_what_is_young_stays(shell: &str) {
    let bench = Bench::new(shell).await;
    for (run, hours) in [("old", OLD), ("young", 29 * DAY), ("mixed", OLD)] {
        left(&bench, run, 1).await;
        age(&dir(&bench, run), hours);
    }
    // One file that was changed makes all of it young.
    age(&dir(&bench, "mixed").join("jobs/a-1/out"), 1);
    age(&dir(&bench, bench.run.as_str()), OLD);
    assert_eq!(cleaned(&bench).await.unwrap(), ["old"]);
    assert_eq!(there(&bench), ["mixed", "young"]);
    assert!(dir(&bench, bench.run.as_str()).join("epoch/1").exists());
    // It can begin anew there.
    left(&bench, "old", 1).await;
    assert_eq!(cleaned(&bench).await.unwrap(), [""; 0]);
}

async fn what_is_alive_stays_until_it_is_not(shell: &str) {
    let bench = Bench::new(shell).await;
    left(&bench, "wrapped", 2000).await;
    left(&bench, "orphan", 2000).await;
    let mut pids = Vec::new();
    for run in ["wrapped", "orphan"] {
        start(&bench, run, "a-2", "exec sleep 600").await;
        let job = dir(&bench, run).join("jobs/a-2");
        let word = |text: String| text.split(' ').next().unwrap().to_owned();
        let payload = word(bench.text(job.join("pid")).await);
        pids.push((word(bench.text(job.join("claim")).await), payload));
    }
    // The second one has lost what watches it, and lives on.
    kill("KILL", &pids[1].0);
    dies(&pids[1].0).await;
    for run in ["wrapped", "orphan"] {
        age(&dir(&bench, run), OLD);
    }
    assert_eq!(cleaned(&bench).await.unwrap(), [""; 0]);
    assert_eq!(there(&bench), ["orphan", "wrapped"]);
    for (_, payload) in &pids {
        assert!(support::lives(payload));
        kill("KILL", payload);
        dies(payload).await;
    }
    let state = bench.host.wait(&name("wrapped"), &id("a-2"), LONG).await;
    assert!(!state.unwrap().is_alive());
    dies(&pids[0].0).await;
    for run in ["wrapped", "orphan"] {
        age(&dir(&bench, run), OLD);
    }
    let mut gone = cleaned(&bench).await.unwrap();
    gone.sort();
    assert_eq!(gone, ["orphan", "wrapped"]);
}

async fn what_has_the_lock_stays(shell: &str) {
    let bench = Bench::new(shell).await;
    for run in ["locked", "other"] {
        left(&bench, run, 1).await;
        age(&dir(&bench, run), OLD);
    }
    let lock = bench.dir.path().join("state/lock");
    // Whose is this?
    std::fs::write(&lock, "nonsense\n").unwrap();
    assert_eq!(cleaned(&bench).await.unwrap(), [""; 0]);
    std::fs::remove_file(&lock).unwrap();
    let (host, locked) = (&bench.host, name("locked"));
    host.lock(&locked, Epoch(1), "me").await.unwrap().unwrap();
    age(&dir(&bench, "locked"), OLD);
    assert_eq!(cleaned(&bench).await.unwrap(), ["other"]);
    assert_eq!(there(&bench), ["locked"]);
    host.unlock(&locked, Epoch(1)).await.unwrap();
    age(&dir(&bench, "locked"), OLD);
    assert_eq!(cleaned(&bench).await.unwrap(), ["locked"]);
}

async fn what_is_wanted_stays(shell: &str) {
    let bench = Bench::new(shell).await;
    for run in ["want", "wanted", "wanted2"] {
        left(&bench, run, 1).await;
        age(&dir(&bench, run), OLD);
    }
    let wanted = BTreeSet::from([name("wanted"), name("x")]);
    let gone = bench
        .host
        .clean(&bench.run, &wanted, &BOUNDS)
        .await
        .unwrap();
    assert_eq!(gone.iter().collect::<BTreeSet<_>>().len(), 2);
    assert_eq!(there(&bench), ["wanted"]);
}

async fn the_oldest_go_when_there_is_too_much(shell: &str) {
    let bench = Bench::new(shell).await;
    // The names say in which order they changed; directories say another one.
    for (run, days, kib) in [("c", 3, 200), ("a", 9, 500), ("b", 6, 300), ("d", 2, 200)] {
        left(&bench, run, kib).await;
        age(&dir(&bench, run), days * DAY);
    }
    set_only(&dir(&bench, "b"), 20 * DAY);
    left(&bench, "locked", 2000).await;
    let locked = name("locked");
    let lock = bench.host.lock(&locked, Epoch(1), "me").await;
    lock.unwrap().unwrap();
    // What has the lock is not dead, and does not count. The others have 1200 KiB and their directories.
    assert_eq!(cleaned(&bench).await.unwrap(), ["a"]);
    assert_eq!(there(&bench), ["b", "c", "d", "locked"]);
    assert_eq!(cleaned(&bench).await.unwrap(), [""; 0]);
    bench.host.unlock(&locked, Epoch(1)).await.unwrap();
    // Now it counts, and is too young to go itself.
    assert_eq!(cleaned(&bench).await.unwrap(), ["b", "c", "d"]);
    assert_eq!(there(&bench), ["locked"]);
}

async fn what_its_controller_may_still_use_stays(shell: &str) {
    let bench = Bench::new(shell).await;
    for (run, hours) in [("now", 0), ("before", 2)] {
        left(&bench, run, 2000).await;
        age(&dir(&bench, run), hours);
    }
    assert_eq!(cleaned(&bench).await.unwrap(), ["before"]);
    assert_eq!(there(&bench), ["now"]);
}

async fn no_link_is_followed(shell: &str) {
    let bench = Bench::new(shell).await;
    left(&bench, "real", 1).await;
    // A run's directory elsewhere, behind a name of a run; jobs elsewhere; a link among what goes.
    let elsewhere = bench.dir.path().join("elsewhere");
    std::fs::rename(dir(&bench, "real"), &elsewhere).unwrap();
    symlink(&elsewhere, dir(&bench, "link")).unwrap();
    left(&bench, "jobs", 1).await;
    std::fs::remove_dir_all(dir(&bench, "jobs").join("jobs")).unwrap();
    symlink(elsewhere.join("jobs"), dir(&bench, "jobs").join("jobs")).unwrap();
    left(&bench, "inside", 1).await;
    let job = dir(&bench, "inside").join("jobs/a-1");
    symlink(&elsewhere, job.join("link")).unwrap();
    symlink(&elsewhere, dir(&bench, "inside").join("jobs/a-2")).unwrap();
    symlink(&elsewhere, runs(&bench).join(".trash.link")).unwrap();
    for path in [&elsewhere, &runs(&bench)] {
        age(path, OLD);
    }
    assert_eq!(cleaned(&bench).await.unwrap(), ["inside"]);
    assert_eq!(there(&bench), [".trash.link", "jobs", "link"]);
    for file in ["epoch/1", "jobs/a-1/result", "undo/a-1/conf.was"] {
        assert!(elsewhere.join(file).exists(), "{file}");
    }
    let taken = ["claim", "pid"].map(|file| elsewhere.join(file).exists());
    assert_eq!(taken, [false, false], "nothing is written there");
    // The directory of runs itself.
    let moved = bench.dir.path().join("moved");
    left(&bench, "old", 1).await;
    age(&dir(&bench, "old"), OLD);
    std::fs::rename(runs(&bench), &moved).unwrap();
    symlink(&moved, runs(&bench)).unwrap();
    assert_eq!(cleaned(&bench).await.unwrap(), [""; 0]);
    assert!(moved.join("old").exists());
}

async fn other_names_are_left_alone(shell: &str) {
    let bench = Bench::new(shell).await;
    left(&bench, "old", 1).await;
    let names = [
        "Upper",
        "a-b",
        "a.b",
        "with space",
        "x y",
        "-rf",
        "$HOME",
        "é",
        "old\nold",
        "*",
        "123456789012345678901",
        ".hidden",
        ".trash",
    ];
    for name in names {
        let copied = Command::new("cp")
            .args(["-a", "--"])
            .args([dir(&bench, "old"), dir(&bench, name)])
            .status();
        assert!(copied.unwrap().success());
    }
    // A name like a run's is not enough either, and 20 letters are.
    std::fs::create_dir(dir(&bench, "mine")).unwrap();
    std::fs::write(dir(&bench, "mine").join("notes"), "keep me").unwrap();
    std::fs::write(dir(&bench, "file"), "keep me").unwrap();
    left(&bench, "12345678901234567890", 1).await;
    let beside = bench.dir.path().join("state/old");
    std::fs::create_dir_all(beside.join("epoch")).unwrap();
    for path in [&beside, &runs(&bench)] {
        age(path, OLD);
    }
    let mut gone = cleaned(&bench).await.unwrap();
    gone.sort();
    assert_eq!(gone, ["12345678901234567890", "old"]);
    let mut stay = names.map(str::to_owned).to_vec();
    stay.extend(["mine", "file"].map(str::to_owned));
    stay.sort();
    assert_eq!(there(&bench), stay);
    assert!(beside.exists());
}

async fn an_earlier_controller_stays_out(shell: &str) {
    let bench = Bench::new(shell).await;
    left(&bench, "taken", 1).await;
    let other = bench.host.as_account(&Account::Login).await.unwrap();
    other.ready(&name("taken"), Epoch(7)).await.unwrap();
    age(&dir(&bench, "taken"), OLD);
    assert_eq!(cleaned(&bench).await.unwrap(), ["taken"]);
    let all = std::fs::read_dir(dir(&bench, "taken")).unwrap();
    assert_eq!(all.count(), 1, "only the epoch is left");
    let error = other.ready(&name("taken"), Epoch(6)).await.unwrap_err();
    assert_eq!(error.fault, Fault::Fenced(7));
    // The empty directory that it left goes as well, and after a year nobody comes back.
    for (days, gone) in [(31, vec!["taken"]), (364, vec![]), (366, vec!["taken"])] {
        age(&dir(&bench, "taken"), days * DAY);
        assert_eq!(cleaned(&bench).await.unwrap(), gone, "{days}");
    }
    assert_eq!(there(&bench), [""; 0]);
}

async fn what_was_renamed_only_is_removed_later(shell: &str) {
    let bench = Bench::new(shell).await;
    left(&bench, "old", 1).await;
    std::fs::rename(dir(&bench, "old"), dir(&bench, ".trash.old.7")).unwrap();
    assert_eq!(cleaned(&bench).await.unwrap(), [""; 0]);
    assert_eq!(there(&bench), [""; 0]);
}

async fn what_cannot_be_removed_holds_nobody_up(shell: &str) {
    let bench = Bench::new(shell).await;
    for run in ["stuck", "old"] {
        left(&bench, run, 1).await;
        age(&dir(&bench, run), OLD);
    }
    // Root may remove everything but a mount.
    let mount = dir(&bench, "stuck").join("undo/a-1");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "none"])
        .arg(&mount)
        .status();
    let root = mounted.is_ok_and(|status| status.success());
    if !root {
        std::fs::remove_dir_all(&mount).unwrap();
        std::fs::DirBuilder::new()
            .mode(0o500)
            .create(&mount)
            .unwrap();
        std::fs::create_dir(mount.join("x")).unwrap_or_default();
    }
    age(&dir(&bench, "stuck"), OLD);
    if root {
        let error = cleaned(&bench).await.unwrap_err();
        assert!(
            matches!(&error.fault, Fault::Io(what) if what.contains("cannot remove")),
            "{error}"
        );
        let left = there(&bench);
        assert!(
            matches!(left.as_slice(), [one] if one.starts_with(".trash.stuck.")),
            "{left:?}"
        );
        let at = dir(&bench, &left[0]).join("undo/a-1");
        assert!(Command::new("umount").arg(at).status().unwrap().success());
    }
    cleaned(&bench).await.unwrap();
    assert_eq!(there(&bench), [""; 0]);
}

async fn secrets_that_nobody_fetched_go(shell: &str) {
    let bench = Bench::new(shell).await;
    left(&bench, "old", 1).await;
    let user = std::fs::metadata(bench.dir.path()).unwrap().uid();
    let secret = |run: &str| PathBuf::from(format!("/dev/shm/runbook-{user}-{run}-a-1"));
    // Of a run that is here and dead, of one that nobody knows, and of one that has only just been handed over.
    let names = ["1", "2", "3"].map(|n| secret(&format!("{}{n}", bench.run)));
    for file in &names {
        std::fs::write(file, "s3cr3t").unwrap();
    }
    std::fs::rename(dir(&bench, "old"), dir(&bench, &format!("{}1", bench.run))).unwrap();
    names[..2].iter().for_each(|file| set_only(file, 2));
    cleaned(&bench).await.unwrap();
    assert_eq!(
        names.each_ref().map(|file| file.exists()),
        [false, false, true]
    );
    // What is cancelled before it began needs no secret any more.
    let mine = secret(bench.run.as_str());
    std::fs::write(&mine, "s3cr3t").unwrap();
    let attempt = id("a-1");
    let cancelled = bench.host.cancel(&bench.run, &attempt, Duration::ZERO);
    assert_eq!(cancelled.await.unwrap(), JobState::Aborted);
    assert!(!mine.exists());
    std::fs::remove_file(&names[2]).unwrap();
}

async fn what_was_never_claimed_goes_and_begins_no_more(shell: &str) {
    let bench = Bench::new(shell).await;
    left(&bench, "old", 1).await;
    // Prepared, and whether it was launched nobody knows.
    let (job, mark) = (dir(&bench, "old").join("jobs/a-2"), bench.mark("never"));
    std::fs::create_dir(&job).unwrap();
    for (file, text) in [
        ("run", format!("touch {mark}\n")),
        ("limit", "0 9999 1 -\n".into()),
    ] {
        std::fs::write(job.join(file), text).unwrap();
    }
    age(&dir(&bench, "old"), OLD);
    assert_eq!(cleaned(&bench).await.unwrap(), ["old"]);
    let state = bench.host.state(&name("old"), &id("a-2")).await.unwrap();
    assert_eq!(state, JobState::Absent);
    // The launch arrives at last.
    let state = bench.dir.path().join("state");
    let library = std::fs::read_dir(state.join("lib"))
        .unwrap()
        .next()
        .unwrap();
    let mut launched = Command::new("sh");
    let launched = launched
        .arg(library.unwrap().path())
        .arg("sh")
        .arg(&state)
        .args(["wrap", "old", "a-2"])
        .output();
    assert!(!launched.unwrap().status.success());
    assert!(!Path::new(&mark).exists());
    assert_eq!(there(&bench), [""; 0]);
}

async fn a_visit_is_bounded(shell: &str) {
    let bench = Bench::new(shell).await;
    for (run, days) in [("b", 40), ("a", 50), ("c", 35)] {
        left(&bench, run, 1).await;
        age(&dir(&bench, run), days * DAY);
    }
    let visit = async |bounds: Bounds| {
        let wanted = BTreeSet::new();
        let gone = bench.host.clean(&bench.run, &wanted, &bounds).await;
        gone.unwrap().len()
    };
    let late = Bounds {
        time: Duration::ZERO,
        ..BOUNDS
    };
    assert_eq!(visit(late).await, 0);
    let few = Bounds {
        entries: 2,
        ..BOUNDS
    };
    assert_eq!(visit(few).await, 2);
    assert_eq!(visit(few).await, 1);
    assert_eq!(there(&bench), [""; 0]);
}

async fn who_was_replaced_removes_nothing(shell: &str) {
    let bench = Bench::new(shell).await;
    left(&bench, "old", 1).await;
    age(&dir(&bench, "old"), OLD);
    let later = bench.host.as_account(&Account::Login).await.unwrap();
    later.ready(&bench.run, Epoch(2)).await.unwrap();
    assert_eq!(cleaned(&bench).await.unwrap_err().fault, Fault::Fenced(2));
    assert_eq!(there(&bench), ["old"]);
}
