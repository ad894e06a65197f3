//! Chains: what can go in one, and how one is launched, followed and understood.

mod course;

use std::time::Duration;

use runbook_lang::evaluate::Evaluator;
use runbook_lang::steptype::ParamValue;
use runbook_model::event::AttemptEnd;
use runbook_model::step_type::Shape;
use runbook_model::{
    Account, AttemptId, Failure, FailureKind, HostName, NodeIx, Plan, RunState, StepType,
};
use runbook_remote::{Chain, ChainOffsets, ChainReader, Host, JobState, Member, News, RemoteError};

use self::course::Course;
use super::attempt::{GRACE, Limit, found};
use super::look::{self, Prepared, Work, is_of_script};
use super::{Shared, content};
use crate::dispatcher::{Input, Link, MemberEnd, UnitFound};

/// How long one wait for news lasts; records and output are fetched in between.
const NEWS: Duration = Duration::from_secs(1);
/// How often the host hears that its controller is there; it begins nothing after 30 s without.
const BEAT: Duration = Duration::from_secs(5);
/// How much is fetched at once, in bytes.
const CHUNK: u64 = 256 * 1024;
/// How long something launched may take to be claimed.
const CLAIM: Duration = Duration::from_secs(20);
/// Bytes of arguments and scripts that a member may have: 32 of them stay below the limit of a unit.
const MOST: usize = 24 * 1024;

/// Whether a host can do all of an instance alone: its values are known, and what its scripts say is
/// understood there as here.
pub(crate) fn chains(plan: &Plan, evaluator: &Evaluator, node: NodeIx, state: &RunState) -> bool {
    let Ok(prepared) = look::prepare(plan, evaluator, state, node) else {
        return false;
    };
    let alone = match &prepared.step_type.content {
        Some(content) => content::is_text(&prepared, content),
        None => is_plain(&prepared.step_type),
    };
    alone && size(&prepared) <= MOST
}

/// Whether nothing that the scripts of a type say can be refused by the controller: a shape that an
/// output does not have, a file that is not the one to be kept.
fn is_plain(of: &StepType) -> bool {
    // The supervisor of a chain does not outlive a restart.
    if of.restarts_host {
        return false;
    }
    let mut outputs = of.outputs.values();
    !of.gives_secrets()
        && outputs.all(|output| output.shape == Shape::String)
        && !of.keeps_for_undo()
}

fn size(prepared: &Prepared) -> usize {
    let scripts = &prepared.step_type.scripts;
    let texts = [&scripts.functions, &scripts.check, &scripts.apply];
    let arguments = prepared
        .arguments
        .iter()
        .map(|argument| match &argument.value {
            ParamValue::Text(text) => text.len(),
            ParamValue::List(words) => words.iter().map(String::len).sum(),
            ParamValue::Map(pairs) => pairs
                .iter()
                .map(|(key, value)| key.len() + value.len())
                .sum(),
        });
    texts.iter().map(|text| text.len()).sum::<usize>() + arguments.sum::<usize>()
}

/// A chain that is followed.
pub(super) struct Followed {
    pub(super) unit: AttemptId,
    pub(super) members: Vec<Link>,
    pub(super) host: HostName,
    pub(super) account: Option<Account>,
    /// The boot of its host at the intent.
    pub(super) boot: String,
    /// Each member's type and arguments; why there are none.
    pub(super) works: Vec<Work>,
}

