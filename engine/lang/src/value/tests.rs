//! Tests of the module beside this file.

use std::collections::BTreeMap;

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn field(kind: InputType, required: bool, default: Option<Value>) -> Field {
    Field {
        kind,
        required,
        default,
        help: std::string::String::new(),
    }
}

fn window() -> InputType {
    InputType::Object(BTreeMap::from([
        ("opens".to_owned(), field(InputType::Date, true, None)),
        (
            "late".to_owned(),
            field(InputType::Duration, false, Some(json!("60s"))),
        ),
        (
            "who".to_owned(),
            field(InputType::List(Box::new(InputType::String)), false, None),
        ),
    ]))
}

fn release() -> InputType {
    InputType::OneOf(vec![
        InputType::Version,
        InputType::Enum(vec!["latest".into(), "a".into()]),
        InputType::Map(Box::new(InputType::Size)),
    ])
}

fn limited(pattern: &str) -> InputType {
    InputType::Limited(Box::new(Limited {
        kind: InputType::String,
        pattern: Some(pattern.to_owned()),
        names: None,
        group: None,
    }))
}

fn all() -> Vec<InputType> {
    use InputType::*;
    let plain = vec![
        String,
        Int,
        Bool,
        Enum(vec!["a".into(), "b".into()]),
        Path,
        Duration,
        Size,
        Date,
        Version,
        Host,
        Secret,
        window(),
        release(),
        OneOf(vec![Size, Version, Duration, Int]),
        limited("^[a-f]*$"),
    ];
    let mut all = plain.clone();
    all.extend(plain.iter().cloned().map(|t| Map(Box::new(t))));
    all.extend(plain.into_iter().map(|t| List(Box::new(t))));
    all.push(List(Box::new(List(Box::new(Int)))));
    all
}

#[test]
fn command_line_text() {
    use InputType::*;
    assert_eq!(Int.parse_text("-5"), Ok(json!(-5)));
    assert!(Int.parse_text("5x").is_err());
    assert_eq!(Bool.parse_text("true"), Ok(json!(true)));
    assert!(Bool.parse_text("yes").is_err());
    assert_eq!(Version.parse_text("v3.7.0"), Ok(json!("3.7.0")));
    assert_eq!(Duration.parse_text("90s"), Ok(json!("1m30s")));
    assert_eq!(Size.parse_text("1024"), Ok(json!("1KiB")));
    assert_eq!(
        Map(Box::new(Int)).parse_text("a=1,b=2"),
        Ok(json!({"a": 1, "b": 2}))
    );
    assert!(Map(Box::new(Int)).parse_text("a=1,a=2").is_err());
    assert_eq!(
        List(Box::new(String)).parse_text("a,b"),
        Ok(json!(["a", "b"]))
    );
    assert_eq!(List(Box::new(String)).parse_text(""), Ok(json!([])));
}

#[test]
fn values_from_yaml() {
    use InputType::*;
    assert_eq!(
        Version.check(&json!(3.1)).unwrap_err(),
        "should be text, is a number: put it in quotes"
    );
    assert_eq!(
        Int.check(&json!("5")).unwrap_err(),
        "should be a whole number, is text"
    );
    assert_eq!(
        Int.check(&json!(1.5)).unwrap_err(),
        "should be a whole number, is a number"
    );
    assert_eq!(Size.check(&json!(512_000_000)), Ok(json!("512MB")));
    assert!(Host.check(&json!("-oProxyCommand=x")).is_err());
    assert!(Host.check(&json!("quay01.example.com")).is_ok());
    assert!(String.check(&json!("a\0b")).is_err());
    assert_eq!(
        Enum(vec!["wait".into(), "report".into()])
            .check(&json!("wat"))
            .unwrap_err(),
        "should be one of `wait`, `report`"
    );
    assert_eq!(
        Map(Box::new(Version))
            .check(&json!({"x": "new"}))
            .unwrap_err(),
        "holds a value that is wrong at `x`: it should be a version like `3.7.0`"
    );
}

#[test]
fn secrets_are_known_as_such() {
    assert!(InputType::Map(Box::new(InputType::Secret)).is_secret());
    assert!(!InputType::String.is_secret());
}

