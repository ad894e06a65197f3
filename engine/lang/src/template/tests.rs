//! Tests of the module beside this file.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::scope::{Inputs, path_text};
use crate::value::InputType;

fn scope() -> Scope {
    let text = |s: &str| (InputType::String, json!(s));
    let mut scope = Scope::new();
    scope.set_inputs(&Inputs::new([
        ("hostname".to_owned(), text("quay.example.com")),
        ("quote".to_owned(), text("it's <b> & \"x\"")),
        ("from".to_owned(), (InputType::Version, json!("v3.7.0"))),
        ("count".to_owned(), (InputType::Int, json!(3))),
        ("no".to_owned(), (InputType::Bool, json!(false))),
        ("none".to_owned(), (InputType::String, Value::Null)),
        (
            "list".to_owned(),
            (
                InputType::List(Box::new(InputType::String)),
                json!(["a", "b"]),
            ),
        ),
        (
            "releases".to_owned(),
            (
                InputType::Map(Box::new(InputType::Version)),
                json!({"old": "v3.7.1", "new": "3.8.0"}),
            ),
        ),
    ]));
    scope.set_groups(json!({
        "quay": {"quay01": {"region": "eu"}, "quay02": {"region": "us"}}, "lb": {}
    }));
    scope.set_vars(json!({"a key": 1, "paths": {"3.8": ["3.7"]}, "half": 0.5}));
    scope.set_item(json!("one"));
    scope.set_run("r1", "/tmp/r1");
    scope.set_steps(json!({"survey": {"outputs": {"image": "quay:1"}}}));
    scope
}

fn render(text: &str) -> Value {
    Template::parse(text).unwrap().render(&scope()).unwrap()
}

fn fails(text: &str) -> EvalError {
    Template::parse(text).unwrap().render(&scope()).unwrap_err()
}

fn refused(text: &str) -> String {
    let error = Template::parse(text).unwrap_err();
    format!("{} | {}", error.message, &text[error.range])
}

fn references(text: &str) -> Vec<String> {
    Template::parse(text)
        .unwrap()
        .references()
        .iter()
        .map(|r| {
            let guard = if r.guarded { "?" } else { "" };
            format!("{}{guard} @ {}", path_text(&r.path), &text[r.range.clone()])
        })
        .collect()
}

#[test]
fn text_is_rendered_without_escaping() {
    assert_eq!(
        render("say {{inputs.quote}}"),
        json!("say it's <b> & \"x\"")
    );
    assert_eq!(
        render("{{inputs.count}} of {{vars.half}}, {{inputs.no}}"),
        json!("3 of 0.5, false")
    );
    assert_eq!(render("{{run.id}}-{{item}}"), json!("r1-one"));
    assert_eq!(render("\\{{not.a.name}}"), json!("{{not.a.name}}"));
    assert_eq!(render("a{{! comment }}b{{!-- }} --}}c"), json!("abc"));
    assert_eq!(render("{{vars.[a key]}}."), json!("1."));
    assert_eq!(render("a\n{{~ inputs.count ~}}\n b"), json!("a3b"));
}

#[test]
fn one_expression_keeps_its_type() {
    assert_eq!(render("{{inputs.count}}"), json!(3));
    assert_eq!(render("{{ inputs.list }}"), json!(["a", "b"]));
    assert_eq!(render("{{inputs.none}}"), Value::Null);
    assert_eq!(
        render("{{default inputs.none inputs.list}}"),
        json!(["a", "b"])
    );
    assert_eq!(render("{{inputs.count}} "), json!("3 "));
    let single = Template::parse("{{inputs.list}}").unwrap();
    assert_eq!(path_text(single.single_path().unwrap()), "inputs.list");
    assert!(
        Template::parse("x{{inputs.list}}")
            .unwrap()
            .single_path()
            .is_none()
    );
    assert!(
        Template::parse("{{default inputs.a 1}}")
            .unwrap()
            .single_path()
            .is_none()
    );
}

