//! Chains: several instances of one host as one attempt, which does them one after the other and keeps the record.

mod reader;
mod split;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use runbook_model::{AttemptId, Epoch, RunId};

use crate::frame::Reply;
use crate::job::whole_seconds;
use crate::script::{ALL_SECRETS, LAST, LIMIT, NO_SECRETS, PRELUDE, SECRETS, UNDO, assign};
use crate::{Fault, InvalidScript, JobState, Script};

pub use reader::{ChainReader, News, StopWord, Stream};

/// So many members one chain can have.
pub const MEMBERS: usize = 32;
/// How old the last word of a controller may be when a chain is to begin an effect: long enough for a connection that
/// is made again, short enough that nothing begins when somebody else may already be looking.
pub const HEARTBEAT: Duration = Duration::from_secs(30);

/// The rest of the payload.
const RUNNER: &str = include_str!("sh/chain.sh");

/// A member of a chain.
#[derive(Debug, Clone)]
pub struct Member {
    /// The id of its attempt, should it begin: of [`crate::Host::undo_store`], for one. Two members never share one.
    pub attempt: AttemptId,
    /// Says whether there is something to do, and after the apply, whether it was done. What it writes to the file
    /// `$rb_hand` is there for the apply of this member; at the begin of the member the file is empty or not there.
    pub check: Script,
    /// Does it.
    pub apply: Script,
    /// After this a check is ended. Whole seconds, rounded up.
    pub check_limit: Duration,
    /// After this the apply is ended; `None`: never. Whole seconds, rounded up.
    pub apply_limit: Option<Duration>,
}

/// A chain to be started. Each member is checked; if it differs, it is applied and checked again. Whatever else a
/// member comes to, the chain begins nothing more. All members are one process group: what an apply leaves in the
/// background without a session of its own ends with a member that takes too long.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Its run.
    pub run: RunId,
    /// Its id, as of an attempt: journaled before it is started and never used for anything else.
    pub unit: AttemptId,
    /// Which controller this is; no effect begins when the host has seen a later one.
    pub epoch: Epoch,
    /// The boot under which it may start; see [`crate::Job::boot_id`].
    pub boot_id: String,
    /// What it does, in this order.
    pub members: Vec<Member>,
}

/// How far what a chain writes has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChainOffsets {
    /// Bytes of records.
    pub rec: u64,
    /// Bytes of standard output.
    pub out: u64,
    /// Bytes of standard error.
    pub err: u64,
}

/// A piece of what a chain wrote.
#[derive(Clone, PartialEq, Eq)]
pub struct ChainPoll {
    /// The state before the bytes were read: when it is over, what follows is complete once nothing more comes.
    pub state: JobState,
    /// Records from the offset on.
    pub rec: Vec<u8>,
    /// Standard output from the offset on.
    pub out: Vec<u8>,
    /// Standard error from the offset on.
    pub err: Vec<u8>,
}

impl std::fmt::Debug for ChainPoll {
    /// All of it can be secret: only sizes are shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainPoll")
            .field("state", &self.state)
            .field("rec", &self.rec.len())
            .field("out", &self.out.len())
            .field("err", &self.err.len())
            .finish()
    }
}

impl ChainPoll {
    pub(crate) fn of(mut reply: Reply) -> Result<Self, Fault> {
        let state = JobState::of(&reply)?;
        Ok(Self {
            state,
            rec: reply.take("rec"),
            out: reply.take("out"),
            err: reply.take("err"),
        })
    }

    /// Whether it brought nothing: after the end of the chain, there is nothing more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rec.is_empty() && self.out.is_empty() && self.err.is_empty()
    }
}

impl ChainOffsets {
    /// Where to read on after a piece.
    #[must_use]
    pub fn after(self, poll: &ChainPoll) -> Self {
        Self {
            rec: self.rec + poll.rec.len() as u64,
            out: self.out + poll.out.len() as u64,
            err: self.err + poll.err.len() as u64,
        }
    }
}

/// What is handed over for a chain.
pub(crate) struct Text {
    /// For the file.
    pub(crate) payload: String,
    /// Never for a file on a disk.
    pub(crate) secrets: Option<String>,
}

/// Texts that several sections share, each once: in the order of their names.
#[derive(Default)]
struct Table<'a> {
    names: BTreeMap<&'a str, usize>,
    texts: Vec<&'a str>,
}

impl<'a> Table<'a> {
    fn name(&mut self, text: &'a str) -> usize {
        *self.names.entry(text).or_insert_with(|| {
            self.texts.push(text);
            self.texts.len() - 1
        })
    }
}

