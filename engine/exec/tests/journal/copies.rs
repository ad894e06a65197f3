//! Runs that are exported, imported, and taken over: whole, or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use runbook_exec::store::{
    ArchiveError, Received, Run, Store, StoreError, Stream, export, run_in, take_over,
};
use runbook_model::{Command, Epoch, Event, Order, RunId, RunResult, RunState};

use crate::events::{attempt, controller};
use crate::runs::{append, begun, close, plan, store};

fn archive(store: &Store, id: &RunId) -> Vec<u8> {
    let mut out = Vec::new();
    let seen = store.look(id).unwrap();
    export(&store.home(id).unwrap(), &seen, true, &mut out).unwrap();
    out
}

fn one() -> (tempfile::TempDir, Store, Run) {
    let (dir, store) = store();
    let run = begun(&store, "upgrade", &["quay01"], 5_000);
    run.log(&attempt("a1"))
        .append(Stream::Out, b"hello")
        .unwrap();
    fs::write(run.home.dir().join("record.json"), "{}").unwrap();
    (dir, store, run)
}

fn opened(run: &mut Run) {
    let controller = controller();
    append(run, 6_000, Event::Opened { controller });
}

fn note() -> Order {
    Order {
        id: "o1".into(),
        by: "ada".into(),
        reason: "taken over".into(),
        command: Command::Note,
    }
}

fn runs(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("state/runs")).into_iter().flatten();
    let mut all: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
    all.retain(|path| !path.ends_with(".lock"));
    all
}

#[test]
fn a_run_is_the_same_elsewhere() {
    let (_here, store_here, run) = one();
    let bytes = archive(&store_here, &run.id);
    assert_eq!(run_in(&bytes[..]).unwrap(), run.id);
    let (there, store_there) = store();
    let (id, received) = store_there.import(&bytes[..], &controller()).unwrap();
    assert_eq!((&id, received), (&run.id, Received::New));
    let seen = store_there.look(&id).unwrap();
    assert_eq!(
        (seen.plan, seen.state),
        (plan("upgrade", &["quay01"]), run.state.clone())
    );
    let log = store_there.home(&id).unwrap().log(&attempt("a1"));
    assert_eq!(log.read(Stream::Out).unwrap(), b"hello");
    let names = runs(there.path());
    assert_eq!(names.len(), 1, "{names:?}");
    let mut taken = store_there.take(&id, &controller()).unwrap();
    assert_eq!(taken.epoch, Epoch(2));
    opened(&mut taken);
}

#[test]
fn neither_lock_nor_inbox_nor_what_is_hidden_travels() {
    let (_here, store_here, run) = one();
    let dir = run.home.dir();
    fs::write(dir.join("inbox/o1.json"), "{}").unwrap();
    fs::write(dir.join(".record.json"), "half").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", dir.join("link")).unwrap();
    let bytes = archive(&store_here, &run.id);
    let mut names: Vec<_> = tar::Archive::new(&bytes[..])
        .entries()
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert!(
        names.last().unwrap().ends_with("/journal.jsonl"),
        "{names:?}"
    );
    names.sort();
    let id = run.id.as_str();
    let wanted = [
        "journal.jsonl",
        "logs/a1.out",
        "plan.json",
        "plan.json.sha256",
        "record.json",
    ];
    assert_eq!(names, wanted.map(|name| format!("{id}/{name}")));
}

#[test]
fn only_what_continues_a_run_takes_its_place() {
    let (_here, store_here, mut run) = one();
    let id = run.id.clone();
    let early = archive(&store_here, &id);
    let (_there, store_there) = store();
    store_there.import(&early[..], &controller()).unwrap();
    let import = |bytes: &[u8]| store_there.import(bytes, &controller()).map(|(_, how)| how);
    assert_eq!(import(&early).unwrap(), Received::Same);

    close(&mut run, 5_500, RunResult::Failed);
    fs::write(run.home.dir().join("record.json"), "2").unwrap();
    run.log(&attempt("a1")).append(Stream::Out, b"!").unwrap();
    let late = archive(&store_here, &id);
    assert_eq!(import(&late).unwrap(), Received::Later);
    let home = store_there.home(&id).unwrap();
    assert_eq!(
        home.log(&attempt("a1")).read(Stream::Out).unwrap(),
        b"hello!"
    );
    assert_eq!(fs::read(home.dir().join("record.json")).unwrap(), b"2");
    assert_eq!(import(&early).unwrap(), Received::Earlier);
    assert_eq!(store_there.look(&id).unwrap().state, run.state);

    // Both go on: neither is the other's.
    let mut other = store_there.take(&id, &controller()).unwrap();
    append(
        &mut other,
        7_000,
        Event::Opened {
            controller: controller(),
        },
    );
    run.epoch = Epoch(2);
    opened(&mut run);
    let held = import(&archive(&store_here, &id)).unwrap_err();
    assert!(
        matches!(held, ArchiveError::Store(StoreError::Held { .. })),
        "{held}"
    );
    drop(other);
    let parted = import(&archive(&store_here, &id)).unwrap_err();
    assert!(
        parted.to_string().contains("part after event 3"),
        "{parted}"
    );
}

#[test]
fn another_plan_is_another_run() {
    let (_here, store_here, run) = one();
    let bytes = archive(&store_here, &run.id);
    let (there, store_there) = store();
    let (id, _) = store_there.import(&bytes[..], &controller()).unwrap();
    let sum = there
        .path()
        .join("state/runs")
        .join(id.as_str())
        .join("plan.json.sha256");
    fs::write(sum, "other").unwrap();
    let error = store_there.import(&bytes[..], &controller()).unwrap_err();
    assert!(error.to_string().contains("another plan"), "{error}");
}

