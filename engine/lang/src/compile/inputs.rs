//! Inputs: what was given, what is missing, and whether the rules hold.

use std::collections::BTreeMap;

use runbook_model::plan::{Input, SecretSource};
use runbook_model::{HostName, Value};

use super::Compiler;
use super::hosts::Hosts;
use crate::ast::InputDef;
use crate::condition::Condition;
use crate::diagnostic::{Code, Diagnostic};
use crate::scope::{Inputs, Scope};
use crate::template::Template;
use crate::value::{InputType, as_text, as_yaml};
use crate::yaml::Node;

/// Inputs of the plan, and the same for evaluation.
pub(super) struct Known {
    pub(super) plan: BTreeMap<String, Input>,
    pub(super) scope: Inputs,
    /// Some values are stand-ins: nothing is said about what depends on them.
    pub(super) incomplete: bool,
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Found {
    plan: BTreeMap<String, Input>,
    values: Vec<(String, (InputType, Value))>,
    stand_ins: Vec<(String, (InputType, Value))>,
    incomplete: bool,
}

impl Found {
    /// The value of an input, or that it has none.
    pub(super) fn take(&mut self, def: &InputDef, value: Option<Value>, hosts: &Hosts) {
        let name = &def.name.value;
        // A host that is not known yet is taken for the first that it could be, so that
        // everything that hangs on it is checked all the same.
        let sample = def
            .in_group
            .as_ref()
            .and_then(|group| hosts.groups.get(&group.value)?.first())
            .filter(|_| *def.kind.value.base() == InputType::Host);
        let kind = || def.kind.value.clone();
        match (&value, sample) {
            (Some(value), _) => self.values.push((name.clone(), (kind(), value.clone()))),
            (None, Some(host)) => {
                let stand_in = Value::from(host.as_str());
                self.stand_ins.push((name.clone(), (kind(), stand_in)));
            }
            (None, None) => {}
        }
        self.incomplete |= value.is_none();
        let input = Input {
            kind: kind_of(def),
            value,
            secret: None,
        };
        self.plan.insert(name.clone(), input);
    }

    /// What is known by now, without what stands in for something else.
    pub(super) fn known(&self) -> Known {
        Known {
            plan: self.plan.clone(),
            scope: Inputs::new(self.values.clone()),
            incomplete: self.incomplete,
        }
    }

    fn finish(self) -> Known {
        Known {
            scope: Inputs::new(self.values.into_iter().chain(self.stand_ins)),
            plan: self.plan,
            incomplete: self.incomplete,
        }
    }
}

/// The type as the plan stores it.
fn kind_of(def: &InputDef) -> Value {
    serde_json::to_value(&def.kind.value).unwrap_or_default()
}

impl Compiler<'_> {
    pub(super) fn inputs(&mut self, hosts: &Hosts) -> Known {
        self.refuse_unknown();
        let mut found = Found::default();
        let (given, own): (Vec<_>, Vec<_>) = self
            .request
            .runbook
            .inputs
            .iter()
            .partition(|def| def.given.is_some());
        for def in own {
            if def.kind.value != InputType::Secret && def.kind.value.is_secret() {
                // Its value would be written into the plan.
                let help = Some("give each secret an input of its own".to_owned());
                self.error(
                    Code::NotSupportedYet,
                    "secrets inside a list, a map, an object or a `one_of` are not supported yet",
                    def.kind.span,
                    "",
                    help,
                );
                continue;
            }
            if def.kind.value == InputType::Secret {
                let secret = self.secret(def, hosts);
                found.incomplete |= secret.is_none();
                let input = Input {
                    kind: kind_of(def),
                    value: None,
                    secret,
                };
                found.plan.insert(def.name.value.clone(), input);
                continue;
            }
            let value = self.input(def, hosts);
            found.take(def, value, hosts);
        }
        self.imported_inputs(&given, hosts, &mut found);
        let known = found.finish();
        self.check_rules(&known);
        known
    }

