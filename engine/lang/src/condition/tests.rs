//! Tests of the module beside this file.

mod quantities;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::scope::{Inputs, Shared, path_text};
use crate::value::{InputType, Meaning};

fn scope() -> Scope {
    let mut scope = Scope::new();
    let version = |text: &str| (InputType::Version, json!(text));
    scope.set_inputs(&Inputs::new([
        ("from".to_owned(), version("v3.7.0")),
        ("to".to_owned(), version("3.10.1")),
        (
            "hostname".to_owned(),
            (InputType::String, json!("quay.example.com")),
        ),
        ("digest".to_owned(), (InputType::String, json!("sha256:a"))),
        ("count".to_owned(), (InputType::Int, json!(3))),
        ("stable".to_owned(), (InputType::Duration, json!("90s"))),
        ("room".to_owned(), (InputType::Size, json!("1GiB"))),
        (
            "late".to_owned(),
            (InputType::Date, json!("2026-03-02T00:30:00+01:00")),
        ),
        (
            "either".to_owned(),
            (
                InputType::List(Box::new(InputType::OneOf(vec![
                    InputType::Duration,
                    InputType::Version,
                    InputType::String,
                ]))),
                json!(["60s", "v3.10", "text"]),
            ),
        ),
        (
            "releases".to_owned(),
            (
                InputType::Map(Box::new(InputType::Version)),
                json!({"a": "3.9.0", "b": "3.10.0"}),
            ),
        ),
    ]));
    scope.set_vars(json!({
        "paths": {"3.9": ["3.8"], "3.10": ["3.7", "3.8"]}, "state": "before", "list": [3, 1, 2],
        "big": u64::MAX, "half": 0.5, "empty": null,
    }));
    scope.set_groups(json!({"quay": {"q2": {"region": "us"}, "q1": {"region": "eu"}}}));
    scope.set_outputs(json!({"restarts": 0, "value": 7, "version": "v3.7.0"}));
    scope.set_run("r1", "/tmp");
    let window = json!({"opens": "2026-03-01T22:00:00Z", "closes": "2026-03-02T04:00:00Z"});
    let Value::Object(window) = window else {
        panic!("a window is a map");
    };
    scope.set_window(Shared::dates(window));
    let stable = Meaning::parts([
        ("stable".to_owned(), Some(Meaning::Duration)),
        ("release".to_owned(), Some(Meaning::Version)),
    ]);
    scope.set_host(Shared::with(
        json!({"name": "q1", "stable": "2m", "release": "3.10"}),
        stable,
    ));
    let survey = |healthy: bool| json!({"outputs": {"digest": "sha256:a", "healthy": healthy}});
    let revision = |r: &str| json!({"only": {"outputs": {"revision": r, "version": "v3.7.0"}}});
    scope.set_steps(json!({
        "survey": {"on": {"q1": survey(true), "q2": survey(true)}},
        "sick": {"on": {"q1": survey(true), "q2": survey(false)}},
        "schema_now": revision("r1"), "schema_source": revision("r1"), "schema_target": revision("r2"),
        "live": revision("r1"), "migrate": {"started": false}, "skipped": {},
    }));
    scope
}

