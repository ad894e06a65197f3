//! Groups: who belongs to them, directly or through children.

use std::collections::{HashMap, HashSet};

use runbook_model::HostName;

use super::{GroupHosts, HostDef};
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::fields::{Cx, Fields};
use crate::keys::Section;
use crate::source::Spanned;
use crate::yaml::Entry;

/// A group as it is written.
pub(super) struct Group<'n> {
    pub(super) name: Spanned<String>,
    pub(super) hosts: Vec<Spanned<String>>,
    pub(super) children: Vec<Spanned<String>>,
    pub(super) vars: Vec<&'n Entry>,
}

/// Reads the groups as they are written.
pub(super) fn read<'n>(cx: &mut Cx<'_>, fields: &Fields<'n>) -> Vec<Group<'n>> {
    let mut groups = Vec::new();
    for entry in fields.map("groups") {
        let name = entry.key.clone();
        if name.value == "all" || name.value == "control" {
            let message = format!(
                "`{}` cannot be a group: the name has a meaning already",
                name.value
            );
            let help = (name.value == "all")
                .then(|| "variables of all hosts are `vars` at the top level".to_owned());
            cx.error(Code::BadName, message, name.span, "", help);
            continue;
        }
        let Some(fields) = Fields::read(cx, Section::InventoryGroup, &entry.value, name.span)
        else {
            continue;
        };
        let (hosts, children) = (fields.texts("hosts"), fields.texts("children"));
        groups.push(Group {
            name,
            hosts,
            children,
            vars: fields.map("vars"),
        });
    }
    groups
}

/// Finds the hosts of every group; reports members that are not there and cycles.
pub(super) fn resolve(cx: &mut Cx<'_>, groups: &[Group<'_>], hosts: &[HostDef]) -> Vec<GroupHosts> {
    let known: HashMap<&str, &HostDef> = hosts.iter().map(|h| (h.host.name.as_str(), h)).collect();
    let names: HashMap<&str, usize> = groups
        .iter()
        .enumerate()
        .map(|(at, g)| (g.name.value.as_str(), at))
        .collect();
    for group in groups {
        if let Some(host) = known.get(group.name.value.as_str()) {
            let message = format!(
                "`{}` is the name of a host and of a group",
                group.name.value
            );
            let diagnostic = Diagnostic::error(Code::DuplicateId, message)
                .label(cx.id(), group.name.span, "the group")
                .label(cx.id(), host.span, "the host");
            cx.push(diagnostic);
        }
        for (members, noun) in [(&group.hosts, "host"), (&group.children, "group")] {
            for member in members {
                let there = if noun == "host" {
                    known.contains_key(member.value.as_str())
                } else {
                    names.contains_key(member.value.as_str())
                };
                if there {
                    continue;
                }
                let candidates = || -> Vec<&str> {
                    let mut candidates: Vec<&str> = if noun == "host" {
                        known.keys().copied().collect()
                    } else {
                        names.keys().copied().collect()
                    };
                    candidates.sort_unstable();
                    candidates
                };
                let help = match noun {
                    "host" if names.contains_key(member.value.as_str()) => {
                        Some("a group belongs into `children`".to_owned())
                    }
                    _ if cx.diagnostics.full() => None,
                    _ => did_you_mean(&member.value, candidates()),
                };
                let message = format!("no {noun} `{}` in this inventory", member.value);
                cx.error(Code::UnknownMember, message, member.span, "", help);
            }
        }
    }
    cycles(cx, groups, &names);
    let members = |at: usize| {
        let mut found: Vec<HostName> = Vec::new();
        let mut seen = HashSet::new();
        for group in below(at, groups, &names) {
            for host in &groups[group].hosts {
                if let Some(def) = known.get(host.value.as_str())
                    && seen.insert(host.value.as_str())
                {
                    found.push(def.host.name.clone());
                }
            }
        }
        found
    };
    groups
        .iter()
        .enumerate()
        .map(|(at, g)| GroupHosts {
            name: g.name.clone(),
            hosts: members(at),
        })
        .collect()
}

/// A group and everything that belongs to it, itself first, each once.
pub(super) fn below(
    start: usize,
    groups: &[Group<'_>],
    names: &HashMap<&str, usize>,
) -> Vec<usize> {
    let mut found = vec![start];
    let mut seen = HashSet::from([start]);
    let mut next = 0;
    while let Some(at) = found.get(next).copied() {
        next += 1;
        let children = groups[at]
            .children
            .iter()
            .filter_map(|c| names.get(c.value.as_str()));
        found.extend(children.filter(|c| seen.insert(**c)));
    }
    found
}

/// A group and all from which it can be reached.
fn above(start: usize, parents: &[Vec<usize>]) -> HashSet<usize> {
    let mut seen = HashSet::from([start]);
    let mut open = vec![start];
    while let Some(at) = open.pop() {
        open.extend(parents[at].iter().filter(|parent| seen.insert(**parent)));
    }
    seen
}

fn cycles(cx: &mut Cx<'_>, groups: &[Group<'_>], names: &HashMap<&str, usize>) {
    let mut parents = vec![Vec::new(); groups.len()];
    for (at, group) in groups.iter().enumerate() {
        let children = group.children.iter();
        for child in children.filter_map(|c| names.get(c.value.as_str())) {
            parents[*child].push(at);
        }
    }
    for (at, group) in groups.iter().enumerate() {
        let above = above(at, &parents);
        // A cycle is reported once: at its first group, at the child that leads back.
        let back = group.children.iter().find(|child| {
            names.get(child.value.as_str()).is_some_and(|c| {
                above.contains(c)
                    && below(*c, groups, names)
                        .iter()
                        .filter(|r| above.contains(*r))
                        .all(|r| *r >= at)
            })
        });
        if let Some(child) = back {
            let message = format!(
                "the group `{}` belongs to itself through `{}`",
                group.name.value, child.value
            );
            cx.error(Code::GroupCycle, message, child.span, "", None);
        }
    }
}
