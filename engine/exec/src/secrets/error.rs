//! Why a generated secret has no value. Values are never repeated.

use runbook_model::HostName;
use runbook_model::text::printable;

use super::VaultError;

/// Why a generated secret has no value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A host cannot be asked whether it has the secret.
    #[error("`{host}` cannot say whether it has the secret `{input}`: {problem}")]
    Host {
        /// The input.
        input: String,
        /// The host.
        host: HostName,
        /// Why, made printable.
        problem: String,
    },
    /// Hosts have different values.
    #[error(
        "the hosts do not agree about the secret `{input}`: {}",
        disagreement(hosts)
    )]
    Disagree {
        /// The input.
        input: String,
        /// The hosts of each value.
        hosts: Vec<Vec<HostName>>,
    },
    /// A new secret would lock data out.
    #[error(
        "a new secret `{input}` is not made: `{}` is there on `{host}`, so there was one before, and neither a host \
         nor the store has it",
        printable(path)
    )]
    Data {
        /// The input.
        input: String,
        /// Where the data are.
        host: HostName,
        /// What is there.
        path: String,
    },
    /// The run began with a value that the store has no more.
    #[error(
        "this run began with a secret `{input}` that the store does not have any more; give it with `--secret`"
    )]
    Lost {
        /// The input.
        input: String,
    },
    /// The store of secrets cannot be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The system has no random numbers.
    #[error("no secret can be made: {problem}")]
    Entropy {
        /// What the system said.
        problem: String,
    },
}

fn disagreement(hosts: &[Vec<HostName>]) -> String {
    let lists = hosts.iter().enumerate().map(|(at, hosts)| {
        let names: Vec<&str> = hosts.iter().map(HostName::as_str).collect();
        let names = names.join(", ");
        match (at, hosts.len()) {
            (0, 1) => format!("{names} has one value"),
            (0, _) => format!("{names} have one value"),
            (..) => format!("{names} another"),
        }
    });
    lists.collect::<Vec<_>>().join(", ")
}