fn value(text: &str) -> Value {
    let condition = Condition::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    condition
        .evaluate(&scope())
        .unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn holds(text: &str) -> bool {
    let condition = Condition::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    condition
        .truth(&scope())
        .unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn fails(text: &str) -> String {
    let condition = Condition::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let error = condition.truth(&scope()).unwrap_err();
    let missing = if error.missing.is_some() {
        " (missing)"
    } else {
        ""
    };
    format!("{}{missing} | {}", error.message, &text[error.range])
}

fn references(text: &str) -> String {
    let condition = Condition::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let all: Vec<String> = condition
        .references()
        .iter()
        .map(|r| {
            let guard = if r.guarded { "?" } else { "" };
            format!("{}{guard} @ {}", path_text(&r.path), &text[r.range.clone()])
        })
        .collect();
    all.join("\n    ")
}

#[test]
fn versions_compare_with_versions_and_with_text() {
    for text in [
        "inputs.to > inputs.from",
        "inputs.from < inputs.to",
        "inputs.from == \"v3.7.0\"",
        "\"v3.7.0\" == inputs.from",
        "\"3.7\" == inputs.from",
        "inputs.from != inputs.to",
        "inputs.to > \"3.9.9\"",
        "\"3.9.9\" < inputs.to",
        "inputs.to >= \"3.10.1\"",
        "inputs.releases.b > inputs.releases.a",
        "inputs.releases.all(r, inputs.releases[r] > inputs.from)",
        "version(\"3.10\") > version(\"3.9\")",
        "version(\"3.10\") > \"3.9\"",
        "steps.live.only.outputs.version == inputs.from",
        "inputs.from == steps.live.only.outputs.version",
        "outputs.version == inputs.from",
        "inputs.to.minor == \"3.10\"",
        "inputs.to.major == \"3\" && inputs.to.patch == \"1\"",
        "inputs.to.minor in vars.paths && inputs.from.minor in vars.paths[inputs.to.minor]",
        "inputs.from in [\"3.6.0\", \"v3.7.0\"]",
        "\"3.7.0\" in [inputs.to, inputs.from]",
        "string(inputs.from) == \"3.7.0\"",
        "\"quay:\" + inputs.from == \"quay:3.7.0\"",
        "!(inputs.from == \"unknown\")",
        "version(inputs.from) == inputs.from",
    ] {
        assert!(holds(text), "{text}");
    }
    assert_eq!(value("inputs.from"), json!("3.7.0"));
    assert_eq!(
        value("[inputs.from, inputs.to.minor]"),
        json!(["3.7.0", "3.10"])
    );
}

#[test]
fn durations_and_sizes_compare_by_what_they_mean() {
    assert!(holds("inputs.stable > \"9s\""));
    assert!(holds("inputs.stable == \"1m30s\""));
    assert!(holds(
        "inputs.room == \"1024MiB\" && inputs.room > 5 && 5 < inputs.room"
    ));
    assert!(fails("inputs.stable > 5").contains("does not compare a duration with a number"));
}

#[test]
fn the_upgrade_runbook_is_understood() {
    let state = r#"
        steps.survey.on.all(h, steps.survey.on[h].outputs.digest == inputs.digest && steps.survey.on[h].outputs.healthy)
        && steps.schema_now.only.outputs.revision == steps.schema_target.only.outputs.revision ? "done"
        : steps.schema_now.only.outputs.revision == steps.schema_source.only.outputs.revision ? "before" : "between""#;
    assert_eq!(value(state), json!("before"));
    assert!(holds("inputs.hostname.contains(\".\")"));
    assert!(!holds(
        "steps.sick.on.all(h, steps.sick.on[h].outputs.healthy)"
    ));
    assert!(holds(
        "steps.sick.on.exists(h, steps.sick.on[h].outputs.healthy)"
    ));
    assert!(holds(
        "vars.state == \"before\" && size(vars.list) == 3 && outputs.restarts == 0"
    ));
    assert!(holds(
        "inputs.to.minor == inputs.from.minor || (inputs.to.minor in vars.paths && inputs.from.minor in vars.paths[inputs.to.minor])"
    ));
    assert!(!holds(
        "steps.migrate.started || steps.schema_now.only.outputs.revision != steps.schema_source.only.outputs.revision"
    ));
    assert!(holds(
        "groups.quay.exists_one(h, groups.quay[h].region == \"eu\")"
    ));
}

#[test]
fn results_have_types_and_do_not_depend_on_chance() {
    assert_eq!(value("groups.quay.map(h, h)"), json!(["q1", "q2"]));
    assert_eq!(
        value("groups.quay.filter(h, groups.quay[h].region == \"us\")"),
        json!(["q2"])
    );
    assert_eq!(value("vars.list.map(x, x * 2)"), json!([6, 2, 4]));
    assert_eq!(
        value("{\"b\": 1, \"a\": [true, null]}"),
        json!({"a": [true, null], "b": 1})
    );
    assert_eq!(value("vars.half + 1.0"), json!(1.5));
    assert_eq!(value("vars.big"), json!(u64::MAX));
    assert_eq!(value("inputs").get("to"), Some(&json!("3.10.1")));
    assert_eq!(
        value("inputs.count > 2 ? \"many\" : \"few\""),
        json!("many")
    );
    assert_eq!(value("\"grün\" + \"!\""), json!("grün!"));
}

#[test]
fn has_is_false_when_any_part_is_missing() {
    assert_eq!(
        value("has(steps.skipped.outputs.y) ? steps.skipped.outputs.y : \"none\""),
        json!("none")
    );
    assert!(holds("!has(vars.gone.deeper) && has(vars.state)"));
    assert!(!holds("has(vars.gone) && vars.gone == 1"));
}

#[test]
fn failures_say_what_and_where_and_never_repeat_a_value() {
    let texts = [
        "inputs.gone == 1",
        "steps.live.only.outputs.gone == 1",
        "nothing == 1",
        "item == 1",
        "steps.survey.on.all(h, steps.survey.on[h].outputs.gone == 1)",
        "vars.paths[\"9\"] == []",
        "vars.paths[inputs.digest] == []",
        "vars.paths[inputs.to] == []",
        "inputs.from.micro == \"1\"",
        "inputs.count == \"3\"",
        "inputs.count < \"3\"",
        "inputs.from < \"latest\"",
        "inputs.from == 3",
        "\"3.9.0\" < outputs.version",
        "\"a\" in inputs.hostname",
        "inputs.hostname.x == 1",
        "inputs.hostname + 1 == \"\"",
        "inputs.count",
        "vars.state",
        "!vars.state",
        "vars.state && true",
        "1 / 0 == 1",
        "9223372036854775807 + 1 == 0",
        "vars.list[9] == 1",
        "inputs.hostname.matches(\"(\")",
        "int(\"x\") == 1",
        "vars.state.all(x, true)",
        "version(\"x\") == inputs.to",
        "vars.empty > 1",
        "inputs.from.startsWith(\"3\")",
        "vars.list - 1 == 1",
        "vars.big + 1u == 1u",
    ];
    let all: Vec<String> = texts
        .iter()
        .map(|t| format!("{t}\n    {}", fails(t)))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn mistakes_are_refused_in_their_place() {
    let texts = [
        "",
        "inputs.a =",
        "inputs.a = 1",
        "inputs.a and inputs.b",
        "not inputs.a",
        "inputs.a == ",
        "{{inputs.a}} == 1",
        "inputs.a == 'x",
        "(inputs.a",
        "inputs.a)",
        "inputs.a == 1 & true",
        "inputs.lenght()",
        "inputs.a.contain(\"x\")",
        "len(inputs.a)",
        "size(1, 2)",
        "contains(\"a\", \"b\")",
        "inputs.a.all(x)",
        "has(inputs)",
        "inputs.a.all(x.y, true)",
        "inputs.a.all(steps, true)",
        "b\"bytes\" == 1",
        "Thing{a: 1}",
        "inputs.?a",
        "99999999999999999999 == 1",
        "if == 1",
        ".inputs.a",
        "grün == 1",
        "inputs.grün == # 1",
        "inputs.a == \"\\q\"",
        "a.all(x, x.all(y, y.all(z, z.all(w, w))))",
        "inputs..a",
        "optional.of(1)",
        "a.`b-c` == 1",
        "1 == 1 == ",
        "[1, 2",
        "inputs.a ? 1",
        "inputs.a in",
        "true false",
        "inputs.a or inputs.b",
        "inputs.a && not inputs.b",
        "inputs.a not in inputs.b",
        "!inputs.a == \"x\"",
        "!inputs.a in inputs.b",
        "inputs.a == True",
        "inputs.a != None",
        "inputs.a <> inputs.b",
        "inputs.a === inputs.b",
        "now() > window.opens",
        "date(\"x\") > window.opens",
        "inputs.a.trim() == \"\"",
        "duration() > inputs.a",
        "inputs.a.all(window, true)",
    ];
    let all: Vec<String> = texts
        .iter()
        .map(|t| {
            let error = Condition::parse(t).map(|_| t.to_string()).expect_err(t);
            format!("{t}\n    {} | {}", error.message, &t[error.range])
        })
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn references_are_found_with_their_places() {
    let texts = [
        "inputs.to > inputs.from",
        "steps.x.on.all(h, steps.x.on[h].outputs.y == inputs.digest && h != \"a\")",
        "inputs.list.exists(x, x.name == vars.name)",
        "vars.paths[inputs.to.minor] == [vars.a[\"b c\"].d, vars.l[0]]",
        "has(steps.x.outputs.y) ? steps.x.outputs.y : steps.x.outputs.z",
        "has(steps.x.outputs.y) && inputs.a && steps.x.outputs.y.z > 1",
        "!has(steps.x.outputs.y) || steps.x.outputs.y > 1",
        "has(steps.x.outputs.y) || steps.x.outputs.y > 1",
        "steps.x.on.map(h, has(steps.x.on[h].outputs.y) ? steps.x.on[h].outputs.y : 0)",
        "\"grün\" == inputs . grund && size(host.name) > 1",
        "host.name.contains(\".\") && outputs.a[outputs.b[0]].c in groups.quay",
        "[inputs.a].all(x, x > 1) && {\"k\": vars.b}.k == 1",
        "steps == {} || size(groups) == 1",
    ];
    let all: Vec<String> = texts
        .iter()
        .map(|t| format!("{t}\n    {}", references(t)))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn what_is_not_read_is_not_taken() {
    let needs = Condition::parse("steps.a.only.outputs.b == 1 && inputs.x")
        .unwrap()
        .needs;
    assert_eq!(needs["steps"], Some(BTreeSet::from(["a".to_owned()])));
    assert_eq!(
        Condition::parse("size(steps) == steps.a.x").unwrap().needs["steps"],
        None
    );
}

#[test]
fn the_deepest_condition_allowed_fits_a_small_stack() {
    // Test threads have 2 MiB, as the threads of a runtime do.
    let deep = [
        format!("{}1{} == 1", "(".repeat(8), ")".repeat(8)),
        format!("{}true", "!".repeat(40)),
        format!("inputs{} == 1", ".a".repeat(39)),
        format!("{}1{}", "string(".repeat(8), ")".repeat(8)),
        format!("1{} == 1", " + 1".repeat(38)),
        format!("{}1", "false ? 1 : ".repeat(39)),
        format!("{}1{}", "[".repeat(8), "]".repeat(8)),
        vec!["true"; 2000].join(" && "),
        format!("[{}] == []", vec!["1"; 5000].join(",")),
    ];
    for text in deep {
        let condition = Condition::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let _ = condition.evaluate(&scope());
    }
}

#[test]
fn conditions_and_templates_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Condition>();
    shared::<crate::template::Template>();
    shared::<Scope>();
}

#[test]
fn a_sum_is_bounded() {
    let mut scope = scope();
    scope.set_vars(json!({"long": "x".repeat(600_000)}));
    let error = Condition::parse("vars.long + vars.long == \"\"")
        .unwrap()
        .truth(&scope)
        .unwrap_err();
    assert_eq!(error.message, "`+` would make a value that is too large");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_panics_and_ranges_are_inside(
        parts in proptest::collection::vec(prop_oneof![
            Just("inputs"), Just("."), Just("to"), Just("from"), Just(" == "), Just(" < "), Just(" in "),
            Just("vars.list"), Just("steps.survey.on"), Just(".all(h, "), Just(".map(x, "), Just("h"), Just("x"),
            Just("["), Just("]"), Just("("), Just(")"), Just("{"), Just("}"), Just("\""), Just("'"), Just(","),
            Just("1"), Just("1.5"), Just("-"), Just("!"), Just(" && "), Just(" || "), Just(" ? "), Just(" : "),
            Just("has("), Just("size("), Just("ü"), Just("\\"), Just(" + "), Just("null"), Just("true"),
            Just("\"a\""), Just("r\""), Just("//"), Just("\n"), Just("@"), Just("`"), Just("version("), Just(".minor"),
        ], 0..16)
    ) {
        let text = parts.concat();
        match Condition::parse(&text) {
            Err(error) => prop_assert!(text.get(error.range).is_some()),
            Ok(condition) => {
                for reference in condition.references() {
                    prop_assert!(text.get(reference.range.clone()).is_some());
                }
                if let Err(error) = condition.evaluate(&scope()) {
                    prop_assert!(text.get(error.range).is_some());
                }
            }
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in "(\\PC|\n){0,40}") {
        if let Ok(condition) = Condition::parse(&text) {
            let _ = condition.evaluate(&scope());
        }
    }

    #[test]
    fn versions_order_by_number(a in any::<[u16; 3]>(), b in any::<[u16; 3]>()) {
        let text = |n: [u16; 3]| format!("{}.{}.{}", n[0], n[1], n[2]);
        let mut scope = Scope::new();
        scope.set_inputs(&Inputs::new([("a".to_owned(), (InputType::Version, json!(text(a))))]));
        scope.set_outputs(json!({"b": text(b)}));
        for (operator, expected) in [("<", a < b), ("<=", a <= b), (">", a > b), (">=", a >= b), ("==", a == b)] {
            let condition = Condition::parse(&format!("inputs.a {operator} outputs.b")).unwrap();
            prop_assert_eq!(condition.truth(&scope), Ok(expected));
        }
    }
}
