//! Who says what a name stands for, and where that is written.

use std::collections::BTreeSet;

use runbook_model::plan::Var;
use runbook_model::step::Place;
use runbook_model::trace::{From, Read};
use runbook_model::{HostName, NodeIx, NodeKind, Plan, Value};

use super::imports::Imports;
use super::values::Values;
use super::written::{Written, entry};
use super::{Given, Language, references};
use crate::scope::{Reference, Segment, path_text};
use crate::yaml::{Entry, Node};

pub(super) struct Origins<'a> {
    plan: &'a Plan,
    written: &'a Written,
    given: &'a Given,
    imports: Imports<'a>,
}

impl<'a> Origins<'a> {
    pub(super) fn new(plan: &'a Plan, written: &'a Written, given: &'a Given) -> Self {
        Self {
            plan,
            written,
            given,
            imports: Imports::of(written, &plan.runbook),
        }
    }

    /// Which runbook a step is written in, and what its names are in the whole.
    pub(super) fn imports(&self) -> &Imports<'a> {
        &self.imports
    }

    /// What a text of a runbook reads, in the names of that runbook.
    pub(super) fn reads(
        &self,
        branch: usize,
        references: &[Reference],
        instances: &[NodeIx],
        values: &Values<'_>,
    ) -> Vec<Read> {
        let seen = &mut BTreeSet::new();
        self.deeper(branch, references, instances, values, seen)
    }

    fn deeper(
        &self,
        branch: usize,
        references: &[Reference],
        instances: &[NodeIx],
        values: &Values<'_>,
        seen: &mut BTreeSet<String>,
    ) -> Vec<Read> {
        references
            .iter()
            .flat_map(|reference| {
                let whole = Reference {
                    path: self.imports.whole(self.plan, branch, &reference.path),
                    ..reference.clone()
                };
                let mut reads = self.read(&whole, instances, values, seen);
                // As the text writes it; an item has more to say.
                for read in reads.iter_mut().filter(|read| read.from != From::Item) {
                    read.path = path_text(&reference.path);
                }
                reads
            })
            .collect()
    }

    /// What a text says, as it is written: its runbook and what it reads there.
    fn said_by(&self, branch: usize, node: &Node) -> Option<(usize, Vec<Reference>)> {
        let (text, language) = match node.get("cel") {
            Some(cel) => (cel.as_str()?, Language::Condition),
            None => (node.as_str()?, Language::Template),
        };
        Some((
            branch,
            references(&Value::String(text.to_owned()), language),
        ))
    }

    /// Reads what is given by the name of the whole.
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
                let is_import = from == From::Import;
                let mut read = one(from, place);
                let given = self.imports.input(name).and_then(|found| found.given);
                let said = given.and_then(|(above, entry)| self.said_by(above, &entry.value));
                let is_new = is_import && seen.insert(format!("inputs.{name}"));
                if let (true, Some((above, found))) = (is_new, said) {
                    read.reads = self.deeper(above, &found, &[], values, seen);
                }
                vec![read]
            }
            ("vars", Some(name)) => {
                let place = match self.plan.vars.get(name) {
                    Some(Var::Template(expr) | Var::Cel(expr)) => Some(expr.place),
                    _ => None,
                };
                let var = self.imports.var(name);
                // A text that an import gives for an input, and that is known only later.
                let given = self.imports.input(name).and_then(|found| found.given);
                let (from, said) = match (var, given) {
                    (Some(var), _) => (From::Variable, self.said_by(var.branch, &var.entry.value)),
                    (None, Some((above, e))) => (From::Import, self.said_by(above, &e.value)),
                    (None, None) => (From::Variable, None),
                };
                let place = place.or_else(|| Some(self.written.key(var?.entry)));
                let mut read = one(from, place);
                // A variable has one value per run: no instance says anything about it. What it
                // reads is said once, or variables that read each other would never end.
                if let (true, Some((branch, found))) = (seen.insert(format!("vars.{name}")), said) {
                    read.reads = self.deeper(branch, &found, &[], values, seen);
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
        let found = self.imports.input(name);
        let declared = found.map(|found| found.entry);
        let place = declared.map(|e| self.written.key(e));
        let Some(input) = self.plan.inputs.get(name) else {
            return (From::Unknown, place);
        };
        if let Some(secret) = &input.secret {
            return (From::Secret(secret.clone()), place);
        }
        if let Some((_, given)) = found.and_then(|found| found.given) {
            return (From::Import, Some(self.written.place(&given.value)));
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
