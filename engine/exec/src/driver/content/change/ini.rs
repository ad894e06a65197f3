//! Keys of an INI file.
//!
//! There is no one format, so this reads what its dialects agree on: `[section]` lines, `key=value`
//! or `key: value` lines, comments of `#` and `;` on lines of their own. What follows a value on its
//! line is taken for a part of it. Where dialects differ in a way that matters for a change (a key
//! that is there twice, a value that goes on in the next line), the change is refused.

use runbook_model::Value;
use runbook_model::text::printable;

use super::edit::{Edits, line_end, newline, next_line};
use super::lines::{bare, split};

/// A line that says something.
struct Line<'a> {
    /// Where it begins in the text.
    at: usize,
    /// Without its line break.
    text: &'a str,
    what: What<'a>,
}

enum What<'a> {
    Section(&'a str),
    Key {
        name: &'a str,
        value: &'a str,
        /// Between them, blanks included; empty for a key that stands alone.
        sign: &'a str,
        /// The value goes on in the next line.
        goes_on: bool,
    },
    /// More of the value of the key above it.
    More,
    Other,
}

/// Sets keys of sections; the section of the empty name is what stands above all others.
pub(super) fn set(text: &str, sections: &Value) -> Result<String, String> {
    let mut text = text.to_owned();
    for (section, keys) in sections.as_object().into_iter().flatten() {
        let name = format!("[{}]", printable(section));
        if section.contains(['\n', '\r', ']']) || section.trim() != section {
            return Err(format!("`{name}` cannot be a section"));
        }
        text = match keys {
            Value::Object(keys) => {
                let mut done = text;
                for (key, value) in keys {
                    done = one(&done, section, key, value)?;
                }
                done
            }
            Value::Null => without(&text, section)?,
            _ => return Err(format!("`{name}` is a map of keys, or null")),
        };
    }
    Ok(text)
}

/// Sets one key, or takes it out.
fn one(text: &str, section: &str, key: &str, value: &Value) -> Result<String, String> {
    let shown = format!("`{}` of [{}]", printable(key), printable(section));
    let bad = |c: char| matches!(c, '\n' | '\r' | '=' | ':');
    if key.is_empty() || key.contains(bad) || key.trim() != key || key.starts_with(['[', '#', ';'])
    {
        return Err(format!("{shown} cannot be a key"));
    }
    let want = match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(_) | Value::Object(_) => {
            return Err(format!("{shown} is one value, not several"));
        }
    };
    if let Some(wanted) = &want
        && (wanted.contains(['\n', '\r']) || wanted.trim() != wanted)
    {
        return Err(format!(
            "the value of {shown} has blanks at an end, or more than one line"
        ));
    }
    let lines = read(text);
    let mut here = "";
    let mut found = Vec::new();
    let mut end = None;
    if section.is_empty() {
        let any = lines
            .iter()
            .any(|line| matches!(line.what, What::Section(_)));
        end = Some(if any { 0 } else { text.len() });
    }
    for line in &lines {
        match line.what {
            What::Section(name) => {
                here = name;
                if here == section {
                    end = Some(next_line(text, line.at));
                }
            }
            What::Key { name, .. } if here == section => {
                end = Some(next_line(text, line.at));
                if name == key {
                    found.push(line);
                }
            }
            What::More if here == section => end = Some(next_line(text, line.at)),
            What::Other | What::More | What::Key { .. } => {}
        }
    }
    let mut edits = Edits::default();
    match (&found[..], want.as_deref()) {
        ([_, _, ..], _) => return Err(format!("{shown} is there {} times", found.len())),
        ([line], wanted) => {
            let What::Key {
                value,
                sign,
                goes_on,
                ..
            } = line.what
            else {
                return Ok(text.to_owned());
            };
            if goes_on {
                return Err(format!("the value of {shown} goes on over several lines"));
            }
            match wanted {
                None => edits.delete(line.at..next_line(text, line.at)),
                Some(wanted) if wanted == value && !sign.is_empty() => {}
                Some(wanted) => {
                    let from = line.at + line.text.len() - value.len() - sign.len();
                    let blank = match value.is_empty() && sign.starts_with([' ', '\t']) {
                        true => " ",
                        false => "",
                    };
                    let with = match sign.is_empty() {
                        true => format!("{}{wanted}", style(&lines, section)),
                        false => format!("{sign}{blank}{wanted}"),
                    };
                    edits.replace(from..line_end(text, line.at), with.trim_end());
                }
            }
        }
        ([], None) => {}
        ([], Some(wanted)) => {
            let newline = newline(text);
            let sign = style(&lines, section);
            let indent = indent(&lines, section);
            let with = format!("{indent}{key}{sign}{wanted}");
            let with = with.trim_end();
            let at = end.unwrap_or(text.len());
            let open = match text[..at].ends_with('\n') || at == 0 {
                true => "",
                false => newline,
            };
            let head = match end {
                Some(_) => String::new(),
                None if text.trim().is_empty() => format!("[{section}]{newline}"),
                None => format!("{newline}[{section}]{newline}"),
            };
            edits.insert(at, format!("{open}{head}{with}{newline}"));
        }
    }
    let done = edits.apply(text).filter(|done| {
        let now = read(done);
        let mut values = values(&now, section, key);
        values.next() == want.as_deref() && values.next().is_none()
    });
    done.ok_or_else(|| format!("{shown} cannot be set so that it is read as it was meant"))
}

