//! A tool that is missing, hangs, or answers in another language: the step ends as an error that names it, never as if all were well.

use std::fmt::Write as _;

use runbook_model::{FailureKind, Outcome};
use runbook_tests::effects::{Effect, Probe, Tool};
use serde_json::{Value, json};

use crate::drive::{Drive, Ran};

/// How long a step whose tool hangs may take.
const LIMIT: &str = "4s";
/// How a script that hangs is known among the processes of the host.
const SLEEP: &str = "sleep 7133";
/// Where a tool that is away has its own name: some look at that, and are another one under another name.
const OWN_NAME: &str = "/run/effects-tools";
/// An answer that no type knows.
const GERMAN: &str = "Die Anfrage wurde bearbeitet, aber niemand hier spricht Ihre Sprache";

/// A step with a tool.
#[derive(Clone, Copy)]
struct Tried<'a> {
    name: &'a str,
    step: &'a Value,
    tool: &'a Tool,
    of: Of<'a>,
}

/// What kind of step it is.
#[derive(Clone, Copy)]
enum Of<'a> {
    Effect(&'a Effect),
    Probe(&'a Probe),
}

impl Tried<'_> {
    fn runs_each_time(self) -> bool {
        matches!(self.of, Of::Probe(probe) if probe.always.is_some())
    }

    /// What it needs the tool for is to be done.
    fn to_do(self, drive: &Drive<'_>) {
        match self.of {
            Of::Effect(effect) => drive.drift_again(effect),
            Of::Probe(probe) => drive.mend_again(probe),
        }
    }
}

/// Tries it with each tool that the file names.
pub(crate) fn tools(drive: &mut Drive<'_>) {
    let effects = drive.effects;
    let of_effects = effects.steps.iter().filter_map(|effect| {
        Some(Tried {
            name: &effect.name,
            step: &effect.step,
            tool: effect.tool.as_ref()?,
            of: Of::Effect(effect),
        })
    });
    let of_probes = effects.probes.iter().filter_map(|probe| {
        Some(Tried {
            name: &probe.name,
            step: &probe.step,
            tool: probe.tool.as_ref()?,
            of: Of::Probe(probe),
        })
    });
    let all: Vec<Tried<'_>> = of_effects.chain(of_probes).collect();
    if all.is_empty() {
        return;
    }
    let steps: Vec<_> = effects.steps.iter().map(|e| e.step.clone()).collect();
    // What a probe looks at may be what a step makes, and what probes did may have undone what steps did.
    if !steps.is_empty() {
        drive.run(&effects.runbook(&steps), true);
    }
    let before = drive.looks();
    for tried in &all {
        let tool = tried.tool;
        let needed = effects.with_needed(tried.step);
        let place = place(drive, tool);
        for (how, wanted, script) in [
            ("missing", &tool.missing, String::new()),
            ("german", &tool.german, german(tool)),
        ] {
            if wanted == "untried" {
                continue;
            }
            tried.to_do(drive);
            set(drive, &place, &script);
            let ran = drive.run(&effects.runbook(&needed), true);
            unset(drive, &place);
            ended(drive, &ran, *tried, how, wanted);
        }
    }
    let hanging: Vec<_> = all
        .iter()
        .copied()
        // What runs each time and is cut off is in doubt, which stops a run until a person has answered.
        .filter(|tried| tried.tool.hangs == "error" && !tried.runs_each_time())
        .collect();
    if !hanging.is_empty() {
        hang(drive, &hanging);
    }
    let probes: Vec<Value> = all
        .iter()
        .filter(|tried| matches!(tried.of, Of::Probe(_)))
        .map(|tried| tried.step.clone())
        .collect();
    // The steps first: what they change may take a moment until a probe is content with it, and the mending waits for that.
    let ran_steps = drive.run(&effects.runbook(&steps), true);
    for tried in &all {
        if let Of::Probe(probe) = tried.of {
            let _ = drive.tools.shell(&probe.mend);
        }
    }
    let ran_probes = drive.run(&effects.runbook(&probes), true);
    for tried in &all {
        let when = format!("with its {} again", tried.tool.name);
        let outcome = ran_steps.outcome(tried.name);
        let failed = outcome.and_then(Outcome::failure).is_some();
        match tried.of {
            Of::Probe(probe) => drive.content(&when, &ran_probes, probe),
            Of::Effect(_) if failed || !outcome.is_some_and(Outcome::is_success) => drive
                .wrong
                .push(format!("{} {when}: it ended as {outcome:?}", tried.name)),
            Of::Effect(_) => {}
        }
    }
    drive.same("return of the tools", &before);
}

