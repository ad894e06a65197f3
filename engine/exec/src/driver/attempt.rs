//! Attempts: detached work on a host. Launched once, waited for, collected; after a lost link or a
//! dead controller asked about and attached to again.

use std::time::Duration;

use runbook_model::event::AttemptEnd;
use runbook_model::state::AttemptState;
use runbook_model::step_type::TypeKind;
use runbook_model::{
    Account, AttemptId, Failure, FailureKind, HostName, NodeIx, Plan, StepType, Value,
};
use runbook_remote::{Ended, Fault, Host, Job, JobState, Offsets, RemoteError, Why};

use super::look::{NOT_KEPT, Work, failure, is_of_script, kept_back};
use super::veil::Held;
use super::{Message, Shared, now};
use crate::dispatcher::{Input, UnitFound};
use crate::outputs;
use crate::store::{AttemptLog, Stream};

/// How long one wait for news lasts; output is fetched in between.
const NEWS: Duration = Duration::from_secs(1);
/// How much output is fetched at once, in bytes.
const CHUNK: u64 = 256 * 1024;
/// How long something launched may take to be claimed.
const CLAIM: Duration = Duration::from_secs(20);
/// What an attempt that is killed is given to end by itself.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// Between two looks for a claim.
const LOOK: Duration = Duration::from_millis(100);
/// What an attempt that never began is given to end.
const NO_GRACE: Duration = Duration::ZERO;

/// One attempt that is followed.
pub(super) struct Followed {
    pub(super) unit: AttemptId,
    pub(super) node: NodeIx,
    pub(super) host: HostName,
    /// Who it is there, where the step says so.
    pub(super) account: Option<Account>,
    /// What the state knows of it.
    pub(super) known: Option<AttemptState>,
}

impl Followed {
    /// Whether it takes back what another one did.
    fn is_undo(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.undo)
    }
}

/// How long an attempt may take: it is ended then, or only reported if it is critical.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    pub(super) time: Duration,
    critical: bool,
}

impl Limit {
    pub(super) fn of(plan: &Plan, node: NodeIx) -> Self {
        let step = plan.instance(node).map(|(step, _)| step);
        let of_type = step
            .and_then(|step| plan.type_of(step))
            .map_or(0, |of| of.apply_timeout_ms);
        let time = step.and_then(|step| step.timeout_ms).unwrap_or(of_type);
        Self {
            time: Duration::from_millis(time),
            critical: step.is_some_and(|step| step.critical),
        }
    }
}

/// Launches a unit of one attempt and waits for its end.
pub(super) async fn launch(shared: Shared, followed: Followed, work: Work) {
    let unit = followed.unit.clone();
    let limit = Limit::of(&shared.plan, followed.node);
    match try_launch(&shared, &followed, limit, work).await {
        Ok(host) => {
            shared.send(Input::Launched { unit });
            follow(&shared, &followed, host, limit).await;
        }
        Err(Trouble::Refused(failure)) => shared.send(Input::Ended {
            unit,
            end: AttemptEnd::Failed(failure),
        }),
        Err(Trouble::Host(problem)) => shared.send(Input::HostLost {
            host: followed.host,
            problem,
        }),
    }
}

enum Trouble {
    /// For sure nothing was launched.
    Refused(Failure),
    /// It is not known whether something was launched.
    Host(String),
}

