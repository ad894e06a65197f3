//! A script of a step type with its parameters: values quoted for the shell, secrets kept out of the text.

use std::fmt;

use runbook_model::text::printable;

use crate::Kept;
use crate::chain::MEMBERS;
use crate::quote::{push_quoted, word_list};

pub(crate) const PRELUDE: &str = include_str!("sh/prelude.sh");
/// Files that are kept for undo.
pub(crate) const UNDO: &str = include_str!("sh/undo.sh");
/// What the receiving side wants as the last line, so that a script cut on the way is never run.
pub(crate) const LAST: &str = "# end of script";
/// Bytes that a script with its parameters may have.
pub(crate) const LIMIT: usize = 1 << 20;
/// What reads the secrets of a file from descriptor 9. The second match is for a shell that keeps what the last one has
/// matched in a variable.
pub(crate) const SECRETS: &str = "rb_secrets=$(cat <&9)
exec 9<&-
case $rb_secrets in *'# all') ;; *) exit 126 ;; esac
case - in *-) ;; esac
eval \"$rb_secrets\"
rb_secrets=
";
/// The same where there are none.
pub(crate) const NO_SECRETS: &str = "exec 9<&-\n";
/// The last line of what descriptor 9 gives.
pub(crate) const ALL_SECRETS: &str = "# all\n";

/// Variables that shells or the engine give a meaning to.
const RESERVED: &[&str] = &[
    "CDPATH",
    "COLUMNS",
    "DIRSTACK",
    "ENV",
    "EPOCHREALTIME",
    "EPOCHSECONDS",
    "ERRNO",
    "EUID",
    "FCEDIT",
    "FPATH",
    "FUNCNAME",
    "GROUPS",
    "HISTCMD",
    "HISTFILE",
    "HISTSIZE",
    "HOME",
    "HOSTNAME",
    "HOSTTYPE",
    "IFS",
    "LANG",
    "LINENO",
    "LINES",
    "LOGNAME",
    "MACHTYPE",
    "MAIL",
    "MAILCHECK",
    "MAILPATH",
    "OLDPWD",
    "OPTARG",
    "OPTERR",
    "OPTIND",
    "OSTYPE",
    "PATH",
    "PATHSEP",
    "PGRP",
    "PIPESTATUS",
    "POSIXLY_CORRECT",
    "PPID",
    "PS1",
    "PS2",
    "PS3",
    "PS4",
    "PWD",
    "RANDOM",
    "RB",
    "REPLY",
    "SECONDS",
    "SHELL",
    "SHELLOPTS",
    "SHLVL",
    "SRANDOM",
    "TERM",
    "TIMEFORMAT",
    "TMOUT",
    "TMPDIR",
    "TZ",
    "UID",
    "USER",
    "USER_ID",
    "_",
];
const RESERVED_PREFIXES: &[&str] = &["rb_", "RB_", "BASH", "KSH", "LC_", "LD_"];

/// Why a script cannot be handed to a shell. Values are not in the text: they can be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidScript {
    /// The name is not a variable's name.
    #[error("`{}` is not a name for a parameter: letters, digits and _, not starting with a digit", printable(.0))]
    Name(String),
    /// The name means something to shells or to the engine.
    #[error("the parameter name `{0}` is reserved")]
    Reserved(String),
    /// Two parameters have one name.
    #[error("the parameter `{0}` is given twice")]
    Twice(String),
    /// A shell cannot hold this value.
    #[error("the value of `{0}` holds a NUL character, which no shell can hold")]
    Nul(String),
    /// The text itself holds NUL.
    #[error("the script holds a NUL character")]
    NulInText,
    /// Too much.
    #[error("the script with its parameters has {0} bytes, more than {LIMIT}")]
    TooLong(usize),
    /// A chain without members, or with too many.
    #[error("a chain has 1 to {MEMBERS} members, not {0}")]
    Members(usize),
}

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Param {
    /// The text as it is.
    Text(String),
    /// Words for `eval "set -- $name"`.
    List(Vec<String>),
    /// The same, each word `KEY=VALUE`.
    Map(Vec<(String, String)>),
}

impl Param {
    fn text(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::List(words) => word_list(words).into(),
            Self::Map(pairs) => {
                word_list(pairs.iter().map(|(key, value)| format!("{key}={value}"))).into()
            }
        }
    }
}