/// The values of a key, as they are read here.
fn values<'a>(
    lines: &'a [Line<'_>],
    section: &'a str,
    key: &'a str,
) -> impl Iterator<Item = &'a str> {
    let mut here = "";
    lines.iter().filter_map(move |line| match line.what {
        What::Section(name) => {
            here = name;
            None
        }
        What::Key { name, value, .. } => (here == section && name == key).then_some(value),
        What::More | What::Other => None,
    })
}

/// Takes a section out, with what is in it.
fn without(text: &str, section: &str) -> Result<String, String> {
    if section.is_empty() {
        return Err("what stands above all sections is not taken out as a whole".to_owned());
    }
    let mut edits = Edits::default();
    let mut from = None;
    for line in read(text) {
        if let What::Section(name) = line.what {
            if let Some(from) = from.take() {
                edits.delete(from..line.at);
            }
            from = (name == section).then_some(line.at);
        }
    }
    if let Some(from) = from {
        edits.delete(from..text.len());
    }
    edits
        .apply(text)
        .ok_or_else(|| format!("[{}] cannot be taken out", printable(section)))
}

fn read(text: &str) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    // The indentation of the last key: what is indented deeper belongs to it.
    let mut depth = None;
    let mut slash = false;
    let mut at = 0;
    for whole in split(text) {
        let line = bare(whole);
        let said = line.trim();
        let indent = line.len() - line.trim_start().len();
        let comment = said.is_empty() || said.starts_with(['#', ';']);
        let continues = slash || (!comment && depth.is_some_and(|depth| indent > depth));
        slash = line.ends_with('\\') && (!comment || slash);
        let what = if continues {
            if let Some(Line {
                what: What::Key { goes_on, .. },
                ..
            }) = lines
                .iter_mut()
                .rev()
                .find(|line| matches!(line.what, What::Key { .. }))
            {
                *goes_on = true;
            }
            What::More
        } else if comment {
            What::Other
        } else if let Some(name) = said.strip_prefix('[').and_then(|said| {
            // A comment may follow.
            said.split_once(']').map(|(name, _)| name)
        }) {
            depth = None;
            What::Section(name.trim())
        } else {
            depth = Some(indent);
            key(line)
        };
        lines.push(Line {
            at,
            text: line.trim_end(),
            what,
        });
        at += whole.len();
    }
    lines
}

/// A line with a key.
fn key(line: &str) -> What<'_> {
    let line = line.trim_end();
    let (equals, colon) = (line.find('='), line.find(':'));
    let at = match (equals, colon) {
        // `http://x = 1`, `a:b = 1`: a colon that ends a key is followed by a blank.
        (Some(equals), Some(colon)) if colon < equals => {
            match line[colon + 1..].starts_with([' ', '\t']) {
                true => Some(colon),
                false => Some(equals),
            }
        }
        (equals, colon) => equals.or(colon),
    };
    let Some(at) = at else {
        let name = line.trim_start();
        return What::Key {
            name,
            value: "",
            sign: "",
            goes_on: false,
        };
    };
    let name = line[..at].trim();
    let value = line[at + 1..].trim_start();
    let from = line[..at].trim_end().len();
    let to = line.len() - value.len();
    What::Key {
        name,
        value,
        sign: &line[from..to],
        goes_on: false,
    }
}

/// How keys and values are put together: as around, first in the section, then in the file.
fn style<'a>(lines: &[Line<'a>], section: &str) -> &'a str {
    let mut here = "";
    let mut first = None;
    for line in lines {
        match line.what {
            What::Section(name) => here = name,
            What::Key { sign, value, .. } if !sign.is_empty() && !value.is_empty() => {
                // Columns that are lined up are no style for a key of another length.
                let plain = match sign.trim() {
                    "=" if sign.starts_with([' ', '\t']) => " = ",
                    "=" if sign.len() > 1 => "= ",
                    ":" if sign.starts_with([' ', '\t']) => " : ",
                    ":" if sign.len() > 1 => ": ",
                    ":" => ":",
                    _ => "=",
                };
                if here == section {
                    return plain;
                }
                first = first.or(Some(plain));
            }
            What::Key { .. } | What::More | What::Other => {}
        }
    }
    first.unwrap_or("=")
}

