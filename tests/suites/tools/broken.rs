//! A tool that is missing, hangs, or answers in another language: the step ends as an error that names it, never as if all were well.

use std::fmt::Write as _;

use runbook_model::Outcome;
use runbook_tests::effects::{Effect, Tool};
use serde_json::json;

use crate::drive::{Drive, Ran};

/// How long a step whose tool hangs may take.
const LIMIT: &str = "4s";
/// How a script that hangs is known among the processes of the host.
const SLEEP: &str = "sleep 7133";
/// An answer that no type knows.
const GERMAN: &str = "Die Anfrage wurde bearbeitet, aber niemand hier spricht Ihre Sprache";

/// Tries it with each tool that the file names.
pub(crate) fn tools(drive: &mut Drive<'_>) {
    let effects = drive.effects;
    let of_tools = || {
        effects
            .steps
            .iter()
            .filter_map(|effect| Some((effect, effect.tool.as_ref()?)))
    };
    if of_tools().next().is_none() {
        return;
    }
    let before = drive.looks();
    for (effect, tool) in of_tools() {
        let place = place(drive, tool);
        for (how, wanted, script) in [
            ("missing", &tool.missing, String::new()),
            ("german", &tool.german, german(&place)),
        ] {
            if wanted == "untried" {
                continue;
            }
            drive.drift_again(effect);
            set(drive, &place, &script);
            let ran = drive.run(&effects.runbook(std::slice::from_ref(&effect.step)), true);
            unset(drive, &place);
            ended(drive, &ran, effect, tool, how, wanted);
        }
    }
    hang(
        drive,
        &of_tools()
            .filter(|(_, tool)| tool.hangs == "error")
            .collect::<Vec<_>>(),
    );
    let steps: Vec<_> = of_tools().map(|(effect, _)| effect.step.clone()).collect();
    let ran = drive.run(&effects.runbook(&steps), true);
    for (effect, tool) in of_tools() {
        if !ran.outcome(&effect.name).is_some_and(Outcome::is_success)
            || ran
                .outcome(&effect.name)
                .and_then(Outcome::failure)
                .is_some()
        {
            drive.wrong.push(format!(
                "{} with its {} again: it ended as {:?}",
                effect.name,
                tool.name,
                ran.outcome(&effect.name)
            ));
        }
    }
    drive.same("return of the tools", &before);
}

/// All at once: a check that hangs ends with the limit of its type, which a step cannot make shorter.
fn hang(drive: &mut Drive<'_>, of: &[(&Effect, &Tool)]) {
    let mut places: Vec<String> = of.iter().map(|(_, tool)| place(drive, tool)).collect();
    places.sort();
    places.dedup();
    for (effect, _) in of {
        drive.drift_again(effect);
    }
    for place in &places {
        set(drive, place, &format!("exec {SLEEP}"));
    }
    let steps: Vec<_> = of
        .iter()
        .map(|(effect, _)| {
            let mut step = effect.step.clone();
            step["timeout"] = json!(LIMIT);
            step
        })
        .collect();
    let ran = drive.run(&drive.effects.ordered(&steps, "graph"), true);
    for place in &places {
        unset(drive, place);
    }
    for (effect, tool) in of {
        ended(drive, &ran, effect, tool, "hangs", "error");
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

fn ended(drive: &mut Drive<'_>, ran: &Ran, effect: &Effect, tool: &Tool, how: &str, wanted: &str) {
    let outcome = ran.outcome(&effect.name);
    let said = outcome
        .and_then(Outcome::failure)
        .map(|failure| format!("{}\n{}", failure.message, failure.tail));
    let good = match (wanted, &said, outcome) {
        // What a limit ends has not said anything.
        ("error", Some(said), _) => how == "hangs" || said.contains(&tool.says),
        ("skipped", _, Some(Outcome::Skipped { .. })) | ("changed", _, Some(Outcome::Changed)) => {
            true
        }
        _ => false,
    };
    if !good {
        drive.wrong.push(format!(
            "{} while {} is {how}: {wanted} was wanted, it ended as {outcome:?}{}",
            effect.name,
            tool.name,
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
fn german(place: &str) -> String {
    format!(
        "{place}.away \"$@\" >/dev/null 2>&1\nrc=$?\necho '{GERMAN}'\necho '{GERMAN}' >&2\nexit $rc"
    )
}

fn set(drive: &Drive<'_>, place: &str, script: &str) {
    let mut commands = format!("mv {place} {place}.away\n");
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
