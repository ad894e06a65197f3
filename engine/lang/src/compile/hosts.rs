//! Hosts of the inventory as the plan stores them, and what the runbook demands of groups.

use std::collections::BTreeMap;

use runbook_model::{Host, HostName, Value};

use super::Compiler;
use crate::ast::GroupDef;
use crate::diagnostic::{Code, did_you_mean};
use crate::value::InputType;

/// Hosts and groups.
pub(super) struct Hosts {
    /// In the inventory's order.
    pub(super) order: Vec<HostName>,
    pub(super) by_name: BTreeMap<HostName, Host>,
    pub(super) groups: BTreeMap<String, Vec<HostName>>,
}

impl Compiler<'_> {
    pub(super) fn hosts(&self) -> Hosts {
        let inventory = self.request.inventory;
        let mut by_name = BTreeMap::new();
        for host in &inventory.hosts {
            let mut host = host.host.clone();
            host.vars
                .insert("name".to_owned(), Value::from(host.name.as_str()));
            host.vars.insert(
                "address".to_owned(),
                Value::from(host.connection.address.as_str()),
            );
            by_name.insert(host.name.clone(), host);
        }
        for group in &self.request.runbook.groups {
            let members = inventory
                .group(&group.name.value)
                .map(|group| group.hosts.as_slice())
                .unwrap_or_default();
            for host in members {
                if let Some(host) = by_name.get_mut(host) {
                    fill(group, host);
                }
            }
        }
        let order = inventory
            .hosts
            .iter()
            .map(|host| host.host.name.clone())
            .collect();
        let groups = inventory
            .groups
            .iter()
            .map(|group| (group.name.value.clone(), group.hosts.clone()));
        let mut groups: BTreeMap<String, Vec<HostName>> = groups.collect();
        // A group that may be empty need not be in the inventory.
        for group in self
            .request
            .runbook
            .groups
            .iter()
            .filter(|group| smallest(group) == 0)
        {
            groups.entry(group.name.value.clone()).or_default();
        }
        Hosts {
            order,
            by_name,
            groups,
        }
    }

    pub(super) fn check_groups(&mut self, hosts: &Hosts) {
        for group in &self.request.runbook.groups {
            let name = &group.name.value;
            let Some(members) = hosts.groups.get(name) else {
                let message = format!("the inventory has no group `{name}`");
                let help = did_you_mean(name, hosts.groups.keys().map(String::as_str));
                self.error(
                    Code::MissingGroup,
                    message,
                    group.name.span,
                    "wanted here",
                    help,
                );
                continue;
            };
            self.check_size(group, members.len());
            for member in members {
                self.check_vars(group, hosts, member);
            }
        }
    }

    fn check_size(&mut self, group: &GroupDef, size: usize) {
        let wanted = match (&group.exactly, &group.min) {
            (Some(exactly), _) if size != exactly.value as usize => {
                format!("exactly {}", exactly.value)
            }
            (None, Some(min)) if size < min.value as usize => format!("at least {}", min.value),
            _ => return,
        };
        let span = group
            .exactly
            .or(group.min)
            .map_or(group.name.span, |number| number.span);
        let message = format!(
            "the group `{}` has {} in the inventory, {wanted} wanted",
            group.name.value,
            counted(size)
        );
        self.error(Code::GroupSize, message, span, "", None);
    }

    fn check_vars(&mut self, group: &GroupDef, hosts: &Hosts, member: &HostName) {
        let vars = hosts.by_name.get(member).map(|host| &host.vars);
        for var in &group.vars {
            let name = &var.name.value;
            let value = vars.and_then(|vars| vars.get(name));
            let problem = match value {
                None if var.required => Some(format!("`{member}` has no `{name}`")),
                None => None,
                Some(value) => match var.kind.value.check(value) {
                    Err(why) => Some(format!("`{name}` of `{member}` {why}")),
                    Ok(Value::String(text))
                        if !super::inputs::matches(var.pattern.as_ref(), &text) =>
                    {
                        Some(format!(
                            "`{name}` of `{member}` does not match its `pattern`"
                        ))
                    }
                    Ok(_) => None,
                },
            };
            if let Some(problem) = problem {
                let message = format!("{problem}; the group `{}` wants it", group.name.value);
                let help = Some("set it in the inventory, at the host or its group".to_owned());
                self.error(Code::HostVar, message, var.name.span, "wanted here", help);
            }
        }
    }
}

/// So many hosts, in words.
pub(super) fn counted(hosts: usize) -> String {
    if hosts == 1 {
        "1 host".to_owned()
    } else {
        format!("{hosts} hosts")
    }
}

/// Gives a host what its group says it has when the inventory is silent.
fn fill(group: &GroupDef, host: &mut Host) {
    for var in &group.vars {
        if let Some(default) = &var.default {
            host.vars
                .entry(var.name.value.clone())
                .or_insert_with(|| default.to_value());
        }
    }
}

fn smallest(group: &GroupDef) -> u32 {
    group.exactly.or(group.min).map_or(0, |number| number.value)
}

/// Whether an input of this type names a host.
pub(super) fn is_host(kind: &InputType) -> bool {
    *kind == InputType::Host
}
