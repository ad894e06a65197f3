//! Secrets: read at every start of a controller, kept in memory, shown nowhere.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;

use runbook_model::Plan;
use runbook_model::plan::SecretSource;
use runbook_model::text::printable;

use crate::error::Error;

/// The longest secret, in bytes.
const MOST: u64 = 64 * 1024;

/// The values of a plan's secrets by name.
#[derive(Clone, Default)]
pub(crate) struct Secrets(BTreeMap<String, String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Secrets {
    /// Reads every secret of a plan; `other` places win over those of the plan, and `ask` is for
    /// those that only a person knows.
    pub(crate) fn read(
        plan: &Plan,
        other: &[(String, SecretSource)],
        ask: impl Fn(&str) -> Result<String, Error>,
    ) -> Result<Self, Error> {
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
                .rev()
                .find(|(n, _)| n == name)
                .map(|(_, source)| source);
            let Some(source) = given.or(input.secret.as_ref()) else {
                continue;
            };
            let value = match source {
                SecretSource::Prompt => ask(name)?,
                source => value(source).map_err(|problem| Error::Secret {
                    name: printable(name).into_owned(),
                    place: place(source),
                    problem,
                })?,
            };
            out.insert(name.clone(), value);
        }
        Ok(Self(out))
    }

    /// The values, for the one that passes them on.
    pub(crate) fn values(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

fn value(source: &SecretSource) -> Result<String, String> {
    match source {
        SecretSource::Env(name) => match std::env::var(name) {
            Ok(value) if !value.is_empty() => Ok(value),
            Ok(_) => Err("it is empty".into()),
            Err(std::env::VarError::NotPresent) => Err("it is not set".into()),
            Err(std::env::VarError::NotUnicode(_)) => Err("it is not text".into()),
        },
        SecretSource::File(path) => {
            let mut text = String::new();
            let file = File::open(path).map_err(|e| e.to_string())?;
            file.take(MOST + 1)
                .read_to_string(&mut text)
                .map_err(|e| e.to_string())?;
            if text.len() as u64 > MOST {
                return Err(format!("it is longer than {MOST} bytes"));
            }
            // An editor ends a file with a line break; it is no part of the secret.
            let kept = text
                .strip_suffix('\n')
                .map_or(text.len(), |t| t.strip_suffix('\r').unwrap_or(t).len());
            text.truncate(kept);
            if text.is_empty() {
                Err("it is empty".into())
            } else {
                Ok(text)
            }
        }
        SecretSource::Prompt => Err("nobody was asked".into()),
    }
}

fn place(source: &SecretSource) -> String {
    match source {
        SecretSource::Env(name) => format!("the variable {}", printable(name)),
        SecretSource::File(path) => format!("the file {}", printable(path)),
        SecretSource::Prompt => "the terminal".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(content: &[u8]) -> (tempfile::NamedTempFile, SecretSource) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        let source = SecretSource::File(file.path().to_str().unwrap().into());
        (file, source)
    }

    #[test]
    fn a_file_loses_one_line_break() {
        let (_keep, source) = file(b" pass word \n\n");
        assert_eq!(value(&source).unwrap(), " pass word \n");
        let (_keep, source) = file(b"x\r\n");
        assert_eq!(value(&source).unwrap(), "x");
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for content in [b"\n".to_vec(), vec![b'x'; 70_000], vec![0xff]] {
            let (_keep, source) = file(&content);
            assert!(value(&source).is_err());
        }
        assert_eq!(
            value(&SecretSource::Env("RUNBOOK_TEST_NO_SUCH_VARIABLE".into())).unwrap_err(),
            "it is not set"
        );
        assert!(value(&SecretSource::File("/nonexistent/secret".into())).is_err());
    }

    #[test]
    fn nothing_is_shown() {
        let secrets = Secrets(BTreeMap::from([("db".into(), "hunter2".into())]));
        assert_eq!(format!("{secrets:?}"), "{\"db\"}");
    }
}
