//! Reads what a chain writes, as it comes, and tells what happened to each member.

use std::collections::VecDeque;

use runbook_model::AttemptId;
use runbook_model::text::printable;

use super::split::{Output, Piece, Records};
use crate::excerpt::Ends;
use crate::job::Why;
use crate::{JobState, Report, Verdict};

/// Which output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Why a chain begins nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopWord {
    /// No controller has said for too long that it is there.
    Heartbeat,
    /// It was told to.
    Halt,
    /// A later controller has the run.
    Fenced,
    /// A member came to something else than satisfied or skipped: see its reports.
    Member,
    /// What must be on record cannot be written there, or not durably.
    Disk,
}

/// What happened, in the order in which it did. Members are counted from 0.
#[derive(Clone, PartialEq, Eq)]
pub enum News {
    /// The first check is over, and no effect follows: satisfied, skipped, failed, or it differs and the chain stopped.
    Looked {
        /// Which.
        member: usize,
        /// What it said.
        report: Report,
    },
    /// The first check found a difference, and the apply begins. That was durable on the host before it did.
    Began {
        /// Which.
        member: usize,
        /// What the check said.
        looked: Report,
    },
    /// After `Began`: it did not begin after all, nothing of it ran. `Stopped` says why.
    Unbegun {
        /// Which.
        member: usize,
    },
    /// What an apply prints, as it comes. What a check prints is in its report alone.
    Output {
        /// Which.
        member: usize,
        /// Where to.
        stream: Stream,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The apply is over.
    Applied {
        /// Which.
        member: usize,
        /// What it said.
        report: Report,
    },
    /// The second check is over.
    Again {
        /// Which.
        member: usize,
        /// What it said.
        report: Report,
    },
    /// Nothing more begins.
    Stopped {
        /// Why.
        reason: StopWord,
    },
    /// From here on the records make no sense: whether members that nothing was told of have begun is not known.
    Unreadable {
        /// What does not, made printable.
        detail: String,
    },
}

impl std::fmt::Debug for News {
    /// Outputs can be secret: only their size is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, member, report) = match self {
            Self::Looked { member, report } => ("Looked", member, report),
            Self::Began { member, looked } => ("Began", member, looked),
            Self::Applied { member, report } => ("Applied", member, report),
            Self::Again { member, report } => ("Again", member, report),
            Self::Unbegun { member } => return write!(f, "Unbegun({member})"),
            Self::Output {
                member,
                stream,
                bytes,
            } => return write!(f, "Output({member}, {stream:?}, {} bytes)", bytes.len()),
            Self::Stopped { reason } => return write!(f, "Stopped({reason:?})"),
            Self::Unreadable { detail } => return write!(f, "Unreadable({detail:?})"),
        };
        f.debug_tuple(name).field(member).field(report).finish()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Check,
    Apply,
    Again,
}

/// A check or an apply that is not over, or of which some output is still to come.
#[derive(Debug)]
struct Section {
    kind: Kind,
    member: usize,
    records: Vec<u8>,
    overflow: bool,
    ends: [Ends; 2],
    complete: [bool; 2],
    /// Its status, and what the host took it for.
    over: Option<(i32, String)>,
}

impl Section {
    fn report(&mut self, status: Option<i32>) -> Report {
        let [out, err] = &mut self.ends;
        Report::read(
            &self.records,
            self.overflow,
            status,
            out.excerpt(),
            err.excerpt(),
        )
    }
}

/// What may come next in the records.
#[derive(Debug)]
enum Next {
    /// The first check of a member.
    Check(usize),
    /// The apply of a member whose check differs.
    Apply(usize, Box<Report>),
    /// The second check of a member.
    Again(usize),
    /// Nothing: a member did not go well, and the chain stops.
    Stop,
    /// Nothing at all.
    Nothing,
}

/// Puts together what a chain writes. It is fed with pieces of any size, in any order among the three kinds.
#[derive(Debug)]
pub struct ChainReader {
    members: usize,
    records: Records,
    outputs: [Output; 2],
    section: Option<Section>,
    next: Next,
    news: VecDeque<News>,
}

