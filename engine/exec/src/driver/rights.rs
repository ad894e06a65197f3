//! Whose a file should be and who may do what with it: read from words, and compared with what is there.

use runbook_model::text::printable;
use runbook_model::{Failure, FailureKind};
use runbook_remote::Rights;

/// Reads the words that were given.
///
/// # Errors
/// One that no file can have.
pub(super) fn of(
    owner: Option<String>,
    group: Option<String>,
    mode: Option<String>,
) -> Result<Rights, Failure> {
    Ok(Rights {
        owner: owner.map(|name| account("owner", name)).transpose()?,
        group: group.map(|name| account("group", name)).transpose()?,
        mode: mode.map(|mode| octal(&mode)).transpose()?,
    })
}

/// Why a file is not as the rights say; `found` tells its `mode`, `owner`, `uid`, `group` and `gid`.
pub(super) fn reasons<'a>(rights: &Rights, found: impl Fn(&str) -> &'a str) -> Vec<String> {
    let mut reasons = Vec::new();
    let now = u32::from_str_radix(found("mode"), 8).ok();
    if let Some(mode) = rights.mode.filter(|mode| now != Some(*mode)) {
        reasons.push(format!(
            "mode is {:0>4}, should be {mode:04o}",
            found("mode")
        ));
    }
    for (what, wanted, number) in [
        ("owner", &rights.owner, "uid"),
        ("group", &rights.group, "gid"),
    ] {
        let name = found(what);
        let other = |wanted: &&str| *wanted != name && *wanted != found(number);
        if let Some(wanted) = wanted.as_deref().filter(other) {
            reasons.push(format!("{what} is {name}, should be {wanted}"));
        }
    }
    reasons
}

fn bad(message: String) -> Failure {
    Failure::new(FailureKind::Value, message)
}

/// `chown` takes `name:group` too, and options.
fn account(what: &str, name: String) -> Result<String, Failure> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | '\\' | '$');
    match name.chars().all(plain) && !name.starts_with(['-', '.']) && name.len() <= 256 {
        true => Ok(name),
        false => Err(bad(format!(
            "`{}` is not a name for the {what}",
            printable(&name)
        ))),
    }
}

fn octal(mode: &str) -> Result<u32, Failure> {
    let digits = matches!(mode.len(), 3 | 4) && mode.bytes().all(|digit| digit.is_ascii_digit());
    let parsed = u32::from_str_radix(mode, 8).ok().filter(|_| digits);
    parsed.ok_or_else(|| {
        bad(format!(
            "`{}` is not a mode of three or four octal digits",
            printable(mode)
        ))
    })
}
