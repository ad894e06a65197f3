//! What is changed in YAML, and what is not.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn done(text: &str, change: Value) -> String {
    merge(text, &change).unwrap()
}

fn refused(text: &str, change: Value) -> String {
    merge(text, &change).unwrap_err()
}

const FILE: &str = "\
# Quay
SERVER_HOSTNAME: quay.example   # the name
PREFERRED_URL_SCHEME: \"http\"
FEATURE_X: no
DB:
    host: db01    # primary
    # which port
    port: 5432
    options: {sslmode: require, timeout: 3}
LIST:
- a   # first
- b
TEXT: |
    one
    two
EMPTY:
# the end
";

#[test]
fn keys_are_changed_where_they_stand() {
    let change = json!({
        "SERVER_HOSTNAME": "registry.example", "PREFERRED_URL_SCHEME": "https", "FEATURE_X": false,
        "DB": { "port": 6432, "user": "quay", "options": { "timeout": null, "gss": "no" } },
        "LIST": ["a", { "b": [1, "x: y"], "c": {} }], "TEXT": "three\nfour\n", "EMPTY": { "k": "1e3" }, "NEW": { "l": ["0o7", "3.10"] },
    });
    insta::assert_snapshot!(done(FILE, change), @r#"
    # Quay
    SERVER_HOSTNAME: registry.example   # the name
    PREFERRED_URL_SCHEME: "https"
    FEATURE_X: false
    DB:
        host: db01    # primary
        # which port
        port: 6432
        options: {sslmode: require, gss: 'no'}
        user: quay
    LIST:
    - a
    - b:
      - 1
      - 'x: y'
      c: {}
    TEXT: |
        three
        four
    EMPTY:
        k: '1e3'
    NEW:
        l:
        - '0o7'
        - '3.10'
    # the end
    "#);
}

#[test]
fn keys_are_taken_out_with_their_lines() {
    insta::assert_snapshot!(done(FILE, json!({ "PREFERRED_URL_SCHEME": null, "DB": { "host": null }, "LIST": null, "TEXT": null, "EMPTY": null, "X": null })), @"
    # Quay
    SERVER_HOSTNAME: quay.example   # the name
    FEATURE_X: no
    DB:
        # which port
        port: 5432
        options: {sslmode: require, timeout: 3}
    # the end
    ");
    assert_eq!(
        done("a:\n  b: 1 # c\nd: 2\n", json!({ "a": { "b": null } })),
        "a: {} # c\nd: 2\n"
    );
    assert_eq!(
        done(
            "a: {b: 1, c: 2, d: 3}\n",
            json!({ "a": { "b": null, "d": null } })
        ),
        "a: {c: 2}\n"
    );
    assert_eq!(
        done(
            "a: {b: 1, c: 2}\n",
            json!({ "a": { "b": null, "c": null } })
        ),
        "a: {}\n"
    );
    assert_eq!(done("# c\na: 1\n", json!({ "a": null })), "# c\n{}\n");
    assert_eq!(
        done("a: 1\nb: 2", json!({ "b": null, "c": 3 })),
        "a: 1\nc: 3"
    );
}

#[test]
fn kinds_change_into_each_other() {
    let all = "a: 1 # one\nb:\n  # inner\n  x: 1\nc: [1, 2] # list\nd: # key\n  - 1\ne: >-\n  folded\n  text\nf: 'q'\n";
    let change =
        json!({ "a": { "x": 1 }, "b": "t", "c": "l1\nl2", "d": {}, "e": [true], "f": "it's" });
    insta::assert_snapshot!(done(all, change), @"
    a: # one
      x: 1
    b: t
    c: |- # list
      l1
      l2
    d: {} # key
    e:
      - true
    f: 'it''s'
    ");
}

#[test]
fn text_is_text_to_every_reader() {
    for text in [
        "no",
        "On",
        "y",
        "~",
        "null",
        "",
        "1e3",
        "0o7",
        "3.10",
        "012",
        "1_000",
        "12:30",
        "2024-01-01",
        ".inf",
        "-",
        "+1",
        "<<",
        "=",
        "0x1f",
        "1.",
        ".5e+3",
        "a: b",
        "a #b",
        " a",
        "a:",
        "- a",
        "{{x}}",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a`",
        "\"a",
        "'a",
        "a\tb",
        "ü\u{85}",
        "\u{feff}",
        "a\nb",
    ] {
        let once = done("k: 1\n", json!({ "k": text }));
        let line = once.strip_prefix("k: ").unwrap();
        assert!(line.starts_with(['\'', '"', '|']), "{text:?}: {once:?}");
        assert_eq!(merge(&once, &json!({ "k": text })), Ok(once));
    }
    for text in [
        "yes sir",
        "3.12.0",
        "a:b",
        "https://x.example/?a=b",
        "/etc/x",
        "a-b c",
        "ünï",
        "e3",
        "1.2.3.4",
        "10s",
        "v1",
    ] {
        assert_eq!(done("k: 1\n", json!({ "k": text })), format!("k: {text}\n"));
        assert_eq!(
            done("k: 1\n", json!({ text: 1 })),
            format!("k: 1\n{text}: 1\n")
        );
    }
    // What is unquoted there is text to this reader, and not to others.
    assert_eq!(
        done("k: no # c\nl: [on]\n", json!({ "k": "no", "l": ["on"] })),
        "k: 'no' # c\nl:\n  - 'on'\n"
    );
    assert_eq!(
        done("k: 1\n", json!({ "k": 1e30, "l": 0.5 })),
        "k: 1.0e+30\nl: 0.5\n"
    );
}

#[test]
fn styles_are_kept() {
    assert_eq!(
        done(
            "a:\r\n   b: 1\r\n",
            json!({ "a": { "c": { "d": "x\ny" } } })
        ),
        "a:\r\n   b: 1\r\n   c:\r\n      d: |-\r\n         x\r\n         y\r\n"
    );
    assert_eq!(done("a: 1\n", json!({ "a": 1 })), "a: 1\n");
    assert_eq!(
        done("a: 3.10\nb: 0x10\n", json!({ "a": 3.1, "b": 16 })),
        "a: 3.10\nb: 0x10\n"
    );
    assert_eq!(
        done("", json!({ "a": { "b": [1] } })),
        "a:\n  b:\n    - 1\n"
    );
    assert_eq!(
        done("# only a comment", json!({ "a": 1 })),
        "# only a comment\na: 1"
    );
    assert_eq!(
        done("---\na: 1\n\n# end\n", json!({ "b": 1 })),
        "---\na: 1\nb: 1\n\n# end\n"
    );
    assert_eq!(done("a: {}\n", json!({ "a": { "b": 1 } })), "a:\n  b: 1\n");
    assert_eq!(
        done("{\"a\": 1,\n \"b\": 2,\n}\n", json!({ "c": 1 })),
        "{\"a\": 1,\n \"b\": 2, c: 1,\n}\n"
    );
    assert_eq!(
        done(
            "a: |+\n  x\n\n\nb: |+\n  x\n\n",
            json!({ "c": 1, "a": "z" })
        ),
        "a: z\n\n\nb: |+\n  x\n\nc: 1\n"
    );
    assert_eq!(
        done(
            "l:\n- a: 1\n  b: 2\nm:\n  n:\n",
            json!({ "m": { "n": null, "o": 1 } })
        ),
        "l:\n- a: 1\n  b: 2\nm:\n  o: 1\n"
    );
}

#[test]
fn anchors_are_never_half_changed() {
    let text = "base: &b { x: 1 }\none: *b\ntwo:\n  <<: *b\n  y: 2\n";
    insta::assert_snapshot!(done(text, json!({ "one": { "x": 2 }, "two": { "x": 3 } })), @"
    base: &b { x: 1 }
    one:
      x: 2
    two:
      <<: *b
      y: 2
      x: 3
    ");
    assert_eq!(
        done(text, json!({ "one": { "x": 1 }, "two": { "x": 1 } })),
        text
    );
    insta::assert_snapshot!(refused(text, json!({ "base": { "x": 2 } })), @"these keys cannot be changed in this file without changing others; are there anchors?");
    insta::assert_snapshot!(refused(text, json!({ "two": { "x": null } })), @"a key that comes from `<<` cannot be taken out");
    assert_eq!(
        done("a: &x 1\nb: 2\n", json!({ "a": 2 })),
        "a: &x 2\nb: 2\n"
    );
}

#[test]
fn what_cannot_be_read_for_sure_is_refused() {
    insta::assert_snapshot!(refused("- 1\n", json!({ "a": 1 })), @"the file holds a list, not a map");
    insta::assert_snapshot!(refused("a: 1\na: 2\n", json!({ "b": 1 })), @"the file is not changed: `a` is given twice in line 2");
    insta::assert_snapshot!(refused("a: [1\n", json!({ "b": 1 })), @"the file is not changed: a list in brackets is not closed in line 1");
    insta::assert_snapshot!(refused("a: !!str 1\n", json!({ "b": 1 })), @"the file is not changed: tags are not used here in line 1");
    insta::assert_snapshot!(refused("a: 1\n---\nb: 1\n", json!({ "b": 1 })), @"the file is not changed: a second document in one file in line 2");
    insta::assert_snapshot!(refused("a:\n\tb: 1\n", json!({ "b": 1 })), @"the file is not changed: a tab cannot indent in line 2");
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        "(no|1e3|[a #:'\"ü\n-]{0,4}|a\nb\n?)".prop_map(Value::from),
    ]
}

fn map(nothing: bool) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![4 => leaf(), u32::from(nothing) => Just(Value::Null)];
    let any = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("([a-d]|on|a b)", any, 0..4)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

/// One way to write a map: blocks and braces, comments, quotes and indentation by chance.
fn written(
    map: &Value,
    dice: &mut std::slice::Iter<'_, u8>,
    at: usize,
    out: &mut String,
    comments: &mut u32,
) {
    let step = 2 + at % 3;
    for (key, value) in map.as_object().unwrap() {
        let roll = dice.next().copied().unwrap_or(0);
        let blanks = " ".repeat(at);
        if roll % 4 == 0 {
            *comments += 1;
            *out += &format!("{blanks}# c{comments}\n");
        }
        let mut comment = || match roll % 3 {
            0 => {
                *comments += 1;
                format!("  # c{comments}")
            }
            _ => String::new(),
        };
        let key = write::text(key, write::Quotes::Needed);
        match value {
            Value::Object(map) if !map.is_empty() && roll % 5 != 0 => {
                *out += &format!("{blanks}{key}:{}\n", comment());
                written(value, dice, at + step, out, comments);
            }
            Value::Array(items) if !items.is_empty() && roll % 5 != 0 => {
                *out += &format!("{blanks}{key}:{}\n", comment());
                for item in items {
                    *out += &format!("{blanks}- {}\n", write::inline(item, write::Quotes::Needed));
                }
            }
            Value::Null if roll % 2 == 0 => *out += &format!("{blanks}{key}:{}\n", comment()),
            Value::String(text) if roll % 2 == 0 => {
                *out += &format!(
                    "{blanks}{key}: {}{}\n",
                    write::text(text, write::Quotes::Double),
                    comment()
                );
            }
            other => {
                *out += &format!(
                    "{blanks}{key}:  {}{}\n",
                    write::inline(other, write::Quotes::Needed),
                    comment()
                )
            }
        }
        if roll % 7 == 0 {
            *out += "\n";
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn the_merged_value_is_written_once(now in map(true), change in map(true), dice in prop::collection::vec(any::<u8>(), 40), crlf: bool) {
        let mut text = String::new();
        written(&now, &mut dice.iter(), 0, &mut text, &mut 0);
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        let once = merge(&text, &change).map_err(|why| TestCaseError::fail(format!("{why}: {text:?} {change}")))?;
        let wanted = merged(Some(&now), &change);
        let read = parse(&once).unwrap().1.to_value();
        prop_assert!(read == wanted || wanted == json!({}), "{:?} from {:?} by {}", once, text, change);
        // serde_yaml reads the same.
        if wanted != json!({}) {
            prop_assert_eq!(serde_yaml::from_str::<Value>(&once).unwrap(), wanted.clone());
        }
        prop_assert_eq!(merge(&once, &change), Ok(once.clone()));
        if crlf && text.contains('\n') {
            prop_assert_eq!(once.matches('\n').count(), once.matches("\r\n").count());
        }
        // Lines that no changed key is on or around are there, in their order: those of the keys
        // of the top level that are not named, with their comments.
        let mut rest = once.split_inclusive('\n');
        let mut kept = true;
        for line in text.split_inclusive('\n') {
            let bare = line.trim_end();
            if !bare.starts_with([' ', '-', '#']) && !bare.is_empty() {
                let key = bare.split(':').next().unwrap().trim_matches('\'');
                kept = change.get(key).is_none();
            }
            prop_assert!(!kept || wanted == json!({}) || rest.any(|now| now.trim_end() == bare), "{:?} is lost in {:?} from {:?}", line, once, text);
        }
    }
}