    fn refuse_unknown(&mut self) {
        let given = self.request.given;
        let names = given
            .texts
            .keys()
            .chain(given.values.keys())
            .chain(given.secrets.keys());
        let inputs = &self.request.runbook.inputs;
        let open = inputs.iter().filter(|def| def.given.is_none());
        let known: Vec<&str> = open.map(|def| def.name.value.as_str()).collect();
        for name in names.filter(|name| !known.contains(&name.as_str())) {
            let (span, label) = match given.placed(name) {
                Some(placed) => (placed.name, ""),
                None => (self.request.runbook.name.span, "in this runbook"),
            };
            let mut imported = inputs.iter().filter(|def| def.name.value == *name);
            if let Some(import) = imported.find_map(|def| def.given.as_ref()) {
                let message = format!("the input `{name}` is given by an import");
                let at = import.value.site();
                let error = Diagnostic::error(Code::UnknownInput, message)
                    .label(span.source, span, label)
                    .label(at.source, at, "here")
                    .help("leave it out, or let the import give an input");
                self.diagnostics.push(error);
                continue;
            }
            let help = self.diagnostics.suggest(name, known.iter().copied());
            let message = format!("there is no input `{name}`");
            self.error(Code::UnknownInput, message, span, label, help);
        }
    }

    fn secret(&mut self, def: &InputDef, hosts: &Hosts) -> Option<SecretSource> {
        let name = &def.name.value;
        let given = self.request.given;
        if given.has_value(name) {
            let span = given.placed(name).map_or(def.name.span, |at| at.name);
            let help = Some(format!(
                "write `--secret {name}=env:VARIABLE`, or `file:PATH`, `command:PROGRAM`, `prompt`"
            ));
            let message = format!(
                "the secret `{name}` must not stand on a command line or in a file of inputs"
            );
            self.error(Code::BadInput, message, span, "a secret", help);
        }
        // Checked where it is not needed, too.
        let generated = self.generated(def, hosts);
        let source = given.secrets.get(name).cloned().or(generated);
        if source.is_none() && def.required && !self.request.allow_missing {
            let help = Some(format!(
                "write `--secret {name}=env:VARIABLE`, or `file:PATH`, `command:PROGRAM`, `prompt`"
            ));
            self.error(
                Code::MissingInput,
                format!("the secret `{name}` is missing"),
                def.name.span,
                "wanted here",
                help,
            );
        }
        source
    }

    fn input(&mut self, def: &InputDef, hosts: &Hosts) -> Option<Value> {
        let name = &def.name.value;
        let given = self.request.given;
        let value = match (given.texts.get(name), given.values.get(name), &def.default) {
            (Some(text), ..) => def.kind.value.parse_text(text),
            (None, Some(value), _) => def.kind.value.check(value),
            (None, None, Some(default)) => def.kind.value.check(&default.to_value()),
            (None, None, None) => {
                if def.required && !self.request.allow_missing {
                    let help = match def.help.as_str() {
                        "" => format!("give it with `--input {name}=…`"),
                        help => format!("{help}; give it with `--input {name}=…`"),
                    };
                    let message = format!("the input `{name}` is missing");
                    self.error(
                        Code::MissingInput,
                        message,
                        def.name.span,
                        "wanted here",
                        Some(help),
                    );
                }
                return None;
            }
        };
        let value = value.and_then(|value| match not_there(def, hosts, &value) {
            Some(why) => Err(why),
            None => Ok(value),
        });
        value.map_err(|why| self.refuse(def, hosts, &why)).ok()
    }

    /// A value that does not fit, where it is said.
    fn refuse(&mut self, def: &InputDef, hosts: &Hosts, why: &str) {
        let name = &def.name.value;
        let given = self.request.given;
        let message = format!("the input `{name}` {why}");
        let asked = def.name.span;
        let default = def.default.as_ref().filter(|_| !given.has_value(name));
        let said = given.placed(name).map(|at| at.value);
        let error = Diagnostic::error(Code::BadInput, message);
        let error = match said.or_else(|| default.map(Node::site)) {
            Some(said) => error.label(said.source, said, ""),
            None => error.label(asked.source, asked, ""),
        };
        let error = match said {
            Some(_) => error.label(asked.source, asked, "wanted here"),
            None => error,
        };
        let help = way_out(def, hosts, said.is_some() || default.is_some());
        self.diagnostics.push(error.help(help));
    }

