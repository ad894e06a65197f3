//! Every text of a runbook, one after the other, and every name in it.

use super::steps_of;
use super::text::Rewriter;
use crate::ast::{ForEach, Phase, Runbook, StepDef, VarValue};
use crate::steptype::{ASSERT, GATE_APPROVE, GATE_CONFIRM, MANUAL_TASK, RUN_RECORD};
use crate::yaml::{Kind, Node};

/// Writes the texts of a runbook anew.
pub(super) fn texts(runbook: &mut Runbook, to: &mut Rewriter<'_>) {
    for rule in &mut runbook.rules {
        to.condition(&mut rule.check);
        to.template(&mut rule.message);
    }
    // What imports inside of this runbook give.
    for given in runbook
        .inputs
        .iter_mut()
        .filter_map(|def| def.given.as_mut())
    {
        node(&mut given.value, to);
    }
    for var in runbook.vars.iter_mut().chain(&mut runbook.outputs) {
        match &mut var.value {
            VarValue::Literal(_) => {}
            VarValue::Template(text) => to.template(text),
            VarValue::Cel(text) => to.condition(text),
        }
    }
    if let Some(done_when) = &mut runbook.done_when {
        to.condition(done_when);
    }
    for phase in &mut runbook.phases {
        texts_of_phase(phase, to);
    }
    for step in steps_of(runbook) {
        texts_of_step(step, to);
    }
}

fn texts_of_phase(phase: &mut Phase, to: &mut Rewriter<'_>) {
    phase.on.iter_mut().for_each(|on| to.selector(on));
    phase.when.iter_mut().for_each(|when| to.condition(when));
    // What is given to an import was written in this runbook.
    for entry in phase.import.iter_mut().flat_map(|import| &mut import.with) {
        node(&mut entry.value, to);
    }
}

fn texts_of_step(step: &mut StepDef, to: &mut Rewriter<'_>) {
    step.on.iter_mut().for_each(|on| to.selector(on));
    step.via.iter_mut().for_each(|via| to.selector(via));
    step.account.iter_mut().for_each(|text| to.template(text));
    step.chdir.iter_mut().for_each(|text| to.template(text));
    step.no_return.iter_mut().for_each(|text| to.template(text));
    step.when.iter_mut().for_each(|text| to.condition(text));
    step.expect.iter_mut().for_each(|text| to.condition(text));
    if let Some(fatal) = step.until.as_mut().and_then(|until| until.fatal.as_mut()) {
        to.condition(fatal);
    }
    match &mut step.for_each {
        Some(ForEach::Path(path)) if path.value.contains("{{") => to.template(path),
        Some(ForEach::Path(path)) => {
            let whole = to.template_text(&format!("{{{{{}}}}}", path.value), path.span);
            let bare = whole
                .strip_prefix("{{")
                .and_then(|text| text.strip_suffix("}}"));
            if let Some(bare) = bare {
                path.value = bare.to_owned();
            }
        }
        Some(ForEach::Literal(value)) => node(value, to),
        None => {}
    }
    for need in step.needs.iter_mut().flatten() {
        need.step.value = to.names.step(&need.step.value);
    }
    for release in step.hold.iter_mut().flat_map(|hold| &mut hold.release) {
        release.value = to.names.step(&release.value);
    }
    let uses = step.uses.value.as_str();
    for entry in &mut step.with {
        match (uses, entry.key.value.as_str()) {
            (ASSERT, "all") => conditions(&mut entry.value, to),
            (GATE_APPROVE, "deadline") => {
                let span = entry.value.site();
                if let Kind::Str { text, .. } = &mut entry.value.kind {
                    *text = to.condition_text(text, span);
                }
            }
            (GATE_APPROVE | GATE_CONFIRM | MANUAL_TASK, "show") | (RUN_RECORD, "include") => {
                steps(&mut entry.value, to);
            }
            _ => node(&mut entry.value, to),
        }
    }
}

/// Every text in a value.
fn node(value: &mut Node, to: &mut Rewriter<'_>) {
    let span = value.site();
    match &mut value.kind {
        Kind::Str { text, .. } => *text = to.template_text(text, span),
        Kind::Seq(items) => items.iter_mut().for_each(|item| node(item, to)),
        Kind::Map(entries) => entries.iter_mut().for_each(|e| node(&mut e.value, to)),
        _ => {}
    }
}

/// The entries of an `assert`.
fn conditions(value: &mut Node, to: &mut Rewriter<'_>) {
    let Kind::Seq(items) = &mut value.kind else {
        return;
    };
    for item in items {
        let Kind::Map(entries) = &mut item.kind else {
            continue;
        };
        for entry in entries {
            let span = entry.value.site();
            if let Kind::Str { text, .. } = &mut entry.value.kind {
                *text = match entry.key.value.as_str() {
                    "check" => to.condition_text(text, span),
                    _ => to.template_text(text, span),
                };
            }
        }
    }
}

/// A list of steps by name. Words that name no step of this runbook stay as they are.
fn steps(value: &mut Node, to: &mut Rewriter<'_>) {
    let Kind::Seq(items) = &mut value.kind else {
        return;
    };
    for item in items {
        if let Kind::Str { text, .. } = &mut item.kind
            && to.is_step(text)
        {
            *text = to.names.step(text);
        }
    }
}
