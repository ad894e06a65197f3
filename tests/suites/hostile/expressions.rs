//! Templates, conditions, patterns and values that cost more than they look.

use super::Ends::{Accepted, Refused};
use super::{Case, RUNBOOK, all};

/// A runbook whose rule this is.
fn rule(condition: &str) -> String {
    let quoted = condition.replace('\'', "''");
    RUNBOOK.replace(
        "steps:",
        &format!("  rules:\n    - {{ check: '{quoted}', message: no }}\nsteps:"),
    )
}

/// A runbook with a condition that is known only when it runs.
fn when(condition: &str) -> String {
    let quoted = condition.replace('\'', "''");
    RUNBOOK.replace("on: all", &format!("on: all, expect: '{quoted}'"))
}

/// A runbook with this as a text.
fn text(template: &str) -> String {
    let quoted = template.replace('\'', "''");
    RUNBOOK.replace("/var", &format!("'/{quoted}'"))
}

#[test]
fn conditions() {
    let around = |open: &str, middle: &str, close: &str, n: usize| {
        format!("{}{middle}{}", open.repeat(n), close.repeat(n))
    };
    let many = |piece: &str, n: usize| piece.repeat(n);
    let numbers = (0..100)
        .map(|n| n.to_string())
        .collect::<Vec<_>>()
        .join(",");
    let loops: String = ["a", "b", "c", "d", "e", "f"]
        .iter()
        .map(|v| format!("[{numbers}].all({v}, "))
        .collect();
    let expensive = format!("{loops}true{}", ")".repeat(6));
    let grows: String = ["a", "b", "c", "d", "e", "f"]
        .iter()
        .map(|v| format!("[{numbers}].map({v}, "))
        .collect();
    let grows = format!("size({grows}1{}) > 0", ")".repeat(6));
    let doubling = format!(
        "size({}) > 0",
        (0..60).fold("inputs.text".to_owned(), |inner, _| format!(
            "[{inner}].map(x, x + x)[0]"
        ))
    );
    let mut cases = Vec::new();
    for (name, condition) in [
        ("parentheses", around("(", "true", ")", 100_000)),
        ("open parentheses", many("(", 200_000)),
        ("bangs", many("!", 500_000) + "true"),
        ("minus", many("-", 500_000) + "1 > 0"),
        ("lists", around("[", "1", "]", 100_000) + " == 1"),
        ("maps", around("{\"a\": ", "1", "}", 50_000) + " == 1"),
        ("members", format!("inputs{} == 1", many(".a", 200_000))),
        (
            "positions",
            format!("inputs.list{} == 1", many("[0]", 200_000)),
        ),
        ("calls", around("size(", "1", ")", 50_000) + " == 1"),
        ("and", many("true && ", 100_000) + "true"),
        ("plus", many("1 + ", 200_000) + "1 > 0"),
        ("compare", many("1 < ", 200_000) + "1"),
        ("questions", many("true ? true : ", 50_000) + "true"),
        (
            "nested questions",
            many("true ? ", 50_000) + "true" + &many(" : true", 50_000),
        ),
        ("loops in loops", around("[1].all(a, ", "true", ")", 5_000)),
        (
            "a long text",
            format!("\"{}\" == inputs.text", many("a", 1 << 20)),
        ),
        ("an open text", format!("\"{}", many("a", 1 << 20))),
        ("rubbish", many("@#$%", 100_000)),
        (
            "backslashes",
            format!("\"{}\" == inputs.text", many("\\\\", 200_000)),
        ),
        ("a long name", many("a", 1 << 20)),
        (
            "many names",
            (0..100_000)
                .map(|n| format!("a{n} && "))
                .collect::<String>()
                + "true",
        ),
        ("a huge number", format!("{} > 1", many("9", 500_000))),
    ] {
        cases.push(Case::new(name, "runbook.yaml", rule(&condition), Refused));
        cases.push(Case::new(name, "runbook.yaml", when(&condition), Refused));
    }
    for (name, condition) in [
        ("expensive", expensive),
        ("grows", grows),
        ("doubling", doubling),
        (
            "exponent",
            "inputs.text.matches(\"(a{1000}){1000}\")".to_owned(),
        ),
        (
            "nested pattern",
            format!("inputs.text.matches(\"{}\")", many("(", 50_000)),
        ),
    ] {
        cases.push(Case::new(name, "runbook.yaml", rule(&condition), Refused));
    }
    all(cases);
}

