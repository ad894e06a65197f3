//! The same values as another YAML reader; where they differ, on purpose and listed.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

use runbook_lang::diagnostic::Diagnostics;
use runbook_lang::source::Sources;
use runbook_lang::yaml;
use serde_json::{Value, json};

fn ours(text: &str) -> Result<Value, String> {
    let mut sources = Sources::new();
    let source = sources
        .add("a.yaml", text.as_bytes())
        .map_err(|d| d.message)?;
    let mut diagnostics = Diagnostics::new();
    let value = yaml::read(&source, &mut diagnostics).to_value();
    if diagnostics.has_errors() {
        Err(diagnostics.render(&sources))
    } else {
        Ok(value)
    }
}

fn theirs(text: &str) -> Result<Value, String> {
    let value: serde_yaml::Value = serde_yaml::from_str(text).map_err(|e| e.to_string())?;
    serde_json::to_value(value).map_err(|e| e.to_string())
}

const SAME: &[&str] = &[
    "",
    "a: 1\nb: [x, y]\nc: { d: e }\n",
    "on: no\nyes: off\ny: n\n",
    "a: 0644\nb: 1_000\nc: 1.2.3\nd: 12:30:45\ne: 2024-01-01\n",
    "a: ~\nb: null\nc:\nd: ''\n",
    "a: true\nb: True\nc: FALSE\nd: tRUE\n",
    "a: 1.10\nb: -2.5\nc: 1e3\nd: .5\n",
    "a: 0x1F\nb: 0o17\nc: +5\nd: -0\n",
    "a: |\n  one\n  two\n\nb: |-\n  one\n\n  two\nc: |+\n  one\n\nd: >\n  one\n  two\n\n  three\n",
    "a: |2\n    two more\n  two\n",
    "a: 'it''s'\nb: \"tab\\there \\u00e9 \\x41\"\nc: \"line \\\n  joined\"\n",
    "- - 1\n  - 2\n- a: 1\n  b: 2\n-\n  c: 3\n",
    "a:\n- 1\n- 2\nb:\n    - 3\n",
    "x: &x { a: 1 }\ny: *x\nz: [*x, *x]\n",
    "a: plain text: no\n",
    "a: 'http://x:80/y#z'\nb: x#y # comment\n",
    "größe: ü\n'quoted key': 1\n\"esc\\u0061ped\": 2\n",
    "---\na: 1\n...\n",
    "{ a: 1, b: [1, 2, ], }\n",
    "a: [\n  1,\n  2\n]\nb: {\n  c: d\n}\n",
    "a: multi\n  line\n  plain\n",
    "? a\n: 1\n",
    "a: !tagged x\n",
    "a: 1\na: 2\n",
    "a: [1\nb: 2\n",
    "a: 'open\n",
    "a:\n\tb: 1\n",
    "*nothing\n",
];

#[test]
fn values_and_refusals_are_the_same() {
    for text in SAME {
        match (ours(text), theirs(text)) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{text:?}"),
            (Err(_), Err(_)) => {}
            // Tags are dropped there when the target has none; here they are refused.
            (Err(_), Ok(_)) if text.contains("!tagged") => {}
            (ours, theirs) => panic!("{text:?}: {ours:?} and {theirs:?}"),
        }
    }
}

#[test]
fn differences_are_known() {
    // `<<` merges here; there it stays a key like any other.
    let merge = "x: &x { a: 1 }\ny: { <<: *x, b: 2 }\n";
    assert_eq!(ours(merge).unwrap()["y"], json!({"a": 1, "b": 2}));
    assert_eq!(theirs(merge).unwrap()["y"], json!({"<<": {"a": 1}, "b": 2}));
    // Numbers that JSON does not have stay text here; there they become null.
    assert_eq!(
        ours("a: .inf\nb: .nan\n").unwrap(),
        json!({"a": ".inf", "b": ".nan"})
    );
    assert_eq!(
        theirs("a: .inf\nb: .nan\n").unwrap(),
        json!({"a": null, "b": null})
    );
    // A number that does not fit 64 bits with sign stays text here, exact.
    assert_eq!(
        ours("a: 18446744073709551615\n").unwrap(),
        json!({"a": "18446744073709551615"})
    );
    assert_eq!(
        theirs("a: 18446744073709551615\n").unwrap(),
        json!({"a": 18_446_744_073_709_551_615_u64})
    );
    // Keys are the text that is written here; there a number is a number first.
    assert_eq!(ours("0x1F: a\n").unwrap(), json!({"0x1F": "a"}));
    assert_eq!(theirs("0x1F: a\n").unwrap(), json!({"31": "a"}));
}
