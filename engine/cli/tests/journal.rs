//! What is said of a journal that is not as it was written: where, what, and what to do.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use runbook_exec::journal::{FileJournal, Journal as _, RealFiles};
use runbook_model::event::{AttemptEnd, Controller, Intent, NodeSummary};
use runbook_model::{AttemptId, Epoch, Event, HostName, NodeIx, Record, RunId, RunResult};

fn attempt(id: &str) -> AttemptId {
    AttemptId::new(id).unwrap()
}

fn host() -> HostName {
    HostName::new("quay01").unwrap()
}

/// A run with a chain of two instances.
fn events() -> Vec<Event> {
    let summary = |id: &str| NodeSummary {
        id: id.into(),
        phase: "roll".into(),
        host: Some(host()),
    };
    let intent = |node, id| Intent {
        node: NodeIx(node),
        attempt: attempt(id),
        number: 1,
        before: [("now".to_owned(), "old \u{1b}[31m\u{202e}".to_owned())].into(),
    };
    let ended = |id| Event::Ended {
        attempt: attempt(id),
        end: AttemptEnd::Completed {
            outputs: Default::default(),
        },
    };
    vec![
        Event::RunCreated {
            run: RunId::new("k3x9").unwrap(),
            runbook: "upgrade".into(),
            plan: "d1ge57".into(),
            nodes: vec![summary("drain@quay01"), summary("files@quay01")],
        },
        Event::Opened {
            controller: Controller {
                host: "laptop".into(),
                pid: 4711,
                user: "ada".into(),
                engine: "0.1.0".into(),
            },
        },
        Event::Dispatched {
            unit: attempt("a1"),
            instances: vec![intent(0, "a1"), intent(1, "a2")],
            host: host(),
            boot: "b00t".into(),
        },
        Event::Launched {
            unit: attempt("a1"),
        },
        ended("a1"),
        ended("a2"),
        Event::Closed {
            result: RunResult::Stopped,
        },
    ]
}

/// A journal as it is written, synced after every second record.
fn written(path: &Path, events: Vec<Event>) -> Vec<u8> {
    let mut journal = FileJournal::create(&RealFiles, path).unwrap();
    for (seq, event) in (1u64..).zip(events) {
        let at = 1_800_000_000_000 + 1_000 * i64::try_from(seq).unwrap();
        let epoch = Epoch(1);
        let record = Record {
            seq,
            epoch,
            at,
            event,
        };
        journal.append(&record).unwrap();
        if seq % 2 == 0 {
            journal.sync().unwrap();
        }
    }
    journal.sync().unwrap();
    std::fs::read(path).unwrap()
}

/// Where each line begins.
fn starts(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n');
    std::iter::once(0)
        .chain(ends.map(|(at, _)| at + 1))
        .collect()
}

/// A directory with journals in all conditions.
fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let bytes = written(&dir.path().join("whole.jsonl"), events());
    let at = starts(&bytes);
    let put = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        bytes
    };
    put("empty.jsonl", b"");
    put("cut.jsonl", &bytes[..bytes.len() - 9]);
    put("bit.jsonl", &changed(&|b| b[at[2] + 40] ^= 1));
    put("newline.jsonl", &changed(&|b| b[at[3] - 1] ^= 1));
    put("last_newline.jsonl", &changed(&|b| b[at[7] - 1] ^= 1));
    put("zeros.jsonl", &changed(&|b| b[at[2]..at[6]].fill(0)));
    put("no_zeros.jsonl", &changed(&|b| b.extend([0; 700])));
    put("garbage.jsonl", &changed(&|b| b.extend(b"\x1b[31mno\xff")));
    let missing = [&bytes[..at[3]], &bytes[at[4]..]].concat();
    put("missing.jsonl", &missing);
    put("newer.jsonl", b"{\"v\":2,\"something\":\"else\"}\n");
    let mut senseless = events();
    senseless.swap(2, 3);
    written(&dir.path().join("senseless.jsonl"), senseless);
    let name = br#""kind":"launched""#;
    let place = bytes.windows(name.len()).position(|w| w == name).unwrap();
    let end = at[4];
    let mut unknown = bytes[..end].to_vec();
    unknown.splice(
        place..place + name.len(),
        br#""kind":"lau\u001b[31m""#.iter().copied(),
    );
    // A newer engine gives it its own checksum.
    let sum = unknown.len() - r#","sum":"00000000"}"#.len() - 1;
    let right = format!(",\"sum\":\"{:08x}\"}}\n", crc32(&unknown[at[3]..sum]));
    unknown.truncate(sum);
    unknown.extend(right.as_bytes());
    put("unknown.jsonl", &unknown);
    std::fs::create_dir(dir.path().join("directory.d")).unwrap();
    dir
}

/// The one of gzip, slowly.
fn crc32(bytes: &[u8]) -> u32 {
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    });
    !crc
}

const JOURNALS: [&str; 14] = [
    "whole",
    "empty",
    "cut",
    "no_zeros",
    "bit",
    "newline",
    "last_newline",
    "zeros",
    "garbage",
    "missing",
    "newer",
    "unknown",
    "senseless",
    "nowhere",
];

/// What is printed, with the exit code; the same for people and in the snapshot.
fn said(dir: &Path, words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_runbook"))
        .args(words)
        .current_dir(dir)
        .env_remove("RUNBOOK_INVENTORY")
        .env("HOME", dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let code = output.status.code().expect("it ends by itself");
    let mut said = format!("$ runbook {}   => {code}\n", words.join(" "));
    for (mark, bytes) in [("", &output.stdout), ("! ", &output.stderr)] {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let plain = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
        assert!(text.chars().all(plain), "{text:?}");
        for line in text.lines() {
            writeln!(said, "{mark}{line}").unwrap();
        }
    }
    said
}

fn each(words: &[&str]) -> String {
    let dir = place();
    let mut all = String::new();
    for name in JOURNALS {
        let file = format!("./{name}.jsonl");
        all.push_str(&said(dir.path(), &[words, &[&file]].concat()));
        all.push('\n');
    }
    all
}

#[test]
fn a_journal_is_verified() {
    insta::assert_snapshot!(each(&["journal", "verify"]));
}

#[test]
fn a_journal_is_verified_for_programs() {
    insta::assert_snapshot!(each(&["journal", "verify", "--json"]));
}

#[test]
fn what_is_whole_of_a_journal_is_dumped() {
    insta::assert_snapshot!(each(&["journal", "dump"]));
}

#[test]
fn what_is_no_file_is_not_read() {
    let dir = place();
    for command in ["verify", "dump"] {
        let said = said(dir.path(), &["journal", command, "./directory.d"]);
        assert!(said.contains("it is not a regular file"), "{said}");
        assert!(said.contains("=> 7"), "{said}");
    }
}
