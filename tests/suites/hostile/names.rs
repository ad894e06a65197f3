//! Many names, long names, and many mistakes.

use super::Ends::{Accepted, Refused};
use super::yaml::keys;
use super::{Case, INVENTORY, RUNBOOK, all};

/// A runbook of steps.
fn steps(one: impl Fn(usize) -> String, count: usize) -> String {
    let steps: String = (0..count)
        .map(|n| format!("  - {{ {} }}\n", one(n)))
        .collect();
    format!("runbook: demo\nsteps:\n{steps}")
}

#[test]
fn mistakes() {
    let step = |n: usize| format!("step: s{n}, uses: wait, on: h1");
    let long = "n".repeat(3 << 20);
    all(vec![
        Case::new(
            "unknown keys",
            "runbook.yaml",
            steps(|n| format!("{}, usse: {n}", step(n)), 50_000),
            Refused,
        ),
        Case::new(
            "unknown keys of one step",
            "runbook.yaml",
            steps(|_| format!("{}, {}", step(0), keys(200_000)), 1),
            Refused,
        ),
        Case::new(
            "unknown parameters",
            "runbook.yaml",
            RUNBOOK.replace("path: /var", &keys(200_000)),
            Refused,
        ),
        Case::new(
            "unknown types",
            "runbook.yaml",
            steps(|n| format!("step: s{n}, uses: wait{n}, on: h1"), 20_000),
            Refused,
        ),
        Case::new(
            "unknown needs",
            "runbook.yaml",
            steps(|n| format!("{}, needs: [z{n}]", step(n)), 10_000),
            Refused,
        ),
        Case::new(
            "unknown hosts",
            "runbook.yaml",
            steps(|n| format!("step: s{n}, uses: wait, on: h{n}x"), 20_000),
            Refused,
        ),
        Case::new(
            "unknown inputs",
            "inputs.yaml",
            (0..100_000)
                .map(|n| format!("i{n}: 1\n"))
                .collect::<String>(),
            Refused,
        ),
        Case::new(
            "the same step",
            "runbook.yaml",
            steps(|_| step(0), 50_000),
            Refused,
        ),
        Case::new(
            "the same key",
            "runbook.yaml",
            format!("{RUNBOOK}{}", "x-a: 1\n".repeat(200_000)),
            Refused,
        ),
        Case::new(
            "the last key again",
            "runbook.yaml",
            format!(
                "{RUNBOOK}x-a: {{ {} {} }}\n",
                keys(50_000),
                "k49999: 1, ".repeat(50_000)
            ),
            Refused,
        ),
        Case::new(
            "wrong types",
            "runbook.yaml",
            steps(
                |n| format!("{}, when: [], needs: {{}}, timeout: []", step(n)),
                20_000,
            ),
            Refused,
        ),
        Case::new(
            "a long key",
            "runbook.yaml",
            format!("{RUNBOOK}{long}: 1\n"),
            Refused,
        ),
        Case::new(
            "a long name",
            "runbook.yaml",
            RUNBOOK.replace("step: space", &format!("step: {long}")),
            Refused,
        ),
        Case::new(
            "a long type",
            "runbook.yaml",
            RUNBOOK.replace("host.disk_free", &long),
            Refused,
        ),
        Case::new(
            "a long word",
            "runbook.yaml",
            RUNBOOK.replace("on: all", &format!("on: all, outage: {long}")),
            Refused,
        ),
        Case::new(
            "a long selector",
            "runbook.yaml",
            RUNBOOK.replace("on: all", &format!("on: {long}")),
            Refused,
        ),
        Case::new(
            "a long parameter",
            "runbook.yaml",
            RUNBOOK.replace("path: /var", &format!("{long}: a")),
            Refused,
        ),
        Case::new(
            "long lines",
            "runbook.yaml",
            RUNBOOK.replace(
                "path: /var",
                &(0..2_000)
                    .map(|n| format!("a{n}: {}, ", "b".repeat(1_000)))
                    .collect::<String>(),
            ),
            Refused,
        ),
    ]);
}

