//! One instance as text for a shell: who does what where, with which values, and what is not known.

use runbook_lang::evaluate::{Evaluator, assert_checks};
use runbook_lang::steptype::{ParamValue, coerce};
use runbook_model::state::NodeState;
use runbook_model::step_type::TypeKind;
use runbook_model::{Account, NodeIx, NodeKind, Outcome, Plan, RunState, Step, StepType, Value};
use runbook_remote::Script;

use super::sheet::Sheet;

/// What is known of a value.
pub(super) enum Known {
    /// This.
    Value(ParamValue),
    /// Nothing that may be written.
    Secret,
    /// It comes from something that has not ended; as it is written.
    Later(String),
}

/// What the text is made from.
pub(super) struct Hand<'a> {
    pub(super) plan: &'a Plan,
    pub(super) state: &'a RunState,
    /// It knows no secret.
    pub(super) evaluator: &'a Evaluator,
    pub(super) run: &'a str,
}

/// An instance with everything that belongs to it.
#[derive(Clone, Copy)]
pub(super) struct Instance<'a> {
    node: NodeIx,
    step: &'a Step,
    of: &'a StepType,
    n: Option<&'a NodeState>,
}

impl Hand<'_> {
    fn instance(&self, node: NodeIx) -> Option<Instance<'_>> {
        let (step, _) = self.plan.instance(node)?;
        Some(Instance {
            node,
            step,
            of: self.plan.type_of(step)?,
            n: self.state.node(node),
        })
    }

    /// What is to be done.
    pub(super) fn forward(&self, sheet: &mut Sheet, node: NodeIx) {
        let Some(it) = self.instance(node) else {
            return;
        };
        sheet.blank();
        self.title(sheet, it, "");
        if self.standing(sheet, it) {
            return;
        }
        self.keys(sheet, it);
        match it.of.kind {
            TypeKind::Gate => self.gate(sheet, it),
            TypeKind::Assert => self.assert(sheet, it),
            TypeKind::Wait => self.values_as_notes(sheet, it, "wait"),
            TypeKind::Copy => self.values_as_notes(sheet, it, "copy a file"),
            TypeKind::Record => sheet.note("write down what was done, and when"),
            TypeKind::Probe => self.block(sheet, it, &it.of.scripts.check, &[]),
            TypeKind::Ordinary | TypeKind::Always => match &it.of.content {
                Some(content) => self.content(sheet, it, content),
                None => {
                    if it.n.is_some_and(NodeState::has_acted) && it.of.kind == TypeKind::Ordinary {
                        sheet.note(
                            "it was begun: look first; what this does not call different is done",
                        );
                        self.block(sheet, it, &it.of.scripts.check, &[]);
                    }
                    self.block(sheet, it, &it.of.scripts.apply, &[]);
                }
            },
        }
    }

    /// What takes it back.
    pub(super) fn back(&self, sheet: &mut Sheet, node: NodeIx) {
        let Some(it) = self.instance(node) else {
            return;
        };
        sheet.blank();
        self.title(sheet, it, "take back ");
        let before: Vec<(&str, &str)> =
            it.n.iter()
                .flat_map(|n| &n.before)
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
        let store = self.store(it);
        if it.of.content.is_some() {
            if let Some((_, known)) = self.values(it).into_iter().find(|(name, _)| name == "path") {
                self.assign(sheet, "path", &known);
            }
            for (name, value) in before {
                sheet.note(&format!("before: {name}: {value}"));
            }
            sheet.note(&format!(
                "the file as it was, if there was one, is kept in {store}"
            ));
            return;
        }
        let mut extra: Vec<(String, String)> = Vec::new();
        for (name, value) in before {
            match name.strip_prefix("file:") {
                None => extra.push((format!("before_{name}"), value.to_owned())),
                Some(name) => {
                    let copy = format!("{store}/{name}");
                    let (said, path) = value.split_at(value.find(" /").unwrap_or(value.len()));
                    sheet.note(&format!("kept of{path}: {said}"));
                    let there = !said.starts_with("absent");
                    extra.push((
                        format!("before_{name}"),
                        if there { copy } else { String::new() },
                    ));
                    let mut words = said.split(' ').skip(1);
                    for what in ["owner", "group", "mode"] {
                        let word = words.next().unwrap_or_default();
                        extra.push((format!("before_{name}_{what}"), word.to_owned()));
                    }
                }
            }
        }
        self.block(sheet, it, &it.of.scripts.undo, &extra);
    }

    /// `start@quay02: podman.container on quay02, as root`.
    fn title(&self, sheet: &mut Sheet, it: Instance<'_>, what: &str) {
        let id = &self.plan.nodes[it.node.at()].id;
        let host = self.plan.runs_on(it.node);
        let place = match host {
            Some(host) if !host.is_control() => format!("on {host}, as {}", self.account(it)),
            _ => "on the controller".to_owned(),
        };
        sheet.note(&format!("{what}{id}: {} {place}", it.of.name));
        sheet.note(&format!("  {}", it.of.summary));
    }

    fn account(&self, it: Instance<'_>) -> String {
        let NodeKind::Instance { account, .. } = &self.plan.nodes[it.node.at()].kind else {
            return "?".to_owned();
        };
        let host = self
            .plan
            .runs_on(it.node)
            .and_then(|host| self.plan.hosts.get(host));
        match account.as_ref().or(host.map(|host| &host.account)) {
            Some(Account::Sudo(name)) => name.clone(),
            Some(Account::Login) | None => match host.and_then(|h| h.connection.user.clone()) {
                Some(user) => user,
                None => "who logs in there".to_owned(),
            },
        }
    }

    /// Where files are kept for undo.
    fn store(&self, it: Instance<'_>) -> String {
        let root = match self.account(it).as_str() {
            "root" => "/var/lib/runbook",
            _ => "~/.local/state/runbook",
        };
        let capture = it.n.and_then(|n| n.captured_by.as_ref());
        let capture = capture.map_or("?", |id| id.as_str());
        format!("{root}/runs/{}/undo/{capture}", self.run)
    }

    /// How it stands; true if it is not to be done.
    fn standing(&self, sheet: &mut Sheet, it: Instance<'_>) -> bool {
        let open = self
            .state
            .attempts_of(it.node)
            .filter(|(_, a)| a.end.is_none() && !a.undo);
        for (id, attempt) in open {
            sheet.note(&format!(
                "ATTENTION: attempt {id} was begun on {} and its end is not known; it may still run",
                attempt.host
            ));
        }
        if let Some(Outcome::Failed(failure)) = it.n.and_then(|n| n.outcome.as_ref()) {
            sheet.note(&format!("it failed: {}", failure.message));
        }
        if let Some(why) = self.state.blocked.get(it.step.id.as_str()) {
            sheet.note(&format!("it is blocked {why}"));
        }
        let decided = it.n.is_some_and(|n| n.decided);
        if let (Some(when), false) = (&it.step.when, decided) {
            let context = self.evaluator.context(it.node);
            match self
                .evaluator
                .truth("when", &when.text, context, self.state)
            {
                Ok(true) => {}
                Ok(false) => {
                    sheet.note(&format!("nothing to do: `{}` is false", when.text));
                    return true;
                }
                Err(_) => sheet.note(&format!("only if: {}", when.text)),
            }
        }
        let phase = self
            .plan
            .phase_of(it.node)
            .and_then(|phase| phase.when.as_ref());
        if let Some(when) = phase.filter(|_| it.n.is_none_or(|n| n.started_at.is_none())) {
            sheet.note(&format!("the phase only if: {}", when.text));
        }
        false
    }

    /// What the step says of how it is done.
    fn keys(&self, sheet: &mut Sheet, it: Instance<'_>) {
        if let Some(lost) = &it.step.no_return {
            sheet.note(&format!("NO RETURN from here on: {}", lost.text));
        }
        if let Some(mark) = it.step.outage {
            use runbook_model::step::Outage;
            sheet.note(match mark {
                Outage::Begin => "clients are cut off from here on",
                Outage::End => "clients are served again after this",
            });
        }
        if it.step.critical {
            sheet.note("critical: once begun, let it end");
        }
        if let Some(until) = &it.step.until {
            sheet.note(&format!(
                "look again every {} s until it is so {} times in a row, for {} s at most",
                until.every_ms / 1_000,
                until.passes.max(1),
                until.within_ms / 1_000
            ));
            if let Some(fatal) = &until.fatal {
                sheet.note(&format!("give up at once if: {}", fatal.text));
            }
        }
        if let Some(expect) = &it.step.expect {
            sheet.note(&format!("must be true of what it says: {}", expect.text));
        }
        if it.step.hold.is_some() {
            sheet.note("what this does is held until something releases it");
        }
    }

    fn gate(&self, sheet: &mut Sheet, it: Instance<'_>) {
        let asked = it.n.and_then(|n| n.question.as_ref());
        let message = match asked {
            Some(question) => question.message.clone(),
            None => match it.step.with.get("message").or(it.step.with.get("text")) {
                Some(written) => shown(
                    &self
                        .rendered(it, "message", written)
                        .unwrap_or(written.clone()),
                ),
                None => it.of.summary.clone(),
            },
        };
        sheet.note("a person decides:");
        for line in message.lines() {
            sheet.note(&format!("  {line}"));
        }
        for (name, value) in asked.iter().flat_map(|question| &question.shown) {
            sheet.note(&format!("  {name}: {}", shown(value)));
        }
        sheet.note("if the answer is no, stop here");
    }

    fn assert(&self, sheet: &mut Sheet, it: Instance<'_>) {
        let context = self.evaluator.context(it.node);
        for (check, message) in assert_checks(it.step) {
            let now = match self.evaluator.truth("check", check, context, self.state) {
                Ok(true) => "so by what is on record",
                Ok(false) => "NOT so by what is on record",
                Err(_) => "not known yet",
            };
            sheet.note(&format!("must be true ({now}): {check}"));
            sheet.note(&format!("  else: {message}"));
        }
    }

    /// Something that the engine itself does, with its values.
    fn values_as_notes(&self, sheet: &mut Sheet, it: Instance<'_>, what: &str) {
        sheet.note(&format!("{what}:"));
        for (name, written) in &it.step.with {
            match self.rendered(it, name, written) {
                Some(value) => sheet.note(&format!("  {name}: {}", shown(&value))),
                None => sheet.note(&format!("  not known yet: {name}: {}", shown(written))),
            }
        }
    }

    fn rendered(&self, it: Instance<'_>, name: &str, written: &Value) -> Option<Value> {
        let context = self.evaluator.context(it.node);
        self.evaluator
            .render_all(name, written, context, self.state)
            .ok()
    }

    pub(super) fn values(&self, it: Instance<'_>) -> Vec<(String, Known)> {
        let one = |(name, schema): (&String, &runbook_model::step_type::Param)| {
            let given = it.step.with.get(name);
            let known = match given {
                Some(_) if schema.secret => Known::Secret,
                Some(written) => self
                    .rendered(it, name, written)
                    .and_then(|value| coerce(schema, &value).ok())
                    .map_or_else(|| Known::Later(shown(written)), Known::Value),
                None => coerce(schema, &Value::Null).map_or_else(Known::Later, Known::Value),
            };
            (name.clone(), known)
        };
        it.of.params.iter().map(one).collect()
    }

    pub(super) fn assign(&self, sheet: &mut Sheet, name: &str, known: &Known) {
        let text = match known {
            Known::Value(ParamValue::Text(text)) => text.clone(),
            Known::Value(ParamValue::List(words)) => Script::words(words),
            Known::Value(ParamValue::Map(pairs)) => {
                Script::words(pairs.iter().map(|(key, value)| format!("{key}={value}")))
            }
            Known::Secret => {
                return sheet.raw(&format!("read -r {name}  # a secret: not written here\n"));
            }
            Known::Later(written) => {
                return sheet.note(&format!("not known yet: {name}: {written}"));
            }
        };
        if !sheet.assign(name, &text) {
            sheet.note(&format!("{name} has a value that no shell can hold"));
        }
    }

    /// A script with its values, in a shell of its own.
    fn block(&self, sheet: &mut Sheet, it: Instance<'_>, body: &str, more: &[(String, String)]) {
        let mut inner = Sheet::new();
        inner.raw("(\nas_the_engine_does\n");
        for (name, known) in self.values(it) {
            self.assign(&mut inner, &name, &known);
        }
        for (name, value) in more {
            if !inner.assign(name, value) {
                inner.note(&format!("{name} has a value that no shell can hold"));
            }
        }
        if it.step.chdir.is_some() {
            match self.evaluator.chdir(it.node, self.state) {
                Ok(Some(path)) => {
                    inner.assign("runbook_chdir", &path);
                    inner.raw("cd -- \"$runbook_chdir\"\n");
                }
                _ => inner.note("not known yet: the directory that this is done in"),
            }
        }
        let functions = it.of.scripts.functions.trim();
        let able =
            (functions.is_empty() || inner.script(&it.of.scripts.functions)) && inner.script(body);
        if !able {
            let message = "its script has characters that cannot be shown; see the plan of the run";
            return sheet.note(message);
        }
        inner.raw(")\n");
        sheet.raw(&inner.done());
    }
}

/// A value on one line, as it is written; a text without quotes.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
