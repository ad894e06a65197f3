//! Gates: what a person is asked to say, what was said, and what follows from it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Millis, Value};

/// The answer that lets a gate pass where it has no options of its own.
pub const YES: &str = "yes";
/// The output of a gate that says which answer was chosen.
pub const OPTION: &str = "option";
/// The answer that refuses, at every gate.
pub const NO: &str = "no";
/// Bytes of one text that is given as evidence.
const MOST: usize = 2_000;

/// What a gate takes as an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Terms {
    /// People say yes or no, or one of the options.
    Approve(Approve),
    /// A person types this word.
    Confirm(String),
    /// A person has done something, and says what shows it.
    Task(BTreeMap<String, Evidence>),
    /// Time passes until then; a person may end that earlier.
    Wait(Millis),
}

impl Default for Terms {
    fn default() -> Self {
        Self::Approve(Approve::default())
    }
}

/// How many say yes, until when, and to what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Approve {
    /// How many people must say yes.
    pub approvers: u32,
    /// Whoever runs it is none of them.
    pub not_runner: bool,
    /// How long an answer counts, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Millis>,
    /// Until when an answer is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Millis>,
    /// What follows when nobody has decided by then.
    #[serde(skip_serializing_if = "Follow::is_stop")]
    pub on_deadline: Follow,
    /// The answers that can be given beside no, with what follows; none: yes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, Follow>,
}

impl Default for Approve {
    fn default() -> Self {
        Self {
            approvers: 1,
            not_runner: false,
            expires: None,
            deadline: None,
            on_deadline: Follow::Stop,
            options: BTreeMap::new(),
        }
    }
}

/// What follows an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Follow {
    /// The run goes on.
    Continue,
    /// The run ends; a resume asks again.
    #[default]
    Stop,
    /// The run ends, and what it did is taken back.
    Rollback,
}

impl Follow {
    /// Whether it is what follows where nothing else is said; then it is left out of the journal.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        *self == Self::Stop
    }

    /// For people who choose it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Continue => "the run goes on",
            Self::Stop => "the run stops",
            Self::Rollback => "the run stops, and what it did is taken back",
        }
    }
}

/// What a piece of evidence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the type of the same name")]
pub enum Evidence {
    String,
    Int,
    Bool,
    Duration,
    Date,
}

impl Evidence {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Duration => "duration",
            Self::Date => "date",
        }
    }
}

/// What a person says at a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// Yes, no, or the name of an option.
    Choice(String),
    /// A typed word.
    Word(String),
    /// It is done, and this shows it.
    Evidence(BTreeMap<String, Value>),
}

impl Said {
    /// It in one word, for people.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Choice(word) | Self::Word(word) => word,
            Self::Evidence(_) => "done",
        }
    }
}

/// What was said at a gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// When.
    pub at: Millis,
    /// Who; not verified.
    pub by: String,
    /// What.
    pub said: Said,
}

impl Terms {
    /// Whether one yes of anybody lets it pass.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// What follows an answer.
    ///
    /// # Errors
    /// It is no answer to this gate, in words for people.
    pub fn judge(&self, said: &Said) -> Result<Follow, String> {
        if let Said::Choice(word) = said
            && word == NO
        {
            return Ok(Follow::Stop);
        }
        match (self, said) {
            (Self::Approve(terms), Said::Choice(word)) => {
                let yes = terms.options.is_empty() && word == YES;
                let follow = terms.options.get(word).copied();
                follow
                    .or(yes.then_some(Follow::Continue))
                    .ok_or_else(|| format!("the answers to it are {}", quoted(&self.answers())))
            }
            (Self::Confirm(wanted), Said::Word(word)) if word == wanted => Ok(Follow::Continue),
            (Self::Confirm(_), _) => Err("it wants its word to be typed".to_owned()),
            (Self::Task(wanted), Said::Evidence(given)) => {
                evidence(wanted, given).map(|()| Follow::Continue)
            }
            (Self::Wait(_), Said::Choice(word)) if word == YES => Ok(Follow::Continue),
            (Self::Task(_), _) => Err("it wants to know what shows that it is done".to_owned()),
            (Self::Approve(_) | Self::Wait(_), _) => {
                Err(format!("the answers to it are {}", quoted(&self.answers())))
            }
        }
    }