/// A script, its parameters and its secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Script {
    params: Vec<(String, Param)>,
    secrets: Vec<(String, String)>,
    /// What comes before the functions: the undo store, and what is done with it.
    undo: String,
    /// Whether that needs the functions of the undo store.
    pub(crate) has_store: bool,
    pub(crate) functions: String,
    pub(crate) body: String,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets: Vec<_> = self.secrets.iter().map(|(name, _)| name).collect();
        f.debug_struct("Script")
            .field("params", &self.params)
            .field("secrets", &secrets)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

impl Script {
    /// An empty script, which is satisfied.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A parameter: a shell variable with this name.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: Param) -> Self {
        self.params.push((name.into(), value));
        self
    }

    /// A secret: a shell variable too, but never part of a text that is stored or shown. A list or a map is given
    /// as [`Script::words`].
    #[must_use]
    pub fn secret(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.secrets.push((name.into(), value.into()));
        self
    }

    /// Where files are kept for undo: a directory of this instance alone.
    #[must_use]
    pub fn undo_store(mut self, dir: &str) -> Self {
        self.has_store = true;
        assign(&mut self.undo, "rb_store", dir);
        self
    }

    /// Keeps a file in the undo store before anything else is done, unless that was done already. If it is not what
    /// the check saw, nothing is done: see [`crate::Report::stale`].
    #[must_use]
    pub fn keep(mut self, file: &Kept) -> Self {
        self.undo.push_str("rb_keep");
        for word in [&file.name, &file.path, &file.state] {
            self.undo.push(' ');
            push_quoted(&mut self.undo, word);
        }
        self.undo.push('\n');
        self
    }

    /// Makes sure that a file is in the undo store as it was, and gives it to the script: `before_NAME` is the kept
    /// copy, empty where there was no file; `before_NAME_owner`, `_group` (numbers) and `_mode` are how it was.
    #[must_use]
    pub fn kept(mut self, store: &str, file: &Kept) -> Self {
        self.undo.push_str("rb_kept");
        for word in [&file.name, &file.state] {
            self.undo.push(' ');
            push_quoted(&mut self.undo, word);
        }
        self.undo.push('\n');
        let name = &file.name;
        let copy = file.is_there().then(|| format!("{store}/{name}"));
        let [owner, group, mode] = file.meta();
        self.param(
            format!("before_{name}"),
            Param::Text(copy.unwrap_or_default()),
        )
        .param(format!("before_{name}_owner"), Param::Text(owner))
        .param(format!("before_{name}_group"), Param::Text(group))
        .param(format!("before_{name}_mode"), Param::Text(mode))
    }

    /// Functions that the script may call.
    #[must_use]
    pub fn functions(mut self, text: &str) -> Self {
        text.clone_into(&mut self.functions);
        self
    }

    /// What it does.
    #[must_use]
    pub fn body(mut self, text: &str) -> Self {
        text.clone_into(&mut self.body);
        self
    }

    /// Quoted words, as a list parameter holds them.
    #[must_use]
    pub fn words<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
        word_list(words)
    }

    /// Whether a name can be a parameter's.
    ///
    /// # Errors
    /// It is not a variable's name, or it is reserved.
    pub fn valid_name(name: &str) -> Result<(), InvalidScript> {
        let variable = !name.is_empty()
            && name.len() <= 64
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !variable {
            return Err(InvalidScript::Name(name.to_owned()));
        }
        if RESERVED.contains(&name)
            || RESERVED_PREFIXES
                .iter()
                .any(|prefix| name.starts_with(prefix))
        {
            return Err(InvalidScript::Reserved(name.to_owned()));
        }
        Ok(())
    }

    pub(crate) fn validate(&self) -> Result<(), InvalidScript> {
        let mut seen = std::collections::BTreeSet::new();
        let texts = self.params.iter().map(|(name, value)| (name, value.text()));
        let secrets = self
            .secrets
            .iter()
            .map(|(name, value)| (name, value.as_str().into()));
        for (name, value) in texts.chain(secrets) {
            Self::valid_name(name)?;
            if !seen.insert(name.as_str()) {
                return Err(InvalidScript::Twice(name.clone()));
            }
            if value.contains('\0') {
                return Err(InvalidScript::Nul(name.clone()));
            }
        }
        if [&self.body, &self.functions, &self.undo]
            .into_iter()
            .any(|text| text.contains('\0'))
        {
            Err(InvalidScript::NulInText)
        } else {
            Ok(())
        }
    }

    /// What comes before the functions and the body: parameters, secrets as they are read there, the undo store.
    pub(crate) fn setting(&self, secrets: &str) -> String {
        let mut out = String::new();
        // a variable that came with the environment would hand the value to every program
        for name in self
            .params
            .iter()
            .map(|(name, _)| name)
            .chain(self.secrets.iter().map(|(name, _)| name))
        {
            out.push_str("unset ");
            out.push_str(name);
            out.push('\n');
        }
        for (name, value) in &self.params {
            assign(&mut out, name, &value.text());
        }
        out.push_str(secrets);
        out.push_str(&self.undo);
        out
    }

    fn render(&self, secrets: &str) -> Result<String, InvalidScript> {
        self.validate()?;
        let mut out = String::from(PRELUDE);
        if self.has_store {
            out.push_str(UNDO);
        }
        out.push_str(&self.setting(secrets));
        out.push_str(&self.functions);
        out.push('\n');
        out.push_str(&self.body);
        // two lines: a backslash at the end of the body joins only the first
        out.push_str("\n\nrb_record end - ok\n");
        out.push_str(LAST);
        out.push('\n');
        if out.len() > LIMIT {
            Err(InvalidScript::TooLong(out.len()))
        } else {
            Ok(out)
        }
    }

    /// All of it in one text, secrets too: for a shell that reads it from its input and keeps it in memory.
    pub(crate) fn in_memory(&self) -> Result<String, InvalidScript> {
        self.render(&self.secret_text().unwrap_or_default())
    }

    /// The text for a file; secrets are read from descriptor 9 before anything else runs.
    pub(crate) fn for_file(&self) -> Result<String, InvalidScript> {
        if self.secrets.is_empty() {
            return self.render(NO_SECRETS);
        }
        self.render(SECRETS)
    }

    /// The assignments of the secrets.
    pub(crate) fn secret_text(&self) -> Option<String> {
        let mut out = self.secret_lines()?;
        out.push_str(ALL_SECRETS);
        Some(out)
    }

    /// The same without their end.
    pub(crate) fn secret_lines(&self) -> Option<String> {
        if self.secrets.is_empty() {
            return None;
        }
        let mut out = String::new();
        for (name, value) in &self.secrets {
            assign(&mut out, name, value);
        }
        Some(out)
    }
}