#[test]
fn a_value_of_any_type_stays_what_it_is() {
    let fields = ["opens", "release"].map(|name| {
        let field = crate::value::Field {
            kind: match name {
                "opens" => InputType::Date,
                _ => InputType::OneOf(vec![InputType::Version, InputType::Int]),
            },
            required: true,
            default: None,
            help: String::new(),
        };
        (name.to_owned(), field)
    });
    let list = |of| InputType::List(Box::new(of));
    let of = |name: &str, kind, value: Value| (name.to_owned(), (kind, value));
    let mut scope = scope();
    scope.set_inputs(&Inputs::new([
        of("date", InputType::Date, json!("2026-03-01 22:00+01:00")),
        of("stable", InputType::Duration, json!("90s")),
        of("room", InputType::Size, json!(1024)),
        of(
            "versions",
            list(InputType::Version),
            json!(["v3.7", "3.8.1"]),
        ),
        of(
            "object",
            InputType::Object(fields.into_iter().collect()),
            json!({"opens": "2026-03-01T22:00Z", "release": "v3.8.1"}),
        ),
    ]));
    scope.set_groups(json!({"all": {"quay02": {}, "quay01": {"region": "eu"}}}));
    scope.set_window(json!({"opens": "2026-03-01T22:00:00Z"}));
    let render = |text: &str| Template::parse(text).unwrap().render(&scope).unwrap();
    for (text, value) in [
        ("{{inputs.date}}", json!("2026-03-01T22:00:00+01:00")),
        ("{{inputs.stable}}", json!("1m30s")),
        ("{{inputs.room}}", json!("1KiB")),
        ("{{inputs.versions}}", json!(["3.7", "3.8.1"])),
        ("{{inputs.versions.1.minor}}", json!("3.8")),
        (
            "{{#each inputs.versions}}{{this.minor}} {{/each}}",
            json!("3.7 3.8 "),
        ),
        (
            "{{inputs.object}}",
            json!({"opens": "2026-03-01T22:00:00Z", "release": "3.8.1"}),
        ),
        ("{{inputs.object.release.minor}}", json!("3.8")),
        (
            "{{lookup inputs.object \"opens\"}}",
            json!("2026-03-01T22:00:00Z"),
        ),
        (
            "{{default steps.gone.outputs.y inputs.stable}}",
            json!("1m30s"),
        ),
        ("{{default steps.gone.outputs.y \"none\"}}", json!("none")),
        ("from {{window.opens}}", json!("from 2026-03-01T22:00:00Z")),
        (
            "{{groups.all}}",
            json!({"quay01": {"region": "eu"}, "quay02": {}}),
        ),
        ("{{join groups.all \",\"}}", json!("quay01,quay02")),
    ] {
        assert_eq!(render(text), value, "{text}");
    }
}

#[test]
fn versions_render_without_v_and_have_members() {
    assert_eq!(render("{{inputs.from}}"), json!("3.7.0"));
    assert_eq!(render("to {{inputs.from.minor}}"), json!("to 3.7"));
    assert_eq!(render("{{inputs.releases.old.patch}}"), json!("1"));
    assert_eq!(
        render("{{#each inputs.releases}}{{this.minor}} {{/each}}"),
        json!("3.8 3.7 ")
    );
}

#[test]
fn blocks() {
    assert_eq!(
        render("{{#if inputs.no}}a{{else if inputs.count}}b{{else}}c{{/if}}"),
        json!("b")
    );
    assert_eq!(
        render("{{#if inputs.no}}a{{else if inputs.no}}b{{else}}c{{/if}}"),
        json!("c")
    );
    assert_eq!(
        render(
            "{{#if inputs.no}}a{{else if inputs.no}}b{{else if inputs.no}}c{{else if item}}d{{/if}}"
        ),
        json!("d")
    );
    assert_eq!(
        render("{{#unless inputs.no}}a{{else}}b{{/unless}}"),
        json!("a")
    );
    assert_eq!(
        render("{{#each groups.quay}}{{@key}}={{region}}{{#unless @last}},{{/unless}}{{/each}}"),
        json!("quay01=eu,quay02=us")
    );
    assert_eq!(
        render(
            "{{#each groups.quay as |vars name|}}{{name}}:{{vars.region}}/{{inputs.count}} {{/each}}"
        ),
        json!("quay01:eu/3 quay02:us/3 ")
    );
    assert_eq!(
        render("{{#each inputs.list}}{{@index}}{{this}}{{/each}}"),
        json!("0a1b")
    );
    assert_eq!(
        render("{{#each groups.lb}}x{{else}}nobody{{/each}}"),
        json!("nobody")
    );
    assert_eq!(
        render("{{#with groups.quay.quay01}}{{region}} {{../item}}{{/with}}"),
        json!("eu one")
    );
    assert_eq!(
        render(
            "{{#each inputs.list}}{{#each groups.quay}}{{@../index}}{{@key}} {{/each}}{{/each}}"
        ),
        json!("0quay01 0quay02 1quay01 1quay02 ")
    );
    assert_eq!(
        render("{{#if inputs.no}}x{{else}}{{#if inputs.no}}y{{else if item}}z{{/if}}{{/if}}!"),
        json!("z!")
    );
}