    /// The words that can be said, no last.
    #[must_use]
    pub fn answers(&self) -> Vec<String> {
        let mut words: Vec<String> = match self {
            Self::Approve(terms) if terms.options.is_empty() => vec![YES.to_owned()],
            Self::Wait(_) => vec![YES.to_owned()],
            Self::Approve(terms) => terms.options.keys().cloned().collect(),
            Self::Confirm(word) => vec![word.clone()],
            Self::Task(_) => vec!["done".to_owned()],
        };
        words.retain(|word| word != NO);
        words.push(NO.to_owned());
        words
    }

    /// How many people must agree.
    #[must_use]
    pub fn approvers(&self) -> u32 {
        match self {
            Self::Approve(terms) => terms.approvers.max(1),
            Self::Confirm(_) | Self::Task(_) | Self::Wait(_) => 1,
        }
    }

    /// Whether whoever runs it may answer.
    #[must_use]
    pub fn not_runner(&self) -> bool {
        matches!(self, Self::Approve(terms) if terms.not_runner)
    }

    /// What follows when nobody has decided by the deadline.
    #[must_use]
    pub fn on_deadline(&self) -> Follow {
        match self {
            Self::Approve(terms) => terms.on_deadline,
            Self::Wait(_) => Follow::Continue,
            Self::Confirm(_) | Self::Task(_) => Follow::Stop,
        }
    }

    /// Until when an answer is waited for.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        match self {
            Self::Approve(terms) => terms.deadline,
            Self::Wait(until) => Some(*until),
            Self::Confirm(_) | Self::Task(_) => None,
        }
    }

    /// The people who say the same that lets it pass, and whose answers still count: those of the answer that most of
    /// them give. The last answer of a person counts, and that of whoever runs it only where that may be.
    #[must_use]
    pub fn in_favour<'v>(
        &self,
        votes: &'v [Vote],
        now: Millis,
        runner: Option<&str>,
    ) -> Vec<&'v str> {
        self.agreed(votes, now, runner)
            .map_or_else(Vec::new, |(_, people)| people)
    }

    /// The answer to go on that most people have given so far, and who they are.
    #[must_use]
    pub fn agreed<'v>(
        &self,
        votes: &'v [Vote],
        now: Millis,
        runner: Option<&str>,
    ) -> Option<(&'v Said, Vec<&'v str>)> {
        let expires = match self {
            Self::Approve(terms) => terms.expires,
            Self::Confirm(_) | Self::Task(_) | Self::Wait(_) => None,
        };
        let counts = |vote: &&Vote| {
            let fresh = expires.is_none_or(|lasts| now < vote.at.saturating_add(lasts));
            let barred =
                self.not_runner() && runner.is_some_and(|runner| same_person(runner, &vote.by));
            fresh && !barred && self.judge(&vote.said) == Ok(Follow::Continue)
        };
        let mut last: Vec<&Vote> = Vec::new();
        for vote in votes.iter().filter(counts) {
            last.retain(|other| !same_person(&other.by, &vote.by));
            last.push(vote);
        }
        let mut agreed: Option<(&Said, Vec<&str>)> = None;
        for vote in &last {
            let same = last
                .iter()
                .filter(|other| other.said.word() == vote.said.word());
            let people: Vec<&str> = same.map(|other| other.by.as_str()).collect();
            if people.len() > agreed.as_ref().map_or(0, |(_, most)| most.len()) {
                agreed = Some((&vote.said, people));
            }
        }
        agreed
    }
}

/// Whether two names are of one person, as far as names tell: one account at two machines is one.
#[must_use]
pub fn same_person(one: &str, other: &str) -> bool {
    person(one).eq_ignore_ascii_case(person(other))
}

/// The account in `user on host`: one person at two machines is one person.
#[must_use]
pub fn person(by: &str) -> &str {
    by.split_once(" on ").map_or(by, |(user, _)| user)
}

