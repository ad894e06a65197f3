//! Hosts of the inventory as the plan stores them, and what the runbook demands of groups.

use std::collections::BTreeMap;

use runbook_model::{Host, HostName, Value};

use super::Compiler;
use crate::ast::{GroupDef, InputDef};
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::value::{Meaning, shown};
use crate::yaml::Node;

/// Hosts and groups.
pub(super) struct Hosts {
    /// In the inventory's order.
    pub(super) order: Vec<HostName>,
    pub(super) by_name: BTreeMap<HostName, Host>,
    pub(super) groups: BTreeMap<String, Vec<HostName>>,
}

impl Hosts {
    /// Why a value cannot name this host, which belongs to a group if it says so.
    pub(super) fn refused(&self, name: &str, group: Option<&str>) -> Option<String> {
        if !self.order.iter().any(|host| host.as_str() == name) {
            let near = did_you_mean(name, self.order.iter().map(HostName::as_str));
            return Some(format!(
                "names `{}`, which the inventory does not have{}",
                shown(name),
                near.map_or(String::new(), |n| format!("; {n}"))
            ));
        }
        let members = self.groups.get(group?);
        match members.is_some_and(|of| of.iter().any(|host| host.as_str() == name)) {
            true => None,
            false => Some(format!(
                "names `{name}`, which is not in the group `{}`",
                group.unwrap_or_default()
            )),
        }
    }
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
        for host in by_name.values_mut() {
            let is_in = |group: &&GroupDef| host.groups.contains(&group.name.value);
            let groups: Vec<_> = self.request.runbook.groups.iter().filter(is_in).collect();
            for group in &groups {
                fill(group, host);
            }
            let vars = groups.iter().flat_map(|group| &group.vars);
            let meanings: Vec<_> = vars
                .map(|var| {
                    let value = host.vars.get(&var.name.value);
                    let meaning = value.and_then(|value| Meaning::of(&var.kind.value, value));
                    (var.name.value.clone(), meaning)
                })
                .collect();
            host.meaning = serde_json::to_value(Meaning::parts(meanings)).unwrap_or_default();
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
        self.check_schemas(hosts);
    }

    /// Groups that share a host must mean the same by a name.
    fn check_schemas(&mut self, hosts: &Hosts) {
        let groups = &self.request.runbook.groups;
        for (at, two) in groups.iter().enumerate() {
            for one in &groups[..at] {
                let of = |group: &GroupDef| hosts.groups.get(&group.name.value);
                let (Some(in_one), Some(in_two)) = (of(one), of(two)) else {
                    continue;
                };
                let shared = in_two.iter().find(|host| in_one.contains(host));
                for (var, other) in shared.into_iter().flat_map(|_| same_names(one, two)) {
                    let Some(why) = disagree(var, other) else {
                        continue;
                    };
                    let (name, host) = (&other.name.value, shared.map_or("", HostName::as_str));
                    let (one, two) = (&one.name.value, &two.name.value);
                    let message = format!(
                        "the groups `{one}` and `{two}` disagree about {why} of `{name}`, and `{host}` is in both"
                    );
                    let (first, again) = (var.name.span, other.name.span);
                    let diagnostic = Diagnostic::error(Code::VarConflict, message)
                        .label(again.source, again, format!("in `{two}`"))
                        .label(first.source, first, format!("in `{one}`"))
                        .help(format!("say the same of `{name}` in both groups"));
                    self.diagnostics.push(diagnostic);
                }
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
                    Ok(value) => {
                        let mut wrong = None;
                        var.kind.value.hosts(&value, &mut |name, group| {
                            wrong = wrong.take().or_else(|| hosts.refused(name, group));
                        });
                        wrong.map(|why| format!("`{name}` of `{member}` {why}"))
                    }
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

/// Gives a host what its group says it has when the inventory is silent, and every value of a
/// known type its normal form. What does not fit is left as it is: it is reported.
fn fill(group: &GroupDef, host: &mut Host) {
    for var in &group.vars {
        let name = &var.name.value;
        let given = host.vars.get(name).cloned();
        let Some(value) = given.or_else(|| var.default.as_ref().map(Node::to_value)) else {
            continue;
        };
        let value = var.kind.value.check(&value).unwrap_or(value);
        host.vars.insert(name.clone(), value);
    }
}

/// Variables of one name in two groups.
fn same_names<'a>(
    one: &'a GroupDef,
    two: &'a GroupDef,
) -> impl Iterator<Item = (&'a InputDef, &'a InputDef)> {
    two.vars.iter().filter_map(|other| {
        let name = &other.name.value;
        let var = one.vars.iter().find(|var| var.name.value == *name)?;
        Some((var, other))
    })
}

/// What two definitions of one variable say differently. Patterns may differ: both must match.
fn disagree(one: &InputDef, two: &InputDef) -> Option<&'static str> {
    let default = |def: &InputDef| {
        let value = def.default.as_ref()?.to_value();
        Some(def.kind.value.check(&value).unwrap_or(value))
    };
    if one.kind.value.base() != two.kind.value.base() {
        return Some("the type");
    }
    let (one, two) = (default(one)?, default(two)?);
    (one != two).then_some("the default")
}

fn smallest(group: &GroupDef) -> u32 {
    group.exactly.or(group.min).map_or(0, |number| number.value)
}

#[cfg(test)]
mod tests;
