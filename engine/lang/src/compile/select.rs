//! Who runs what: selectors of phases and steps become names, once.

use runbook_model::HostName;
use runbook_model::id::CONTROL;
use runbook_model::step_type::TypeKind;
use serde_json::Map;

use super::Compiler;
use super::hosts::{Hosts, counted};
use super::inputs::Known;
use crate::ast::{Phase, Share, StepDef, VarValue};
use crate::diagnostic::{Code, did_you_mean};
use crate::scope::Scope;
use crate::select::{self, SelectError, SelectProblem};
use crate::source::Spanned;
use crate::template::Template;

/// Where everything runs.
#[derive(Default)]
pub(super) struct Chosen {
    /// Hosts of each step, in the order of the runbook.
    pub(super) steps: Vec<Vec<HostName>>,
    /// Batches of each phase; empty for one that is not rolling.
    pub(super) batches: Vec<Vec<Vec<HostName>>>,
}

impl Compiler<'_> {
    pub(super) fn select(&mut self, hosts: &Hosts, inputs: &Known) -> Chosen {
        let mut scope = Scope::new();
        scope.set_inputs(&inputs.scope);
        scope.set_vars(self.literals());
        let mut chosen = Chosen::default();
        for phase in &self.request.runbook.phases {
            let of_phase = phase
                .on
                .as_ref()
                .and_then(|on| self.resolve(on, &scope, hosts, inputs.incomplete));
            chosen
                .batches
                .push(self.batches(phase, of_phase.as_deref()));
            for step in &phase.steps {
                if let (Some(on), Some(_)) = (&step.on, &phase.rolling) {
                    let message =
                        "a step of a rolling phase with hosts of its own is not supported yet";
                    self.error(
                        Code::NotSupportedYet,
                        message,
                        on.span,
                        "",
                        Some("leave `on` to the phase".to_owned()),
                    );
                }
                let by_engine = self.is_by_engine(step);
                if phase.rolling.is_some() && step.on.is_none() && by_engine {
                    // Its host would be in no batch, and the step in no plan.
                    let message = format!(
                        "`{}` runs on `control`: in a rolling phase that is not supported yet",
                        step.id.value
                    );
                    let help =
                        Some("put it into a phase of its own, before or after this one".to_owned());
                    self.error(Code::NotSupportedYet, message, step.id.span, "", help);
                }
                let of_step = match &step.on {
                    Some(on) => self.resolve(on, &scope, hosts, inputs.incomplete),
                    None if by_engine => Some(vec![HostName::control()]),
                    None if phase.on.is_some() => of_phase.clone(),
                    None => {
                        let message = format!("nobody says where `{}` runs", step.id.value);
                        let help = Some(
                            "give the step, or its phase, `on:` with a group, a host or `control`"
                                .to_owned(),
                        );
                        self.error(Code::MissingKey, message, step.id.span, "needs `on`", help);
                        None
                    }
                };
                if let (Some(on), Some([])) = (&step.on, of_step.as_deref()) {
                    self.refuse_nobody(step, on);
                }
                chosen.steps.push(of_step.unwrap_or_default());
            }
        }
        chosen
    }

    /// A decision or a condition that nobody makes must not look like one that was made.
    fn refuse_nobody(&mut self, step: &StepDef, on: &Spanned<String>) {
        let kind = self.request.catalog.get(&step.uses.value).map(|of| of.kind);
        if matches!(
            kind,
            Some(TypeKind::Gate | TypeKind::Assert | TypeKind::Record)
        ) {
            let message = format!(
                "`{}` would not take place: no host is selected",
                step.id.value
            );
            self.error(
                Code::NotSingle,
                message,
                on.span,
                "nobody",
                Some("write `on: control`".to_owned()),
            );
        }
    }

    fn is_by_engine(&self, step: &StepDef) -> bool {
        let kind = self.request.catalog.get(&step.uses.value).map(|of| of.kind);
        matches!(
            kind,
            Some(TypeKind::Gate | TypeKind::Assert | TypeKind::Record | TypeKind::Copy)
        )
    }

    /// Variables that are values as they stand.
    pub(super) fn literals(&self) -> Map<String, serde_json::Value> {
        let vars = self.request.runbook.vars.iter();
        vars.filter_map(|var| match &var.value {
            VarValue::Literal(node) => Some((var.name.value.clone(), node.to_value())),
            _ => None,
        })
        .collect()
    }

    fn resolve(
        &mut self,
        on: &Spanned<String>,
        scope: &Scope,
        hosts: &Hosts,
        incomplete: bool,
    ) -> Option<Vec<HostName>> {
        let template = Template::parse(&on.value).ok()?;
        let text = match template.render(scope) {
            Ok(value) => value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
            Err(error) => {
                let left_out = error
                    .missing
                    .as_ref()
                    .is_some_and(|path| incomplete || !self.is_open_input(path));
                if !left_out {
                    self.error(Code::BadSelector, error.message, on.span, "", None);
                }
                return None;
            }
        };
        let known = select::Known {
            hosts: &hosts.order,
            groups: &hosts.groups,
        };
        match select::resolve(&text, known) {
            Ok(found) => Some(found),
            Err(errors) => {
                for error in errors {
                    self.bad_selector(on, &text, &error, hosts);
                }
                None
            }
        }
    }

    /// Whether a path without a value is an input that need not be given. All others are reported with the names.
    pub(super) fn is_open_input(&self, path: &str) -> bool {
        let name = path.strip_prefix("inputs.").unwrap_or_default();
        self.request
            .runbook
            .inputs
            .iter()
            .any(|def| def.name.value == name && !def.kind.value.is_secret())
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
                let help = did_you_mean(name, known.chain([CONTROL, "all"]));
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

    fn batches(&mut self, phase: &Phase, hosts: Option<&[HostName]>) -> Vec<Vec<HostName>> {
        let Some(rolling) = &phase.rolling else {
            return Vec::new();
        };
        if phase.on.is_none() {
            let message = format!(
                "the phase `{}` rolls, but nobody says over which hosts",
                phase.id.value
            );
            let help = Some("give the phase `on:`".to_owned());
            self.error(Code::MissingKey, message, rolling.span, "needs `on`", help);
        }
        let sizes: Vec<Share> = rolling.batch.iter().map(|share| share.value).collect();
        cut(hosts.unwrap_or_default(), &sizes)
    }
}