/// How the keys of a section are indented.
fn indent<'a>(lines: &[Line<'a>], section: &str) -> &'a str {
    let mut here = "";
    for line in lines {
        match line.what {
            What::Section(name) => here = name,
            What::Key { .. } if here == section => {
                let text = line.text;
                return &text[..text.len() - text.trim_start().len()];
            }
            What::Key { .. } | What::More | What::Other => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn done(text: &str, sections: Value) -> String {
        set(text, &sections).unwrap()
    }

    fn refused(text: &str, sections: Value) -> String {
        set(text, &sections).unwrap_err()
    }

    const FILE: &str = "; top\nfree = 1\n\n[main]\n# about a\na = 1\nb    = old value ; really\nalone\n\n[other]\n\tx: y\n";

    #[test]
    fn keys_are_set_where_they_stand() {
        let file = done(
            FILE,
            json!({ "": { "free": true }, "main": { "a": null, "b": "new", "alone": 2, "c": 3 }, "other": { "z": "" }, "third": { "k": "v" } }),
        );
        insta::assert_snapshot!(file, @"
        ; top
        free = true

        [main]
        # about a
        b    = new
        alone = 2
        c = 3

        [other]
        	x: y
        	z:

        [third]
        k = v
        ");
    }

    #[test]
    fn a_new_file_and_a_new_section() {
        assert_eq!(
            done("", json!({ "main": { "a": "x y" } })),
            "[main]\na=x y\n"
        );
        assert_eq!(
            done(
                "# c\r\n[a]\r\nk=1",
                json!({ "a": { "l": 2 }, "b": { "m": 3 } })
            ),
            "# c\r\n[a]\r\nk=1\r\nl=2\r\n\r\n[b]\r\nm=3\r\n"
        );
        assert_eq!(
            done("[a]\nk=1\n", json!({ "": { "top": 1 } })),
            "top=1\n[a]\nk=1\n"
        );
        assert_eq!(done("[a]\n", json!({ "a": {}, "b": {} })), "[a]\n");
        assert_eq!(
            done("k=\n", json!({ "": { "k": "https://x/?a=b" } })),
            "k=https://x/?a=b\n"
        );
        assert_eq!(done("k=1\n", json!({ "": { "k": "" } })), "k=\n");
    }

    #[test]
    fn sections_are_taken_out() {
        let text = "[a]\nk=1\n[b]\nl=1\n[a] # again\nm=1\n";
        assert_eq!(done(text, json!({ "a": null })), "[b]\nl=1\n");
        assert_eq!(done(text, json!({ "c": null })), text);
    }

    #[test]
    fn what_dialects_read_differently_is_refused() {
        insta::assert_snapshot!(refused("[s]\nk=1\nk=2\n", json!({ "s": { "k": 1 } })), @"`k` of [s] is there 2 times");
        insta::assert_snapshot!(refused("[s]\nk=1 \\\n2\n", json!({ "s": { "k": 1 } })), @"the value of `k` of [s] goes on over several lines");
        insta::assert_snapshot!(refused("[s]\nk=1\n  2\n", json!({ "s": { "k": 1 } })), @"the value of `k` of [s] goes on over several lines");
        insta::assert_snapshot!(refused("", json!({ "s": { "k": "1\n[t]" } })), @"the value of `k` of [s] has blanks at an end, or more than one line");
        insta::assert_snapshot!(refused("", json!({ "s": { "k": [1] } })), @"`k` of [s] is one value, not several");
        insta::assert_snapshot!(refused("", json!({ "s": { "k=": 1 } })), @"`k=` of [s] cannot be a key");
        insta::assert_snapshot!(refused("", json!({ "s]": { "k": 1 } })), @"`[s]]` cannot be a section");
        insta::assert_snapshot!(refused("", json!({ "s": 1 })), @"`[s]` is a map of keys, or null");
        // Another key of such a section is not in the way.
        assert_eq!(
            done("[s]\nk=1 \\\n  l=2\n", json!({ "s": { "k2": 1 } })),
            "[s]\nk=1 \\\n  l=2\nk2=1\n"
        );
    }

    proptest! {
        #[test]
        fn it_is_set_once_and_the_rest_is_kept(
            text in "((\\[(s|t)\\]|[abk] ?[=:] ?[xy=]{0,2}|[#;] c|k|)\r?\n){0,8}",
            section in "s|t|",
            wanted in proptest::option::of("([xy=:;#][xy =:;#]{0,3})?[xy]"),
        ) {
            let change = json!({ section.as_str(): { "k": wanted } });
            if let Ok(once) = set(&text, &change) {
                let lines = read(&once);
                prop_assert_eq!(values(&lines, &section, "k").collect::<Vec<_>>(), wanted.as_deref().into_iter().collect::<Vec<_>>());
                prop_assert_eq!(set(&once, &change), Ok(once.clone()));
                let mut rest = split(&once).into_iter();
                for line in split(&text) {
                    let keeps = !line.trim_start().starts_with('k');
                    prop_assert!(!keeps || rest.any(|now| now == line), "{:?} is lost in {:?}", line, once);
                }
            }
        }
    }
}
