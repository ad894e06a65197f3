//! Journals with the truth about them: what was written, and what its writer was told is durable.

use std::path::Path;

use runbook_exec::journal::{FileJournal, Journal, JournalError, Loaded, read_from};
use runbook_model::event::{AttemptEnd, HeldHow, Intent, NodeSummary, Purpose, Verdict};
use runbook_model::{
    Command, Event, Failure, FailureKind, NodeIx, Order, Outcome, Record, RunId, RunResult,
};
use serde_json::json;

use crate::disk::FakeDisk;
use crate::events::{attempt, controller, host, records};

pub(crate) struct Sample {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: Vec<Record>,
    /// After each sync: length of the file, and number of the last durable record.
    pub(crate) syncs: Vec<(usize, usize)>,
}

/// What a reader makes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Every byte is of a whole record.
    Loads,
    /// What begins here is left out.
    Cut(usize),
    /// Nothing is done with it; what begins here is wrong.
    Refused(usize),
}

impl Sample {
    /// Syncs after every record for which `sync` is true.
    pub(crate) fn write(events: Vec<Event>, sync: impl Fn(usize, &Event) -> bool) -> Self {
        let records = records(events);
        let disk = FakeDisk::default();
        let mut journal = FileJournal::create(&disk, Path::new("journal")).unwrap();
        let mut syncs = vec![(0, 0)];
        for (at, record) in records.iter().enumerate() {
            journal.append(record).unwrap();
            if sync(at, &record.event) {
                assert_eq!(journal.sync().unwrap(), record.seq);
                syncs.push((disk.durable().len(), at + 1));
            }
        }
        let last = syncs.last().copied().unwrap();
        // What is still in the buffer may have reached the file and not been acknowledged.
        journal.sync().unwrap();
        assert!(last.0 <= disk.content().len());
        Self {
            bytes: disk.content(),
            records,
            syncs,
        }
    }

    /// A run with chains, an order and a way back. The intents are synced, as a dispatcher does it,
    /// and a few records stand behind the last of them.
    pub(crate) fn story() -> Self {
        Self::write(story(), |_, event| {
            matches!(
                event,
                Event::Opened { .. }
                    | Event::Dispatched { .. }
                    | Event::Undoing { .. }
                    | Event::Ordered { .. }
            )
        })
    }

    /// Several blocks of a disk, of which about half is acknowledged.
    pub(crate) fn long() -> Self {
        let node = NodeIx(0);
        let reason = |at: usize| format!("{at} \"").repeat(40 + 90 * (at % 3));
        let events = (0..34).map(|at| Event::Reopened {
            node,
            reason: reason(at),
        });
        Self::write(events.collect(), |at, _| matches!(at, 3 | 9 | 15))
    }

    /// Records that were acknowledged before the file was this long.
    pub(crate) fn acknowledged(&self, len: usize) -> usize {
        let before = self.syncs.iter().filter(|(at, _)| *at <= len);
        before.map(|(_, count)| *count).max().unwrap()
    }

    /// What was acknowledged at last: bytes, and records.
    pub(crate) fn last_sync(&self) -> (usize, usize) {
        self.syncs.last().copied().unwrap()
    }

    /// Refused, or a beginning of what was written that has everything acknowledged.
    pub(crate) fn hold(&self, bytes: &[u8], acknowledged: usize) -> Option<Loaded> {
        let loaded = read(bytes).ok()?;
        assert_eq!(
            loaded.records,
            self.records[..loaded.records.len()],
            "not what was written"
        );
        assert!(
            loaded.records.len() >= acknowledged,
            "an acknowledged record is lost"
        );
        Some(loaded)
    }

    /// As [`Sample::hold`], in one word. There are three, and each is right about its place.
    pub(crate) fn judge(&self, bytes: &[u8], acknowledged: usize) -> Found {
        if let Some(loaded) = self.hold(bytes, acknowledged) {
            let whole = usize::try_from(loaded.tail.good_bytes).unwrap();
            assert_eq!(bytes[..whole], self.bytes[..whole]);
            return match loaded.tail.torn {
                None => {
                    assert_eq!(whole, bytes.len());
                    Found::Loads
                }
                Some(torn) => {
                    assert_eq!(torn.offset, whole as u64);
                    Found::Cut(whole)
                }
            };
        }
        match read(bytes).unwrap_err() {
            JournalError::Damaged { offset, .. } | JournalError::Format { offset, .. } => {
                Found::Refused(usize::try_from(offset).unwrap())
            }
            other => panic!("{other}"),
        }
    }