#[test]
fn templates() {
    let mut cases = Vec::new();
    for (name, template) in [
        ("open", "{{".repeat(200_000)),
        ("open blocks", "{{#if inputs.text}}".repeat(50_000)),
        (
            "blocks",
            "{{#if inputs.text}}".repeat(50_000) + &"{{/if}}".repeat(50_000),
        ),
        (
            "loops",
            "{{#each inputs.list}}".repeat(20_000) + &"{{/each}}".repeat(20_000),
        ),
        (
            "else",
            format!(
                "{{{{#if inputs.text}}}}{}{{{{/if}}}}",
                "{{else if inputs.text}}".repeat(50_000)
            ),
        ),
        ("calls", "{{join ".to_owned() + &"(join ".repeat(50_000)),
        (
            "closed calls",
            "{{join ".to_owned()
                + &"(join ".repeat(20_000)
                + "inputs.text"
                + &")".repeat(20_000)
                + "}}",
        ),
        (
            "a long path",
            format!("{{{{inputs{}}}}}", ".a".repeat(200_000)),
        ),
        ("slashes", format!("{{{{inputs{}}}}}", "/a".repeat(200_000))),
        (
            "parents",
            format!("{{{{{}inputs.text}}}}", "../".repeat(200_000)),
        ),
        ("comment", format!("{{{{!-- {}", "-".repeat(200_000))),
        (
            "brackets",
            format!("{{{{inputs.{}}}}}", "[a].".repeat(100_000)),
        ),
        (
            "unknown names",
            (0..20_000)
                .map(|n| format!("{{{{inputs.tex{n}}}}}"))
                .collect(),
        ),
        ("partials", "{{> a}}".repeat(50_000)),
        ("a long name", format!("{{{{{}}}}}", "a".repeat(1 << 20))),
    ] {
        cases.push(Case::new(name, "runbook.yaml", text(&template), Refused));
    }
    cases.push(Case::new(
        "many",
        "runbook.yaml",
        text(&"{{inputs.text}}".repeat(4_000)),
        Accepted,
    ));
    let long = format!("text: {}\n", "a".repeat(1_000_000));
    let often = text(&"{{inputs.text}}".repeat(4_000));
    cases.push(
        Case::new("a long value, often", "runbook.yaml", often, Accepted).and("inputs.yaml", long),
    );
    all(cases);
}

#[test]
fn variables() {
    let chain = |one: &dyn Fn(usize) -> String, count: usize| {
        let vars: String = (0..count)
            .map(|n| format!("  v{n}: {}\n", one(n + 1)))
            .collect();
        format!("{}vars:\n{vars}  v{count}: abcdefgh\n", text("{{vars.v0}}"))
    };
    all(vec![
        Case::new(
            "a chain",
            "runbook.yaml",
            chain(&|n| format!("'{{{{vars.v{n}}}}}'"), 900),
            Accepted,
        ),
        Case::new(
            "a longer chain",
            "runbook.yaml",
            chain(&|n| format!("'{{{{vars.v{n}}}}}'"), 20_000),
            Refused,
        ),
        Case::new(
            "a chain of conditions",
            "runbook.yaml",
            chain(&|n| format!("{{ cel: 'vars.v{n}' }}"), 200),
            Accepted,
        ),
        Case::new(
            "doubling",
            "runbook.yaml",
            chain(&|n| format!("'{{{{vars.v{n}}}}}{{{{vars.v{n}}}}}'"), 60),
            Accepted,
        ),
        Case::new(
            "doubling conditions",
            "runbook.yaml",
            chain(&|n| format!("{{ cel: 'vars.v{n} + vars.v{n}' }}"), 60),
            Accepted,
        ),
        Case::new(
            "a ring",
            "runbook.yaml",
            chain(&|n| format!("'{{{{vars.v{}}}}}'", n % 900), 900),
            Refused,
        ),
    ]);
}

#[test]
fn patterns_and_numbers() {
    let pattern = |pattern: &str| {
        RUNBOOK.replace(
            "default: a }",
            &format!("default: a, pattern: '{pattern}' }}"),
        )
    };
    let number = |text: &str| RUNBOOK.replace("at_least: 1GiB", &format!("at_least: {text}"));
    let retry = |text: &str| {
        RUNBOOK.replace(
            "on: all",
            &format!("on: all, retry: {{ attempts: {text} }}"),
        )
    };
    let timeout = |text: &str| RUNBOOK.replace("on: all", &format!("on: all, timeout: {text}"));
    let nines = "9".repeat(100_000);
    all(vec![
        Case::new(
            "exponent",
            "runbook.yaml",
            pattern("(a{1000}){1000}"),
            Refused,
        ),
        Case::new(
            "exponents",
            "runbook.yaml",
            pattern("((((((a{10}){10}){10}){10}){10}){10}){10}"),
            Refused,
        ),
        Case::new(
            "parentheses",
            "runbook.yaml",
            pattern(&"(".repeat(100_000)),
            Refused,
        ),
        Case::new(
            "closed parentheses",
            "runbook.yaml",
            pattern(&("(".repeat(1_000) + "a" + &")".repeat(1_000))),
            Refused,
        ),
        Case::new(
            "many words",
            "runbook.yaml",
            pattern(&"abc|".repeat(100_000)),
            Refused,
        ),
        Case::new(
            "unicode",
            "runbook.yaml",
            pattern("\\pL{1000}{1000}"),
            Refused,
        ),
        Case::new("a huge size", "runbook.yaml", number(&nines), Refused),
        Case::new(
            "a huge size with a unit",
            "runbook.yaml",
            number("99999999999999999999PiB"),
            Refused,
        ),
        Case::new("a huge count", "runbook.yaml", retry(&nines), Refused),
        Case::new(
            "a negative count",
            "runbook.yaml",
            retry("-9223372036854775808"),
            Refused,
        ),
        Case::new("a huge fraction", "runbook.yaml", retry("1e308"), Refused),
        Case::new(
            "a huge exponent",
            "runbook.yaml",
            retry("1e999999999"),
            Refused,
        ),
        Case::new(
            "a huge duration",
            "runbook.yaml",
            timeout(&format!("{nines}h")),
            Refused,
        ),
        Case::new(
            "a duration of many parts",
            "runbook.yaml",
            timeout(&"1h".repeat(100_000)),
            Refused,
        ),
        Case::new(
            "a huge input",
            "inputs.yaml",
            format!("number: {nines}\n"),
            Refused,
        ),
    ]);
}
