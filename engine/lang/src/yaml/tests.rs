//! Tests of the module beside this file.

use serde_json::{Value, json};

use super::*;
use crate::source::{Sources, Span};

/// The value of a text without mistakes.
fn value(text: &str) -> Value {
    let (node, rendered) = tree(text);
    assert_eq!(rendered, "", "{text}");
    node.to_value()
}

fn tree(text: &str) -> (Node, String) {
    let mut sources = Sources::new();
    let source = sources.add("a.yaml", text.as_bytes()).unwrap();
    let mut diagnostics = Diagnostics::new();
    let node = read(&source, &mut diagnostics);
    (node, diagnostics.render(&sources))
}

fn mistakes(text: &str) -> String {
    let (_, rendered) = tree(text);
    let heads = rendered.lines().filter(|line| line.starts_with("a.yaml:"));
    heads.collect::<Vec<_>>().join("\n")
}

/// The text of every key and scalar as the file spells it.
fn spelled(text: &str) -> Vec<String> {
    fn walk(node: &Node, text: &str, out: &mut Vec<String>) {
        match &node.kind {
            Kind::Seq(items) => items.iter().for_each(|n| walk(n, text, out)),
            Kind::Map(entries) => {
                for entry in entries {
                    out.push(text[entry.key.span.range()].to_owned());
                    walk(&entry.value, text, out);
                }
            }
            _ => out.push(text[node.site().range()].to_owned()),
        }
    }
    let mut out = Vec::new();
    walk(&tree(text).0, text, &mut out);
    out
}

#[test]
fn values_are_those_of_the_core_schema() {
    assert_eq!(
        value(
            "on: no\nmode: 0644\nbig: 1_000\nn: 12\nf: 1.5\nt: true\nnone: ~\nempty:\nquoted: '12'\n443: https\n"
        ),
        json!({
            "on": "no", "mode": "0644", "big": "1_000", "n": 12, "f": 1.5, "t": true,
            "none": null, "empty": null, "quoted": "12", "443": "https",
        })
    );
    assert_eq!(
        value("a: |\n  one\n  two\nb: >-\n  one\n  two\n"),
        json!({"a": "one\ntwo\n", "b": "one two"})
    );
    assert_eq!(value(""), Value::Null);
    assert_eq!(value("---\na: 1\n"), json!({"a": 1}));
    assert_eq!(value("\u{feff}a: 1\n"), json!({"a": 1}));
}

#[test]
fn everything_knows_its_place() {
    assert_eq!(
        spelled("größe: 'ü'\nb: [1.10, {c: x}]\n"),
        ["größe", "'ü'", "b", "1.10", "c", "x"]
    );
    let (node, _) = tree("a:\n  b: 1\n\n# end\nc: [1,\n 2]\n");
    assert_eq!(node.get("a").unwrap().span, Span::new(5, 9));
    assert_eq!(node.get("c").unwrap().span, Span::new(20, 27));
}

#[test]
fn anchors_and_merges_are_expanded_and_keep_both_places() {
    let text = "x-base: &b { a: 1, c: 2 }\nuse: { <<: *b, c: 3 }\nsame: *b\nboth: { <<: [{ a: 9 }, *b] }\n";
    let (node, rendered) = tree(text);
    assert_eq!(rendered, "");
    assert_eq!(node.get("use").unwrap().to_value(), json!({"a": 1, "c": 3}));
    assert_eq!(
        node.get("both").unwrap().to_value(),
        json!({"a": 9, "c": 2})
    );
    let same = node.get("same").unwrap();
    assert_eq!(&text[same.site().range()], "*b");
    assert_eq!(&text[same.span.range()], "{ a: 1, c: 2 }");
    let merged = &node.get("use").unwrap().as_map().unwrap()[1];
    assert_eq!(
        (
            &text[merged.merged.unwrap().range()],
            &text[merged.key.span.range()]
        ),
        ("<<", "a")
    );
    // Quoted, it is a key like any other.
    assert_eq!(value("'<<': 1\n"), json!({"<<": 1}));
}

#[test]
fn a_block_anchor_covers_what_is_below_it() {
    assert_eq!(
        value("a: &x\n  - 1\n  - 2\nb: *x\nc: &y text\nd: *y\n"),
        json!({"a": [1, 2], "b": [1, 2], "c": "text", "d": "text"})
    );
}

#[test]
fn reading_goes_on_after_a_syntax_error() {
    let (node, rendered) = tree("a: 1\nb: { c: 1\nd: [1\ne: fine\nf: 'open\ng: 2\n");
    let value = node.to_value();
    assert_eq!(
        (&value["a"], &value["e"], &value["g"]),
        (&json!(1), &json!("fine"), &json!(2)),
        "{rendered}"
    );
    assert!(node.get("b").unwrap().has_error() && node.get("f").unwrap().has_error());
    assert_eq!(
        mistakes("a: 1\nb: { c: 1\nd: [1\ne: fine\nf: 'open\ng: 2\n")
            .lines()
            .count(),
        3,
        "{rendered}"
    );
}

#[test]
fn an_anchor_before_a_syntax_error_holds_after_it() {
    let (node, rendered) = tree("x: &x 1\nb: ]\nc: *x\n");
    assert_eq!(node.get("c").unwrap().to_value(), json!(1), "{rendered}");
    assert_eq!(rendered.matches("error[").count(), 1, "{rendered}");
}

#[test]
fn templates_without_quotes_are_one_mistake_each() {
    for text in [
        "a: {{ x }}\n",
        "a: {{x}}/y\n",
        "a: [{{x}}, b]\n",
        "a: { b: {{x}} }\n",
        "- {{x}}\n",
        "a: {{ x }}-{{ y }}\nb: 1\n",
        "a: {{#if x}}y{{/if}}\n",
    ] {
        let found = mistakes(text);
        assert_eq!(found.lines().count(), 1, "{text}: {}", tree(text).1);
        assert!(found.contains("lang::unquoted_template"), "{text}: {found}");
    }
}

#[test]
fn nesting_and_size_are_bounded() {
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert_eq!(mistakes(&deep(MAX_DEPTH)), "");
    assert!(mistakes(&deep(MAX_DEPTH + 1)).contains("lang::too_deep"));
    assert!(mistakes(&"[".repeat(200_000)).contains("lang::too_deep"));
    let block: String = (0..100).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    assert!(mistakes(&block).contains("lang::too_deep"));
    // Deep only through aliases.
    let half = format!(
        "a: &a {}\nb: {}*a{}\n",
        deep(40),
        "[".repeat(40),
        "]".repeat(40)
    );
    assert!(mistakes(&half).contains("lang::too_deep"));
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..9 {
        let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
        laughs.push_str(&format!("a{n}: &a{n} [{aliases}]\n"));
    }
    assert!(mistakes(&laughs).contains("lang::too_many"));
}

#[test]
fn an_anchor_is_not_inside_itself() {
    assert!(mistakes("a: &a [*a]\n").contains("lang::unknown_anchor"));
    assert!(mistakes("a: &a { b: *a }\n").contains("lang::unknown_anchor"));
}

#[test]
fn nul_has_no_way_in() {
    assert!(mistakes("a: \"x\\0y\"\n").contains("lang::not_text"));
}

#[test]
fn reading_does_not_go_on_for_ever() {
    let found = mistakes(&"a: 'x\n".repeat(100_000));
    let errors = found.matches("lang::syntax").count();
    assert!((2..=40).contains(&errors), "{errors}");
}
