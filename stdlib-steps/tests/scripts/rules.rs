//! Every script of every type: understood by every shell, clean for shellcheck, and true to the schema beside it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use crate::bench::{Bench, SHELLS, finish, types, words_behind};

#[test]
fn every_shell_understands_every_script() {
    let bench = Bench::new();
    let file = bench.path("script");
    for of in types() {
        for (key, _) in of.scripts() {
            fs::write(&file, of.body(key)).unwrap();
            for shell in SHELLS {
                let output = finish(
                    Command::new(shell[0])
                        .args(&shell[1..])
                        .arg("-n")
                        .arg(&file),
                );
                assert!(
                    output.status.success(),
                    "{} {key} in {shell:?}: {}",
                    of.name,
                    String::from_utf8_lossy(&output.stderr)
                );
            }
        }
    }
}

/// What the prelude gives, as far as shellcheck has to know it.
const DECLARED: &str = "#!/bin/sh
differs() { : \"$@\"; }
output() { : \"$@\"; }
before() { : \"$@\"; }
skip() { exit 0; }
fail() { exit 1; }
put() { printf '%s' \"$1\"; }
before_file() { : \"$@\"; }
keep_text() { : \"$@\"; }
kept_text() { kept=$1; }
have() { command -v \"$1\" >/dev/null; }
need() { : \"$@\"; }
json_string() { printf '%s' \"$1\"; }
json_list() { printf '%s' \"$@\"; }
";

#[test]
fn shellcheck_finds_nothing() {
    let bench = Bench::new();
    let mut files = Vec::new();
    for of in types() {
        for (key, _) in of.scripts() {
            let mut text = DECLARED.to_owned();
            let before = if key == "undo" {
                of.before()
            } else {
                BTreeSet::new()
            };
            for name in of
                .schemas("params")
                .into_iter()
                .map(|(name, _)| name)
                .chain(before.iter().map(|name| format!("before_{name}")))
            {
                text.push_str(&format!("{name}=${{1?}}\n"));
            }
            text.push_str(&of.body(key));
            let file = bench.path(&format!("{}.{key}.sh", of.name));
            fs::write(&file, text).unwrap();
            files.push(file);
        }
    }
    // Not asked: unused names (a script need not use every parameter or shared function), and whether a function
    // wants the script's arguments (`eval "set -- $list"` inside a function is how lists are read).
    let output = finish(
        Command::new("shellcheck")
            .args(["--shell=sh", "--exclude=SC2034,SC2317,SC2329,SC2119,SC2120"])
            .args(&files),
    );
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The functions that a text defines at its left edge: name and whole text.
fn functions(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        if open.is_none()
            && let Some((name, rest)) = line.split_once("()")
            && matches!(rest.trim(), "{" | "(")
            && !name.is_empty()
            && !name.contains(' ')
        {
            open = Some((name.to_owned(), String::new()));
        }
        if let Some((name, body)) = &mut open {
            body.push_str(line);
            body.push('\n');
            if line == "}" || line == ")" {
                found.insert(name.clone(), body.clone());
                open = None;
            }
        }
    }
    found
}

/// A file of a type stands alone, so what several need is in each of them: word for word.
#[test]
fn shared_functions_are_the_same_everywhere() {
    // Of these each type has its own: the name says what it does for that type.
    let own = ["look", "facts", "on_option", "on_image", "on_word"];
    let mut seen: BTreeMap<String, (&str, String)> = BTreeMap::new();
    let mut shared = 0;
    for of in types() {
        for (name, body) in functions(of.text("functions").unwrap_or_default()) {
            if own.contains(&name.as_str()) {
                continue;
            }
            if let Some((elsewhere, other)) = seen.get(&name) {
                assert_eq!(
                    &body, other,
                    "`{name}` of {} is not that of {elsewhere}",
                    of.name
                );
                shared += 1;
            }
            seen.insert(name, (of.name, body));
        }
    }
    assert!(shared > 10, "only {shared} shared functions were compared");
}

#[test]
fn what_a_script_puts_out_is_what_the_type_declares() {
    // The outputs of a content are the engine's.
    for of in types()
        .into_iter()
        .filter(|of| of.tree.get("content").is_none())
    {
        let declared: BTreeSet<String> = of
            .schemas("outputs")
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        // A type without a check has them from its apply.
        let source = of.text("check").map_or("apply", |_| "check");
        assert_eq!(
            words_behind(&of.body(source), "output "),
            declared,
            "{}",
            of.name
        );
    }
}

#[test]
fn undo_reads_what_check_records() {
    for of in types() {
        let Some(undo) = of.text("undo") else {
            continue;
        };
        let used: BTreeSet<String> = undo
            .match_indices("$before_")
            .map(|(at, _)| {
                undo[at + 8..]
                    .chars()
                    .take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_')
                    .collect()
            })
            .collect();
        let recorded = of.before();
        assert!(
            !used.is_empty() && used.is_subset(&recorded),
            "{}: undo reads {used:?}, check records {recorded:?}",
            of.name
        );
    }
}

#[test]
fn everything_is_explained() {
    for of in types() {
        for key in ["params", "outputs"] {
            for (name, schema) in of.schemas(key) {
                assert!(
                    schema.get("help").is_some(),
                    "{}: `{name}` has no help",
                    of.name
                );
                // A comma in a text without quotes begins a key of its own.
                let known = [
                    "type", "required", "default", "help", "pattern", "values", "secret", "schema",
                ];
                for key in schema.as_mapping().unwrap().keys() {
                    assert!(
                        known.contains(&key.as_str().unwrap()),
                        "{}: `{name}` has the key {key:?}",
                        of.name
                    );
                }
            }
        }
        assert!(
            of.text("doc").is_some_and(|doc| doc.len() > 80),
            "{} has no doc",
            of.name
        );
        assert!(
            of.tree.get("examples").is_some(),
            "{} has no example",
            of.name
        );
    }
}

/// Every text in a value, however deep.
fn texts<'a>(value: Option<&'a serde_yaml::Value>, found: &mut BTreeSet<&'a str>) {
    match value {
        Some(serde_yaml::Value::String(text)) => {
            found.insert(text);
        }
        Some(serde_yaml::Value::Sequence(items)) => {
            items.iter().for_each(|item| texts(Some(item), found));
        }
        Some(serde_yaml::Value::Mapping(map)) => {
            map.values().for_each(|item| texts(Some(item), found));
        }
        _ => {}
    }
}

#[test]
fn every_parameter_and_resource_is_a_real_one() {
    for of in types() {
        let params: BTreeSet<String> = of
            .schemas("params")
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let scripts: String = of
            .scripts()
            .into_iter()
            .map(|(key, _)| of.body(key))
            .collect();
        let mut parts = BTreeSet::new();
        texts(of.tree.get("content"), &mut parts);
        texts(of.tree.get("progress"), &mut parts);
        for name in &params {
            let reads = ["$", "${", "$(("]
                .iter()
                .any(|sign| scripts.contains(&format!("{sign}{name}")))
                || parts.contains(format!("{{{{{name}}}}}").as_str());
            assert!(reads, "{}: `{name}` is never read", of.name);
        }
        for key in ["reads", "writes"] {
            for resource in of
                .tree
                .get(key)
                .and_then(|list| list.as_sequence())
                .into_iter()
                .flatten()
            {
                for part in resource.as_str().unwrap().split("{{").skip(1) {
                    let name = part.split("}}").next().unwrap();
                    assert!(params.contains(name), "{}: {key} names `{name}`", of.name);
                }
            }
        }
    }
}

/// An early `exit` never reaches the end of a check: it would be an error, whatever was recorded.
#[test]
fn no_script_leaves_early() {
    for of in types() {
        for (key, _) in of.scripts() {
            let body = of.body(key);
            let left = body
                .split(['\n', ';', '{', '&', '|'])
                .map(str::trim)
                .find(|part| {
                    let mut words = part.split_whitespace();
                    words.next() == Some("exit")
                        && words
                            .next()
                            .is_none_or(|status| status.parse::<u8>().is_ok())
                });
            assert_eq!(left, None, "{} {key}", of.name);
        }
    }
}

/// Modes that a parameter takes: none with which every account could write.
#[test]
fn no_mode_lets_every_account_write() {
    let mut asked = 0;
    for of in types() {
        for (name, schema) in of.schemas("params") {
            let text = |key: &str| schema.get(key).and_then(|value| value.as_str());
            if name != "mode" || text("type") != Some("string") {
                continue;
            }
            // A directory may have the sticky bit; its script refuses what lets write without.
            let pattern = text("pattern").unwrap_or_default();
            let refuses = pattern.ends_with("[0145]$") || of.name == "directory";
            assert!(refuses, "{}: {pattern}", of.name);
            asked += 1;
        }
        for (key, _) in of.scripts() {
            let body = of.body(key);
            for sign in [
                "chmod 777",
                "chmod 0777",
                "chmod 666",
                "chmod a+w",
                "chmod o+w",
                "-m 777",
                "-m 0777",
            ] {
                assert!(!body.contains(sign), "{} {key}: {sign}", of.name);
            }
        }
    }
    assert!(asked > 8, "only {asked} modes were looked at");
}

/// A secret is given, or made; the author of a type knows none.
#[test]
fn no_secret_has_a_default() {
    let mut asked = 0;
    for of in types() {
        for (name, schema) in of.schemas("params") {
            let text = |key: &str| schema.get(key).and_then(|value| value.as_str());
            let is_secret = schema.get("secret").and_then(|value| value.as_bool()) == Some(true)
                || ["password", "secret", "token"]
                    .iter()
                    .any(|word| name.contains(word));
            let none = match schema.get("default") {
                None => true,
                Some(serde_yaml::Value::Mapping(map)) => map.is_empty(),
                Some(_) => text("default") == Some(""),
            };
            assert!(!is_secret || none, "{}: `{name}` has a default", of.name);
            asked += u32::from(is_secret);
        }
    }
    assert!(asked > 15, "only {asked} secrets were looked at");
}