async fn try_launch(
    shared: &Shared,
    followed: &Followed,
    limit: Limit,
    work: Work,
) -> Result<Host, Trouble> {
    let prepared = work.map_err(Trouble::Refused)?;
    let lost = |error: RemoteError| Trouble::Host(error.fault.to_string());
    let host = prepared.connect(&shared.reach).await.map_err(lost)?;
    let store = prepared.store_on(&host, &shared.run);
    let script = if followed.is_undo() {
        prepared.undo(&store)
    } else {
        prepared.change(&shared.reach, &store).await.map_err(lost)?
    };
    let script = script.map_err(Trouble::Refused)?;
    let job = Job {
        run: shared.run.clone(),
        attempt: followed.unit.clone(),
        epoch: shared.epoch,
        boot_id: followed
            .known
            .as_ref()
            .map(|known| known.boot.clone())
            .unwrap_or_default(),
        script,
        timeout: (!limit.critical).then_some(limit.time),
    };
    let trouble = |error: RemoteError| match &error.fault {
        fault if is_of_script(fault) => {
            Trouble::Refused(Failure::new(FailureKind::Apply, fault.to_string()))
        }
        fault => Trouble::Host(fault.to_string()),
    };
    host.start(&job).await.map_err(trouble)?;
    Ok(host)
}

/// Asks a host what became of a unit, tells the dispatcher, and follows it if it still runs.
pub(super) async fn attend(shared: Shared, followed: Followed) {
    let unit = followed.unit.clone();
    let reached = shared
        .reach
        .host_as(&followed.host, followed.account.as_ref());
    let found = match reached.await {
        Ok(host) => {
            let found = async {
                claimed(&shared, &followed, &host).await?;
                found(&shared, &unit, &host).await
            };
            found.await.map(|found| (host, found))
        }
        Err(error) => Err(error),
    };
    match found {
        Ok((host, found)) => {
            let goes_on = found == UnitFound::Running;
            shared.send(Input::UnitState { unit, found });
            if goes_on {
                let limit = Limit::of(&shared.plan, followed.node);
                follow(&shared, &followed, host, limit).await;
            }
        }
        Err(error) => shared.send(Input::HostLost {
            host: followed.host,
            problem: error.fault.to_string(),
        }),
    }
}

/// Ends a unit that runs. Whoever follows it sees its end.
pub(super) async fn kill(shared: Shared, followed: Followed) {
    let reached = shared
        .reach
        .host_as(&followed.host, followed.account.as_ref());
    let killed = match reached.await {
        Ok(host) => host
            .cancel(&shared.run, &followed.unit, GRACE)
            .await
            .map(drop),
        Err(error) => Err(error),
    };
    if let Err(error) = killed {
        shared.send(Input::HostLost {
            host: followed.host,
            problem: error.fault.to_string(),
        });
    }
}

/// Gives what was launched under this boot the time to claim its place: to take its claim from it now
/// would leave a doubt where there is none.
async fn claimed(shared: &Shared, followed: &Followed, host: &Host) -> Result<(), RemoteError> {
    let boot = &host.hello().boot_id;
    let known = followed.known.as_ref();
    if !known.is_some_and(|known| known.launched && known.boot == *boot) {
        return Ok(());
    }
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < CLAIM {
        match host.state(&shared.run, &followed.unit).await? {
            JobState::Staging | JobState::Prepared => tokio::time::sleep(LOOK).await,
            _ => break,
        }
    }
    Ok(())
}

pub(super) async fn found(
    shared: &Shared,
    unit: &AttemptId,
    host: &Host,
) -> Result<UnitFound, RemoteError> {
    let state = match host.state(&shared.run, unit).await? {
        // Nobody has claimed it. Its claim is taken first, so that a launch still on its way is
        // harmless.
        JobState::Absent | JobState::Staging | JobState::Prepared => {
            host.cancel(&shared.run, unit, NO_GRACE).await?
        }
        state => state,
    };
    Ok(match state {
        JobState::Running { .. } | JobState::Orphaned { .. } | JobState::Done { .. } => {
            UnitFound::Running
        }
        JobState::LostBeforeStart => UnitFound::Ended(AttemptEnd::NeverBegan),
        JobState::Absent | JobState::Staging | JobState::Prepared | JobState::Aborted => {
            UnitFound::NoTrace
        }
        lost @ (JobState::LostKilled | JobState::LostReboot) => {
            UnitFound::Lost(lost_words(lost).to_owned())
        }
    })
}

