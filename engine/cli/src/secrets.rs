//! Secrets: read at every start of a controller, kept in memory, shown nowhere.
//!
//! The plan stores where a secret comes from, so a resume reads it again there; `--secret` names another place.

#[cfg(feature = "age")]
mod age;
mod command;
mod place;
mod read;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use runbook_exec::secrets::{LONGEST, SHORTEST, Settled};
use runbook_model::Plan;
use runbook_model::plan::SecretSource;
use runbook_model::text::printable;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::error::Error;

pub(crate) use place::{PLACES, parse, words};

/// The values of a plan's secrets by name.
#[derive(Clone, Default)]
pub(crate) struct Secrets(BTreeMap<String, SecretString>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What is needed to read secrets beside the plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around<'a> {
    /// Places that win over those of the plan.
    pub(crate) other: &'a [(String, SecretSource)],
    /// The file with the keys for secrets that are encrypted with age.
    pub(crate) age_identity: Option<&'a PathBuf>,
}

impl Secrets {
    /// Reads every secret of a plan that somebody gives; `ask` is for those that only a person knows.
    pub(crate) fn read(
        plan: &Plan,
        around: Around<'_>,
        ask: impl Fn(&str) -> Result<String, Error>,
    ) -> Result<Self, Error> {
        let other = around.other;
        if let Some((name, _)) = other.iter().find(|(name, _)| {
            plan.inputs
                .get(name)
                .is_none_or(|input| input.value.is_some())
        }) {
            let message = format!("there is no secret `{}` in this runbook", printable(name));
            return Err(Error::Typed {
                message,
                hint: None,
            });
        }
        let mut out = BTreeMap::new();
        for (name, input) in &plan.inputs {
            let given = other
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, source)| source);
            let Some(source) = given.or(input.secret.as_ref()) else {
                continue;
            };
            let value = match source {
                // Its value comes from hosts, when they can be reached.
                SecretSource::Generated(_) => continue,
                SecretSource::Prompt => Ok(Zeroizing::new(ask(name)?)),
                source => value(source, around.age_identity),
            };
            let value = value.and_then(fitting).map_err(|problem| Error::Secret {
                name: printable(name).into_owned(),
                place: place::words(source),
                problem,
            })?;
            out.insert(name.clone(), SecretString::from(value.as_str()));
        }
        Ok(Self(out))
    }

    /// Adds those that were generated or adopted.
    pub(crate) fn add(&mut self, settled: &Settled) {
        let values = settled.values.iter();
        self.0
            .extend(values.map(|(name, value)| (name.clone(), SecretString::from(value.as_str()))));
    }

    /// The names of all that have a value.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// The values, for the one that passes them on.
    pub(crate) fn values(&self) -> BTreeMap<String, String> {
        let values = self.0.iter();
        values
            .map(|(name, value)| (name.clone(), value.expose_secret().to_owned()))
            .collect()
    }
}

type Value = Result<Zeroizing<String>, String>;

fn value(source: &SecretSource, age_identity: Option<&PathBuf>) -> Value {
    match source {
        SecretSource::Env(name) => read::variable(name),
        SecretSource::File(path) => read::file(path),
        SecretSource::Command(words) => command::output(words),
        SecretSource::Age(path) => decrypted(path, age_identity),
        SecretSource::Prompt => Err("nobody was asked".into()),
        SecretSource::Generated(_) => Err("no host was asked".into()),
    }
}

#[cfg(feature = "age")]
fn decrypted(path: &str, identity: Option<&PathBuf>) -> Value {
    let identity = identity.ok_or("name the file with your key: --age-identity FILE")?;
    age::decrypted(path, identity)
}

#[cfg(not(feature = "age"))]
fn decrypted(_: &str, _: Option<&PathBuf>) -> Value {
    Err("this `runbook` was built without age: build it with `cargo build --release --features age --package runbook-cli`, or let the program do it: command:age -d -i KEY FILE".into())
}

/// What is too short cannot be taken out of what hosts print, so nothing is promised for it.
fn fitting(value: Zeroizing<String>) -> Value {
    match value.len() {
        0 => Err("it is empty".into()),
        few if few < SHORTEST => Err(format!(
            "it has less than {SHORTEST} bytes: it could not be kept out of logs"
        )),
        many if many > LONGEST => Err(format!("it is longer than {LONGEST} bytes")),
        _ if value.contains('\0') => Err("it holds a NUL character".into()),
        _ => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_shown() {
        let secrets = Secrets(BTreeMap::from([("db".into(), "hunter2".into())]));
        assert_eq!(format!("{secrets:?}"), "{\"db\"}");
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        let fits = |text: &str| fitting(Zeroizing::new(text.to_owned())).is_ok();
        assert!(fits("four") && fits(&"x".repeat(LONGEST)));
        for text in ["", "abc", "a\0bcd", &"x".repeat(LONGEST + 1)] {
            assert!(!fits(text));
        }
    }

    #[cfg(not(feature = "age"))]
    #[test]
    fn without_age_it_is_said_what_to_do() {
        let problem = value(&SecretSource::Age("/x".into()), None).unwrap_err();
        assert!(problem.contains("--features age"), "{problem}");
        assert!(problem.contains("command:age -d"), "{problem}");
        assert!(!PLACES.contains("age"), "{PLACES}");
    }
}