pub(crate) fn assign(out: &mut String, name: &str, value: &str) {
    out.push_str(name);
    out.push('=');
    push_quoted(out, value);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        let with = |name: &str| {
            Script::new()
                .param(name, Param::Text(String::new()))
                .in_memory()
        };
        assert!(with("port").is_ok());
        assert!(with("before_now").is_ok());
        for bad in ["", "1a", "a-b", "a b", "x;y", "é"] {
            assert_eq!(with(bad), Err(InvalidScript::Name(bad.into())));
        }
        for bad in [
            "PATH",
            "IFS",
            "rb_x",
            "RB",
            "LD_PRELOAD",
            "BASHOPTS",
            "UID",
            "_",
        ] {
            assert_eq!(with(bad), Err(InvalidScript::Reserved(bad.into())));
        }
        let twice = Script::new()
            .param("a", Param::Text("1".into()))
            .secret("a", "2");
        assert_eq!(twice.in_memory(), Err(InvalidScript::Twice("a".into())));
        let nul = Script::new().secret("a", "x\0y");
        assert_eq!(nul.in_memory(), Err(InvalidScript::Nul("a".into())));
        let long = Script::new().body(&"#".repeat(LIMIT));
        assert!(matches!(long.in_memory(), Err(InvalidScript::TooLong(_))));
    }

    #[test]
    fn a_secret_is_in_no_stored_text() {
        let script = Script::new().secret("password", "hunter2").body("true");
        assert!(!script.for_file().unwrap().contains("hunter2"));
        assert!(!format!("{script:?}").contains("hunter2"));
        assert!(script.in_memory().unwrap().contains("password='hunter2'"));
        assert_eq!(script.secret_text().unwrap(), "password='hunter2'\n# all\n");
    }
}