fn quoted(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

fn evidence(
    wanted: &BTreeMap<String, Evidence>,
    given: &BTreeMap<String, Value>,
) -> Result<(), String> {
    if let Some(name) = given.keys().find(|name| !wanted.contains_key(*name)) {
        return Err(format!("it does not ask for `{name}`"));
    }
    for (name, kind) in wanted {
        let fits = match (kind, given.get(name)) {
            (_, None) => return Err(format!("`{name}` is missing: {}", kind.word())),
            (Evidence::Int, Some(value)) => value.is_i64(),
            (Evidence::Bool, Some(value)) => value.is_boolean(),
            (_, Some(Value::String(text))) => !text.trim().is_empty() && text.len() <= MOST,
            (_, Some(_)) => false,
        };
        if !fits {
            return Err(format!("`{name}` is not what it asks for: {}", kind.word()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn choice(word: &str) -> Said {
        Said::Choice(word.to_owned())
    }

    fn vote(at: Millis, by: &str, word: &str) -> Vote {
        Vote {
            at,
            by: by.to_owned(),
            said: choice(word),
        }
    }

    #[test]
    fn each_gate_takes_its_own_answers() {
        let plain = Terms::default();
        assert_eq!(plain.judge(&choice("yes")), Ok(Follow::Continue));
        assert_eq!(plain.judge(&choice("no")), Ok(Follow::Stop));
        assert!(plain.judge(&choice("YES")).is_err());
        assert!(plain.judge(&Said::Word("yes".into())).is_err());
        let options = Terms::Approve(Approve {
            options: [
                ("go".to_owned(), Follow::Continue),
                ("wait".to_owned(), Follow::Stop),
            ]
            .into(),
            ..Approve::default()
        });
        assert_eq!(options.judge(&choice("go")), Ok(Follow::Continue));
        assert_eq!(options.judge(&choice("wait")), Ok(Follow::Stop));
        assert_eq!(options.judge(&choice("no")), Ok(Follow::Stop));
        assert_eq!(
            options.judge(&choice("yes")).unwrap_err(),
            "the answers to it are `go`, `wait`, `no`"
        );
        let word = Terms::Confirm("open".to_owned());
        assert_eq!(word.judge(&Said::Word("open".into())), Ok(Follow::Continue));
        assert_eq!(word.judge(&choice("no")), Ok(Follow::Stop));
        for bad in [Said::Word("Open".into()), choice("open"), choice("yes")] {
            assert!(word.judge(&bad).is_err());
        }
    }

    #[test]
    fn evidence_is_whole_and_of_its_types() {
        let kinds = [("minutes", Evidence::Int), ("ticket", Evidence::String)];
        let task = Terms::Task(kinds.map(|(name, kind)| (name.to_owned(), kind)).into());
        let judged = |value: Value| {
            let given: BTreeMap<String, Value> = serde_json::from_value(value).unwrap();
            task.judge(&Said::Evidence(given))
        };
        assert_eq!(
            judged(json!({ "minutes": 3, "ticket": "C-1" })),
            Ok(Follow::Continue)
        );
        for bad in [
            json!({}),
            json!({ "minutes": "3", "ticket": "C-1" }),
            json!({ "minutes": 3, "ticket": " " }),
            json!({ "minutes": 3, "ticket": "C-1", "more": 1 }),
        ] {
            assert!(judged(bad.clone()).is_err(), "{bad}");
        }
        assert_eq!(task.judge(&choice("no")), Ok(Follow::Stop));
        assert!(task.judge(&choice("yes")).is_err());
    }

    #[test]
    fn one_person_counts_once_and_not_for_ever() {
        let terms = Terms::Approve(Approve {
            approvers: 2,
            expires: Some(1_000),
            ..Approve::default()
        });
        let votes = [
            vote(0, "ada on desk", "yes"),
            vote(500, "ada on laptop", "yes"),
            vote(900, "bob on desk", "yes"),
        ];
        assert_eq!(
            terms.in_favour(&votes, 950, None),
            ["ada on laptop", "bob on desk"]
        );
        assert_eq!(
            terms.in_favour(&votes, 1_200, None),
            ["ada on laptop", "bob on desk"]
        );
        assert_eq!(terms.in_favour(&votes, 1_600, None), ["bob on desk"]);
        assert!(terms.in_favour(&votes, 1_900, None).is_empty());
    }

    #[test]
    fn people_agree_on_one_answer_and_the_runner_is_none_of_them() {
        let options = [("go", Follow::Continue), ("slow", Follow::Continue)];
        let terms = Terms::Approve(Approve {
            approvers: 2,
            not_runner: true,
            options: options
                .map(|(name, follow)| (name.to_owned(), follow))
                .into(),
            ..Approve::default()
        });
        let votes = [
            vote(0, "ada on desk", "go"),
            vote(1, "Ada on desk", "slow"),
            vote(2, "bob on desk", "go"),
            vote(3, "cy on desk", "slow"),
        ];
        assert_eq!(terms.in_favour(&votes[..3], 9, None).len(), 1);
        assert_eq!(
            terms.in_favour(&votes, 9, None),
            ["Ada on desk", "cy on desk"]
        );
        assert_eq!(terms.in_favour(&votes, 9, Some("cy")), ["Ada on desk"]);
    }
}
