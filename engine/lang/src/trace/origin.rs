//! Who says what a name stands for, and where that is written.

use std::collections::BTreeSet;

use runbook_model::plan::Var;
use runbook_model::step::Place;
use runbook_model::trace::{From, Read};
use runbook_model::{HostName, NodeIx, NodeKind, Plan, Value};

use super::values::Values;
use super::written::{Written, entry};
use super::{Given, Language, references};
use crate::scope::{Reference, Segment, path_text};
use crate::yaml::{Entry, Node};

pub(super) struct Origins<'a> {
    plan: &'a Plan,
    written: &'a Written,
    given: &'a Given,
}

impl<'a> Origins<'a> {
    pub(super) fn new(plan: &'a Plan, written: &'a Written, given: &'a Given) -> Self {
        Self {
            plan,
            written,
            given,
        }
    }

    pub(super) fn reads(
        &self,
        references: &[Reference],
        instances: &[NodeIx],
        values: &Values<'_>,
    ) -> Vec<Read> {
        self.deeper(references, instances, values, &mut BTreeSet::new())
    }

    fn deeper(
        &self,
        references: &[Reference],
        instances: &[NodeIx],
        values: &Values<'_>,
        seen: &mut BTreeSet<String>,
    ) -> Vec<Read> {
        references
            .iter()
            .flat_map(|reference| self.read(reference, instances, values, seen))
            .collect()
    }

    fn read(
        &self,
        reference: &Reference,
        instances: &[NodeIx],
        values: &Values<'_>,
        seen: &mut BTreeSet<String>,
    ) -> Vec<Read> {
        let name = reference.path.get(1).and_then(Segment::name);
        let one = |from: From, place: Option<Place>| Read {
            path: path_text(&reference.path),
            hosts: Vec::new(),
            from,
            place,
            value: values.reference(reference, instances.first().copied()),
            reads: Vec::new(),
        };
        match (reference.root(), name) {
            ("inputs", Some(name)) => {
                let (from, place) = self.input(name);
                vec![one(from, place)]
            }
            ("vars", Some(name)) => {
                let (place, found) = match self.plan.vars.get(name) {
                    Some(Var::Template(expr)) => {
                        let text = Value::String(expr.text.clone());
                        (Some(expr.place), references(&text, Language::Template))
                    }
                    Some(Var::Cel(expr)) => {
                        let text = Value::String(expr.text.clone());
                        (Some(expr.place), references(&text, Language::Condition))
                    }
                    _ => {
                        let mut vars = self.written.runbook("vars");
                        let entry = vars.find_map(|vars| entry(vars, name));
                        (entry.map(|e| self.written.key(e)), Vec::new())
                    }
                };
                let mut read = one(From::Variable, place);
                // A variable has one value per run: no instance says anything about it. What it
                // reads is said once, or variables that read each other would never end.
                if seen.insert(name.to_owned()) {
                    read.reads = self.deeper(&found, &[], values, seen);
                }
                vec![read]
            }
            ("host", Some(name)) => self.of_hosts(reference, name, instances, values),
            ("item", _) => self.of_items(reference, instances, values),
            ("groups", _) => vec![one(From::Groups, None)],
            ("window", _) => vec![one(From::Window, None)],
            ("run", _) => vec![one(From::Run, None)],
            ("outputs", _) => vec![one(From::Own, None)],
            ("steps", Some(step)) => {
                let is_output = reference.path.iter().any(|s| s.name() == Some("outputs"));
                let from = match is_output {
                    true => From::Output(step.to_owned()),
                    false => From::State(step.to_owned()),
                };
                vec![one(from, self.plan.step(step).map(|(_, s)| s.place))]
            }
            _ => vec![one(From::Unknown, None)],
        }
    }

    fn input(&self, name: &str) -> (From, Option<Place>) {
        let in_file = || {
            let file = self.written.named(self.given.file.as_deref()?)?;
            Some(self.written.key(entry(file, name)?))
        };
        let declared = self
            .written
            .runbook("inputs")
            .find_map(|inputs| entry(inputs, name));
        let place = declared.map(|e| self.written.key(e));
        let Some(input) = self.plan.inputs.get(name) else {
            return (From::Unknown, place);
        };
        if let Some(secret) = &input.secret {
            return (From::Secret(secret.clone()), place);
        }
        if self.given.options.contains(name) {
            return (From::Option, place);
        }
        if let Some(place) = in_file() {
            return (From::File, Some(place));
        }
        match (&input.value, declared.and_then(|e| e.value.get("default"))) {
            (None, _) => (From::Missing, place),
            (Some(_), Some(default)) => (From::Default, Some(self.written.place(default))),
            // Asked at the terminal: nobody but the plan knows.
            (Some(_), None) => (From::Option, place),
        }
    }

