//! Variables and their precedence.

use std::collections::{BTreeMap, HashMap};

use runbook_model::Value;

use super::groups::{Group, below};
use super::hosts::OwnVars;
use super::{GroupHosts, HostDef};
use crate::diagnostic::{Code, Diagnostic};
use crate::fields::{Cx, Fields};
use crate::source::Span;
use crate::yaml::Entry;

/// Variables that every host has by itself.
const OWN: &[&str] = &["name", "address", "facts"];

/// Gives every host its groups and its variables.
pub(super) fn apply(
    cx: &mut Cx<'_>,
    fields: &Fields<'_>,
    groups: &[Group<'_>],
    own: &OwnVars<'_>,
    resolved: &[GroupHosts],
    hosts: &mut [HostDef],
) {
    let names: HashMap<&str, usize> = groups
        .iter()
        .enumerate()
        .map(|(at, g)| (g.name.value.as_str(), at))
        .collect();
    let below: Vec<Vec<usize>> = (0..groups.len())
        .map(|at| below(at, groups, &names))
        .collect();
    let all = fields.map("vars");
    reserved(cx, &all);
    for group in groups {
        reserved(cx, &group.vars);
    }
    let mut member: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, group) in resolved.iter().enumerate() {
        for host in &group.hosts {
            member.entry(host.as_str()).or_default().push(at);
        }
    }
    for def in hosts.iter_mut() {
        let groups_of = member
            .get(def.host.name.as_str())
            .map_or(&[][..], Vec::as_slice);
        let mut found: BTreeMap<&str, &Entry> =
            all.iter().map(|e| (e.key.value.as_str(), *e)).collect();
        let own = own
            .get(def.host.name.as_str())
            .map_or(&[][..], Vec::as_slice);
        reserved(cx, own);
        let decided = |name: &str| own.iter().any(|e| e.key.value == name);
        found.extend(from_groups(cx, def, groups, groups_of, &below, &decided));
        found.extend(own.iter().map(|e| (e.key.value.as_str(), *e)));
        def.host.groups = groups_of
            .iter()
            .map(|at| groups[*at].name.value.clone())
            .collect();
        def.var_spans = found
            .iter()
            .map(|(name, e)| ((*name).to_owned(), e.value.site()))
            .collect();
        def.host.vars = found
            .iter()
            .map(|(name, e)| ((*name).to_owned(), e.value.to_value()))
            .collect();
        let name = Value::String(def.host.name.to_string());
        let address = Value::String(def.host.connection.address.clone());
        def.host
            .vars
            .extend([("name".to_owned(), name), ("address".to_owned(), address)]);
    }
}

/// What the groups of a host say: the nearest wins, and those that are equally near must agree.
fn from_groups<'g>(
    cx: &mut Cx<'_>,
    def: &HostDef,
    groups: &[Group<'g>],
    groups_of: &[usize],
    below: &[Vec<usize>],
    decided: &dyn Fn(&str) -> bool,
) -> BTreeMap<&'g str, &'g Entry> {
    let mut candidates: BTreeMap<&str, Vec<(usize, &Entry)>> = BTreeMap::new();
    for at in groups_of {
        for entry in &groups[*at].vars {
            candidates
                .entry(&entry.key.value)
                .or_default()
                .push((*at, entry));
        }
    }
    let mut found = BTreeMap::new();
    for (name, all) in candidates {
        // A group counts only if no group inside it, to which the host belongs as well, says it too.
        let nearest: Vec<_> = all
            .iter()
            .filter(|(at, _)| {
                !all.iter()
                    .any(|(other, _)| other != at && below[*at].contains(other))
            })
            .collect();
        let Some((first, entry)) = nearest.first() else {
            continue;
        };
        let value = entry.value.to_value();
        let other = nearest.iter().find(|(_, e)| e.value.to_value() != value);
        if let (Some((other, again)), false) = (other, decided(name)) {
            let (one, two) = (&groups[*first].name.value, &groups[*other].name.value);
            let message = format!(
                "the groups `{one}` and `{two}` disagree about `{name}` of `{}`",
                def.host.name
            );
            let diagnostic = Diagnostic::error(Code::VarConflict, message)
                .label(cx.id(), again.value.site(), format!("in `{two}`"))
                .label(cx.id(), entry.value.site(), format!("in `{one}`"))
                .help(format!(
                    "say it at the host, or only in one of them: `{name}` of `{}`",
                    def.host.name
                ));
            cx.push(diagnostic);
        }
        found.insert(name, *entry);
    }
    found
}

/// Reports variables that would hide what every host has, and templates.
fn reserved(cx: &mut Cx<'_>, vars: &[&Entry]) {
    for entry in vars {
        if OWN.contains(&entry.key.value.as_str()) {
            let message = format!(
                "`{}` is what every host has, it cannot be a variable",
                entry.key.value
            );
            cx.error(Code::BadName, message, entry.key.span, "", None);
        }
        if entry.value.has_template() {
            let span: Span = entry.value.site();
            let help =
                Some("a value that depends on others is one of `vars` in the runbook".to_owned());
            cx.error(
                Code::NoTemplateHere,
                "text from an inventory is taken as it is",
                span,
                "this is a template",
                help,
            );
        }
    }
}