const STREAMS: [Stream; 2] = [Stream::Out, Stream::Err];

impl ChainReader {
    /// For a chain with so many members.
    #[must_use]
    pub fn new(unit: &AttemptId, members: usize) -> Self {
        Self {
            members,
            records: Records::new(unit),
            outputs: [Output::new(unit), Output::new(unit)],
            section: None,
            next: Next::Check(0),
            news: VecDeque::new(),
        }
    }

    /// More of the records.
    pub fn records(&mut self, bytes: &[u8]) {
        self.records.push(bytes);
    }

    /// More of an output.
    pub fn output(&mut self, stream: Stream, bytes: &[u8]) {
        self.outputs[stream as usize].push(bytes);
    }

    /// All that a piece brings.
    pub fn take(&mut self, poll: &super::ChainPoll) {
        self.records(&poll.rec);
        self.output(Stream::Out, &poll.out);
        self.output(Stream::Err, &poll.err);
    }

    /// What is known by now, each only once.
    pub fn news(&mut self) -> Vec<News> {
        self.advance();
        self.news.drain(..).collect()
    }

    /// The rest, when the chain is over and all of its bytes were handed in: what it ended with is told as the end of
    /// the section that ran then. Of a chain that is lost, an apply that began and did not end stays without an end.
    pub fn finish(&mut self, state: JobState) -> Vec<News> {
        self.advance();
        if state.is_over() {
            self.end(state);
            self.next = Next::Nothing;
        }
        self.news.drain(..).collect()
    }

    fn advance(&mut self) {
        while !matches!(self.next, Next::Nothing) {
            self.listen();
            if let Some(section) = &self.section
                && section.over.is_some()
            {
                if section.complete != [true; 2] {
                    return;
                }
                self.close();
                continue;
            }
            match self.records.next() {
                None => return,
                Some(Piece::Section(records, overflow)) => {
                    // between sections, only what an earlier one has left in the background
                    if let Some(section) = &mut self.section {
                        section.records = records;
                        section.overflow = overflow;
                    }
                }
                Some(Piece::Mark(words)) => {
                    if self.mark(&words).is_none() {
                        self.news.push_back(News::Unreadable {
                            detail: printable(&words).into_owned(),
                        });
                        self.next = Next::Nothing;
                    }
                }
            }
        }
    }

    /// Takes what the open section has printed.
    fn listen(&mut self) {
        let Some(section) = &mut self.section else {
            return;
        };
        for (at, output) in self.outputs.iter_mut().enumerate() {
            if !section.complete[at] {
                let (bytes, complete) = output.take();
                section.complete[at] = complete;
                Self::heard(section, at, bytes, &mut self.news);
            }
        }
    }

    fn heard(section: &mut Section, at: usize, bytes: Vec<u8>, news: &mut VecDeque<News>) {
        section.ends[at].push(&bytes);
        if section.kind == Kind::Apply && !bytes.is_empty() {
            news.push_back(News::Output {
                member: section.member,
                stream: STREAMS[at],
                bytes,
            });
        }
    }

