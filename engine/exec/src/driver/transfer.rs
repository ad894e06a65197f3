//! Copying a file from one host to another, through the controller, or to the controller. Its check compares
//! checksums, so a copy that was cut off is found and made again. Whose it is and who may do what with it are set before it
//! takes its place; where only they are wrong, they are set on what is there, and nothing is sent.

use std::collections::BTreeMap;
use std::time::Duration;

use runbook_lang::steptype::{FETCH, ParamValue};
use runbook_model::event::{AttemptEnd, Verdict};
use runbook_model::id::CONTROL;
use runbook_model::{Failure, FailureKind, HostName, Value};
use runbook_remote::{Host, Param, RemoteError, Rights, Script};

use super::look::{Finding, Prepared};
use super::{Reach, rights};

/// Mode of a copy that takes no other one's place: a dump of a database is nobody else's business.
const MODE: u32 = 0o600;
/// Where a file is, what is in it, and whose it is.
const LOOK: &str = r#"
case $path in */) path=$path$name ;; *) if [ -d "$path" ]; then path=$path/$name; fi ;; esac
output path "$path"
if [ -f "$path" ]; then
  output size "$(($(wc -c <"$path")))"
  need sha256sum stat
  output mode "$(stat -L -c %a -- "$path")"
  output owner "$(stat -L -c %U -- "$path")"
  output uid "$(stat -L -c %u -- "$path")"
  output group "$(stat -L -c %G -- "$path")"
  output gid "$(stat -L -c %g -- "$path")"
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
    rights: Rights,
    /// What `rights` leave open is that of the file whose place it takes.
    keeps: bool,
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
        let word = |name: &str| Some(text(name)).filter(|word| !word.is_empty());
        let mut from = At::parse(&text("from"))?;
        let fetches = prepared.step_type.name == FETCH;
        if fetches {
            from.host = prepared.host.clone();
        }
        Ok(Self {
            from,
            to: At::parse(&text("to"))?,
            sha256: text("sha256"),
            rights: rights::of(word("owner"), word("group"), word("mode"))?,
            keeps: !fetches,
        })
    }

    /// The checksum that the copy must have: as given, or that of the source.
    async fn wanted(&self, reach: &Reach, limit: Duration) -> Result<Option<String>, RemoteError> {
        if !self.sha256.is_empty() {
            return Ok(Some(self.sha256.clone()));
        }
        let host = reach.host(&self.from.host).await?;
        let there = file(&host, &self.from.path, self.from.name(), limit).await?;
        Ok(there.sha256().map(str::to_owned))
    }
}

/// What is at a path.
struct Found {
    path: String,
    records: BTreeMap<String, String>,
}

impl Found {
    fn get(&self, name: &str) -> &str {
        self.records.get(name).map_or("", String::as_str)
    }

    /// The digest of the file, if there is one.
    fn sha256(&self) -> Option<&str> {
        self.records.get("sha256").map(String::as_str)
    }

    fn size(&self) -> i64 {
        self.get("size").parse().unwrap_or(0)
    }

    /// What a copy in its place gets where nothing is said.
    fn kept(&self, rights: &Rights) -> Rights {
        let here = |name: &str| self.records.get(name).cloned();
        Rights {
            owner: rights.owner.clone().or_else(|| here("uid")),
            group: rights.group.clone().or_else(|| here("gid")),
            mode: rights
                .mode
                .or_else(|| u32::from_str_radix(self.get("mode"), 8).ok()),
        }
    }
}

/// Looks at a file; a directory stands for a file of this name in it.
async fn file(host: &Host, path: &str, name: &str, limit: Duration) -> Result<Found, RemoteError> {
    let text = |text: &str| Param::Text(text.to_owned());
    let script = Script::new()
        .param("path", text(path))
        .param("name", text(name))
        .body(LOOK);
    let records: BTreeMap<_, _> = host
        .check(&script, limit)
        .await?
        .outputs
        .into_iter()
        .collect();
    Ok(Found {
        path: records
            .get("path")
            .map_or_else(|| path.to_owned(), Clone::clone),
        records,
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
        ("size".to_owned(), Value::from(there.size())),
    ]);
    let place = format!("{}:{}", copy.to.host, there.path);
    let mut reasons = match there.sha256() {
        Some(have) if have == wanted => Vec::new(),
        Some(_) => vec![format!("{place} has other content")],
        None => vec![format!("{place} is not there")],
    };
    if there.sha256().is_some() {
        let of = rights::reasons(&copy.rights, |name| there.get(name));
        reasons.extend(of.into_iter().map(|why| format!("{place}: {why}")));
    }
    let verdict = match reasons.is_empty() {
        true => Verdict::Satisfied,
        false => Verdict::Differs(reasons),
    };
    Ok(found(verdict, outputs))
}

/// Makes the copy, or only gives the one that is there to whom it should be.
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
    let to = reach.host(&copy.to.host).await.map_err(failed)?;
    let there = file(&to, &copy.to.path, copy.from.name(), prepared.limit)
        .await
        .map_err(failed)?;
    if let Some(have) = there.sha256() {
        let wanted = copy.wanted(reach, prepared.limit).await.map_err(failed)?;
        if wanted.as_deref() == Some(have) {
            return to
                .give_file(&there.path, &copy.rights)
                .await
                .map_err(failed);
        }
    }
    let mut rights = match copy.keeps {
        true => there.kept(&copy.rights),
        false => copy.rights,
    };
    rights.mode.get_or_insert(MODE);
    let from = reach.host(&copy.from.host).await.map_err(failed)?;
    from.copy_to(&copy.from.path, &to, &there.path, &rights)
        .await
        .map_err(failed)?;
    Ok(())
}
