//! Secrets in a runbook: those that nobody gives, and where those that steps give may go.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

mod support;

use runbook_model::Plan;
use runbook_model::plan::SecretSource;
use runbook_model::secret::{Alphabet, Generated};

const INVENTORY: &str = include_str!("compile/inventory.yaml");

/// A runbook with these inputs and steps.
fn runbook(inputs: &str, steps: &str) -> String {
    format!("runbook: secrets\ninputs:\n{inputs}\nsteps:\n{steps}\n")
}

fn planned(text: &str) -> Result<Plan, String> {
    let case = support::compiled("secrets.yaml", text, INVENTORY);
    let why = case.diagnostics.render(&case.sources);
    case.plan.filter(|_| why.is_empty()).ok_or(why)
}

fn generated(key: &str) -> Result<Generated, String> {
    let steps =
        "  - { step: one, uses: test.state, on: quay, with: { password: '{{inputs.key}}' } }";
    let plan = planned(&runbook(&format!("  key: {key}"), steps))?;
    match plan.inputs["key"].secret.clone() {
        Some(SecretSource::Generated(generated)) => Ok(generated),
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn a_generated_secret_needs_nobody() {
    let plain = generated("{ type: secret, generate: {} }").unwrap();
    assert_eq!(
        (plain.length, plain.alphabet, plain.adopt, plain.exists),
        (32, Alphabet::Alphanumeric, None, None)
    );
    let all = generated(
        "{ type: secret, generate: { length: 64, alphabet: hex }, adopt: { on: quay, file: /etc/k, pattern: '^K=(.+)$' }, exists: { on: control, path: /data } }",
    )
    .unwrap();
    assert_eq!((all.length, all.alphabet), (64, Alphabet::Hex));
    let adopt = all.adopt.unwrap();
    let hosts: Vec<&str> = adopt.hosts.iter().map(|host| host.as_str()).collect();
    assert!(
        hosts.len() > 1 && hosts.iter().all(|host| host.starts_with('q')),
        "{hosts:?}"
    );
    assert_eq!(
        (adopt.file.as_str(), adopt.pattern.as_deref()),
        ("/etc/k", Some("^K=(.+)$"))
    );
    assert!(all.exists.unwrap().hosts[0].is_control());
}

#[test]
fn what_is_no_way_to_make_a_secret_is_said() {
    let secret = |rest: &str| generated(&format!("{{ type: secret, {rest} }}")).unwrap_err();
    for (rest, wanted) in [
        ("generate: { length: 4 }", "from 12 to 1024"),
        ("generate: { alphabet: greek }", "greek"),
        (
            "adopt: { on: quay, file: /x }",
            "`adopt` belongs to a secret that is generated",
        ),
        (
            "exists: { on: quay, path: /x }",
            "`exists` belongs to a secret that is generated",
        ),
        ("required: true, generate: {}", "is never missing"),
        (
            "generate: {}, adopt: { on: quey, file: /x }",
            "no group `quey`",
        ),
        (
            "generate: {}, adopt: { on: quay, file: x }",
            "`file` is a path from `/`",
        ),
        (
            "generate: {}, adopt: { on: quay, file: /x, pattern: 'a' }",
            "needs one group",
        ),
        (
            "generate: {}, adopt: { on: quay, file: /x, pattern: '(a)(b)' }",
            "needs one group",
        ),
        ("generate: {}, exists: { on: quay }", "`path`"),
    ] {
        let said = secret(rest);
        assert!(said.contains(wanted), "{rest}: {said}");
        assert_eq!(said.matches("error[").count(), 1, "{rest}: {said}");
    }
    let said = generated("{ type: string, generate: {} }").unwrap_err();
    assert!(
        said.contains("`generate` does not belong to the type `string`"),
        "{said}"
    );
}

/// A step that reads a secret output of another, in one of its keys.
fn reading(text: &str) -> Result<Plan, String> {
    let look = "  - { step: look, uses: test.look, on: quay }";
    planned(&runbook(
        "  free: { type: string, default: x }",
        &format!("{look}\n  - {{ step: use, uses: test.state, on: quay, {text} }}"),
    ))
}

#[test]
fn a_secret_output_goes_into_secret_parameters_only() {
    reading("with: { password: '{{steps.look.outputs.key}}' }").unwrap();
    reading("with: { password: 'user:{{steps.look.outputs.key}}' }").unwrap();
    for text in [
        "with: { name: '{{steps.look.outputs.key}}' }",
        "with: { env: { KEY: '{{steps.look.outputs.key}}' } }",
        "when: 'steps.look.outputs.key == \"x\"'",
    ] {
        let said = reading(text).unwrap_err();
        assert!(said.contains("lang::secret_leak"), "{text}: {said}");
        assert!(
            said.contains("the secret output `key` of `look`"),
            "{text}: {said}"
        );
    }
    let own = planned(&runbook(
        "  free: { type: string, default: x }",
        "  - { step: look, uses: test.look, on: quay, expect: 'outputs.key == \"x\"' }",
    ));
    assert!(own.unwrap_err().contains("lang::secret_leak"));
}

#[test]
fn a_variable_is_no_place_for_a_secret_output() {
    let text = format!(
        "vars: {{ key: '{{{{steps.look.only.outputs.key}}}}' }}\n{}",
        runbook(
            "  free: { type: string, default: x }",
            "  - { step: look, uses: test.look, on: 'quay[0]' }\n  - { step: use, uses: test.state, on: quay, with: { password: '{{vars.key}}' } }"
        )
    );
    assert!(planned(&text).unwrap_err().contains("lang::secret_leak"));
}
