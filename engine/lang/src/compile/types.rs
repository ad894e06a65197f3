//! Steps against their types: what a kind of type can be asked for, and what the engine's own types
//! want beyond their schema.

use runbook_model::StepType;
use runbook_model::plan::Part;
use runbook_model::step_type::TypeKind;

use super::Compiler;
use crate::ast::{Phase, StepDef};
use crate::diagnostic::Code;
use crate::graph::DraftInstance;
use crate::scope::Segment;
use crate::steptype::{
    FETCH, GATE_APPROVE, GATE_CONFIRM, GATE_WAIT, MANUAL_TASK, WAIT, check_params,
};
use crate::template::Template;
use crate::value::InputType;
use crate::yaml::{Entry, Node};

/// What may follow the answer to a gate.
const FOLLOWS: [&str; 3] = ["continue", "stop", ROLLBACK];
/// The word for going back.
const ROLLBACK: &str = "rollback";
/// What can be asked for as evidence.
const EVIDENCE: [&str; 5] = ["string", "int", "bool", "duration", "date"];

impl Compiler<'_> {
    pub(super) fn check_type(&mut self, phase: &Phase, def: &StepDef, instances: &[DraftInstance]) {
        let request = self.request;
        let Some(source) = request.sources.get(def.uses.span.source) else {
            return;
        };
        let Some(step_type) = request
            .catalog
            .resolve(&def.uses, source.id(), self.diagnostics)
        else {
            return;
        };
        check_params(
            step_type,
            &def.with,
            def.uses.span,
            source,
            self.diagnostics,
        );
        self.check_keys(step_type, def);
        if step_type.is_engine() {
            self.check_by_engine(phase, step_type, def);
        }
        if step_type.name == FETCH && instances.len() > 1 {
            self.check_fetch(def, instances);
        }
        if step_type.restarts_host {
            self.check_restart(def, instances);
        }
        let on_control = match step_type.kind {
            // What is typed may be about one host: its device, say.
            TypeKind::Gate => step_type.name != GATE_CONFIRM && step_type.name != MANUAL_TASK,
            TypeKind::Record => true,
            TypeKind::Assert => phase.rolling.is_none(),
            _ => false,
        };
        if on_control && instances.len() > 1 {
            let message = format!("`{}` is done once, on `control`", step_type.name);
            let span = match (&def.on, &def.for_each) {
                (_, Some(items)) => items.span(),
                (Some(on), None) => on.span,
                (None, None) => def.uses.span,
            };
            self.error(Code::NotSingle, message, span, "more than once", None);
        }
    }

    fn check_keys(&mut self, step_type: &StepType, def: &StepDef) {
        let is_probe = step_type.kind == TypeKind::Probe;
        let looks_again = is_probe || step_type.kind == TypeKind::Assert;
        if let Some(fresh) = def.fresh_ms.filter(|_| !looks_again) {
            let message = format!(
                "`fresh` is for probes and asserts, `{}` is neither",
                step_type.name
            );
            let help = Some("put it at the probe or the `assert` that must not be old".to_owned());
            self.error(Code::Conflict, message, fresh.span, "", help);
        }
        if let Some(once) = def.once.filter(|_| !is_probe) {
            let message = format!("`once` is for probes, `{}` is none", step_type.name);
            let help = Some("put it at the probe whose outputs are the record".to_owned());
            self.error(Code::Conflict, message, once, "", help);
        }
        let has_outputs = is_probe || !step_type.is_engine();
        if let Some(expect) = def.expect.as_ref().filter(|_| !has_outputs) {
            let message = format!("`{}` has no outputs to expect something of", step_type.name);
            let help = Some(
                "put it at the step whose outputs are meant, or ask with an `assert`".to_owned(),
            );
            self.error(Code::Conflict, message, expect.span, "", help);
        }
        if let Some(until) = def
            .until
            .as_ref()
            .filter(|_| step_type.is_engine() || step_type.kind == TypeKind::Always)
        {
            let message = format!("`{}` has no check that could be repeated", step_type.name);
            let help = match step_type.is_engine() {
                true => "put it at a probe".to_owned(),
                false => "put it at a probe behind this step; `retry` repeats what a step does"
                    .to_owned(),
            };
            self.error(Code::Conflict, message, until.span, "", Some(help));
        }
        if let Some(chdir) = &def.chdir
            && !chdir.value.contains("{{")
            && !chdir.value.starts_with('/')
        {
            let help = Some("a path from the root, like `/srv/quay`".to_owned());
            let message = "`chdir` is relative, and nobody knows to what";
            self.error(Code::BadValue, message, chdir.span, "", help);
        }
    }

    /// What the engine does itself, it does on the controller and as itself.
    fn check_by_engine(&mut self, phase: &Phase, step_type: &StepType, def: &StepDef) {
        for (key, text) in [
            ("via", &def.via),
            ("as", &def.account),
            ("chdir", &def.chdir),
        ] {
            if let Some(text) = text {
                let message = format!(
                    "`{}` is done by the engine and has no `{key}`",
                    step_type.name
                );
                let help = Some(format!("leave `{key}` out"));
                self.error(Code::Conflict, message, text.span, "", help);
            }
        }
        let with = |name: &str| def.with.iter().find(|entry| entry.key.value == name);
        match step_type.name.as_str() {
            WAIT | GATE_WAIT => self.check_wait(def, with("for"), with("until")),
            GATE_APPROVE => self.check_approve(phase, with),
            MANUAL_TASK => {
                if let Some(evidence) = with("evidence") {
                    self.check_evidence(&evidence.value);
                }
            }
            _ => {}
        }
    }

    /// The controller would end its own run.
    fn check_restart(&mut self, def: &StepDef, instances: &[DraftInstance]) {
        let is_control = |one: &DraftInstance| one.via.as_ref().unwrap_or(&one.host).is_control();
        if instances.iter().any(is_control) {
            let message = format!(
                "`{}` restarts its host, and this is the controller",
                def.uses.value
            );
            let place = def.via.as_ref().or(def.on.as_ref());
            let span = place.map_or(def.uses.span, |text| text.span);
            let help = "say `on:` which host is meant".to_owned();
            self.error(Code::Conflict, message, span, "", Some(help));
        }
    }

    /// Files of several hosts that would take each other's place.
    fn check_fetch(&mut self, def: &StepDef, instances: &[DraftInstance]) {
        let to = def.with.iter().find(|entry| entry.key.value == "to");
        let Some((to, text)) = to.and_then(|to| Some((to, to.value.as_str()?))) else {
            return;
        };
        // A mistake in the template is said elsewhere.
        let Ok(template) = Template::parse(text) else {
            return;
        };
        let reads = |root: &str| {
            let mut references = template.references().iter();
            references.any(|reference| reference.path.first().and_then(Segment::name) == Some(root))
        };
        let several = |different: bool, root: &str| different && !reads(root) && !reads("steps");
        let first = &instances[0];
        let (message, help) = if several(instances.iter().any(|one| one.host != first.host), "host")
        {
            (
                "several hosts, and `to` is one file for all of them",
                "name the host in it: `{{run.dir}}/{{host.name}}.log`",
            )
        } else if several(instances.iter().any(|one| one.item != first.item), "item") {
            (
                "several items, and `to` is one file for all of them",
                "name the item in it: `{{run.dir}}/{{host.name}}-{{item}}.log`",
            )
        } else {
            return;
        };
        self.error(
            Code::BadParameter,
            message,
            to.value.site(),
            "",
            Some(help.to_owned()),
        );
    }

    fn check_wait(&mut self, def: &StepDef, lasts: Option<&Entry>, until: Option<&Entry>) {
        match (lasts, until) {
            (None, None) => {
                let help = Some("write `with: { for: 5m }`, or `until:` with a date".to_owned());
                let message = format!("`{}` needs `for` or `until`", def.uses.value);
                self.error(Code::MissingParameter, message, def.uses.span, "", help);
            }
            (Some(_), Some(until)) => {
                let message = format!("`{}` has `for` or `until`, not both", def.uses.value);
                let help = Some("leave one of them out".to_owned());
                self.error(Code::Conflict, message, until.key.span, "", help);
            }
            _ => {}
        }
        if let Some(until) = until
            && !until.value.has_template()
            && let Err(why) = InputType::Date.check(&until.value.to_value())
        {
            let message = format!("`until` {why}");
            self.error(Code::BadParameter, message, until.value.site(), "", None);
        }
    }

    fn check_approve<'n>(&mut self, phase: &Phase, with: impl Fn(&str) -> Option<&'n Entry>) {
        if let (Some(late), None) = (with("on_deadline"), with("deadline")) {
            let message = "`on_deadline` without a `deadline`";
            let help = Some("give it a `deadline` too, or leave it out".to_owned());
            self.error(Code::Conflict, message, late.key.span, "", help);
        }
        if let Some(deadline) = with("deadline")
            && deadline.value.as_str().is_none()
            && !deadline.value.has_error()
        {
            let message = "`deadline` is an expression, a text";
            let help = Some("write `deadline: 'window.opens + duration(\"2h\")'`".to_owned());
            self.error(Code::BadParameter, message, deadline.value.site(), "", help);
        }
        let given = with("options").filter(|options| !options.value.has_error());
        let options = given.map(|options| options.value.as_map().unwrap_or_default());
        if let (Some(given), Some([])) = (given, options) {
            let message = "`options` is a map of answers, each with what follows";
            let help = Some("write `options: { go: continue, hold: stop }`".to_owned());
            self.error(Code::BadParameter, message, given.value.site(), "", help);
        }
        for option in options.unwrap_or_default() {
            if option.key.value == "no" {
                let message = "`no` refuses at every gate: it is no option";
                self.error(Code::BadParameter, message, option.key.span, "", None);
            }
            let follows = option.value.as_str().unwrap_or_default();
            if !FOLLOWS.contains(&follows) {
                let help = crate::diagnostic::did_you_mean(follows, FOLLOWS);
                let message = "what follows an answer is `continue`, `stop` or `rollback`";
                self.error(Code::BadParameter, message, option.value.site(), "", help);
            }
        }
        let late = with("on_deadline").into_iter();
        let back = late.chain(options.unwrap_or_default());
        for entry in back.filter(|entry| entry.value.as_str() == Some(ROLLBACK)) {
            let (message, help) = match phase.part {
                Part::Main => continue,
                Part::Finally => (
                    "what follows on every ending takes nothing back",
                    "ask in a phase of the procedure, or write `stop`",
                ),
                Part::Rollback => ("this is the way back already", "write `stop`"),
            };
            let help = Some(help.to_owned());
            self.error(Code::Conflict, message, entry.value.site(), "", help);
        }
    }

    fn check_evidence(&mut self, node: &Node) {
        let Some(entries) = node.as_map() else {
            let help = Some("write `evidence: { ticket: { type: string } }`".to_owned());
            let message = "`evidence` is a map from names to what is asked for";
            return self.error(Code::BadParameter, message, node.site(), "", help);
        };
        for entry in entries {
            if let Err(rule) = crate::keys::Name::Id.check(&entry.key.value) {
                let message = format!("`{}` cannot be a name here: {rule}", entry.key.value);
                self.error(Code::BadName, message, entry.key.span, "", None);
            }
            let word = entry.value.get("type").and_then(Node::as_str);
            if !word.is_some_and(|word| EVIDENCE.contains(&word)) {
                let help = Some(
                    "write `{ type: string }`: string, int, bool, duration or date".to_owned(),
                );
                let message = format!("nobody says what `{}` is", entry.key.value);
                self.error(Code::BadParameter, message, entry.value.site(), "", help);
            }
        }
    }
}