#[test]
fn many_steps() {
    let step = |n: usize| {
        format!("step: s{n}, uses: host.disk_free, on: all, with: {{ path: /var, at_least: 1GiB }}")
    };
    let before = |n: usize| {
        (0..n)
            .map(|m| format!("s{m}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let types = steps(
        |n| {
            format!(
                "step: s{n}, uses: host.disk_free, on: h1, with: {{ path: '{{{{inputs.text}}}}', at_least: 1GiB }}"
            )
        },
        2_000,
    );
    all(vec![
        Case::new("steps", "runbook.yaml", steps(step, 2_000), Accepted),
        Case::new(
            "steps that need all before",
            "runbook.yaml",
            steps(|n| format!("{}, needs: [{}]", step(n), before(n)), 400),
            Accepted,
        ),
        Case::new(
            "steps with templates",
            "runbook.yaml",
            format!("{types}inputs: {{ text: {{ type: string, default: /var }} }}\n"),
            Accepted,
        ),
        Case::new(
            "a ring",
            "runbook.yaml",
            steps(
                |n| format!("{}, needs: [s{}]", step(n), (n + 1) % 2_000),
                2_000,
            ),
            Refused,
        ),
        Case::new(
            "everybody waits for everybody",
            "runbook.yaml",
            steps(|n| format!("{}, needs: [{}]", step(n), before(100)), 100),
            Refused,
        ),
        Case::new(
            "phases",
            "runbook.yaml",
            format!(
                "runbook: demo\nphases:\n{}",
                (0..1_000)
                    .map(|n| format!("  - phase: p{n}\n    steps: [{{ {} }}]\n", step(n)))
                    .collect::<String>()
            ),
            Accepted,
        ),
    ]);
}

#[test]
fn many_hosts() {
    let hosts = |count: usize| {
        (0..count)
            .map(|n| format!("  h{n}: {{ address: 10.0.0.1 }}\n"))
            .collect::<String>()
    };
    let chain: String = (0..900)
        .map(|n| format!("  g{n}: {{ children: [g{}] }}\n", n + 1))
        .collect();
    let diamonds: String = (0..60).map(|n| format!("  a{n}: {{ children: [a{0}, b{0}], vars: {{ v{n}: 1 }} }}\n  b{n}: {{ children: [a{0}, b{0}] }}\n", n + 1)).collect();
    let ring: String = (0..900)
        .map(|n| format!("  g{n}: {{ children: [g{}] }}\n", (n + 1) % 900))
        .collect();
    let selector = |text: String| RUNBOOK.replace("on: all", &format!("on: '{text}'"));
    let many_steps = steps(
        |n| {
            format!(
                "step: s{n}, uses: host.disk_free, on: all, with: {{ path: /var, at_least: 1GiB }}"
            )
        },
        500,
    );
    let vars: String = (0..1_000).map(|n| format!("v{n}: x, ")).collect();
    all(vec![
        Case::new(
            "hosts",
            "inventory.yaml",
            format!("hosts:\n{}", hosts(5_000)),
            Accepted,
        ),
        Case::new("hosts times steps", "runbook.yaml", many_steps, Refused)
            .and("inventory.yaml", format!("hosts:\n{}", hosts(1_000))),
        Case::new(
            "more hosts",
            "inventory.yaml",
            format!("hosts:\n{}", hosts(20_000)),
            Refused,
        ),
        Case::new(
            "groups in groups",
            "inventory.yaml",
            format!("{INVENTORY}groups:\n{chain}  g900: {{ hosts: [h1] }}\n"),
            Accepted,
        ),
        Case::new(
            "diamonds",
            "inventory.yaml",
            format!(
                "{INVENTORY}groups:\n{diamonds}  a60: {{ hosts: [h1] }}\n  b60: {{ hosts: [h2] }}\n"
            ),
            Accepted,
        ),
        Case::new(
            "a ring",
            "inventory.yaml",
            format!("{INVENTORY}groups:\n{ring}"),
            Refused,
        ),
        Case::new(
            "the same host",
            "inventory.yaml",
            format!(
                "{INVENTORY}groups:\n  g: {{ hosts: [{}] }}\n",
                "h1, ".repeat(200_000)
            ),
            Refused,
        ),
        Case::new(
            "unknown hosts",
            "inventory.yaml",
            format!(
                "hosts:\n{}groups:\n  g: {{ hosts: [{}] }}\n",
                hosts(9_000),
                (0..9_000).map(|n| format!("k{n}, ")).collect::<String>()
            ),
            Refused,
        ),
        Case::new(
            "variables of all",
            "inventory.yaml",
            format!("hosts:\n{}vars: {{ {vars} }}\n", hosts(1_000)),
            Accepted,
        ),
        Case::new(
            "a selector",
            "runbook.yaml",
            selector("h1, ".repeat(200_000) + "h1"),
            Accepted,
        ),
        Case::new(
            "a selector of exclusions",
            "runbook.yaml",
            selector("!h1, ".repeat(200_000) + "h2"),
            Accepted,
        ),
        Case::new(
            "a selector of all",
            "runbook.yaml",
            selector("all, !all, ".repeat(2_000) + "all"),
            Accepted,
        )
        .and("inventory.yaml", format!("hosts:\n{}", hosts(2_000))),
        Case::new(
            "slices",
            "runbook.yaml",
            selector("all[99999999999999999999]".to_owned()),
            Refused,
        ),
        Case::new(
            "negative slices",
            "runbook.yaml",
            selector("all[-9223372036854775808:9223372036854775807]".to_owned()),
            Accepted,
        ),
        Case::new(
            "brackets",
            "runbook.yaml",
            selector("[".repeat(100_000)),
            Refused,
        ),
    ]);
}