impl Followed {
    /// What the state knows of a chain; nothing if the unit is none.
    pub(super) fn of(
        shared: &Shared,
        state: &RunState,
        unit: AttemptId,
        host: HostName,
    ) -> Option<Self> {
        let ids = state.by_unit.get(&unit).filter(|ids| ids.len() > 1)?;
        let attempts = ids
            .iter()
            .filter_map(|id| Some((id, state.attempts.get(id)?)));
        let link = |(id, of): (&AttemptId, &runbook_model::state::AttemptState)| Link {
            node: of.node,
            attempt: id.clone(),
        };
        let members: Vec<Link> = attempts.map(link).collect();
        let first = members.first()?;
        let boot = state.attempts.get(&first.attempt)?.boot.clone();
        let account = match shared
            .plan
            .nodes
            .get(first.node.at())
            .map(|node| &node.kind)
        {
            Some(runbook_model::NodeKind::Instance { account, .. }) => account.clone(),
            _ => None,
        };
        let works = members
            .iter()
            .map(|link| look::prepare(&shared.plan, &shared.evaluator, state, link.node));
        Some(Self {
            works: works.collect(),
            unit,
            members,
            host,
            account,
            boot,
        })
    }

    fn ended(&self, how: impl Fn(usize) -> MemberEnd) -> Input {
        let members = self.members.iter().enumerate();
        Input::Members {
            unit: self.unit.clone(),
            ended: members
                .map(|(at, link)| (link.attempt.clone(), how(at)))
                .collect(),
        }
    }

    /// Its host, as the account that it has there.
    async fn reach(&self, shared: &Shared) -> Result<Host, RemoteError> {
        let account = self.account.as_ref();
        shared.reach.host_as(&self.host, account).await
    }

    fn lost(&self, error: &RemoteError) -> Input {
        Input::HostLost {
            host: self.host.clone(),
            problem: error.fault.to_string(),
        }
    }

    /// The members as their host gets them.
    fn chain(&self, shared: &Shared, host: &Host) -> Result<Chain, Failure> {
        let mut members = Vec::new();
        for (link, work) in self.members.iter().zip(&self.works) {
            let prepared = work.as_ref().map_err(Failure::clone)?;
            let store = host.undo_store(&shared.run, &link.attempt);
            let (check, apply) = match &prepared.step_type.content {
                Some(content) => content::in_chain(prepared, content, &store)?,
                None => {
                    let scripts = &prepared.step_type.scripts;
                    (
                        look::script(prepared, &scripts.check),
                        look::script(prepared, &scripts.apply),
                    )
                }
            };
            members.push(Member {
                attempt: link.attempt.clone(),
                check,
                apply,
                check_limit: prepared.limit,
                apply_limit: Some(Limit::of(&shared.plan, link.node).time),
            });
        }
        Ok(Chain {
            run: shared.run.clone(),
            unit: self.unit.clone(),
            epoch: shared.epoch,
            boot_id: self.boot.clone(),
            members,
        })
    }
}

/// Launches a chain and follows it to its end.
pub(super) async fn launch(shared: Shared, followed: Followed) {
    let reached = followed.reach(&shared);
    let host = match reached.await {
        Ok(host) => host,
        Err(error) => return shared.send(followed.lost(&error)),
    };
    let refused = |failure: Failure| {
        followed.ended(|at| MemberEnd::Ended {
            end: match at {
                0 => AttemptEnd::Failed(failure.clone()),
                _ => AttemptEnd::NeverBegan,
            },
            began: None,
        })
    };
    let chain = match followed.chain(&shared, &host) {
        Ok(chain) => chain,
        Err(failure) => return shared.send(refused(failure)),
    };
    match host.start_chain(&chain).await {
        Ok(_) => {}
        // For sure nothing was launched.
        Err(error) if is_of_script(&error.fault) => {
            let failure = Failure::new(FailureKind::Apply, error.fault.to_string());
            return shared.send(refused(failure));
        }
        Err(error) => return shared.send(followed.lost(&error)),
    }
    let unit = followed.unit.clone();
    shared.send(Input::Launched { unit });
    follow(&shared, &followed, host).await;
}

