//! What can be typed about secrets: places, never values.

use std::convert::Infallible;
use std::path::PathBuf;

use clap::Args;
use runbook_model::plan::SecretSource;

use crate::error::Error;

/// Where secrets are read from.
#[derive(Debug, Args)]
pub(crate) struct SecretArgs {
    /// Names and places.
    #[arg(long = "secret", value_name = "NAME=PLACE", value_parser = SecretArg::read, help = help())]
    pub(crate) secret: Vec<SecretArg>,
    /// The file with the key that opens age:FILE
    #[arg(
        long,
        value_name = "FILE",
        hide = !cfg!(feature = "age"),
        env = "RUNBOOK_AGE_IDENTITY",
        hide_env_values = true
    )]
    pub(crate) age_identity: Option<PathBuf>,
}

/// What this build can read from is all that is offered.
fn help() -> String {
    let places = crate::secrets::PLACES;
    format!("Where a secret is read from, once for each name: {places}")
}

/// `--secret`: the name of a secret and its place. What is not written so is dropped at once and
/// refused later: it could be the secret itself, and an error of the parser would repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretArg(Option<(String, SecretSource)>);

impl SecretArg {
    fn read(text: &str) -> Result<Self, Infallible> {
        Ok(Self(crate::secrets::parse(text)))
    }

    /// The names and places.
    pub(crate) fn all(args: &[Self]) -> Result<Vec<(String, SecretSource)>, Error> {
        let wrong = || Error::Typed {
            message: "a --secret does not name a place".into(),
            hint: Some(format!(
                "write NAME=PLACE with one of {}, never the secret itself",
                crate::secrets::PLACES
            )),
        };
        let all: Result<Vec<_>, Error> = args
            .iter()
            .map(|arg| arg.0.clone().ok_or_else(wrong))
            .collect();
        let all = all?;
        super::once("--secret", all.iter().map(|(name, _)| name.as_str()))?;
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn what_is_no_place_of_a_secret_is_not_repeated() {
        for wrong in [
            "hunter2",
            "db=hunter2",
            "db=env:",
            "=env:X",
            "db=vault:hunter2",
        ] {
            let cli = Cli::parse_from(["runbook", "check", "x.yaml", "--secret", wrong]);
            assert!(!format!("{cli:?}").contains("hunter2"));
            let Command::Check(args) = cli.command else {
                unreachable!("check was typed")
            };
            let error = SecretArg::all(&args.secrets.secret).unwrap_err();
            assert_eq!(error.exit(), crate::exit::Exit::Mistake);
            assert!(!format!("{error} {:?}", error.hints()).contains("hunter2"));
        }
    }

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        let words = ["runbook", "check", "x.yaml"];
        let twice = |option: &str, values: [&str; 2]| {
            let more = values.iter().flat_map(|value| [option, value]);
            let cli = Cli::parse_from(words.into_iter().chain(more));
            let Command::Check(args) = cli.command else {
                unreachable!("check was typed")
            };
            let inputs = args.inputs().map(|_| ());
            inputs.and(SecretArg::all(&args.secrets.secret).map(|_| ()))
        };
        for (option, values) in [
            ("--input", ["to=3.8.0", "to=3.9.0"]),
            ("--secret", ["db=env:A", "db=prompt"]),
        ] {
            let error = twice(option, values).unwrap_err();
            assert_eq!(error.exit(), crate::exit::Exit::Mistake);
            assert!(error.to_string().contains(option), "{error}");
            assert!(error.to_string().ends_with("twice"), "{error}");
        }
        twice("--input", ["from=3.8.0", "to=3.9.0"]).unwrap();
    }
}