    /// Where lines begin, and the end of the last.
    pub(crate) fn starts(&self) -> Vec<usize> {
        let mut starts = vec![0];
        for line in lines(&self.bytes) {
            starts.push(starts[starts.len() - 1] + line.len());
        }
        starts
    }
}

pub(crate) fn read(bytes: &[u8]) -> Result<Loaded, JournalError> {
    read_from(bytes, Path::new("journal"))
}

pub(crate) fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|b| *b == b'\n').collect()
}

fn intent(node: u32, id: &str) -> Intent {
    Intent {
        node: NodeIx(node),
        attempt: attempt(id),
        number: 1,
        before: [("now".to_owned(), format!("state \"{node}\"\n\u{1b}ü"))].into(),
    }
}

fn story() -> Vec<Event> {
    let at = |id: &str| NodeSummary {
        id: format!("{id}@quay01"),
        phase: "roll".into(),
        host: Some(host("quay01")),
    };
    let dispatched = |ids: &[(u32, &str)]| Event::Dispatched {
        unit: attempt(ids[0].1),
        instances: ids.iter().map(|(node, id)| intent(*node, id)).collect(),
        host: host("quay01"),
        boot: "b00t".into(),
    };
    let ended = |id: &str| Event::Ended {
        attempt: attempt(id),
        end: AttemptEnd::Completed {
            outputs: [(
                "rows".to_owned(),
                json!([1, -2.5e-7, {"sum": "\",\"sum\":\"0"}]),
            )]
            .into(),
        },
    };
    let done = |node: u32| Event::Finished {
        node: NodeIx(node),
        outcome: Outcome::Changed,
        outputs: Default::default(),
    };
    let failure = Failure {
        kind: FailureKind::Apply,
        message: "no".into(),
        status: Some(3),
        tail: "x\n".into(),
    };
    vec![
        Event::RunCreated {
            run: RunId::new("k3x9").unwrap(),
            runbook: "upgrade".into(),
            plan: "d1ge57".into(),
            nodes: vec![at("drain"), at("files"), at("restart")],
        },
        Event::Opened {
            controller: controller(),
        },
        Event::Looking {
            node: NodeIx(0),
            purpose: Purpose::Before,
        },
        Event::Looked {
            node: NodeIx(0),
            verdict: Verdict::Differs(vec!["it is ready".into()]),
            outputs: Default::default(),
        },
        dispatched(&[(0, "a1"), (1, "a2"), (2, "a3")]),
        Event::Launched {
            unit: attempt("a1"),
        },
        ended("a1"),
        Event::Held {
            node: NodeIx(0),
            how: HeldHow::Changed,
        },
        done(0),
        ended("a2"),
        done(1),
        Event::Ended {
            attempt: attempt("a3"),
            end: AttemptEnd::Failed(failure.clone()),
        },
        dispatched(&[(2, "a4")]),
        Event::Doubted {
            attempt: attempt("a4"),
            found: "the host has booted since".into(),
        },
        Event::Ended {
            attempt: attempt("a4"),
            end: AttemptEnd::Lost,
        },
        Event::Finished {
            node: NodeIx(2),
            outcome: Outcome::Failed(failure),
            outputs: Default::default(),
        },
        Event::Ordered {
            order: Order {
                id: "o1".into(),
                by: "ada on desk".into(),
                reason: "back, \"now\"".into(),
                command: Command::RollBack {
                    to: None,
                    gate: None,
                },
            },
            nodes: vec![NodeIx(0), NodeIx(1)],
        },
        Event::Undoing {
            node: NodeIx(1),
            attempt: attempt("u1"),
            number: 1,
            host: host("quay01"),
            boot: "b00t".into(),
        },
        Event::UndoLooked {
            node: NodeIx(1),
            verdict: Verdict::Differs(vec!["it is gone".into()]),
        },
        Event::Undone {
            node: NodeIx(1),
            failure: None,
        },
        Event::Closed {
            result: RunResult::Stopped,
        },
    ]
}
