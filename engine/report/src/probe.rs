//! What a look at a step of a run found.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use runbook_model::event::Verdict;
use runbook_model::text::{printable, printable_lines};
use runbook_model::{NodeIx, Plan, Value};
use serde_json::json;

use crate::facts::{REASON, node_id};
use crate::text::{bounded, value_text, wrap};
use crate::{Style, Tone};

/// Lines of the end of a failed check.
const TAIL: usize = 12;

/// What was found of one instance.
#[derive(Debug, Clone, PartialEq)]
pub enum ProbeRow<'a> {
    /// The check has an answer.
    Looked {
        /// What it says.
        verdict: &'a Verdict,
        /// Outputs that may be shown.
        outputs: &'a BTreeMap<String, Value>,
        /// Names of those that may not.
        secret: &'a [String],
    },
    /// There is no answer, and why: the words for it, and the reason.
    Nothing(&'static str, &'a str),
}

/// What was found, for people.
#[must_use]
pub fn probe_text(plan: &Plan, rows: &[(NodeIx, ProbeRow<'_>)], style: &Style) -> String {
    let mut out = String::new();
    for (node, row) in rows {
        let id = node_id(plan, *node);
        let (tone, word) = word(row);
        let _ = writeln!(out, "{id}: {}", style.paint(tone, word));
        for why in reasons(row) {
            wrap(&mut out, "  ", 4, &bounded(&why, REASON), style.width);
        }
        if let ProbeRow::Looked {
            verdict,
            outputs,
            secret,
        } = row
        {
            if let Verdict::Error(failure) = verdict {
                let tail: Vec<_> = printable_lines(&failure.tail).collect();
                for line in &tail[tail.len().saturating_sub(TAIL)..] {
                    let _ = writeln!(out, "  | {}", crate::text::cut(line, 500));
                }
            }
            for (name, value) in *outputs {
                let _ = writeln!(out, "  {} = {}", printable(name), value_text(value));
            }
            for name in *secret {
                let _ = writeln!(out, "  {} = (secret)", printable(name));
            }
        }
    }
    out
}

/// What was found, for programs.
#[must_use]
pub fn probe_json(plan: &Plan, rows: &[(NodeIx, ProbeRow<'_>)]) -> Value {
    let one = |(node, row): &(NodeIx, ProbeRow<'_>)| {
        let outputs = match row {
            ProbeRow::Looked { outputs, .. } => json!(outputs),
            ProbeRow::Nothing(..) => json!({}),
        };
        json!({
            "instance": node_id(plan, *node),
            "verdict": word(row).1,
            "reasons": reasons(row),
            "outputs": outputs,
        })
    };
    json!({ "format": 1, "instances": rows.iter().map(one).collect::<Vec<_>>() })
}

fn word(row: &ProbeRow<'_>) -> (Tone, &'static str) {
    match row {
        ProbeRow::Looked { verdict, .. } => match verdict {
            Verdict::Satisfied => (Tone::Good, "satisfied"),
            Verdict::Differs(_) => (Tone::Change, "differs"),
            Verdict::Skipped(_) => (Tone::Quiet, "skipped"),
            Verdict::Error(_) => (Tone::Bad, "no verdict"),
        },
        ProbeRow::Nothing(word, _) => (Tone::Bad, word),
    }
}

fn reasons(row: &ProbeRow<'_>) -> Vec<String> {
    match row {
        ProbeRow::Looked { verdict, .. } => match verdict {
            Verdict::Satisfied => Vec::new(),
            Verdict::Differs(all) => all.clone(),
            Verdict::Skipped(why) => vec![why.clone()],
            Verdict::Error(failure) => vec![failure.message.clone()],
        },
        ProbeRow::Nothing(_, why) => vec![(*why).to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use runbook_model::{Failure, FailureKind};

    use super::*;
    use crate::sample;

    #[test]
    fn each_instance_says_what_it_is_like_now() {
        let plan = sample::plan();
        let failure = Failure {
            status: Some(2),
            tail: "one\n\x1b[2Jtwo\n".into(),
            ..Failure::new(FailureKind::Check, "podman says 2")
        };
        let verdicts = [
            Verdict::Satisfied,
            Verdict::Differs(vec!["it runs\x07".into(), "it is old".into()]),
            Verdict::Error(failure),
        ];
        let outputs = BTreeMap::from([("id".to_owned(), json!("a\x1bb"))]);
        let (none, secret) = (BTreeMap::new(), ["key".to_owned()]);
        let nodes: Vec<NodeIx> = plan.instances().map(|(node, ..)| node).take(4).collect();
        let row = |verdict, outputs, secret| ProbeRow::Looked {
            verdict,
            outputs,
            secret,
        };
        let rows = [
            (nodes[0], row(&verdicts[0], &outputs, &secret[..])),
            (nodes[1], row(&verdicts[1], &none, &[])),
            (nodes[2], row(&verdicts[2], &none, &[])),
            (
                nodes[3],
                ProbeRow::Nothing("not reached", "Connection refused\x1b"),
            ),
        ];
        let text = probe_text(&plan, &rows, &Style::plain(80));
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text}");
        insta::assert_snapshot!(text);
        let json = probe_json(&plan, &rows);
        assert_eq!(json["instances"][1]["verdict"], "differs");
        assert_eq!(json["instances"][0]["outputs"]["id"], "a\x1bb");
    }
}