    fn of_hosts(
        &self,
        reference: &Reference,
        name: &str,
        instances: &[NodeIx],
        values: &Values<'_>,
    ) -> Vec<Read> {
        let mut out: Vec<Read> = Vec::new();
        let mut seen: Vec<&HostName> = Vec::new();
        for node in instances {
            let Some((_, host)) = self.plan.instance(*node) else {
                continue;
            };
            if seen.contains(&host) {
                continue;
            }
            seen.push(host);
            let (from, place) = self.host_var(host, name);
            let read = Read {
                path: path_text(&reference.path),
                hosts: vec![host.clone()],
                from,
                place,
                value: values.reference(reference, Some(*node)),
                reads: Vec::new(),
            };
            let same = out.iter_mut().find(|known| {
                (&known.from, known.place, &known.value) == (&read.from, read.place, &read.value)
            });
            match same {
                Some(known) => known.hosts.extend(read.hosts),
                None => out.push(read),
            }
        }
        out
    }

    fn of_items(
        &self,
        reference: &Reference,
        instances: &[NodeIx],
        values: &Values<'_>,
    ) -> Vec<Read> {
        let mut out: Vec<Read> = Vec::new();
        for node in instances {
            let value = values.reference(reference, Some(*node));
            let kind = self.plan.nodes.get(node.at()).map(|n| &n.kind);
            let Some(NodeKind::Instance {
                item: Some(item), ..
            }) = kind
            else {
                continue;
            };
            let path = format!("{} ({})", path_text(&reference.path), item.name);
            if out.iter().any(|known| known.path == path) {
                continue;
            }
            out.push(Read {
                path,
                hosts: Vec::new(),
                from: From::Item,
                place: None,
                value,
                reads: Vec::new(),
            });
        }
        out
    }

    /// Looks a variable of a host up again, in the order of precedence: the host, the nearest of
    /// its groups, all hosts, what the runbook says of a group.
    fn host_var(&self, host: &HostName, name: &str) -> (From, Option<Place>) {
        let vars = |of: &'a Node| of.get("vars").and_then(|vars| entry(vars, name));
        let own = self.written.inventory("hosts").find_map(|hosts| {
            let host = entry(hosts, host.as_str())?;
            if name == "name" {
                return Some((From::Itself, self.written.key(host)));
            }
            if name == "address" {
                let place = entry(&host.value, "address").unwrap_or(host);
                return Some((From::Itself, self.written.key(place)));
            }
            Some((From::Host, self.written.key(vars(&host.value)?)))
        });
        if let Some((from, place)) = own {
            return (from, Some(place));
        }
        let plan = self.plan.hosts.get(host);
        let groups = plan.map(|h| h.groups.as_slice()).unwrap_or_default();
        let is_of_host = |group: &&'a Entry| groups.contains(&group.key.value);
        let said: Vec<(&str, Place)> = self
            .written
            .inventory("groups")
            .flat_map(|groups| groups.as_map().unwrap_or_default())
            .filter(is_of_host)
            .filter_map(|group| {
                let place = self.written.key(vars(&group.value)?);
                Some((group.key.value.as_str(), place))
            })
            .collect();
        let nearest = said.iter().find(|(group, _)| {
            let below = self.below(group);
            !said.iter().any(|(other, _)| below.contains(other))
        });
        if let Some((group, place)) = nearest {
            return (From::Group((*group).to_owned()), Some(*place));
        }
        let mut all = self.written.inventory("vars");
        if let Some(var) = all.find_map(|vars| entry(vars, name)) {
            return (From::All, Some(self.written.key(var)));
        }
        let default = self
            .written
            .runbook("groups")
            .flat_map(|groups| groups.as_map().unwrap_or_default())
            .filter(is_of_host)
            .find_map(|group| {
                let default = entry(&vars(&group.value)?.value, "default")?;
                Some((group.key.value.clone(), self.written.key(default)))
            });
        match default {
            Some((group, place)) => (From::GroupDefault(group), Some(place)),
            None => (From::Inventory, None),
        }
    }

    /// The groups of the inventory inside a group, directly or through others.
    fn below(&self, group: &'a str) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut open = vec![group];
        while let Some(at) = open.pop() {
            let children = self
                .written
                .inventory("groups")
                .filter_map(|groups| groups.get(at)?.get("children")?.as_seq())
                .flatten()
                .filter_map(Node::as_str);
            open.extend(children.filter(|child| found.insert(*child)));
        }
        found
    }
}
