//! What hosts have: the secret itself, or data that belong to one. Files are read over the framed protocol, bounded.

use std::time::Duration;

use futures_util::future::join_all;
use runbook_model::HostName;
use runbook_model::secret::{Adopt, Generated};
use runbook_model::text::printable;
use runbook_remote::{Param, Report, Script, Verdict};
use zeroize::Zeroizing;

use super::{LONGEST, SHORTEST, SecretError};
use crate::driver::Reach;

const FUNCTIONS: &str = include_str!("../sh/secret_functions.sh");
const ADOPT: &str = include_str!("../sh/secret_adopt.sh");
const EXISTS: &str = include_str!("../sh/secret_exists.sh");
/// Bytes of the largest file that may hold a secret.
const MOST: usize = 256 * 1024;
/// How long one look may take.
const LIMIT: Duration = Duration::from_secs(30);

/// What hosts have.
#[derive(Default)]
pub(super) struct Found {
    /// The value of each host that has one.
    pub(super) have: Vec<(HostName, Zeroizing<String>)>,
    /// A host with data.
    pub(super) data: Option<HostName>,
}

/// Asks all hosts at once.
pub(super) async fn look(
    input: &str,
    how: &Generated,
    reach: &Reach,
) -> Result<Found, SecretError> {
    let mut found = Found::default();
    if let Some(adopt) = &how.adopt {
        let asked = adopt
            .hosts
            .iter()
            .map(|host| ask(input, host, reach, ADOPT, &adopt.file));
        for (host, report) in adopt.hosts.iter().zip(join_all(asked).await) {
            let report = report?;
            let output = |name: &str| report.outputs.iter().find(|(of, _)| of == name);
            if let Some((_, text)) = output("text") {
                // A shell leaves NUL out.
                let whole = output("size").is_some_and(|(_, size)| *size == text.len().to_string());
                let value = match whole {
                    true => value(adopt, text),
                    false => Err("is not text, or changed while it was read".to_owned()),
                };
                let value = value.map_err(|problem| SecretError::Host {
                    input: input.to_owned(),
                    host: host.clone(),
                    problem: format!("{} {problem}", printable(&adopt.file)),
                })?;
                found.have.extend(value.map(|value| (host.clone(), value)));
            }
        }
    }
    if let Some(exists) = &how.exists {
        let asked = exists
            .hosts
            .iter()
            .map(|host| ask(input, host, reach, EXISTS, &exists.path));
        for (host, report) in exists.hosts.iter().zip(join_all(asked).await) {
            if report?.outputs.iter().any(|(name, _)| name == "there") {
                found.data.get_or_insert_with(|| host.clone());
            }
        }
    }
    Ok(found)
}

async fn ask(
    input: &str,
    host: &HostName,
    reach: &Reach,
    body: &str,
    path: &str,
) -> Result<Report, SecretError> {
    let problem = |problem: String| SecretError::Host {
        input: input.to_owned(),
        host: host.clone(),
        problem: printable(&problem).into_owned(),
    };
    let script = Script::new()
        .param("path", Param::Text(path.to_owned()))
        .param("most", Param::Text(MOST.to_string()))
        .functions(FUNCTIONS)
        .body(body);
    let connected = reach.host(host).await;
    let connected = connected.map_err(|error| problem(error.fault.to_string()))?;
    let report = connected.check(&script, LIMIT).await;
    let report = report.map_err(|error| problem(error.fault.to_string()))?;
    match &report.verdict {
        Verdict::Satisfied if report.lossy => Err(problem(format!("{path} is not text"))),
        Verdict::Satisfied => Ok(report),
        Verdict::Failed(message) => Err(problem(message.clone())),
        Verdict::Differs(_) | Verdict::Skipped(_) => {
            Err(problem("the look has no verdict".to_owned()))
        }
    }
}

/// The secret in a text, if it is there.
fn value(adopt: &Adopt, text: &str) -> Result<Option<Zeroizing<String>>, String> {
    let found = match &adopt.pattern {
        None => text.strip_suffix('\n').unwrap_or(text),
        Some(pattern) => {
            let regex = regex::RegexBuilder::new(pattern)
                .multi_line(true)
                .crlf(true)
                .size_limit(1 << 20)
                .dfa_size_limit(1 << 20)
                .build()
                .map_err(|_| "is searched with a pattern that is none".to_owned())?;
            // What the pattern finds without its group is there all the same: an empty one.
            let mut values = regex
                .captures_iter(text)
                .map(|found| found.get(1).map_or("", |group| group.as_str()));
            let Some(first) = values.next() else {
                return Ok(None);
            };
            if values.any(|other| other != first) {
                return Err("has several values that the pattern finds".to_owned());
            }
            first
        }
    };
    match found.len() {
        0 => Err("has an empty one".to_owned()),
        few if few < SHORTEST => Err(format!("has one of less than {SHORTEST} bytes")),
        many if many > LONGEST => Err(format!("has one of more than {LONGEST} bytes")),
        _ => Ok(Some(Zeroizing::new(found.to_owned()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: Option<&str>, text: &str) -> Result<Option<String>, String> {
        let adopt = Adopt {
            hosts: Vec::new(),
            file: "/x".to_owned(),
            pattern: pattern.map(str::to_owned),
        };
        value(&adopt, text).map(|value| value.map(|value| value.to_string()))
    }

    #[test]
    fn a_secret_is_found_in_a_file() {
        let key = Some("^SECRET_KEY: '?([^'\\n]+)'?$");
        let text = "A: 1\r\nSECRET_KEY: 'hunter2'\r\nB: 2\n";
        assert_eq!(found(key, text), Ok(Some("hunter2".to_owned())));
        assert_eq!(found(key, "A: 1\n"), Ok(None));
        assert_eq!(found(None, "hunter2\n"), Ok(Some("hunter2".to_owned())));
        assert_eq!(
            found(None, " two\nlines\n\n"),
            Ok(Some(" two\nlines\n".to_owned()))
        );
    }

    #[test]
    fn what_is_no_secret_is_refused_and_not_repeated() {
        let key = Some("^KEY=(.*)$");
        for text in ["KEY=hunter2\nKEY=hunter3\n", "KEY=\n", "KEY=abc\n"] {
            let problem = found(key, text).unwrap_err();
            assert!(
                !problem.contains("hunter") && !problem.contains("abc"),
                "{problem}"
            );
        }
        // It is there, in a way that nobody thought of: a new one would be another.
        let either = Some("^KEY: (?:'[^']*'|([a-z0-9]+))$");
        assert!(found(either, "KEY: 'hunter2'\n").is_err());
        assert!(found(either, "KEY: hunter2\nKEY: 'hunter2'\n").is_err());
        assert!(found(None, "\n").is_err());
        assert!(found(None, &"x".repeat(LONGEST + 1)).is_err());
    }
}
