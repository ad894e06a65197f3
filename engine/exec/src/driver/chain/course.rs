//! How far a chain is, as its host's record tells.

use std::collections::BTreeMap;

use runbook_model::event::{AttemptEnd, Verdict};
use runbook_model::{AttemptId, FailureKind};
use runbook_remote::{ChainPoll, ChainReader, Host, JobState, News, Report, Stream as Output, Why};

use super::super::attempt::{found, lost_words};
use super::super::look::{self, Finding, failure};
use super::super::veil::Held;
use super::super::{Message, Shared};
use super::Followed;
use crate::dispatcher::{Begun, Input, MemberEnd, UnitFound};
use crate::store::{AttemptLog, Stream};

/// What a look before an effect found.
fn begun(finding: &Finding) -> Begun {
    let reasons = match &finding.verdict {
        Verdict::Differs(reasons) => reasons.clone(),
        _ => Vec::new(),
    };
    Begun {
        reasons,
        before: finding.before.clone(),
    }
}

/// Reads a record as it comes, and says what follows for each member.
pub(super) struct Course<'a> {
    shared: &'a Shared,
    followed: &'a Followed,
    reader: ChainReader,
    /// By what the unit was ended, if it did not end by itself.
    forced: Option<(FailureKind, &'static str)>,
    /// Why its record cannot be read to its end.
    unreadable: Option<String>,
    seen: Vec<Seen>,
    ended: Vec<(AttemptId, MemberEnd)>,
    /// How many have ended, and which acts, as it was told last.
    told: (usize, Option<usize>),
    logs: BTreeMap<usize, Log>,
}

/// What is on record of a member.
#[derive(Default)]
struct Seen {
    /// What was found before its effect, which began.
    began: Option<Finding>,
    /// Its effect is over.
    applied: bool,
    over: bool,
}

struct Log {
    file: AttemptLog,
    /// Bytes of each stream that are there already.
    there: [u64; 2],
    held: [Held; 2],
}

impl<'a> Course<'a> {
    pub(super) fn new(shared: &'a Shared, followed: &'a Followed) -> Self {
        let ids: Vec<AttemptId> = followed.members.iter().map(|l| l.attempt.clone()).collect();
        Self {
            shared,
            followed,
            reader: ChainReader::new(&followed.unit, ids.len()),
            forced: None,
            unreadable: None,
            seen: ids.iter().map(|_| Seen::default()).collect(),
            ended: Vec::new(),
            told: (0, None),
            logs: BTreeMap::new(),
        }
    }

    pub(super) fn read(&mut self, poll: &ChainPoll) {
        self.reader.take(poll);
        for news in self.reader.news() {
            self.take(news);
        }
    }

    fn take(&mut self, news: News) {
        match news {
            News::Looked { member, report } => {
                let finding = self.found(member, report, None);
                if matches!(finding.verdict, Verdict::Satisfied | Verdict::Skipped(_)) {
                    let Finding {
                        verdict, outputs, ..
                    } = finding;
                    self.over(member, AttemptEnd::Looked { verdict, outputs });
                }
            }
            News::Began { member, looked } => {
                let finding = self.found(member, looked, None);
                self.seen[member].began = Some(finding);
            }
            News::Applied { member, report } => {
                self.seen[member].applied = true;
                if let runbook_remote::Verdict::Failed(message) = &report.verdict {
                    let failure = match self.forced {
                        Some((kind, words)) => failure(kind, words.to_owned(), &report),
                        None => failure(FailureKind::Apply, message.clone(), &report),
                    };
                    self.over(member, AttemptEnd::Failed(failure));
                }
            }
            News::Again { member, report } => {
                let before = self.seen[member].began.as_ref();
                let before = before.map(|finding| finding.before.clone());
                let finding = self.found(member, report, before);
                let outputs = finding.outputs;
                self.over(
                    member,
                    match finding.verdict {
                        Verdict::Satisfied => AttemptEnd::Converged { outputs },
                        _ => AttemptEnd::Completed { outputs },
                    },
                );
            }
            News::Output {
                member,
                stream,
                bytes,
            } => {
                let stream = match stream {
                    Output::Out => Stream::Out,
                    Output::Err => Stream::Err,
                };
                self.log(member, stream, &bytes, false);
            }
            News::Unbegun { member } => self.seen[member].began = None,
            News::Unreadable { detail } => self.unreadable = Some(detail),
            // What has not begun by then is told at the end.
            News::Stopped { .. } => {}
        }
    }

    /// What a look of a member found, as the controller understands it.
    fn found(
        &self,
        member: usize,
        report: Report,
        before: Option<BTreeMap<String, String>>,
    ) -> Finding {
        match &self.followed.works[member] {
            Ok(prepared) => look::understood(prepared, report, before),
            Err(failure) => Finding::error(failure.clone()),
        }
    }

