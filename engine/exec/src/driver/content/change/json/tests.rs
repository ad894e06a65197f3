//! What is changed in JSON, and what is not.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn done(text: &str, change: Value) -> String {
    merge(text, &change).unwrap()
}

fn refused(text: &str, change: Value) -> String {
    merge(text, &change).unwrap_err()
}

const FILE: &str = r#"{
    // the registries
    "registries": { "a.example": {"auth": "x"} /* keep */ },
    "log": "info", // loud
    "list": [1,2],
    "last": {
        "deep": true
    }
}
"#;

#[test]
fn keys_are_changed_where_they_stand() {
    let change = json!({
        "registries": { "b.example": { "auth": "y" } }, "log": "warn", "list": [3],
        "last": { "deep": null, "new": { "x": [] } }, "more": "\u{1b}\"ä",
    });
    insta::assert_snapshot!(done(FILE, change), @r#"
    {
        // the registries
        "registries": { "a.example": {"auth": "x"}, "b.example": {"auth": "y"} /* keep */ },
        "log": "warn", // loud
        "list": [
            3
        ],
        "last": {
            "new": {
                "x": []
            }
        },
        "more": "\u001b\"ä"
    }
    "#);
}

#[test]
fn keys_are_taken_out_with_their_line() {
    insta::assert_snapshot!(done(FILE, json!({ "log": null, "last": null, "x": null })), @r#"
    {
        // the registries
        "registries": { "a.example": {"auth": "x"} /* keep */ },
        "list": [1,2]
    }
    "#);
    insta::assert_snapshot!(done(FILE, json!({ "list": null, "last": null, "x": 1 })), @r#"
    {
        // the registries
        "registries": { "a.example": {"auth": "x"} /* keep */ },
        "log": "info", // loud
        "x": 1
    }
    "#);
    assert_eq!(
        done(
            FILE,
            json!({ "registries": null, "log": null, "list": null, "last": null })
        ),
        "{}\n"
    );
}

#[test]
fn what_is_on_one_line_stays_on_one_line() {
    assert_eq!(
        done(
            r#"{"a":1,"b":{"c":2}}"#,
            json!({ "b": { "d": [1, { "e": 2 }] } })
        ),
        r#"{"a":1,"b":{"c":2,"d":[1,{"e":2}]}}"#
    );
    assert_eq!(
        done(
            r#"{"a": 1, "b": 2, "c": 3}"#,
            json!({ "b": null, "c": null, "d": 4 })
        ),
        r#"{"a": 1, "d": 4}"#
    );
    assert_eq!(
        done(
            r#"{"a": 1, "b": 2, "c": 3}"#,
            json!({ "a": null, "b": null })
        ),
        r#"{"c": 3}"#
    );
}

#[test]
fn styles_are_kept() {
    assert_eq!(
        done("{\r\n\t\"a\": 1,\r\n}\r\n", json!({ "b": {"c": 1} })),
        "{\r\n\t\"a\": 1,\r\n\t\"b\": {\r\n\t\t\"c\": 1\r\n\t},\r\n}\r\n"
    );
    assert_eq!(
        done("{\n  \"a\": 1\n}", json!({ "a": 1 })),
        "{\n  \"a\": 1\n}"
    );
    assert_eq!(
        done("{\n  // none yet\n}\n", json!({ "a": 1 })),
        "{\n  \"a\": 1\n  // none yet\n}\n"
    );
    assert_eq!(
        done("", json!({ "a": { "b": 1 } })),
        "{\n  \"a\": {\n    \"b\": 1\n  }\n}\n"
    );
    assert_eq!(done("", json!({ "a": null })), "");
    assert_eq!(done("{}", json!({ "a": 1 })), "{\n  \"a\": 1\n}");
}

#[test]
fn what_cannot_be_read_for_sure_is_refused() {
    insta::assert_snapshot!(refused("[1]", json!({ "a": 1 })), @"the file holds no map");
    insta::assert_snapshot!(refused("{\n\"a\" 1}", json!({ "a": 1 })), @"the file is not JSON: line 2");
    insta::assert_snapshot!(refused("{\"a\": 1, \"a\": 2}", json!({ "b": 1 })), @"a key of the file is there twice");
    insta::assert_snapshot!(refused("{\"a\": 1e999}", json!({ "b": 1 })), @"a number in the file is too large");
    insta::assert_snapshot!(refused("{'a': 1}", json!({ "b": 1 })), @"the file is not JSON: line 1");
    insta::assert_snapshot!(refused(&format!("{{\"a\": {}1{}}}", "[".repeat(200), "]".repeat(200)), json!({ "b": 1 })), @"nested deeper than 100 levels");
    assert!(merge(&"[".repeat(100_000), &json!({})).is_err());
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a \"\\\\ü\n]{0,3}".prop_map(Value::from),
    ]
}

fn map() -> impl Strategy<Value = Value> {
    let any = leaf().prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-d]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[a-d]", any, 0..4)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

/// One way to write a value: comments, blanks and trailing commas by chance.
fn written(value: &Value, dice: &mut std::slice::Iter<'_, u8>, depth: usize) -> String {
    let gap = |n: u8| match n {
        0 | 1 => String::new(),
        2 => " ".to_owned(),
        3 => format!("\n{}", "  ".repeat(depth + 1)),
        4 => " /* c */ ".to_owned(),
        _ => format!(" // c\n{}", "  ".repeat(depth + 1)),
    };
    let items: Vec<String> = match value {
        Value::Object(map) if !map.is_empty() => map
            .iter()
            .map(|(key, item)| {
                format!(
                    "{}:{}",
                    Value::from(key.as_str()),
                    written(item, dice, depth + 1)
                )
            })
            .collect(),
        Value::Array(items) if !items.is_empty() => items
            .iter()
            .map(|item| written(item, dice, depth + 1))
            .collect(),
        other => return other.to_string(),
    };
    let mut roll = || dice.next().copied().unwrap_or(0) % 6;
    let mut out = String::new();
    let many = items.len();
    for (at, item) in items.into_iter().enumerate() {
        out += &gap(roll());
        out += &item;
        out += &gap(roll());
        if at + 1 < many || roll() == 5 {
            out += ",";
        }
    }
    out += &gap(roll());
    match value.is_object() {
        true => format!("{{{out}}}"),
        false => format!("[{out}]"),
    }
}

proptest! {
    #[test]
    fn the_merged_value_is_written_once(now in map(), change in map(), dice in prop::collection::vec(any::<u8>(), 60)) {
        let text = written(&now, &mut dice.iter(), 0) + "\n";
        let once = merge(&text, &change).map_err(|why| TestCaseError::fail(format!("{why}: {text:?} {change}")))?;
        let read = value(&parse(&once).unwrap().unwrap(), 0).unwrap();
        prop_assert_eq!(&read, &merged(Some(&now), &change));
        prop_assert_eq!(merge(&once, &change), Ok(once.clone()));
        // What the change does not name is there as it was written.
        for (key, item) in now.as_object().unwrap().iter().filter(|(key, _)| change.get(key.as_str()).is_none()) {
            let root = parse(&text).unwrap().unwrap();
            let was = root.as_object().unwrap().properties.iter().find(|p| p.name.as_str() == key).unwrap();
            prop_assert!(once.contains(&text[was.start()..was.end()]), "{} {} is lost in {:?}", key, item, once);
        }
    }
}