    fn check_rules(&mut self, known: &Known) {
        let mut scope = Scope::new();
        scope.set_inputs(&known.scope);
        scope.set_vars(self.literals());
        for rule in &self.request.runbook.rules {
            let Ok(check) = Condition::parse(&rule.check.value) else {
                continue;
            };
            let holds = check.truth(&scope);
            let missing = holds
                .as_ref()
                .err()
                .and_then(|error| error.missing.as_ref());
            if let Some(name) = missing.and_then(|path| self.not_wanted(path)) {
                let message = format!(
                    "this rule reads `inputs.{name}`, which nobody has to give and nobody gave"
                );
                let help = format!("write `!has(inputs.{name}) || …`, or give the input a default");
                self.error(Code::RuleBroken, message, rule.check.span, "", Some(help));
                continue;
            }
            let left_out =
                missing.is_some_and(|path| known.incomplete || !self.is_open_input(path));
            if left_out || holds == Ok(true) {
                continue;
            }
            let message = match holds {
                Ok(_) => Template::parse(&rule.message.value)
                    .ok()
                    .and_then(|message| message.render(&scope).ok())
                    .and_then(|message| message.as_str().map(str::to_owned))
                    .unwrap_or_else(|| rule.message.value.clone()),
                Err(error) => error.message,
            };
            self.error(
                Code::RuleBroken,
                message,
                rule.check.span,
                "this rule does not hold",
                None,
            );
        }
    }

    /// The input that a path without a value begins with, if it may stay away and did: a rule that
    /// is left out for it would never be asked. One that is required is reported as missing, and
    /// one with a bad value by its type.
    fn not_wanted(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix("inputs.")?;
        let name = rest.split(['.', '[']).next()?;
        let given = self.request.given;
        let is_given = given.has_value(name);
        let mut inputs = self.request.runbook.inputs.iter();
        let def = inputs.find(|def| def.name.value == name)?;
        let may_stay_away = !def.required && def.default.is_none() && !def.kind.value.is_secret();
        (may_stay_away && !is_given).then(|| name.to_owned())
    }
}

/// Hosts must be in the inventory, and in their groups.
pub(super) fn not_there(def: &InputDef, hosts: &Hosts, value: &Value) -> Option<String> {
    let mut wrong = None;
    def.kind.value.hosts(value, &mut |name, group| {
        wrong = wrong.take().or_else(|| hosts.refused(name, group));
    });
    wrong
}

/// As many hosts are tried for an example.
const MOST_TRIED: usize = 100;

/// A word of a command line, in quotes where a shell would take it apart.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.,:/=+@%".contains(c);
    match text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// A value that fits.
pub(super) fn fitting(def: &InputDef, hosts: &Hosts) -> Option<Value> {
    // A group far down is not worth the time of looking at every host.
    let mut names = hosts.order.iter().map(HostName::as_str).take(MOST_TRIED);
    names.find_map(|host| {
        let value = def.kind.value.example(host)?;
        not_there(def, hosts, &value).is_none().then_some(value)
    })
}

/// How a value that fits is written: in a file, or on the command line.
fn way_out(def: &InputDef, hosts: &Hosts, in_file: bool) -> String {
    let name = &def.name.value;
    let like = match (fitting(def, hosts), &def.pattern) {
        (Some(value), _) if in_file => format!("write it like `{name}: {}`", as_yaml(&value)),
        (Some(value), _) => format!(
            "write it like `--input {}`",
            word(&format!("{name}={}", as_text(&value)))
        ),
        (None, Some(pattern)) => format!("give one that matches `{}`", pattern.value),
        (None, None) => "give what its definition asks for".to_owned(),
    };
    match def.help.as_str() {
        "" => like,
        help => format!("{help}; {like}"),
    }
}