impl Chain {
    /// The text of the payload, and the functions that set the secrets of each section.
    ///
    /// # Errors
    /// A script that cannot be handed over, too many members, or too much text: a shorter chain may do.
    pub(crate) fn text(&self, heartbeat: Duration) -> Result<Text, InvalidScript> {
        let count = self.members.len();
        if !(1..=MEMBERS).contains(&count) {
            return Err(InvalidScript::Members(count));
        }
        let mut secrets: Vec<String> = Vec::new();
        let mut scripts = Table::default();
        let mut sections = String::new();
        let mut calls = String::new();
        for (at, member) in self.members.iter().enumerate() {
            for (letter, script) in [('c', &member.check), ('a', &member.apply)] {
                script.validate()?;
                let get = match script.secret_lines() {
                    None => String::new(),
                    Some(lines) => {
                        let known = secrets.iter().position(|other| *other == lines);
                        let name = known.unwrap_or_else(|| {
                            secrets.push(lines);
                            secrets.len() - 1
                        });
                        format!("rb_s{name}\n")
                    }
                };
                // what belongs to other members is gone before a line of this one runs
                let set = script.setting(&format!("{get}rb_own\n"));
                let functions = scripts.name(&script.functions);
                let body = scripts.name(&script.body);
                // writing to a String cannot fail
                let _ = writeln!(
                    sections,
                    "rb_{letter}{at}() {{\n{set}eval \"$rb_t{functions}$rb_nl$rb_t{body}$rb_end\"\n}}"
                );
            }
            let check = whole_seconds(member.check_limit).max(1);
            let apply = member
                .apply_limit
                .map_or(0, |limit| whole_seconds(limit).max(1));
            let _ = writeln!(calls, "rb_member {at} {check} {apply}");
        }
        let mut out = String::from(PRELUDE);
        if self
            .members
            .iter()
            .any(|member| member.check.has_store || member.apply.has_store)
        {
            out.push_str(UNDO);
        }
        let Self { unit, epoch, .. } = self;
        let most = whole_seconds(heartbeat);
        let _ = writeln!(out, "rb_unit={unit} rb_epoch={epoch} rb_most={most}");
        out.push_str(RUNNER);
        out.push_str(if secrets.is_empty() {
            NO_SECRETS
        } else {
            SECRETS
        });
        let mut own = String::from("rb_own() {\n:\n");
        for at in 0..secrets.len() {
            let _ = writeln!(own, "unset -f rb_s{at}");
        }
        out.push_str(&own);
        out.push_str("}\n");
        for (at, text) in scripts.texts.iter().enumerate() {
            assign(&mut out, &format!("rb_t{at}"), text);
        }
        out.push_str(&sections);
        out.push_str(&calls);
        out.push_str("exit 0\n");
        out.push_str(LAST);
        out.push('\n');
        let secrets = secret_functions(&secrets);
        let size = out.len().max(secrets.as_ref().map_or(0, String::len));
        if size > LIMIT {
            return Err(InvalidScript::TooLong(size));
        }
        Ok(Text {
            payload: out,
            secrets,
        })
    }
}

fn secret_functions(secrets: &[String]) -> Option<String> {
    if secrets.is_empty() {
        return None;
    }
    let mut out = String::new();
    for (at, lines) in secrets.iter().enumerate() {
        let _ = writeln!(out, "rb_s{at}() {{\n{lines}}}");
    }
    out.push_str(ALL_SECRETS);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Param;

    fn chain(members: Vec<Member>) -> Chain {
        Chain {
            run: RunId::new("r1").unwrap(),
            unit: AttemptId::new("u-1").unwrap(),
            epoch: Epoch(1),
            boot_id: String::new(),
            members,
        }
    }

    fn member(at: usize, check: Script, apply: Script) -> Member {
        Member {
            attempt: AttemptId::new(format!("a-{at}")).unwrap(),
            check,
            apply,
            check_limit: Duration::from_secs(10),
            apply_limit: None,
        }
    }

    #[test]
    fn a_text_is_there_once() {
        let functions = "is() { echo a long text of functions; }";
        let script = |at: usize| {
            let script = Script::new().functions(functions).body("is \"$port\"");
            script
                .param("port", Param::Text(format!("{at}/tcp")))
                .secret("key", "hunter2")
        };
        let members = (0..30).map(|at| member(at, script(at), script(at)));
        let text = chain(members.collect()).text(HEARTBEAT).unwrap();
        assert_eq!(text.payload.matches("a long text").count(), 1);
        assert_eq!(text.payload.matches("'7/tcp'").count(), 2);
        assert!(!text.payload.contains("hunter2"));
        let secrets = text.secrets.unwrap();
        assert_eq!(secrets, "rb_s0() {\nkey='hunter2'\n}\n# all\n");
    }

    #[test]
    fn too_much_is_refused() {
        let text = |members| chain(members).text(HEARTBEAT).map(drop);
        let one = |at| member(at, Script::new(), Script::new());
        assert_eq!(text(Vec::new()), Err(InvalidScript::Members(0)));
        assert_eq!(text((0..32).map(one).collect()), Ok(()));
        let many = text((0..33).map(one).collect());
        assert_eq!(many, Err(InvalidScript::Members(33)));
        assert_eq!(
            many.unwrap_err().to_string(),
            "a chain has 1 to 32 members, not 33"
        );
        let long = |at: usize| {
            let body = format!("# {at}{}", "x".repeat(40_000));
            member(at, Script::new().body(&body), Script::new())
        };
        assert_eq!(text((0..20).map(long).collect()), Ok(()));
        let long = text((0..30).map(long).collect());
        assert!(matches!(long, Err(InvalidScript::TooLong(_))));
        let nul = member(0, Script::new(), Script::new().body("\0"));
        assert_eq!(text(vec![nul]), Err(InvalidScript::NulInText));
    }
}