    /// What a mark says; none when it cannot be here.
    fn mark(&mut self, words: &str) -> Option<()> {
        let words: Vec<&str> = words.split(' ').collect();
        let number = |word: &str| word.parse::<usize>().ok();
        match words[..] {
            ["open", kind, member] if self.section.is_none() => {
                let member = number(member).filter(|member| *member < self.members)?;
                let kind = match (kind, &self.next) {
                    ("check", Next::Check(next)) if *next == member => Kind::Check,
                    ("apply", Next::Apply(next, _)) if *next == member => Kind::Apply,
                    ("again", Next::Again(next)) if *next == member => Kind::Again,
                    _ => return None,
                };
                if let Next::Apply(..) = &self.next
                    && let Next::Apply(_, looked) = std::mem::replace(&mut self.next, Next::Stop)
                {
                    self.news.push_back(News::Began {
                        member,
                        looked: *looked,
                    });
                }
                self.next = Next::Stop;
                self.section = Some(Section {
                    kind,
                    member,
                    records: Vec::new(),
                    overflow: false,
                    ends: Default::default(),
                    complete: [false; 2],
                    over: None,
                });
            }
            ["over", kind, member, status, word] => {
                let section = self.section.as_mut()?;
                let named = match section.kind {
                    Kind::Check => "check",
                    Kind::Apply => "apply",
                    Kind::Again => "again",
                };
                if kind != named || number(member) != Some(section.member) {
                    return None;
                }
                section.over = Some((status.parse().ok()?, word.to_owned()));
            }
            ["not", member] => {
                let section = self.section.take()?;
                if section.kind != Kind::Apply || number(member) != Some(section.member) {
                    return None;
                }
                let member = section.member;
                self.news.push_back(News::Unbegun { member });
            }
            ["stop", reason] => {
                let reason = match reason {
                    "heartbeat" => StopWord::Heartbeat,
                    "halt" => StopWord::Halt,
                    "fenced" => StopWord::Fenced,
                    "member" => StopWord::Member,
                    "disk" => StopWord::Disk,
                    _ => return None,
                };
                self.withheld();
                self.news.push_back(News::Stopped { reason });
                self.next = Next::Nothing;
            }
            _ => return None,
        }
        Some(())
    }

    /// A check that differs, and that no effect follows.
    fn withheld(&mut self) {
        if let Next::Apply(member, report) = std::mem::replace(&mut self.next, Next::Stop) {
            let report = *report;
            self.news.push_back(News::Looked { member, report });
        }
    }

    /// Tells of a section that is over.
    fn close(&mut self) {
        let Some(mut section) = self.section.take() else {
            return;
        };
        let Some((status, word)) = section.over.take() else {
            return;
        };
        let report = section.report(Some(status));
        let said = match report.verdict {
            Verdict::Satisfied => "satisfied",
            Verdict::Differs(_) => "differs",
            Verdict::Skipped(_) => "skipped",
            Verdict::Failed(_) => "failed",
        };
        let report = if said == word {
            report
        } else {
            let word = printable(&word);
            report.overruled(
                format!("its records say `{said}`, and the host took it for `{word}`"),
                false,
            )
        };
        let member = section.member;
        self.next = match (section.kind, word.as_str()) {
            (Kind::Check, "satisfied" | "skipped") | (Kind::Again, "satisfied") => {
                Next::Check(member + 1)
            }
            (Kind::Check, "differs") => {
                self.next = Next::Apply(member, Box::new(report));
                return;
            }
            (Kind::Apply, "satisfied" | "differs") => Next::Again(member),
            _ => Next::Stop,
        };
        self.tell(section.kind, member, report);
    }

    fn tell(&mut self, kind: Kind, member: usize, report: Report) {
        self.news.push_back(match kind {
            Kind::Check => News::Looked { member, report },
            Kind::Apply => News::Applied { member, report },
            Kind::Again => News::Again { member, report },
        });
    }

    /// Nothing more comes.
    fn end(&mut self, state: JobState) {
        for at in 0..STREAMS.len() {
            let rest = self.outputs[at].rest();
            if let Some(section) = &mut self.section
                && !section.complete[at]
            {
                section.complete[at] = true;
                Self::heard(section, at, rest, &mut self.news);
            }
        }
        // with an output that could not be marked, because the disk was full, it was not over until now
        self.advance();
        if matches!(self.next, Next::Nothing) {
            return;
        }
        self.withheld();
        let Some(mut section) = self.section.take() else {
            return;
        };
        let JobState::Done { status, why } = state else {
            return;
        };
        if section.kind == Kind::Apply && why == Why::Exit && status == 0 {
            return;
        }
        (section.records, section.overflow) = self.records.rest();
        let report = section.report(Some(status).filter(|status| *status != 0));
        self.tell(section.kind, section.member, why.overrule(report));
    }
}