#[test]
fn helpers() {
    assert_eq!(
        render("{{default steps.survey.outputs.gone \"none\"}}!"),
        json!("none!")
    );
    assert_eq!(
        render("{{default steps.survey.outputs.image 'x'}}!"),
        json!("quay:1!")
    );
    assert_eq!(
        render("{{lookup groups.quay \"quay01\"}}"),
        json!({"region": "eu"})
    );
    assert_eq!(render("{{join inputs.list \", \"}}."), json!("a, b."));
    assert_eq!(render("{{join groups.quay \" \"}}"), json!("quay01 quay02"));
    assert_eq!(
        render("{{json (lookup vars.paths \"3.8\")}}"),
        json!("[\"3.7\"]")
    );
    assert_eq!(
        render("{{default (lookup vars.paths \"4\") \"no\"}}"),
        json!("no")
    );
}

#[test]
fn a_name_without_a_value_is_an_error_everywhere() {
    let text = "x {{#if inputs.gone}}a{{/if}}";
    let error = fails(text);
    assert_eq!(error.message, "`inputs.gone` has no value here");
    assert_eq!(error.missing.as_deref(), Some("inputs.gone"));
    assert_eq!(&text[error.range], "inputs.gone");
    assert!(fails("{{outputs.x}}").missing.is_some());
    assert!(fails("{{nothing}}").missing.is_some());
    assert!(fails("{{#each inputs.gone}}{{/each}}").missing.is_some());
    assert!(fails("{{lookup vars.paths \"4\"}}").missing.is_some());
    assert!(
        fails("{{#each inputs.list}}{{size}}{{/each}}")
            .missing
            .is_some()
    );
    assert!(fails("{{inputs.from.micro}}").missing.is_some());
}

