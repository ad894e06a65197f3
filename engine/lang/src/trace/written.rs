//! The texts of a plan, read again: where a step, an input or a variable of a host is written.

use runbook_model::Plan;
use runbook_model::step::Place;

use crate::diagnostic::Diagnostics;
use crate::source::{Source, SourceId, Sources};
use crate::yaml::{self, Entry, Node};

/// The trees of all texts that could be read.
pub(super) struct Written {
    sources: Sources,
    trees: Vec<(SourceId, String, Node)>,
}

/// A step as it is written, in its phase.
pub(super) struct Site<'w> {
    step: &'w Node,
    phase: Option<&'w Node>,
}

impl Written {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut sources = Sources::new();
        let mut trees = Vec::new();
        for text in &plan.sources {
            // Step types hold neither steps nor hosts.
            let is_type = text.text.starts_with("type:");
            let read = sources.add(&text.name, text.text.as_bytes());
            if let (Ok(source), false) = (read, is_type) {
                trees.push(tree(&source));
            }
        }
        Self { sources, trees }
    }

    /// The step whose name stands at this place.
    pub(super) fn step(&self, place: Place) -> Option<Site<'_>> {
        let (_, _, tree) = self.trees.iter().find(|(id, _, _)| id.0 == place.source)?;
        find_step(tree, None, &|node| self.place(node) == place)
    }

    /// Where a value is written.
    pub(super) fn place(&self, node: &Node) -> Place {
        self.sources.place(node.span)
    }

    /// Where a key is written.
    pub(super) fn key(&self, entry: &Entry) -> Place {
        self.sources.place(entry.key.span)
    }

    /// What the runbooks say under a key.
    pub(super) fn runbook<'w>(&'w self, key: &'w str) -> impl Iterator<Item = &'w Node> {
        self.having("runbook", key)
    }

    /// What the inventory says under a key.
    pub(super) fn inventory<'w>(&'w self, key: &'w str) -> impl Iterator<Item = &'w Node> {
        self.having("hosts", key)
    }

    /// The runbook of this name, and the name of its text. A file of scenarios may name one, too.
    pub(super) fn runbook_named(&self, name: &str) -> Option<(&str, &Node)> {
        self.texts().find(|(_, tree)| {
            let is_named = tree.get("runbook").and_then(Node::as_str) == Some(name);
            is_named && tree.get("scenarios").is_none()
        })
    }

    /// All texts by name.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.trees
            .iter()
            .map(|(_, name, tree)| (name.as_str(), tree))
    }

    fn having<'w>(&'w self, root: &'w str, key: &'w str) -> impl Iterator<Item = &'w Node> {
        self.trees
            .iter()
            .filter(move |(_, _, tree)| tree.get(root).is_some())
            .filter_map(move |(_, _, tree)| tree.get(key))
    }

    /// The text of this name.
    pub(super) fn named(&self, wanted: &str) -> Option<&Node> {
        self.trees
            .iter()
            .find(|(_, name, _)| name == wanted)
            .map(|(_, _, tree)| tree)
    }
}

/// An entry of a map.
pub(super) fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    node.as_map()?.iter().find(|e| e.key.value == key)
}

impl<'w> Site<'w> {
    /// The name of the step in its file.
    pub(super) fn id(&self) -> Option<&'w str> {
        self.step.get("step")?.as_str()
    }

    /// What else the step evaluates, by the words for it.
    pub(super) fn condition(&self, what: &str) -> Option<&'w Node> {
        match what {
            "until fatal" => self.step.get("until")?.get("fatal"),
            "phase when" => self.phase?.get("when"),
            key => self.step.get(key),
        }
    }

    /// An argument of the step.
    pub(super) fn argument(&self, name: &str) -> Option<&'w Node> {
        self.step.get("with")?.get(name)
    }

    /// What the step says of where it runs and what it waits for; where it says nothing of its
    /// hosts, what its phase says.
    pub(super) fn selectors(&self) -> Vec<(String, &'w Node)> {
        let mut out: Vec<(String, &Node)> = Vec::new();
        let own = ["on", "via", "as", "for_each", "needs"];
        for key in own {
            if let Some(node) = self.step.get(key) {
                out.push((key.to_owned(), node));
            }
        }
        let Some(phase) = self.phase else { return out };
        if let (None, Some(on)) = (self.step.get("on"), phase.get("on")) {
            out.insert(0, ("phase on".to_owned(), on));
        }
        if let Some(rolling) = phase.get("rolling") {
            out.push(("phase rolling".to_owned(), rolling));
        }
        out
    }
}

fn tree(source: &Source) -> (SourceId, String, Node) {
    let node = yaml::read(source, &mut Diagnostics::new());
    (source.id(), source.name().to_owned(), node)
}

/// Down to the map whose `step` is the wanted one; the last map with a `phase` on the way is its
/// phase. Trees are no deeper than the reader allows.
fn find_step<'n>(
    node: &'n Node,
    phase: Option<&'n Node>,
    wanted: &dyn Fn(&Node) -> bool,
) -> Option<Site<'n>> {
    if let Some(entries) = node.as_map() {
        if node.get("step").is_some_and(wanted) {
            return Some(Site { step: node, phase });
        }
        let phase = match node.get("phase") {
            Some(_) => Some(node),
            None => phase,
        };
        return entries
            .iter()
            .find_map(|e| find_step(&e.value, phase, wanted));
    }
    node.as_seq()?
        .iter()
        .find_map(|item| find_step(item, phase, wanted))
}
