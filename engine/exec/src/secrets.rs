//! Secrets that nobody gives: what hosts have is adopted, else what is stored is taken, else one is made. A new one is
//! refused where data are there that only the old one opens.
//!
//! It happens before the first effect of a run, and only looks at hosts. The value goes into the store first; the
//! journal learns where it came from, never what it is.

mod error;
mod make;
mod probe;
mod vault;

use std::collections::BTreeMap;

use runbook_model::plan::SecretSource;
use runbook_model::secret::{Generated, SecretOrigin};
use runbook_model::{HostName, Plan, RunState};
use zeroize::Zeroizing;

use crate::driver::Reach;
use probe::Found;
use vault::Key;

pub use error::SecretError;
pub use vault::{Vault, VaultError};

/// The shortest secret that is adopted, in bytes: a shorter one could not be kept out of what hosts print.
pub const SHORTEST: usize = 4;
/// The longest secret, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// Generated secrets with their values.
#[derive(Default)]
pub struct Settled {
    /// Values by the name of the input.
    pub values: BTreeMap<String, Zeroizing<String>>,
    /// Where each came from.
    pub origins: BTreeMap<String, SecretOrigin>,
}

impl std::fmt::Debug for Settled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Settled").field(&self.origins).finish()
    }
}

/// What the values are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A run: what is settled is stored, and a host that cannot be asked is an error.
    Run,
    /// A plan: nothing is stored; what cannot be known is made up, and is not the value of the run.
    Look,
}

/// Inputs of a plan whose secrets are generated.
pub fn generated(plan: &Plan) -> impl Iterator<Item = (&String, &Generated)> {
    plan.inputs
        .iter()
        .filter_map(|(name, input)| match &input.secret {
            Some(SecretSource::Generated(generated)) => Some((name, generated)),
            _ => None,
        })
}

/// Gives every generated secret of a plan its value, but for those that were `given` in another way. A run that has
/// its values keeps them.
///
/// # Errors
/// Hosts disagree or cannot be asked, data are there without a secret, or the store is of no use.
pub async fn settle(
    plan: &Plan,
    state: &RunState,
    given: &[String],
    reach: &Reach,
    vault: &Vault,
    purpose: Purpose,
) -> Result<Settled, SecretError> {
    let mut settled = Settled::default();
    for (name, how) in generated(plan).filter(|(name, _)| !given.contains(name)) {
        let key = Key::new(plan, name, how);
        let (value, origin) = match state.secrets.get(name) {
            Some(origin) => {
                let lost = || SecretError::Lost {
                    input: name.clone(),
                };
                (vault.get(&key)?.ok_or_else(lost)?, *origin)
            }
            None => one(name, how, &key, reach, vault, purpose).await?,
        };
        settled.values.insert(name.clone(), value);
        settled.origins.insert(name.clone(), origin);
    }
    Ok(settled)
}

async fn one(
    name: &str,
    how: &Generated,
    key: &Key,
    reach: &Reach,
    vault: &Vault,
    purpose: Purpose,
) -> Result<(Zeroizing<String>, SecretOrigin), SecretError> {
    let looked = probe::look(name, how, reach).await;
    // The plan shows by itself which hosts cannot be asked.
    let Found { have, data } = match looked {
        Err(SecretError::Host { .. }) if purpose == Purpose::Look => Found::default(),
        looked => looked?,
    };
    if let Some(value) = agreed(name, have)? {
        if purpose == Purpose::Run {
            vault.put(key, &value)?;
        }
        return Ok((value, SecretOrigin::Adopted));
    }
    if let Some(value) = vault.find(key)? {
        if purpose == Purpose::Run {
            vault.put(key, &value)?;
        }
        return Ok((value, SecretOrigin::Stored));
    }
    if let (Some(host), Some(exists)) = (data, &how.exists) {
        return Err(SecretError::Data {
            input: name.to_owned(),
            host,
            path: exists.path.clone(),
        });
    }
    let value = make::secret(how.length, how.alphabet)?;
    if purpose == Purpose::Run {
        vault.put(key, &value)?;
    }
    Ok((value, SecretOrigin::Generated))
}

/// The value that all hosts that have one have.
fn agreed(
    name: &str,
    have: Vec<(HostName, Zeroizing<String>)>,
) -> Result<Option<Zeroizing<String>>, SecretError> {
    let mut values: Vec<(Zeroizing<String>, Vec<HostName>)> = Vec::new();
    for (host, value) in have {
        match values.iter_mut().find(|(known, _)| **known == *value) {
            Some((_, hosts)) => hosts.push(host),
            None => values.push((value, vec![host])),
        }
    }
    if values.len() > 1 {
        return Err(SecretError::Disagree {
            input: name.to_owned(),
            hosts: values.into_iter().map(|(_, hosts)| hosts).collect(),
        });
    }
    Ok(values.pop().map(|(value, _)| value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn have(all: &[(&str, &str)]) -> Vec<(HostName, Zeroizing<String>)> {
        let one = |(host, value): &(&str, &str)| {
            (
                HostName::new(*host).unwrap(),
                Zeroizing::new((*value).to_owned()),
            )
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn all_hosts_that_have_it_must_agree() {
        assert_eq!(agreed("key", Vec::new()).unwrap(), None);
        let same = agreed("key", have(&[("a", "hunter2"), ("b", "hunter2")])).unwrap();
        assert_eq!(same.unwrap().as_str(), "hunter2");
        let error = agreed(
            "key",
            have(&[("a", "hunter2"), ("b", "hunter3"), ("c", "hunter2")]),
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the hosts do not agree about the secret `key`: a, c have one value, b another"
        );
    }

    #[test]
    fn values_are_not_shown() {
        let settled = Settled {
            values: [("key".to_owned(), Zeroizing::new("hunter2".to_owned()))].into(),
            origins: [("key".to_owned(), SecretOrigin::Stored)].into(),
        };
        assert!(!format!("{settled:?}").contains("hunter2"));
    }
}
