//! Words and functions of other languages, and what they are called here.

use super::functions::{GLOBAL, MEMBER};
use crate::value::shown;

/// Names of functions in other languages, and ours.
const OTHERS: [(&str, &str); 12] = [
    ("length", "size"),
    ("len", "size"),
    ("count", "size"),
    ("date", "timestamp"),
    ("datetime", "timestamp"),
    ("time", "timestamp"),
    ("str", "string"),
    ("toString", "string"),
    ("integer", "int"),
    ("float", "double"),
    ("semver", "version"),
    ("includes", "contains"),
];

/// What a word of other languages is called here.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    Some(match name {
        "True" | "TRUE" => "true",
        "False" | "FALSE" => "false",
        "None" | "nil" | "NULL" | "Null" | "undefined" => "null",
        _ => return None,
    })
}

/// A function that nobody knows, with the one that is meant.
pub(super) fn unknown_function(name: &str, on_value: bool) -> String {
    let names: Vec<&str> = GLOBAL.iter().chain(&MEMBER).map(|(k, _)| *k).collect();
    if let Some((known, _)) = GLOBAL.iter().chain(&MEMBER).find(|(k, _)| *k == name) {
        return match on_value {
            true => format!("`{known}` is written `{known}(…)`"),
            false => format!("`{known}` is written `x.{known}(…)`"),
        };
    }
    if matches!(name, "now" | "today" | "currentTime") {
        return "there is no clock in a condition; compare with `window.opens` or an input of the type `date`".to_owned();
    }
    // What other languages call these is meant, too.
    let near = names
        .iter()
        .map(|k| (*k, *k))
        .chain(OTHERS)
        .map(|(k, known)| (strsim::jaro_winkler(k, name), known))
        .filter(|(score, _)| *score > 0.88)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((_, near)) => format!("unknown function `{}`, did you mean `{near}`?", shown(name)),
        None => {
            let mut all: Vec<String> = names.iter().map(|k| format!("`{k}`")).collect();
            all.sort();
            all.dedup();
            format!(
                "unknown function `{}`, there are {}",
                shown(name),
                all.join(", ")
            )
        }
    }
}