/// All at once: a check that hangs ends with the limit of its type, which a step cannot make shorter.
fn hang(drive: &mut Drive<'_>, of: &[Tried<'_>]) {
    let mut places: Vec<String> = of.iter().map(|tried| place(drive, tried.tool)).collect();
    places.sort();
    places.dedup();
    for tried in of {
        tried.to_do(drive);
    }
    for place in &places {
        set(drive, place, &format!("exec {SLEEP}"));
    }
    let steps: Vec<_> = of
        .iter()
        .map(|tried| {
            let mut step = tried.step.clone();
            // What only looks has no other limit than that of its check.
            if matches!(tried.of, Of::Effect(_)) {
                step["timeout"] = json!(LIMIT);
            }
            step
        })
        .collect();
    let ran = drive.run(&drive.effects.ordered(&steps, "graph"), true);
    for place in &places {
        unset(drive, place);
    }
    for tried in of {
        ended(drive, &ran, *tried, "hangs", "error");
    }
    let (_, left) = drive.tools.shell(&format!("pgrep -x -f '{SLEEP}' || true"));
    if !left.trim().is_empty() {
        drive.wrong.push(format!(
            "{} programs that hang run on after the end of their steps",
            left.lines().count()
        ));
        let _ = drive.tools.shell(&format!(
            "for pid in $(pgrep -x -f '{SLEEP}'); do kill $pid; done"
        ));
    }
}

fn ended(drive: &mut Drive<'_>, ran: &Ran, tried: Tried<'_>, how: &str, wanted: &str) {
    let outcome = ran.outcome(tried.name);
    let failure = outcome.and_then(Outcome::failure);
    let good = match (wanted, failure, outcome) {
        // What a limit ends has not said anything. A finding is a verdict, and nobody could tell.
        ("error", Some(failure), _) => {
            let said = format!("{}\n{}", failure.message, failure.tail);
            failure.kind != FailureKind::Finding
                && (how == "hangs" || said.contains(&tried.tool.says))
        }
        ("skipped", _, Some(Outcome::Skipped { .. }))
        | ("changed", None, Some(Outcome::Changed))
        | ("looked", None, Some(Outcome::Looked)) => true,
        _ => false,
    };
    if !good {
        drive.wrong.push(format!(
            "{} while {} is {how}: {wanted} was wanted, it ended as {outcome:?}{}",
            tried.name,
            tried.tool.name,
            ran.hint(outcome)
        ));
    }
}

fn place(drive: &Drive<'_>, tool: &Tool) -> String {
    let place = drive
        .tools
        .must("the place of a tool", &format!("command -v {}", tool.name));
    place.trim().to_owned()
}

/// The same effect and the same status, with other words.
fn german(tool: &Tool) -> String {
    let name = &tool.name;
    format!(
        "{OWN_NAME}/{name} \"$@\" >/dev/null 2>&1\nrc=$?\necho '{GERMAN}'\necho '{GERMAN}' >&2\nexit $rc"
    )
}

fn set(drive: &Drive<'_>, place: &str, script: &str) {
    let name = place.rsplit('/').next().unwrap_or(place);
    let mut commands = format!(
        "mv {place} {place}.away\nmkdir -p {OWN_NAME}\nln -sfn {place}.away {OWN_NAME}/{name}\n"
    );
    if !script.is_empty() {
        let _ = write!(
            commands,
            "printf '%s\\n' '#!/bin/sh' >{place}\ncat >>{place} <<'SCRIPT'\n{script}\nSCRIPT\nchmod 755 {place}\n"
        );
    }
    drive.tools.must("the other tool", &commands);
}

fn unset(drive: &Drive<'_>, place: &str) {
    drive
        .tools
        .must("the tool again", &format!("mv -f {place}.away {place}"));
}