pub(super) fn lost_words(state: JobState) -> &'static str {
    match state {
        JobState::LostReboot => "the host was restarted while it ran",
        _ => "it was killed on the host while it ran",
    }
}

/// Waits for the end of a unit, brings its output and its end back.
async fn follow(shared: &Shared, followed: &Followed, host: Host, limit: Limit) {
    let unit = &followed.unit;
    let since = followed
        .known
        .as_ref()
        .map_or(0, |known| now() - known.intended_at);
    let left = limit
        .time
        .saturating_sub(Duration::from_millis(u64::try_from(since).unwrap_or(0)));
    let over = tokio::time::Instant::now() + left;
    let mut told = !limit.critical || followed.known.as_ref().is_some_and(|known| known.over_time);
    let mut log = Log::new(shared, followed);
    let begun = tokio::time::Instant::now();
    let lost = |error: RemoteError| Input::HostLost {
        host: followed.host.clone(),
        problem: error.fault.to_string(),
    };
    loop {
        let state = match host.wait(&shared.run, unit, NEWS).await {
            Ok(state) => state,
            Err(error) => return shared.send(lost(error)),
        };
        if let Err(error) = log.fetch(shared, followed, &host).await {
            return shared.send(lost(error));
        }
        match state {
            JobState::Done { .. } => break,
            // Launched, and nobody claims it: it is made sure that nobody will, so that the wait has an end.
            JobState::Staging | JobState::Prepared if begun.elapsed() >= CLAIM => {
                let found = match self::found(shared, unit, &host).await {
                    Ok(UnitFound::Running) => continue,
                    Ok(found) => found,
                    Err(error) => return shared.send(lost(error)),
                };
                return shared.send(Input::UnitState {
                    unit: unit.clone(),
                    found,
                });
            }
            state if state.is_over() || matches!(state, JobState::Absent) => {
                let found = match state {
                    // It was there: what became of it cannot be seen any more.
                    JobState::Absent => UnitFound::NoTrace,
                    JobState::LostBeforeStart => UnitFound::Ended(AttemptEnd::NeverBegan),
                    JobState::LostKilled | JobState::LostReboot => {
                        UnitFound::Lost(lost_words(state).to_owned())
                    }
                    _ => UnitFound::Ended(AttemptEnd::Failed(Failure::new(
                        FailureKind::Cancelled,
                        "it was cancelled before it began",
                    ))),
                };
                return shared.send(Input::UnitState {
                    unit: unit.clone(),
                    found,
                });
            }
            _ => {}
        }
        if !told && tokio::time::Instant::now() >= over {
            told = true;
            shared.send(Input::OverTime { unit: unit.clone() });
        }
    }
    log.take(shared, followed, [&[], &[]], true);
    shared.send(match host.collect(&shared.run, unit).await {
        Ok(ended) => {
            hide_outputs(shared, followed.node, &ended);
            Input::Ended {
                unit: unit.clone(),
                end: end(&shared.plan, followed, &ended),
            }
        }
        Err(RemoteError {
            fault: fault @ Fault::Protocol(_),
            ..
        }) => {
            let found = UnitFound::Lost(format!(
                "it ended, and what it left behind cannot be read: {fault}"
            ));
            Input::UnitState {
                unit: unit.clone(),
                found,
            }
        }
        Err(error) => lost(error),
    });
}

fn type_of(shared: &Shared, node: NodeIx) -> Option<&StepType> {
    let (step, _) = shared.plan.instance(node)?;
    shared.plan.type_of(step)
}

/// An apply may write the secret outputs of its check too; they may be repeated in what it says.
fn hide_outputs(shared: &Shared, node: NodeIx, ended: &Ended) {
    let Some(of) = type_of(shared, node) else {
        return;
    };
    for (name, text) in &ended.report.outputs {
        if of.outputs.get(name).is_some_and(|output| output.secret) {
            shared.veil.add(&Value::from(text.as_str()));
        }
    }
}