#[test]
fn an_archive_that_is_cut_anywhere_leaves_nothing() {
    let (_here, store_here, run) = one();
    let bytes = archive(&store_here, &run.id);
    let (there, store_there) = store();
    // Its last two blocks only say that it ends.
    for len in (0..bytes.len() - 1_024).step_by(101) {
        let imported = store_there.import(&bytes[..len], &controller());
        // What follows the last byte of the journal is padding.
        let whole = bytes.len() - 1_024 - len < 512;
        assert!(whole || imported.is_err(), "{len} of {}", bytes.len());
        if imported.is_err() {
            assert!(runs(there.path()).is_empty(), "{len}");
        }
    }
}

/// An archive with this first entry, and a run behind it.
fn with(first: impl FnOnce(&mut tar::Header), run: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(0);
    first(&mut header);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(run);
    bytes
}

#[test]
fn what_was_made_to_do_harm_is_refused() {
    let (_here, store_here, run) = one();
    let good = archive(&store_here, &run.id);
    let (there, store_there) = store();
    let id = run.id.as_str();
    let raw = |name: String| {
        move |header: &mut tar::Header| {
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        }
    };
    let kind = |kind: tar::EntryType| {
        let named = raw(format!("{id}/x"));
        move |header: &mut tar::Header| {
            named(header);
            header.set_entry_type(kind);
            header.set_link_name("/etc/passwd").unwrap();
        }
    };
    let size = |name: &str, size: u64| {
        let named = raw(format!("{id}/{name}"));
        move |header: &mut tar::Header| {
            named(header);
            header.set_size(size);
        }
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("up", with(raw(format!("{id}/../x")), &good)),
        (
            "up from logs",
            with(raw(format!("{id}/logs/../../x")), &good),
        ),
        ("absolute", with(raw("/tmp/x".into()), &good)),
        ("dots", with(raw("../x".into()), &good)),
        ("hidden", with(raw(format!("{id}/.x")), &good)),
        ("deep", with(raw(format!("{id}/logs/a/b")), &good)),
        ("the lock", with(raw(format!("{id}/lock")), &good)),
        ("the inbox", with(raw(format!("{id}/inbox/o.json")), &good)),
        ("another run", with(raw("zzz/x".into()), &good)),
        ("control", with(raw(format!("{id}/\x1b[2J")), &good)),
        ("twice", with(raw(format!("{id}/plan.json")), &good)),
        ("symbolic link", with(kind(tar::EntryType::Symlink), &good)),
        ("hard link", with(kind(tar::EntryType::Link), &good)),
        ("device", with(kind(tar::EntryType::Char), &good)),
        ("pipe", with(kind(tar::EntryType::Fifo), &good)),
        ("long name", with(kind(tar::EntryType::GNULongName), &good)),
        ("pax", with(kind(tar::EntryType::XHeader), &good)),
        ("huge", with(size("x", 1 << 40), &good)),
        ("huge plan", with(size("plan.json", 65 << 20), &good)),
        ("nothing", Vec::new()),
        ("no archive", vec![b'x'; 4_096]),
    ];
    for (what, bytes) in cases {
        let error = store_there.import(&bytes[..], &controller()).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, ArchiveError::Bad(_) | ArchiveError::Io { .. }),
            "{what}: {text}"
        );
        assert!(!text.chars().any(char::is_control), "{what}: {text:?}");
        assert!(runs(there.path()).is_empty(), "{what}");
    }
    assert!(
        fs::read_dir(there.path())
            .unwrap()
            .all(|e| e.unwrap().file_name() == "state")
    );
    assert!(store_there.import(&good[..], &controller()).is_ok());
}

#[test]
fn a_run_that_was_tampered_with_is_refused() {
    let (_here, store_here, run) = one();
    let good = archive(&store_here, &run.id);
    let (there, store_there) = store();
    for wanted in [&b"\"upgrade\""[..], b"run_created"] {
        let mut bytes = good.clone();
        let at = bytes
            .windows(wanted.len())
            .position(|w| w == wanted)
            .unwrap();
        bytes[at + 3] ^= 1;
        assert!(store_there.import(&bytes[..], &controller()).is_err());
        assert!(runs(there.path()).is_empty());
    }
}

#[test]
fn a_take_over_is_in_the_journal_before_anything_else() {
    let (_dir, store, run) = one();
    let id = run.id.clone();
    drop(run);
    let mut run = store.take(&id, &controller()).unwrap();
    let refused = take_over(&mut run, Epoch(1), controller(), note(), 7_000);
    assert!(refused.is_err());
    take_over(&mut run, Epoch(1_500), controller(), note(), 7_000).unwrap();
    drop(run);
    let run = store.take(&id, &controller()).unwrap();
    assert_eq!(run.epoch, Epoch(1_501));
    assert!(run.state.orders.contains("o1"));
    assert_eq!(run.state.result, None);
}

#[test]
fn a_run_that_never_began_is_nobodys() {
    let (_dir, store) = store();
    let plan = plan("upgrade", &["quay01"]);
    let mut run = store.create(&plan, &controller()).unwrap();
    take_over(&mut run, Epoch(1_500), controller(), note(), 7_000).unwrap();
    assert_eq!((&run.state, run.epoch), (&RunState::default(), Epoch(1)));
}
