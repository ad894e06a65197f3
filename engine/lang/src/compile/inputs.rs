//! Inputs: what was given, what is missing, and whether the rules hold.

use std::collections::BTreeMap;

use runbook_model::Value;
use runbook_model::plan::{Input, SecretSource};

use super::Compiler;
use super::hosts::Hosts;
use crate::ast::InputDef;
use crate::condition::Condition;
use crate::diagnostic::Code;
use crate::scope::{Inputs, Scope};
use crate::template::Template;
use crate::value::InputType;

/// Inputs as they were given; the command line wins over the file.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--input name=text`.
    pub texts: BTreeMap<String, String>,
    /// From `--inputs FILE`.
    pub values: BTreeMap<String, Value>,
    /// Where secrets are read from.
    pub secrets: BTreeMap<String, SecretSource>,
}

/// Inputs of the plan, and the same for evaluation.
pub(super) struct Known {
    pub(super) plan: BTreeMap<String, Input>,
    pub(super) scope: Inputs,
    /// Some values are stand-ins: nothing is said about what depends on them.
    pub(super) incomplete: bool,
}

impl Compiler<'_> {
    pub(super) fn inputs(&mut self, hosts: &Hosts) -> Known {
        self.refuse_unknown();
        let mut plan = BTreeMap::new();
        let mut scope = Vec::new();
        let mut incomplete = false;
        for def in &self.request.runbook.inputs {
            let name = def.name.value.clone();
            let kind = serde_json::to_value(&def.kind.value).unwrap_or_default();
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
                incomplete |= secret.is_none();
                plan.insert(
                    name,
                    Input {
                        kind,
                        value: None,
                        secret,
                    },
                );
                continue;
            }
            let value = self.input(def, hosts);
            // A host that is not known yet is taken for the first that it could be, so that
            // everything that hangs on it is checked all the same.
            let sample = || {
                def.in_group
                    .as_ref()
                    .and_then(|group| hosts.groups.get(&group.value)?.first())
            };
            let stand_in = || {
                sample()
                    .filter(|_| *def.kind.value.base() == InputType::Host)
                    .map(|host| Value::from(host.as_str()))
            };
            incomplete |= value.is_none();
            if let Some(value) = value.clone().or_else(stand_in) {
                scope.push((name.clone(), (def.kind.value.clone(), value)));
            }
            plan.insert(
                name,
                Input {
                    kind,
                    value,
                    secret: None,
                },
            );
        }
        let known = Known {
            plan,
            scope: Inputs::new(scope),
            incomplete,
        };
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
        let known: Vec<&str> = self
            .request
            .runbook
            .inputs
            .iter()
            .map(|def| def.name.value.as_str())
            .collect();
        for name in names.filter(|name| !known.contains(&name.as_str())) {
            let help = self.diagnostics.suggest(name, known.iter().copied());
            let span = self.request.runbook.name.span;
            self.error(
                Code::UnknownInput,
                format!("there is no input `{name}`"),
                span,
                "in this runbook",
                help,
            );
        }
    }

    fn secret(&mut self, def: &InputDef, hosts: &Hosts) -> Option<SecretSource> {
        let name = &def.name.value;
        let given = self.request.given;
        if given.texts.contains_key(name) || given.values.contains_key(name) {
            let help = Some(format!(
                "write `--secret {name}=env:VARIABLE`, or `file:PATH`, `command:PROGRAM`, `prompt`"
            ));
            let message = format!(
                "the secret `{name}` must not stand on a command line or in a file of inputs"
            );
            self.error(Code::BadInput, message, def.name.span, "a secret", help);
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
        let value = value.and_then(|value| self.fits(def, hosts, value));
        value
            .map_err(|why| {
                self.error(
                    Code::BadInput,
                    format!("the input `{name}` {why}"),
                    def.name.span,
                    "",
                    None,
                )
            })
            .ok()
    }

    /// Hosts must be in the inventory, and in their groups.
    fn fits(&self, def: &InputDef, hosts: &Hosts, value: Value) -> Result<Value, String> {
        let mut wrong = None;
        def.kind.value.hosts(&value, &mut |name, group| {
            wrong = wrong.take().or_else(|| hosts.refused(name, group));
        });
        match wrong {
            Some(why) => Err(why),
            None => Ok(value),
        }
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
        let is_given = given.texts.contains_key(name) || given.values.contains_key(name);
        let mut inputs = self.request.runbook.inputs.iter();
        let def = inputs.find(|def| def.name.value == name)?;
        let may_stay_away = !def.required && def.default.is_none() && !def.kind.value.is_secret();
        (may_stay_away && !is_given).then(|| name.to_owned())
    }
}