/// The controller's copy of an attempt's output.
struct Log {
    file: AttemptLog,
    at: Offsets,
    /// What is not written yet of each, because it could be the begin of a secret.
    held: [Held; 2],
    /// It may have secrets that nobody knows yet: it is not kept.
    gives_secrets: bool,
}

impl Log {
    fn new(shared: &Shared, followed: &Followed) -> Self {
        let file = shared.home.log(&followed.unit);
        let size = |stream| file.size(stream).unwrap_or(0);
        let at = Offsets {
            out: size(Stream::Out),
            err: size(Stream::Err),
        };
        Self {
            file,
            at,
            held: Default::default(),
            gives_secrets: type_of(shared, followed.node).is_some_and(StepType::gives_secrets),
        }
    }

    async fn fetch(
        &mut self,
        shared: &Shared,
        followed: &Followed,
        host: &Host,
    ) -> Result<(), RemoteError> {
        loop {
            let poll = host
                .poll(&shared.run, &followed.unit, self.at, CHUNK)
                .await?;
            let (out, err) = (poll.out.len() as u64, poll.err.len() as u64);
            self.at.out += out;
            self.at.err += err;
            self.take(shared, followed, [&poll.out, &poll.err], false);
            if out < CHUNK && err < CHUNK {
                return Ok(());
            }
        }
    }

    fn take(&mut self, shared: &Shared, followed: &Followed, pieces: [&[u8]; 2], is_last: bool) {
        if self.gives_secrets {
            if is_last && self.at.out + self.at.err > 0 {
                let _ = self.file.append(Stream::Out, NOT_KEPT.as_bytes());
            }
            return;
        }
        for ((stream, held), piece) in [Stream::Out, Stream::Err]
            .into_iter()
            .zip(&mut self.held)
            .zip(pieces)
        {
            let bytes = shared.veil.output(held, piece, is_last);
            if bytes.is_empty() {
                continue;
            }
            // A log that cannot be written must not stop a run: the host keeps the output too.
            let _ = self.file.append(stream, &bytes);
            let _ = shared.messages.send(Message::Output(followed.node, bytes));
        }
    }
}

fn end(plan: &Plan, followed: &Followed, ended: &Ended) -> AttemptEnd {
    let report = &ended.report;
    let of = plan.instance(followed.node);
    let of = of.and_then(|(step, _)| plan.type_of(step));
    let failed = |kind, message: &str| {
        let failure = failure(kind, message.to_owned(), report);
        AttemptEnd::Failed(match of {
            Some(of) => kept_back(failure, of),
            None => failure,
        })
    };
    let why = match ended.state {
        JobState::Done { why, .. } => why,
        _ => Why::Exit,
    };
    match (why, &report.verdict) {
        (Why::Timeout, _) => failed(FailureKind::Timeout, "its time was over, so it was ended"),
        (Why::OutputLimit, _) => failed(
            FailureKind::Apply,
            "it printed more than is allowed, so it was ended",
        ),
        (Why::Cancel, _) => failed(FailureKind::Cancelled, "it was cancelled"),
        // The check is repeated, and what it captures then is what counts.
        (Why::Exit, _) if report.stale => AttemptEnd::NeverBegan,
        (Why::Exit, runbook_remote::Verdict::Failed(message)) => {
            failed(FailureKind::Apply, message)
        }
        (Why::Exit, _) if followed.is_undo() => AttemptEnd::Completed {
            outputs: Default::default(),
        },
        (Why::Exit, _) => match of {
            Some(step_type) if step_type.kind == TypeKind::Always => {
                match outputs::typed(step_type, &report.outputs) {
                    Ok(outputs) => AttemptEnd::Completed {
                        outputs: outputs.plain,
                    },
                    // It was done: the kind is one that is not retried.
                    Err(message) => failed(FailureKind::Value, &message),
                }
            }
            _ => AttemptEnd::Completed {
                outputs: Default::default(),
            },
        },
    }
}