/// Hosts in batches; the last size repeats, a percentage is of all hosts, rounded up.
fn cut(hosts: &[HostName], sizes: &[Share]) -> Vec<Vec<HostName>> {
    let mut batches = Vec::new();
    let mut rest = hosts;
    let mut at = 0;
    while let (false, Some(share)) = (
        rest.is_empty(),
        sizes.get(at.min(sizes.len().saturating_sub(1))),
    ) {
        let size = match share {
            Share::Count(count) => *count as usize,
            Share::Percent(percent) => (hosts.len() * *percent as usize).div_ceil(100),
        };
        let (batch, left) = rest.split_at(size.clamp(1, rest.len()));
        batches.push(batch.to_vec());
        rest = left;
        at += 1;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(hosts: usize, shares: &[Share]) -> Vec<usize> {
        let hosts: Vec<_> = (0..hosts)
            .map(|n| HostName::new(format!("h{n}")).unwrap())
            .collect();
        cut(&hosts, shares).iter().map(Vec::len).collect()
    }

    #[test]
    fn the_last_size_repeats() {
        assert_eq!(sizes(7, &[Share::Count(1), Share::Percent(50)]), [1, 4, 2]);
        assert_eq!(sizes(3, &[Share::Count(1)]), [1, 1, 1]);
        assert_eq!(sizes(2, &[Share::Percent(1)]), [1, 1]);
        assert_eq!(sizes(0, &[Share::Count(1)]), [0; 0]);
        assert_eq!(sizes(2, &[Share::Count(9)]), [2]);
    }
}
