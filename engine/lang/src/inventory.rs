//! The inventory: hosts, how they are reached, groups of them, and variables.
//!
//! Precedence of variables: the host's own, then the nearest group, then its parents, then all.
//! Two groups of which neither contains the other and that disagree about a variable are an error
//! that names both: nobody should have to know the order in which groups are read.

mod groups;
mod hosts;
mod vars;

use std::collections::BTreeMap;

use runbook_model::{Host, HostName};

use crate::diagnostic::Diagnostics;
use crate::fields::{Cx, Fields};
use crate::keys::Section;
use crate::misread;
use crate::source::{Source, SourceId, Span, Spanned};
use crate::yaml;

/// An inventory, everything resolved.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// The text that it was read from.
    pub source: SourceId,
    /// Hosts in the order of the file.
    pub hosts: Vec<HostDef>,
    /// Groups in the order of the file.
    pub groups: Vec<GroupHosts>,
}

/// A host and where it is written.
#[derive(Debug, Clone)]
pub struct HostDef {
    /// The host, precedence of variables applied.
    pub host: Host,
    /// Where its name is written.
    pub span: Span,
    /// Where each of its variables is written; `name` and `address` are missing here.
    pub var_spans: BTreeMap<String, Span>,
}

/// A group and its hosts.
#[derive(Debug, Clone)]
pub struct GroupHosts {
    /// Its name.
    pub name: Spanned<String>,
    /// Its hosts: its own in the order of the file, then those of its children; each once.
    pub hosts: Vec<HostName>,
}

impl Inventory {
    /// The host of this name.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&HostDef> {
        self.hosts.iter().find(|h| h.host.name.as_str() == name)
    }

    /// The group of this name.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&GroupHosts> {
        self.groups.iter().find(|g| g.name.value == name)
    }
}

/// Reads an inventory. There is none if the text has no hosts that can be read.
pub fn parse_inventory(source: &Source) -> (Option<Inventory>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let tree = yaml::read(source, &mut diagnostics);
    let mut cx = Cx::new(source, &mut diagnostics);
    let inventory = match misread::is_other(&mut cx, &tree, misread::Kind::Inventory) {
        true => None,
        false => read(&mut cx, &tree),
    };
    diagnostics.sort();
    (inventory, diagnostics)
}

fn read(cx: &mut Cx<'_>, tree: &yaml::Node) -> Option<Inventory> {
    let at = tree
        .as_map()
        .and_then(|e| e.first())
        .map_or(Span::default(), |e| e.key.span);
    let fields = Fields::read(cx, Section::Inventory, tree, at)?;
    let groups = groups::read(cx, &fields);
    let (mut hosts, own) = hosts::read(cx, &fields)?;
    let resolved = groups::resolve(cx, &groups, &hosts);
    vars::apply(cx, &fields, &groups, &own, &resolved, &mut hosts);
    Some(Inventory {
        source: cx.id(),
        hosts,
        groups: resolved,
    })
}

#[cfg(test)]
mod tests;
