//! Who runs what: selectors of phases and steps become names, once.

use std::collections::BTreeMap;

use runbook_model::id::CONTROL;
use runbook_model::step_type::TypeKind;
use runbook_model::{Account, HostName, StepType};

use super::Compiler;
use super::hosts::{Hosts, counted};
use super::inputs::Known;
use super::items::Items;
use crate::ast::{Phase, StepDef};
use crate::diagnostic::Code;
use crate::graph::DraftInstance;
use crate::limits;
use crate::scope::Scope;
use crate::select::{self, SelectError, SelectProblem};
use crate::source::Spanned;
use crate::template::Template;

/// More instances of one step are refused.
const MOST: usize = 10_000;

/// Where everything runs.
#[derive(Default)]
pub(super) struct Chosen {
    /// Of each step, in the order of the runbook.
    pub(super) steps: Vec<ChosenStep>,
    /// Of each phase.
    pub(super) phases: Vec<ChosenPhase>,
}

/// Where a step runs, and for what.
#[derive(Default)]
pub(super) struct ChosenStep {
    /// The hosts that it belongs to.
    pub(super) hosts: Vec<HostName>,
    /// What it is repeated for.
    pub(super) items: Option<Items>,
    /// On one host it goes through several others.
    pub(super) spreads: bool,
    /// All of it.
    pub(super) instances: Vec<DraftInstance>,
}

impl ChosenStep {
    /// One host has several instances, each with a name of its own.
    pub(super) fn is_keyed(&self) -> bool {
        self.items.is_some() || self.spreads
    }
}

/// Where a phase runs.
#[derive(Default)]
pub(super) struct ChosenPhase {
    /// Its hosts.
    pub(super) hosts: Vec<HostName>,
    /// Its batches, if it is rolling.
    pub(super) batches: Vec<Vec<HostName>>,
}

/// What selectors and the like are decided with.
#[derive(Clone, Copy)]
struct Field<'a> {
    scope: &'a Scope,
    hosts: &'a Hosts,
    inputs: &'a Known,
}