#[test]
fn values_that_are_no_text_are_errors_with_a_way_out() {
    insta::assert_snapshot!(fails("x{{inputs.list}}").message, @"a list cannot stand inside a text; write `{{join … \", \"}}`, `{{#each …}}` or `{{json …}}`, or let it be the whole text");
    insta::assert_snapshot!(fails("rm -rf {{inputs.none}}/*").message, @r#"this has no value; write `{{default … "…"}}` if that may be"#);
    insta::assert_snapshot!(fails("{{#each inputs.count}}{{/each}}").message, @"`each` takes a list or a map, this is a number");
}

#[test]
fn what_the_language_leaves_out_is_refused_in_its_place() {
    let texts = [
        "a {{{inputs.x}}}",
        "{{&inputs.x}}",
        "{{> partial}}",
        "{{#> layout}}{{/layout}}",
        "{{* inline}}",
        "{{#*inline \"x\"}}{{/inline}}",
        "{{{{raw}}}} {{{{/raw}}}}",
        "x {{inputs.x",
        "{{#if inputs.x}}a",
        "{{#if inputs.x}}a{{/each}}",
        "a{{/if}}",
        "{{else}}",
        "{{#iff inputs.x}}{{/iff}}",
        "{{upper inputs.x}}",
        "{{defualt inputs.x 1}}",
        "{{default inputs.x}}",
        "{{default}}",
        "{{join inputs.x sep=\",\"}}",
        "{{#if a b}}{{/if}}",
        "{{this.x}}",
        "{{../x}}",
        "{{@index}}",
        "{{}}",
        "ü {{inputs..x}}",
        "{{inputs.x y}}",
        "{{default inputs.x \"a}}",
        "{{! open",
        "{{inputs x=1}}",
        "{{#each inputs.list}}{{@size}}{{/each}}",
        "{{(((((((((((((((((a",
        "{{inputs.x + 1}}",
    ];
    let all: Vec<String> = texts
        .iter()
        .map(|t| format!("{t}\n    {}", refused(t)))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn references_are_found_everywhere_with_their_places() {
    let texts = [
        "a {{inputs.from}} b {{ host.name }}",
        "{{#if steps.x.outputs.y}}{{inputs.a}}{{else if inputs.b}}{{inputs.c}}{{else}}{{inputs.d}}{{/if}}",
        "{{default steps.x.outputs.y inputs.z}}",
        "{{#each groups.quay}}{{@key}} {{this.region}} {{name}} {{inputs.x}} {{../vars.q}}{{/each}}",
        "{{#each groups.quay as |v k|}}{{k}} {{v.region}}{{/each}}",
        "{{#with steps.a.outputs}}{{b}}{{#each list}}{{x}} {{../c}}{{/each}}{{/with}}",
        "{{lookup vars.paths \"3.8\"}} {{lookup vars.paths inputs.to}}",
        "{{join (lookup groups item) \", \"}}",
        "{{default \"inputs.a\" inputs.a}} {{default inputs.a inputs.a}}",
        "{{@root.inputs.x}} {{vars.[a key].0}}",
        "grün {{unknown}}",
    ];
    let all: Vec<String> = texts
        .iter()
        .map(|t| format!("{t}\n    {}", references(t).join("\n    ")))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn literals_are_known() {
    assert!(Template::parse("plain } { text").unwrap().is_literal());
    assert!(Template::parse("\\{{x}}").unwrap().is_literal());
    assert!(!Template::parse("{{x}}").unwrap().is_literal());
}

#[test]
fn output_and_work_are_bounded() {
    let mut scope = scope();
    scope.set_vars(json!({"many": vec![0; 2000], "long": "x".repeat(600_000)}));
    let twice = Template::parse("{{vars.long}}{{vars.long}}").unwrap();
    assert_eq!(
        twice.render(&scope).unwrap_err().message,
        "the text would be longer than 1 MiB"
    );
    let nested = "{{#each vars.many}}".repeat(3) + "x" + &"{{/each}}".repeat(3);
    assert!(Template::parse(&nested).unwrap().render(&scope).is_err());
    assert!(Template::parse(&("{{#if item}}".repeat(17) + &"{{/if}}".repeat(17))).is_err());
    assert!(Template::parse(&"{{item}}".repeat(5000)).is_err());
}

#[test]
fn the_deepest_template_allowed_fits_a_small_stack() {
    // Test threads have 2 MiB, as the threads of a runtime do.
    let deep = [
        "{{#if item}}".repeat(16) + "x" + &"{{/if}}".repeat(16),
        format!("{{{{json {}item{}}}}}", "(json ".repeat(16), ")".repeat(16)),
        format!("{{{{json {}1{}}}}}", "[".repeat(16), "]".repeat(16)),
        "{{#if inputs.no}}a".to_owned() + &"{{else if inputs.no}}b".repeat(200) + "{{/if}}c",
        "{{item}}".repeat(4096),
    ];
    for text in deep {
        let template = Template::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", &text[..30]));
        template.render(&scope()).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn literals_render_to_themselves(text in "\\PC{0,40}") {
        prop_assume!(!text.contains("{{"));
        prop_assert_eq!(render(&text), json!(text));
    }

    #[test]
    fn nothing_panics_and_ranges_are_inside(
        parts in proptest::collection::vec(prop_oneof![
            Just("{{"), Just("}}"), Just("{{#if "), Just("{{#each "), Just("{{/if}}"), Just("{{/each}}"),
            Just("{{else}}"), Just("{{else if "), Just("{{~"), Just("~}}"), Just("inputs.list"), Just("this"),
            Just("../"), Just("@index"), Just("@key"), Just(" as |a b|"), Just(" "), Just("\n"), Just("\\"),
            Just("\""), Just("'"), Just("("), Just(")"), Just("["), Just("]"), Just("{"), Just("}"), Just("!"),
            Just("!--"), Just("--"), Just("default "), Just("lookup "), Just("ü"), Just("."), Just("/"),
            Just("a"), Just("="), Just("groups.quay"), Just("^"), Just("else"), Just("1"), Just("null"),
        ], 0..24)
    ) {
        let text = parts.concat();
        match Template::parse(&text) {
            Err(error) => prop_assert!(text.get(error.range).is_some()),
            Ok(template) => {
                for reference in template.references() {
                    prop_assert!(text.get(reference.range.clone()).is_some());
                }
                if let Err(error) = template.render(&scope()) {
                    prop_assert!(text.get(error.range).is_some());
                }
            }
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in "(\\PC|[{}#/\n]){0,60}") {
        if let Ok(template) = Template::parse(&text) {
            let _ = template.render(&scope());
        }
    }
}