#[test]
fn text_in_brackets_is_json() {
    let list = InputType::List(Box::new(InputType::String));
    assert_eq!(list.parse_text(r#"["a,b", "c"]"#), Ok(json!(["a,b", "c"])));
    assert_eq!(
        list.parse_text("[a]").unwrap_err(),
        "begins like JSON and is not, at column 2 of line 1"
    );
    assert_eq!(
        list.parse_text("{}").unwrap_err(),
        "should be a list, is a map"
    );
    assert_eq!(
        window().parse_text("opens=2026-03-01T22:00Z,late=90s"),
        Ok(json!({"opens": "2026-03-01T22:00:00Z", "late": "1m30s"}))
    );
    assert_eq!(
        window().parse_text(r#"{"opens": "2026-03-01T22:00Z", "who": ["x", "y"]}"#),
        Ok(json!({"opens": "2026-03-01T22:00:00Z", "late": "1m", "who": ["x", "y"]}))
    );
    assert_eq!(InputType::String.parse_text("[a"), Ok(json!("[a")));
    assert_eq!(release().parse_text("v3.7"), Ok(json!("3.7")));
    assert_eq!(release().parse_text("latest"), Ok(json!("latest")));
    assert_eq!(release().parse_text("x=1024"), Ok(json!({"x": "1KiB"})));
}

#[test]
fn what_is_wrong_inside_has_its_place() {
    use InputType::*;
    let of_windows = Map(Box::new(List(Box::new(window()))));
    let all = [
        window().check(&json!({"late": "1h"})),
        window().check(&json!({"opens": "2026-03-01T22:00Z", "latr": "1h"})),
        window().check(&json!({"opens": "2026-03-01T22:00Z", "something": "1h"})),
        window().check(&json!({"opens": "2026-03-01T22:00Z", "late": 1})),
        window().check(&json!([])),
        window().parse_text("opens=soon"),
        window().parse_text("opens"),
        window().parse_text("closes=soon"),
        of_windows.check(&json!({"a": [{"opens": "2026-03-01T22:00Z"}, {"opens": "2026-03-01"}]})),
        release().check(&json!("newest")),
        release().check(&json!({"a": "1x"})),
        release().parse_text("newest"),
        List(Box::new(release())).check(&json!(["3.7", true])),
        limited("^a$").check(&json!("b")),
        List(Box::new(Duration)).parse_text("1h,2"),
        List(Box::new(Size)).check(&json!(["1.5GiB"])),
        Date.check(&json!(20260301)),
    ];
    let all: Vec<_> = all.into_iter().map(|result| result.unwrap_err()).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn the_first_alternative_that_fits_the_normal_form_decides() {
    // As text `v1024` is no size, as a version it is `1024`, and that is a size.
    let kind = InputType::OneOf(vec![InputType::Size, InputType::Version]);
    let value = kind.parse_text("v1024").unwrap();
    assert_eq!(value, json!("1KiB"));
    assert_eq!(kind.check(&value), Ok(value));
}

#[test]
fn the_hosts_in_a_value_are_found() {
    let in_group = InputType::Limited(Box::new(Limited {
        kind: InputType::Host,
        pattern: None,
        names: None,
        group: Some("quay".into()),
    }));
    let kind = InputType::Object(BTreeMap::from([
        ("one".to_owned(), field(in_group.clone(), true, None)),
        (
            "more".to_owned(),
            field(
                InputType::OneOf(vec![InputType::Int, InputType::List(Box::new(in_group))]),
                true,
                None,
            ),
        ),
        ("any".to_owned(), field(InputType::Host, true, None)),
        ("text".to_owned(), field(InputType::String, true, None)),
    ]));
    let value = json!({"one": "q1", "more": ["q2", "q3"], "any": "h1", "text": "q9"});
    let mut found = Vec::new();
    kind.hosts(&value, &mut |name, group| found.push((name, group)));
    let quay = Some("quay");
    assert_eq!(
        found,
        [("h1", None), ("q2", quay), ("q3", quay), ("q1", quay)]
    );
}

#[test]
fn a_type_can_be_stored_and_read_again() {
    for kind in all() {
        let stored = serde_json::to_value(&kind).unwrap();
        assert_eq!(serde_json::from_value::<InputType>(stored).unwrap(), kind);
    }
}

#[test]
fn the_meaning_stays_with_the_value() {
    let of = |kind: &InputType, value: Value| Meaning::of(kind, &kind.check(&value).unwrap());
    assert_eq!(of(&InputType::String, json!("1h")), None);
    assert_eq!(of(&release(), json!("3.7")), Some(Meaning::Version));
    assert_eq!(of(&release(), json!("latest")), None);
    let list = of(
        &InputType::List(Box::new(release())),
        json!(["latest", "3.7", {"x": 5}]),
    )
    .unwrap();
    assert_eq!(list.part("0"), None);
    assert_eq!(list.part("1"), Some(&Meaning::Version));
    assert_eq!(
        list.part("2").and_then(|map| map.part("x")),
        Some(&Meaning::Size)
    );
    let object = of(&window(), json!({"opens": "2026-03-01T22:00Z"})).unwrap();
    assert_eq!(object.part("opens"), Some(&Meaning::Date));
    assert_eq!(object.part("late"), Some(&Meaning::Duration));
}

/// Any JSON, its texts made of the pieces that types are made of.
fn any_value() -> impl Strategy<Value = Value> {
    let text = "[a-f]{0,4}|v?[0-9]{1,4}(\\.[0-9]{1,2}){0,2}|[0-9]{1,4}(s|m|h|KiB|MB|B)|2026-0[1-9]-[0-3][0-9]T1[0-9]:00(Z|\\+0[0-9]:00)?|latest|-x|\\PC{0,8}";
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let name = "[a-c]|opens|late|who|\\PC{0,2}";
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::btree_map(name, inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Every text in a value that is long enough not to be in a message by chance.
fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) if text.len() >= 7 => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(map) => map.values().for_each(|item| texts(item, found)),
        _ => {}
    }
}

proptest! {
    #[test]
    fn the_normal_form_is_stable_and_errors_do_not_repeat_the_text(text in "[a-z0-9.=,GiBvhms\u{0}-]{0,16}") {
        for kind in all() {
            match kind.parse_text(&text) {
                Ok(value) => prop_assert_eq!(kind.check(&value), Ok(value)),
                Err(message) => prop_assert!(text.len() < 12 || !message.contains(&text)),
            }
        }
    }

    #[test]
    fn the_normal_form_of_any_value_is_stable_and_errors_do_not_repeat_it(value in any_value()) {
        for kind in all() {
            match kind.check(&value) {
                Ok(normal) => prop_assert_eq!(kind.check(&normal), Ok(normal)),
                Err(message) => {
                    let mut found = Vec::new();
                    texts(&value, &mut found);
                    for text in found {
                        prop_assert!(!message.contains(text), "{}", message);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_stored_is_what_was_checked(value in any_value()) {
        // A plan stores the normal form as JSON, and a resume reads it as a person's file is read.
        for kind in all() {
            if let Ok(normal) = kind.check(&value)
                && matches!(kind, InputType::List(_) | InputType::Map(_) | InputType::Object(_))
            {
                prop_assert_eq!(kind.parse_text(&normal.to_string()), Ok(normal));
            }
        }
    }
}

#[test]
fn a_variant_is_a_name_with_its_value() {
    let field = |kind, required| Field {
        kind,
        required,
        default: None,
        help: String::new(),
    };
    let fields = [("path".to_owned(), field(InputType::Path, true))];
    let kind = InputType::Variant(BTreeMap::from([
        ("Local".to_owned(), InputType::Object(fields.into())),
        ("Key".to_owned(), InputType::Secret),
    ]));
    assert!(kind.is_secret());
    let good = json!(["Local", { "path": "/x" }]);
    assert_eq!(kind.check(&good), Ok(good.clone()));
    assert_eq!(kind.parse_text(&good.to_string()), Ok(good));
    for (bad, why) in [
        (
            json!(["Locale", {}]),
            "should begin with one of `Key`, `Local`",
        ),
        (
            json!("Local"),
            "should be a list of two, `[NAME, value]`, is text",
        ),
        (json!(["Local"]), "should be a list of two"),
        (json!(["Local", {}]), "wrong at `[1]`: it needs `path`"),
    ] {
        let message = kind.check(&bad).unwrap_err();
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn names_of_a_map_match_their_pattern() {
    let kind = InputType::Limited(Box::new(Limited {
        kind: InputType::Map(Box::new(InputType::Int)),
        pattern: None,
        names: Some("^[a-z]+$".to_owned()),
        group: None,
    }));
    assert!(kind.check(&json!({ "a": 1 })).is_ok());
    let why = kind.check(&json!({ "a": 1, "B": 1 })).unwrap_err();
    assert_eq!(why, "has a name that does not match `^[a-z]+$`");
}