    fn over(&mut self, member: usize, end: AttemptEnd) {
        let seen = &mut self.seen[member];
        if std::mem::replace(&mut seen.over, true) {
            return;
        }
        let began = seen.began.as_ref().map(begun);
        self.log(member, Stream::Out, &[], true);
        self.log(member, Stream::Err, &[], true);
        let attempt = self.followed.members[member].attempt.clone();
        self.ended.push((attempt, MemberEnd::Ended { end, began }));
    }

    fn lose(&mut self, member: usize, found: &str) {
        let seen = &mut self.seen[member];
        if std::mem::replace(&mut seen.over, true) {
            return;
        }
        let began = seen.began.as_ref().map(begun);
        let attempt = self.followed.members[member].attempt.clone();
        let found = found.to_owned();
        self.ended.push((attempt, MemberEnd::Lost { found, began }));
    }

    /// What is known by now, if that is more than was told.
    pub(super) fn told(&mut self) -> Option<Input> {
        let mut ended = self.ended.clone();
        let acts = self
            .seen
            .iter()
            .position(|seen| seen.began.is_some() && !seen.over);
        if let Some(member) = acts
            && let Some(finding) = &self.seen[member].began
        {
            let attempt = self.followed.members[member].attempt.clone();
            ended.push((attempt, MemberEnd::Acts(begun(finding))));
        }
        let new = (self.ended.len(), acts) != self.told;
        self.told = (self.ended.len(), acts);
        new.then(|| Input::Members {
            unit: self.followed.unit.clone(),
            ended,
        })
    }

    /// The unit is over: what is not on its record by now never will be.
    pub(super) async fn end(mut self, state: JobState, host: &Host) {
        let forced = |why: Why| match why {
            Why::Timeout => Some((FailureKind::Timeout, "its time was over, so it was ended")),
            Why::Cancel => Some((FailureKind::Cancelled, "it was cancelled")),
            Why::OutputLimit => Some((
                FailureKind::Apply,
                "it printed more than is allowed, so it was ended",
            )),
            Why::Exit => None,
        };
        if matches!(
            state,
            JobState::Absent | JobState::Staging | JobState::Prepared
        ) {
            // Nobody claims it: it is made sure that nobody will.
            let unit = self.followed.unit.clone();
            let input = match found(self.shared, &unit, host).await {
                Ok(UnitFound::Running) => return,
                Ok(found) => Input::UnitState { unit, found },
                Err(error) => self.followed.lost(&error),
            };
            return self.shared.send(input);
        }
        if let JobState::Done { why, .. } = state {
            self.forced = forced(why);
        }
        for news in self.reader.finish(state) {
            self.take(news);
        }
        let unsure = match (&self.unreadable, state) {
            (Some(detail), _) => Some(format!("its record cannot be read: {detail}")),
            // What was written last may be what was lost.
            (None, JobState::LostReboot) => Some(lost_words(state).to_owned()),
            (None, _) => None,
        };
        for member in 0..self.seen.len() {
            let seen = &self.seen[member];
            if seen.over {
                continue;
            }
            match (seen.began.is_some(), seen.applied) {
                (true, true) => self.over(
                    member,
                    AttemptEnd::Completed {
                        outputs: BTreeMap::new(),
                    },
                ),
                (true, false) => match &unsure {
                    Some(found) => self.lose(member, &found.clone()),
                    None => self.lose(member, "it was killed on the host while it ran"),
                },
                (false, _) => match &unsure {
                    Some(found) => self.lose(member, &found.clone()),
                    None => self.over(member, AttemptEnd::NeverBegan),
                },
            }
        }
        let ended = self.ended;
        let unit = self.followed.unit.clone();
        self.shared.send(Input::Members { unit, ended });
    }

    /// Output of an apply goes into the log of its attempt, and to whoever watches.
    fn log(&mut self, member: usize, stream: Stream, bytes: &[u8], is_last: bool) {
        let link = &self.followed.members[member];
        if is_last && !self.logs.contains_key(&member) {
            return;
        }
        let log = self.logs.entry(member).or_insert_with(|| {
            let file = self.shared.home.log(&link.attempt);
            let size = |stream| file.size(stream).unwrap_or(0);
            Log {
                there: [size(Stream::Out), size(Stream::Err)],
                file,
                held: Default::default(),
            }
        });
        let at = usize::from(stream == Stream::Err);
        let covered = self.shared.veil.output(&mut log.held[at], bytes, is_last);
        let there = usize::try_from(log.there[at])
            .unwrap_or(usize::MAX)
            .min(covered.len());
        log.there[at] -= there as u64;
        let new = covered[there..].to_vec();
        if !new.is_empty() {
            // A log that cannot be written must not stop a run: the host keeps the output too.
            let _ = log.file.append(stream, &new);
            let _ = self.shared.messages.send(Message::Output(link.node, new));
        }
    }
}
