//! Files of step types, and files that are none.

use super::Ends::{Accepted, Refused};
use super::yaml::keys;
use super::{Case, RUNBOOK, all};

/// A step type with one more key.
fn own(more: &str) -> String {
    format!("type: own\nsummary: A type\ncheck: 'true'\napply: 'true'\n{more}\n")
}

#[test]
fn step_types() {
    let params = |one: &dyn Fn(usize) -> String, count: usize| {
        let params: String = (0..count)
            .map(|n| format!("  p{n}: {}\n", one(n)))
            .collect();
        own(&format!("params:\n{params}"))
    };
    let uses = RUNBOOK
        .replace("uses: host.disk_free", "uses: own")
        .replace("with: { path: /var, at_least: 1GiB }", "with: {}");
    let words = format!(
        "{{ type: enum, values: [{}] }}",
        keys(9_000).replace(": 1", "")
    );
    all(vec![
        Case::new(
            "many parameters",
            "types/own.yaml",
            params(&|_| "{ type: string }".to_owned(), 900),
            Accepted,
        ),
        Case::new(
            "too many parameters",
            "types/own.yaml",
            params(&|_| "{ type: string }".to_owned(), 50_000),
            Refused,
        ),
        Case::new(
            "many parameters, used",
            "types/own.yaml",
            params(&|_| "{ type: string, default: a }".to_owned(), 900),
            Accepted,
        )
        .and("runbook.yaml", uses.clone()),
        Case::new(
            "many missing parameters",
            "types/own.yaml",
            params(&|_| "{ type: string, required: true }".to_owned(), 900),
            Refused,
        )
        .and("runbook.yaml", uses.clone()),
        Case::new(
            "many patterns",
            "types/own.yaml",
            params(
                &|_| "{ type: string, pattern: '^[a-z]{1,50}\\pL{20}$' }".to_owned(),
                60,
            ),
            Accepted,
        ),
        Case::new(
            "many words",
            "types/own.yaml",
            params(&|_| words.clone(), 5),
            Accepted,
        ),
        Case::new(
            "a long script",
            "types/own.yaml",
            own(&format!("functions: '{}'", "true\n\n".repeat(400_000))),
            Accepted,
        ),
        Case::new(
            "many examples",
            "types/own.yaml",
            own(&format!(
                "examples: [{}]",
                "{ title: a, with: { zz: 1 } }, ".repeat(50_000)
            )),
            Refused,
        ),
        Case::new(
            "many resource keys",
            "types/own.yaml",
            own(&format!("writes: [{}]", "'a:{{b}}', ".repeat(100_000))),
            Refused,
        ),
        Case::new(
            "unknown keys",
            "types/own.yaml",
            own(&(0..100_000)
                .map(|n| format!("k{n}: 1\n"))
                .collect::<String>()),
            Refused,
        ),
        Case::new(
            "another name",
            "types/own.yaml",
            format!("type: {}\n", "a".repeat(1 << 20)),
            Refused,
        ),
        Case::new("no map", "types/own.yaml", "a".repeat(1 << 20), Refused),
        Case::new("nothing", "types/own.yaml", "", Refused),
    ]);
}

#[test]
fn inputs() {
    let list = |n: usize| format!("list: {{ {} }}\n", keys(n));
    all(vec![
        Case::new(
            "a large map",
            "inputs.yaml",
            list(100_000).replace(": 1", ": a"),
            Accepted,
        ),
        Case::new(
            "a large map of numbers",
            "inputs.yaml",
            list(100_000),
            Refused,
        ),
        Case::new(
            "a long text",
            "inputs.yaml",
            format!("text: {}\n", "a".repeat(3 << 20)),
            Refused,
        ),
        Case::new(
            "a list on top",
            "inputs.yaml",
            "- a\n".repeat(500_000),
            Refused,
        ),
        Case::new(
            "a text on top",
            "inputs.yaml",
            "a ".repeat(500_000),
            Refused,
        ),
        Case::new("nothing", "inputs.yaml", "", Accepted),
        Case::new("merges", "inputs.yaml", "text: &a { <<: *a }\n", Refused),
    ]);
}
