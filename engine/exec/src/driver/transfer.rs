//! Copying a file from one host to another, through the controller, or to the controller. Its check compares
//! checksums, so a copy that was cut off is found and made again.

use std::collections::BTreeMap;
use std::time::Duration;

use runbook_lang::steptype::{FETCH, ParamValue};
use runbook_model::event::{AttemptEnd, Verdict};
use runbook_model::id::CONTROL;
use runbook_model::{Failure, FailureKind, HostName, Value};
use runbook_remote::{Host, Param, RemoteError, Script};

use super::Reach;
use super::look::{Finding, Prepared};

/// Mode of the copy: a dump of a database is nobody else's business.
const MODE: u32 = 0o600;
/// Where a file is, and what is in it.
const LOOK: &str = r#"
case $path in */) path=$path$name ;; *) if [ -d "$path" ]; then path=$path/$name; fi ;; esac
output path "$path"
if [ -f "$path" ]; then
  output size "$(($(wc -c <"$path")))"
  need sha256sum
  sum=$(sha256sum <"$path")
  output sha256 "${sum%% *}"
fi
"#;

/// A file on a host.
struct At {
    host: HostName,
    path: String,
}

impl At {
    fn parse(text: &str) -> Result<Self, Failure> {
        let bad = || {
            Failure::new(
                FailureKind::Value,
                format!("`{text}` is neither `host:/path` nor `/path`"),
            )
        };
        let (host, path) = match text.split_once(':') {
            Some((host, path)) if !text.starts_with('/') => (host, path),
            _ => (CONTROL, text),
        };
        if !path.starts_with('/') {
            return Err(bad());
        }
        Ok(Self {
            host: HostName::new(host).map_err(|_| bad())?,
            path: path.to_owned(),
        })
    }

    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// A copy as its arguments say.
struct Copy {
    from: At,
    to: At,
    sha256: String,
}

impl Copy {
    fn of(prepared: &Prepared) -> Result<Self, Failure> {
        let text = |name: &str| {
            let found = prepared
                .arguments
                .iter()
                .find(|argument| argument.name == name);
            match found.map(|argument| &argument.value) {
                Some(ParamValue::Text(text)) => text.clone(),
                _ => String::new(),
            }
        };
        let mut from = At::parse(&text("from"))?;
        if prepared.step_type.name == FETCH {
            from.host = prepared.host.clone();
        }
        Ok(Self {
            from,
            to: At::parse(&text("to"))?,
            sha256: text("sha256"),
        })
    }

    /// The checksum that the copy must have: as given, or that of the source.
    async fn wanted(&self, reach: &Reach, limit: Duration) -> Result<Option<String>, RemoteError> {
        if !self.sha256.is_empty() {
            return Ok(Some(self.sha256.clone()));
        }
        let host = reach.host(&self.from.host).await?;
        Ok(file(&host, &self.from.path, self.from.name(), limit)
            .await?
            .sha256)
    }
}

/// What is at a path.
struct Found {
    path: String,
    sha256: Option<String>,
    size: i64,
}

/// Looks at a file; a directory stands for a file of this name in it.
async fn file(host: &Host, path: &str, name: &str, limit: Duration) -> Result<Found, RemoteError> {
    let text = |text: &str| Param::Text(text.to_owned());
    let script = Script::new()
        .param("path", text(path))
        .param("name", text(name))
        .body(LOOK);
    let report = host.check(&script, limit).await?;
    let output = |wanted: &str| {
        report
            .outputs
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.clone())
    };
    Ok(Found {
        path: output("path").unwrap_or_else(|| path.to_owned()),
        sha256: output("sha256"),
        size: output("size")
            .and_then(|size| size.parse().ok())
            .unwrap_or(0),
    })
}

/// Whether the copy is there.
///
/// # Errors
/// A host, not the copy.
pub(super) async fn look(reach: &Reach, prepared: &Prepared) -> Result<Finding, RemoteError> {
    let found = |verdict, outputs| Finding {
        verdict,
        outputs,
        before: BTreeMap::new(),
        secret: BTreeMap::new(),
    };
    let copy = match Copy::of(prepared) {
        Ok(copy) => copy,
        Err(failure) => return Ok(found(Verdict::Error(failure), BTreeMap::new())),
    };
    let Some(wanted) = copy.wanted(reach, prepared.limit).await? else {
        let message = format!(
            "there is no file `{}` on `{}`",
            copy.from.path, copy.from.host
        );
        return Ok(found(
            Verdict::Error(Failure::new(FailureKind::Check, message)),
            BTreeMap::new(),
        ));
    };
    let host = reach.host(&copy.to.host).await?;
    let there = file(&host, &copy.to.path, copy.from.name(), prepared.limit).await?;
    let outputs = BTreeMap::from([
        ("file".to_owned(), Value::from(there.path.as_str())),
        ("sha256".to_owned(), Value::from(wanted.as_str())),
        ("size".to_owned(), Value::from(there.size)),
    ]);
    let place = format!("{}:{}", copy.to.host, there.path);
    let verdict = match there.sha256 {
        Some(have) if have == wanted => Verdict::Satisfied,
        Some(_) => Verdict::Differs(vec![format!("{place} has other content")]),
        None => Verdict::Differs(vec![format!("{place} is not there")]),
    };
    Ok(found(verdict, outputs))
}

/// Makes the copy.
pub(super) async fn copy(reach: &Reach, prepared: &Prepared) -> AttemptEnd {
    match try_copy(reach, prepared).await {
        Ok(()) => AttemptEnd::Completed {
            outputs: BTreeMap::new(),
        },
        Err(failure) => AttemptEnd::Failed(failure),
    }
}

async fn try_copy(reach: &Reach, prepared: &Prepared) -> Result<(), Failure> {
    let failed = |error: RemoteError| Failure::new(FailureKind::Apply, error.to_string());
    let copy = Copy::of(prepared)?;
    let from = reach.host(&copy.from.host).await.map_err(failed)?;
    let to = reach.host(&copy.to.host).await.map_err(failed)?;
    let there = file(&to, &copy.to.path, copy.from.name(), prepared.limit)
        .await
        .map_err(failed)?;
    from.copy_to(&copy.from.path, &to, &there.path, MODE)
        .await
        .map_err(failed)?;
    Ok(())
}
