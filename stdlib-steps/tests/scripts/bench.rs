//! Scripts of the shipped types as a host would get them, and the shells that must run them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_yaml::Value;

/// The shells in which every script must work.
pub(crate) const SHELLS: &[&[&str]] = &[
    &["dash"],
    &["bash", "--posix"],
    &["busybox", "sh"],
    &["mksh"],
];

/// A type and its file, parsed.
pub(crate) struct Type {
    pub(crate) name: &'static str,
    pub(crate) tree: Value,
}

/// All shipped types.
pub(crate) fn types() -> Vec<Type> {
    runbook_steps::TYPES
        .iter()
        .map(|(name, text)| Type {
            name,
            tree: serde_yaml::from_str(text).unwrap(),
        })
        .collect()
}

pub(crate) fn type_named(name: &str) -> Type {
    types().into_iter().find(|t| t.name == name).unwrap()
}

impl Type {
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.tree.get(key).map(|value| value.as_str().unwrap())
    }

    /// Names and schemas under `params` or `outputs`.
    pub(crate) fn schemas(&self, key: &str) -> Vec<(String, Value)> {
        let Some(map) = self.tree.get(key) else {
            return Vec::new();
        };
        map.as_mapping()
            .unwrap()
            .iter()
            .map(|(name, schema)| (name.as_str().unwrap().to_owned(), schema.clone()))
            .collect()
    }

    /// The scripts that it has.
    pub(crate) fn scripts(&self) -> Vec<(&'static str, &str)> {
        ["check", "apply", "undo"]
            .into_iter()
            .filter_map(|key| Some((key, self.text(key)?)))
            .collect()
    }

    /// `functions` and one script.
    pub(crate) fn body(&self, script: &str) -> String {
        format!(
            "{}\n{}",
            self.text("functions").unwrap_or_default(),
            self.text(script).unwrap()
        )
    }

    /// The names that the `before` records of its check define for `undo`.
    pub(crate) fn before(&self) -> BTreeSet<String> {
        let check = self.body("check");
        let mut names = words_behind(&check, "before ");
        for file in words_behind(&check, "before_file ") {
            for more in ["_owner", "_group", "_mode"] {
                names.insert(format!("{file}{more}"));
            }
            names.insert(file);
        }
        names
    }
}

/// The word behind each `KEYWORD ` that begins a command.
pub(crate) fn words_behind(text: &str, keyword: &str) -> BTreeSet<String> {
    text.split(['\n', ';'])
        .map(str::trim_start)
        .filter_map(|line| line.strip_prefix(keyword))
        .map(|rest| {
            rest.split([' ', '\n'])
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .filter(|word| {
            !word.is_empty()
                && word
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        })
        .collect()
}

/// A word as the engine quotes it.
pub(crate) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A list as a script gets it, before it is quoted itself.
pub(crate) fn list(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| quote(word))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The prelude that the engine puts before every script.
pub(crate) fn prelude() -> String {
    fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/remote/src/sh/prelude.sh"),
    )
    .unwrap()
}

/// What a script left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: Option<i32>,
    /// `KIND NAME VALUE`, in order.
    pub(crate) records: Vec<String>,
    /// The end of the script was reached.
    pub(crate) ended: bool,
    /// For the message of a test that fails.
    #[allow(dead_code, reason = "read through Debug")]
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of_kind(&self, kind: &str) -> Vec<&str> {
        self.records
            .iter()
            .filter_map(|record| record.strip_prefix(kind)?.strip_prefix(' '))
            .collect()
    }
}

/// A place with commands of its own in front of the real ones.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A command that does what the shell text says.
    pub(crate) fn command(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let file = self.path("bin").join(name);
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs one script of a type. Parameters that are not given have their default.
    pub(crate) fn run(
        &self,
        shell: &[&str],
        of: &Type,
        script: &str,
        params: &[(&str, &str)],
    ) -> Ran {
        let mut text = prelude();
        for (name, schema) in of.schemas("params") {
            let given = params
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned());
            let value = given.unwrap_or_else(|| match schema.get("default") {
                Some(Value::String(text)) => text.trim_end_matches('s').to_owned(),
                Some(Value::Bool(yes)) => yes.to_string(),
                Some(Value::Number(number)) => number.to_string(),
                _ => String::new(),
            });
            text.push_str(&format!("{name}={}\n", quote(&value)));
        }
        for (name, value) in params
            .iter()
            .filter(|(name, _)| name.starts_with("before_"))
        {
            text.push_str(&format!("{name}={}\n", quote(value)));
        }
        text.push_str(&of.body(script));
        text.push_str("\nrb_record end - -\n");
        let file = self.path("script");
        fs::write(&file, text).unwrap();
        let records = self.path("records");
        let mut command = Command::new("sh");
        command
            .args(["-c", "exec \"$@\" 3>\"$RECORDS\"", "sh"])
            .args(shell)
            .arg(&file)
            .env("RECORDS", &records);
        let output = finish(command.env(
            "PATH",
            format!(
                "{}:/usr/sbin:/usr/bin:/sbin:/bin",
                self.path("bin").display()
            ),
        ));
        let mut all: Vec<String> = String::from_utf8(fs::read(&records).unwrap())
            .unwrap()
            .split_terminator('\0')
            .map(str::to_owned)
            .collect();
        let ended = all.last().is_some_and(|last| last == "end - -");
        all.retain(|record| record != "end - -");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Ran {
            status: output.status.code(),
            records: all,
            ended,
            stderr,
        }
    }
}

pub(crate) fn finish(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}
