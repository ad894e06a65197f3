//! What a test may say, what it may not, and how texts are compared.

use super::*;
use crate::source::Sources;
use crate::steptype::{SHIPPED, parse_type};

fn fits(pattern: &[&str], call: &[&str]) -> bool {
    let owned = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
    Words::new(owned(pattern)).fits(&owned(call), "some input")
}

#[test]
fn a_star_stands_for_any_text_in_a_word() {
    for (glob, text, wanted) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("*", "", true),
        ("a*c", "abbc", true),
        ("a*c", "ac", true),
        ("a*a", "a", false),
        ("*b*", "abc", true),
        ("*b*c", "abcbc", true),
        ("*b*c*", "cb", false),
    ] {
        assert_eq!(Glob(glob.to_owned()).fits(text), wanted, "{glob} {text}");
    }
}

#[test]
fn a_call_fits_word_by_word() {
    assert!(fits(&["a", "*"], &["a", "x y"]));
    assert!(!fits(&["a", "*"], &["a"]));
    assert!(!fits(&["a", "*"], &["a", "b", "c"]));
    assert!(fits(&["a", "..."], &["a"]));
    assert!(fits(&["a", "b", "..."], &["a", "b", "c", "d"]));
    assert!(!fits(&["a", "b", "..."], &["a"]));
    assert!(fits(&["a", "...", "<<<", "some*"], &["a", "b"]));
    assert!(!fits(&["a", "<<<", "other"], &["a"]));
}

/// A type with these tests, and what is said about them.
fn tests_of(kind: &str, tests: &str) -> (Vec<TypeTest>, String) {
    let text = format!(
        "type: demo\nsummary: A demo\nparams: {{ name: {{ type: string, required: true }} }}\noutputs: {{ id: {{ type: string }} }}\n{kind}\ntests:\n{tests}"
    );
    let mut sources = Sources::new();
    let source = sources.add("demo.yaml", text.as_bytes()).unwrap();
    let (step_type, mistakes) = parse_type("demo", SHIPPED, &source);
    assert!(mistakes.is_empty(), "{}", mistakes.render(&sources));
    let (tests, mistakes) = parse_tests(&step_type.unwrap(), &source);
    (tests, mistakes.render(&sources))
}

#[test]
fn a_test_is_read() {
    let (tests, mistakes) = tests_of(
        "check: 'true'\napply: 'true'",
        "  - test: it is made
    with: { name: x }
    answers:
      - &shared [{ run: [sleep, 2] }, { run: [tool, '*'], stdin: in*, after: made, stdout: 01 }]
      - { run: [tool, make], sets: made, status: 3, words: [a, 2] }
      - *shared
    check: differs
    applies: [[tool, make, <<<, '*x']]
",
    );
    assert_eq!(mistakes, "");
    let test = &tests[0];
    assert_eq!(test.answers.len(), 5);
    assert_eq!(test.answers[0].run.words[1], Glob("2".into()));
    assert_eq!(test.answers[1].stdout, "01\n");
    assert_eq!(test.answers[1].run.input, Some(Glob("in*".into())));
    assert_eq!(test.answers[2].stdout, "a\u{0}2\u{0}\n");
    assert!(test.answers[2].changes() && !test.answers[0].changes());
    assert_eq!(
        test.applies.as_ref().unwrap()[0].input,
        Some(Glob("*x".into()))
    );
    assert!(test.apply && test.then == Said::Satisfied);
}

#[test]
fn mistakes_in_tests_are_refused_in_their_place() {
    let ordinary = "check: 'true'\napply: 'true'";
    let mut all = String::new();
    for (kind, tests) in [
        (
            ordinary,
            "  - test: nothing is asked\n    with: { name: x }\n",
        ),
        (
            ordinary,
            "  - test: a\n    with: { nam: x }\n    outputs: { ids: 1 }\n    check: satisfid\n",
        ),
        (
            ordinary,
            "  - { test: a, with: { name: x }, check: differs, files: { ../a: b }, modes: { a: '9' } }\n",
        ),
        (
            ordinary,
            "  - test: a\n    with: { name: x }\n    check: differs\n    answers: [{ run: [/bin/tool] }, { run: [tool], after: maed, sets: made }, { run: [], stdout: a, words: [b] }]\n",
        ),
        (
            ordinary,
            "  - { test: a, with: { name: x }, check: satisfied }\n  - { test: a, with: { name: y }, check: satisfied }\n",
        ),
        (
            ordinary,
            "  - { test: a, with: { name: x }, check: satisfied, real: true, answers: [], becomes: {} }\n",
        ),
        (
            ordinary,
            "  - { test: a, with: { name: x }, check: differs, undoes: [] }\n",
        ),
        (
            "probe: true\ncheck: 'true'",
            "  - { test: a, with: { name: x }, check: differs, applies: [], then: satisfied }\n",
        ),
        (
            "always: true\napply: 'true'",
            "  - { test: a, with: { name: x }, check: satisfied }\n",
        ),
    ] {
        all.push_str(&tests_of(kind, tests).1);
        all.push('\n');
    }
    insta::assert_snapshot!(all);
}

#[test]
fn mistakes_in_scenarios_are_refused_in_their_place() {
    let mut sources = Sources::new();
    let text = "inventory: a.yaml
scenarios:
  - scenario: a
    expect: { result: succeded, order: [a after b], instances: { a: fine } }
  - scenario: a
    facts: { a: { chek: differs } }
    answers: { gate: maybe }
    expect: { never: [a] }
";
    let source = sources.add("a.test.yaml", text.as_bytes()).unwrap();
    let (file, mistakes) = parse_scenarios(&source);
    assert!(file.is_none());
    insta::assert_snapshot!(mistakes.render(&sources));
}

#[test]
fn facts_are_joined() {
    let mut sources = Sources::new();
    let text = "inventory: |
  hosts:
    a: {}
facts:
  s@a: { outputs: { x: 2 } }
  s: { check: differs, outputs: { x: 1, y: 1 }, after: { outputs: { x: 3 } } }
scenarios:
  - scenario: a
    facts: { s: { check: satisfied, after: { check: error } } }
    expect: { result: succeeded, order: [a before b] }
";
    let source = sources.add("a.test.yaml", text.as_bytes()).unwrap();
    let (file, mistakes) = parse_scenarios(&source);
    assert!(mistakes.is_empty(), "{}", mistakes.render(&sources));
    let file = file.unwrap();
    assert!(file.has_inventory());
    let facts = &file.scenarios[0].facts;
    let joined = facts
        .iter()
        .fold(Fact::default(), |all, fact| all.with(&fact.fact));
    assert_eq!(joined.check, Some(Said::Satisfied));
    assert_eq!(joined.outputs["x"], 2);
    assert_eq!(joined.outputs["y"], 1);
    let after = joined.after.unwrap();
    assert_eq!(
        (after.check, &after.outputs["x"]),
        (Some(Said::Error), &3.into())
    );
}