/// Asks a host what became of a chain, and follows it if there is something to follow.
pub(super) async fn attend(shared: Shared, followed: Followed) {
    let reached = followed.reach(&shared);
    let asked = async {
        let host = reached.await?;
        let found = found(&shared, &followed.unit, &host).await?;
        Ok((host, found))
    };
    let (host, found) = match asked.await {
        Ok(asked) => asked,
        Err(error) => return shared.send(followed.lost(&error)),
    };
    match found {
        // What is on its record counts, however it was lost.
        UnitFound::Running | UnitFound::Lost(_) => {
            if found == UnitFound::Running {
                let unit = followed.unit.clone();
                shared.send(Input::UnitState { unit, found });
            }
            follow(&shared, &followed, host).await;
        }
        UnitFound::NoTrace | UnitFound::Ended(_) => shared.send(Input::UnitState {
            unit: followed.unit.clone(),
            found,
        }),
    }
}

/// Has a chain begin no further effect.
pub(super) async fn halt(shared: Shared, followed: Followed) {
    let reached = followed.reach(&shared);
    let halted = match reached.await {
        Ok(host) => host.halt(&shared.run, &followed.unit).await,
        Err(error) => Err(error),
    };
    if let Err(error) = halted {
        shared.send(followed.lost(&error));
    }
}

/// Ends the member of a node, if it acts. The chain begins nothing more first: who has gone on to another member by then
/// would hit that one, and nobody asked for it.
pub(super) async fn kill(shared: Shared, followed: Followed, node: NodeIx) {
    let reached = followed.reach(&shared);
    let killed = async {
        let host = reached.await?;
        host.halt(&shared.run, &followed.unit).await?;
        let acts = acting(&shared, &followed, &host).await?;
        if acts.is_some_and(|at| followed.members[at].node == node) {
            host.cancel(&shared.run, &followed.unit, GRACE).await?;
        }
        Ok(())
    };
    if let Err(error) = killed.await {
        shared.send(followed.lost(&error));
    }
}

/// Which member has begun its effect, and not ended it.
async fn acting(
    shared: &Shared,
    followed: &Followed,
    host: &Host,
) -> Result<Option<usize>, RemoteError> {
    let mut reader = ChainReader::new(&followed.unit, followed.members.len());
    let (mut from, mut acts) = (ChainOffsets::default(), None);
    loop {
        let poll = host.poll_chain(&shared.run, &followed.unit, from, CHUNK);
        let poll = poll.await?;
        if poll.is_empty() {
            return Ok(acts);
        }
        from = from.after(&poll);
        reader.take(&poll);
        for news in reader.news() {
            acts = match news {
                News::Began { member, .. } => Some(member),
                News::Applied { .. } | News::Unbegun { .. } => None,
                _ => acts,
            };
        }
    }
}

async fn follow(shared: &Shared, followed: &Followed, host: Host) {
    let mut course = Course::new(shared, followed);
    let mut from = ChainOffsets::default();
    let mut beaten = tokio::time::Instant::now();
    let begun = beaten;
    loop {
        let state = match host.wait(&shared.run, &followed.unit, NEWS).await {
            Ok(state) => state,
            Err(error) => return shared.send(followed.lost(&error)),
        };
        if state.is_alive() && beaten.elapsed() >= BEAT {
            beaten = tokio::time::Instant::now();
            if let Err(error) = host.beat(&shared.run).await {
                return shared.send(followed.lost(&error));
            }
        }
        loop {
            let poll = match host
                .poll_chain(&shared.run, &followed.unit, from, CHUNK)
                .await
            {
                Ok(poll) => poll,
                Err(error) => return shared.send(followed.lost(&error)),
            };
            if poll.is_empty() {
                break;
            }
            from = from.after(&poll);
            course.read(&poll);
        }
        if let Some(input) = course.told() {
            shared.send(input);
        }
        match state {
            JobState::Staging | JobState::Prepared | JobState::Absent
                if begun.elapsed() < CLAIM => {}
            state if state.is_alive() => {}
            state => return course.end(state, &host).await,
        }
    }
}