impl Compiler<'_> {
    pub(super) fn select(&mut self, hosts: &Hosts, inputs: &Known) -> Chosen {
        let scope = &self.early_scope(hosts, inputs);
        let field = Field {
            scope,
            hosts,
            inputs,
        };
        let mut chosen = Chosen::default();
        let mut count = 0;
        for phase in &self.request.runbook.phases {
            let of_phase = phase.on.as_ref().and_then(|on| self.resolve(on, field));
            let batches = self.batches(phase, of_phase.as_deref(), hosts);
            for step in &phase.steps {
                let of_step = self.hosts_of(phase, step, of_phase.as_deref(), field);
                if phase.rolling.is_some() {
                    self.check_rolling(step, of_phase.as_deref(), of_step.as_deref());
                }
                // Beyond the limit there will be no plan.
                let of_step = match count > limits::INSTANCES {
                    true => ChosenStep::default(),
                    false => self.instances(step, of_step.unwrap_or_default(), field),
                };
                let before = count;
                count += of_step.instances.len();
                chosen.steps.push(of_step);
                if before <= limits::INSTANCES && count > limits::INSTANCES {
                    self.refuse_many(step);
                }
            }
            chosen.phases.push(ChosenPhase {
                hosts: of_phase.unwrap_or_default(),
                batches,
            });
        }
        chosen
    }

    fn refuse_many(&mut self, step: &StepDef) {
        let message = format!("more than {} instances of steps", limits::INSTANCES);
        let help = "run it for fewer hosts at a time".to_owned();
        self.error(
            Code::TooMany,
            message,
            step.id.span,
            "up to this step",
            Some(help),
        );
    }

    /// The hosts of a step; none if they are not known.
    fn hosts_of(
        &mut self,
        phase: &Phase,
        step: &StepDef,
        of_phase: Option<&[HostName]>,
        field: Field<'_>,
    ) -> Option<Vec<HostName>> {
        if let Some(on) = &step.on {
            let found = self.resolve(on, field);
            if let Some([]) = found.as_deref() {
                self.refuse_nobody(step, on);
            }
            return found;
        }
        let kind = self.type_of(step).map(|of| of.kind);
        let rolls = phase.rolling.is_some() && !is_done_once(kind);
        if self.type_of(step).is_some_and(StepType::is_engine) && !rolls {
            return Some(vec![HostName::control()]);
        }
        if phase.on.is_none() {
            let message = format!("nobody says where `{}` runs", step.id.value);
            let help =
                "give the step, or its phase, `on:` with a group, a host or `control`".to_owned();
            self.error(
                Code::MissingKey,
                message,
                step.id.span,
                "needs `on`",
                Some(help),
            );
        }
        of_phase.map(<[HostName]>::to_vec)
    }

    /// A rolling phase goes over its hosts: what belongs to none of them would be in no batch.
    fn check_rolling(
        &mut self,
        step: &StepDef,
        of_phase: Option<&[HostName]>,
        of_step: Option<&[HostName]>,
    ) {
        let id = &step.id.value;
        if is_done_once(self.type_of(step).map(|of| of.kind)) {
            let message = format!(
                "`{id}` is done once, and a rolling phase goes over its hosts batch by batch"
            );
            let help = "put it into a phase of its own, before or after this one; `pause` waits between batches";
            self.error(
                Code::Conflict,
                message,
                step.id.span,
                "",
                Some(help.to_owned()),
            );
            return;
        }
        let (Some(of_phase), Some(of_step)) = (of_phase, of_step) else {
            return;
        };
        if let Some(host) = of_step.iter().find(|host| !of_phase.contains(host)) {
            let message = format!(
                "`{id}` runs on `{host}`, which is no host of this phase, and would be in no batch"
            );
            let help = "write `via:` for a host that serves those of the phase, or put the step into a phase before or after";
            let span = step.on.as_ref().map_or(step.id.span, |on| on.span);
            self.error(Code::Conflict, message, span, "", Some(help.to_owned()));
        }
    }

    /// Every instance: hosts, items, and the hosts that they go through.
    fn instances(&mut self, step: &StepDef, hosts: Vec<HostName>, field: Field<'_>) -> ChosenStep {
        let items = step
            .for_each
            .as_ref()
            .map(|def| self.items(def, field.scope, field.inputs));
        let mut of_step = ChosenStep {
            hosts,
            items,
            ..ChosenStep::default()
        };
        let mut through = BTreeMap::new();
        for host in &of_step.hosts {
            let scope = scope_of(host, field);
            let field = Field {
                scope: &scope,
                ..field
            };
            let account = step
                .account
                .as_ref()
                .and_then(|text| self.account(text, field));
            let vias: Vec<Option<HostName>> = match &step.via {
                None => vec![None],
                Some(via) => self
                    .through(via, field, &mut through)
                    .into_iter()
                    .map(Some)
                    .collect(),
            };
            of_step.spreads |= vias.len() > 1;
            let items: Vec<_> = match &of_step.items {
                None => vec![None],
                Some(items) => items
                    .known()
                    .iter()
                    .map(|item| Some(item.clone()))
                    .collect(),
            };
            if of_step.instances.len() + items.len() * vias.len() > MOST {
                let message = format!("`{}` has more than {MOST} instances", step.id.value);
                self.error(Code::TooMany, message, step.id.span, "", None);
                break;
            }
            for item in items {
                for via in &vias {
                    of_step.instances.push(DraftInstance {
                        host: host.clone(),
                        via: via.clone(),
                        item: item.clone(),
                        account: account.clone(),
                    });
                }
            }
        }
        of_step
    }

    /// The hosts that a step goes through; each text is resolved once.
    fn through(
        &mut self,
        via: &Spanned<String>,
        field: Field<'_>,
        known: &mut BTreeMap<String, Vec<HostName>>,
    ) -> Vec<HostName> {
        let Some(text) = self.text(via, field, Code::BadSelector) else {
            return Vec::new();
        };
        if let Some(found) = known.get(&text) {
            return found.clone();
        }
        let found = self.resolved(via, &text, field.hosts).unwrap_or_default();
        known.insert(text, found.clone());
        found
    }

    fn account(&mut self, text: &Spanned<String>, field: Field<'_>) -> Option<Account> {
        let name = self.text(text, field, Code::BadValue)?;
        match name.as_str() {
            "login" => Some(Account::Login),
            name if is_account(name) => Some(Account::Sudo(name.to_owned())),
            _ => {
                let help = "letters, digits, `.`, `_` and `-`, at most 32; `login` is the account that logs in";
                let message = "this cannot be the name of an account";
                self.error(
                    Code::BadValue,
                    message,
                    text.span,
                    "",
                    Some(help.to_owned()),
                );
                None
            }
        }
    }

    /// A decision or a condition that nobody makes must not look like one that was made.
    fn refuse_nobody(&mut self, step: &StepDef, on: &Spanned<String>) {
        let kind = self.type_of(step).map(|of| of.kind);
        if is_done_once(kind) || kind == Some(TypeKind::Assert) {
            let message = format!(
                "`{}` would not take place: no host is selected",
                step.id.value
            );
            let help = Some("write `on: control`".to_owned());
            self.error(Code::NotSingle, message, on.span, "nobody", help);
        }
    }

    pub(super) fn type_of(&self, step: &StepDef) -> Option<&StepType> {
        self.request.catalog.get(&step.uses.value)
    }

    fn resolve(&mut self, on: &Spanned<String>, field: Field<'_>) -> Option<Vec<HostName>> {
        let text = self.text(on, field, Code::BadSelector)?;
        self.resolved(on, &text, field.hosts)
    }

    /// A text that is known before anything runs.
    fn text(&mut self, text: &Spanned<String>, field: Field<'_>, code: Code) -> Option<String> {
        let template = Template::parse(&text.value).ok()?;
        match template.render(field.scope) {
            Ok(value) => Some(
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            ),
            Err(error) => {
                if !self.is_left_out(&error, field.inputs) {
                    self.error(code, error.message, text.span, "", None);
                }
                None
            }
        }
    }

    fn resolved(
        &mut self,
        on: &Spanned<String>,
        text: &str,
        hosts: &Hosts,
    ) -> Option<Vec<HostName>> {
        let known = select::Known {
            hosts: &hosts.order,
            groups: &hosts.groups,
        };
        match select::resolve(text, known) {
            Ok(found) => Some(found),
            Err(errors) => {
                for error in errors {
                    self.bad_selector(on, text, &error, hosts);
                }
                None
            }
        }
    }

    fn bad_selector(
        &mut self,
        on: &Spanned<String>,
        text: &str,
        error: &SelectError,
        hosts: &Hosts,
    ) {
        let span = if text == on.value {
            self.request
                .sources
                .part(on.span, &on.value, error.range.clone())
        } else {
            on.span
        };
        let (message, help) = match &error.problem {
            SelectProblem::Unknown(name) => {
                let known = hosts
                    .groups
                    .keys()
                    .map(String::as_str)
                    .chain(hosts.order.iter().map(HostName::as_str));
                let help = self
                    .diagnostics
                    .suggest(name, known.chain([CONTROL, "all"]));
                (
                    format!("the inventory has no group and no host `{name}`"),
                    help,
                )
            }
            SelectProblem::BadSlice(term) => {
                let help = Some("write `group[0]`, `group[1:]` or `group[:-1]`".to_owned());
                (format!("`{term}` is not a slice"), help)
            }
            SelectProblem::OutOfRange { name, size } => (
                format!("the group `{name}` has only {}", counted(*size)),
                None,
            ),
            SelectProblem::SliceOfHost(name) => {
                (format!("`{name}` is a host, it has no parts"), None)
            }
            SelectProblem::EmptyTerm => (
                "a name is missing".to_owned(),
                Some("write `control`, a host or a group".to_owned()),
            ),
        };
        self.error(Code::BadSelector, message, span, "", help);
    }
}

/// What a person does, and what is written down at the end: once for all hosts.
fn is_done_once(kind: Option<TypeKind>) -> bool {
    matches!(kind, Some(TypeKind::Gate | TypeKind::Record))
}

/// The scope with the variables of a host.
fn scope_of(host: &HostName, field: Field<'_>) -> Scope {
    let mut scope = field.scope.clone();
    let vars = field.hosts.by_name.get(host).map(|host| host.vars.clone());
    let mut vars: serde_json::Map<_, _> = vars.unwrap_or_default().into_iter().collect();
    vars.entry("name").or_insert_with(|| host.as_str().into());
    scope.set_host(vars);
    scope
}

/// What `useradd` of every common system takes, and no option.
fn is_account(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}
