//! Which runbook a name of the whole belongs to: what an import brings in has a prefix, and its
//! texts say the names of its own file.

use std::path::{Component, Path, PathBuf};

use runbook_model::Plan;
use runbook_model::step::Place;

use super::written::{Written, entry};
use crate::import::{DEEPEST, MOST};
use crate::scope::Segment;
use crate::template::Template;
use crate::yaml::{Entry, Node};

/// The runbook that is run, among all of them.
pub(super) const ROOT: usize = 0;

/// The runbooks of a plan, the one that is run first.
pub(super) struct Imports<'w> {
    branches: Vec<Branch<'w>>,
}

/// A runbook in its place.
struct Branch<'w> {
    /// Before all its names.
    prefix: String,
    tree: &'w Node,
    /// The runbook that imports it, and the phase that does.
    importer: Option<(usize, &'w Node)>,
}

impl<'w> Branch<'w> {
    /// A part of what the import says.
    fn import(&self, key: &str) -> Option<&'w Node> {
        let (_, phase) = self.importer?;
        phase.get("import")?.get(key)
    }
}

/// A name where it is written.
#[derive(Clone, Copy)]
pub(super) struct Named<'w> {
    /// The runbook that it is written in.
    pub(super) branch: usize,
    /// The entry of the runbook that the name belongs to.
    pub(super) entry: &'w Entry,
    /// The entry of the import that gives it, and the runbook that imports.
    pub(super) given: Option<(usize, &'w Entry)>,
}

impl<'w> Imports<'w> {
    /// Follows the imports of the runbook of this name.
    pub(super) fn of(written: &'w Written, runbook: &str) -> Self {
        let mut imports = Self {
            branches: Vec::new(),
        };
        if let Some((file, tree)) = written.runbook_named(runbook) {
            let root = Branch {
                prefix: String::new(),
                tree,
                importer: None,
            };
            imports.follow(written, file, root, 0);
        }
        imports
    }

    fn follow(&mut self, written: &'w Written, file: &str, branch: Branch<'w>, depth: usize) {
        if depth > DEEPEST || self.branches.len() > MOST {
            return;
        }
        let (tree, prefix) = (branch.tree, branch.prefix.clone());
        let at = self.branches.len();
        self.branches.push(branch);
        let own = tree.get("phases");
        let back = tree.get("rollback").and_then(|back| back.get("phases"));
        let phases = own.into_iter().chain(back);
        for phase in phases.filter_map(Node::as_seq).flatten() {
            let Some(import) = phase.get("import") else {
                continue;
            };
            let name = import.get("as").or_else(|| phase.get("phase"));
            let named = name.and_then(Node::as_str);
            let found = import.get("file").and_then(Node::as_str);
            let found = found.and_then(|path| beside(written, file, path));
            if let (Some(name), Some((file, tree))) = (named, found) {
                let branch = Branch {
                    prefix: format!("{prefix}{name}_"),
                    tree,
                    importer: Some((at, phase)),
                };
                self.follow(written, file, branch, depth + 1);
            }
        }
    }

    /// The runbook that a step of the whole is written in, by its name there.
    pub(super) fn of_step(&self, whole: &str, own: &str, place: Place) -> usize {
        let is_it = |branch: &Branch<'_>| {
            let rest = whole.strip_prefix(&branch.prefix);
            rest == Some(own) && branch.tree.span.source.0 == place.source
        };
        self.branches.iter().position(is_it).unwrap_or(ROOT)
    }

    /// Whether an import on the way to this runbook has a `when`, which every phase of it has, too.
    pub(super) fn is_conditional(&self, mut branch: usize) -> bool {
        while let Some((above, phase)) = self.branches.get(branch).and_then(|of| of.importer) {
            if phase.get("when").is_some() {
                return true;
            }
            branch = above;
        }
        false
    }

    /// Where an input is declared, and what gives it.
    pub(super) fn input(&self, name: &str) -> Option<Named<'w>> {
        self.branches.iter().enumerate().find_map(|(at, branch)| {
            let name = name.strip_prefix(&branch.prefix)?;
            let given = branch.import("with").and_then(|with| entry(with, name));
            Some(Named {
                branch: at,
                entry: entry(branch.tree.get("inputs")?, name)?,
                given: given.and_then(|entry| Some((branch.importer?.0, entry))),
            })
        })
    }

    /// Where a variable is written; an output of an imported runbook is one.
    pub(super) fn var(&self, name: &str) -> Option<Named<'w>> {
        self.branches.iter().enumerate().find_map(|(at, branch)| {
            let name = name.strip_prefix(&branch.prefix)?;
            let var = branch.tree.get("vars").and_then(|vars| entry(vars, name));
            let output = || entry(branch.tree.get("outputs")?, name.strip_prefix("out_")?);
            Some(Named {
                branch: at,
                entry: var.or_else(output)?,
                given: None,
            })
        })
    }

    /// The name of the whole that a path in a text of a runbook stands for.
    pub(super) fn whole(&self, plan: &Plan, branch: usize, path: &[Segment]) -> Vec<Segment> {
        let same = || path.to_vec();
        let Some(of) = self.branches.get(branch) else {
            return same();
        };
        let name = |at: usize| path.get(at).and_then(Segment::name);
        let (Some(root), Some(first)) = (name(0), name(1)) else {
            return same();
        };
        let long = format!("{}{first}", of.prefix);
        let under = |root: &str, name: String, rest: usize| {
            let begin = [root.to_owned(), name].map(Segment::Name);
            let rest = path.get(rest..).unwrap_or_default();
            begin.into_iter().chain(rest.iter().cloned()).collect()
        };
        match root {
            "inputs" if plan.inputs.contains_key(&long) => under(root, long, 2),
            // What is given for it is known only during the run.
            "inputs" if branch != ROOT && plan.vars.contains_key(&long) => under("vars", long, 2),
            "inputs" => {
                let given = of.import("with").and_then(|with| with.get(first)?.as_str());
                let text = given.and_then(|text| Template::parse(text).ok());
                let single = text.as_ref().and_then(Template::single_path);
                match (single, of.importer) {
                    (Some(given), Some((above, _))) => {
                        let rest = path.get(2..).unwrap_or_default();
                        self.whole(plan, above, &[given, rest].concat())
                    }
                    _ => same(),
                }
            }
            "vars" if plan.vars.contains_key(&long) => under(root, long, 2),
            "steps" => {
                let output = name(3).filter(|_| name(2) == Some("outputs"));
                let output = output.map(|output| format!("{long}_out_{output}"));
                match output.filter(|var| plan.vars.contains_key(var)) {
                    Some(var) => under("vars", var, 4),
                    None => under(root, long, 2),
                }
            }
            "groups" => under(root, self.group(branch, first), 2),
            _ => same(),
        }
    }

    /// What a group of a runbook is called in the whole.
    fn group(&self, mut branch: usize, name: &str) -> String {
        let mut name = name.to_owned();
        while let Some(of) = self.branches.get(branch) {
            let ours = of.import("groups").and_then(|all| all.get(&name)?.as_str());
            name = ours.map_or(name, str::to_owned);
            match of.importer {
                Some((above, _)) => branch = above,
                None => break,
            }
        }
        name
    }
}

/// The text that is named in another one. Names are compared without detours; what a link leads to
/// nobody knows any more.
fn beside<'w>(written: &'w Written, from: &str, file: &str) -> Option<(&'w str, &'w Node)> {
    let folder = Path::new(from).parent().unwrap_or(Path::new(""));
    let wanted = plain(&folder.join(file));
    written
        .texts()
        .find(|(name, _)| plain(Path::new(name)) == wanted)
}

fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(out.components().next_back(), Some(Component::Normal(_))) =>
            {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_compared_without_detours() {
        for (path, wanted) in [
            ("a/./b/../c.yaml", "a/c.yaml"),
            ("../a.yaml", "../a.yaml"),
            ("a/../../b", "../b"),
            ("/../a", "/../a"),
            ("./a", "a"),
        ] {
            assert_eq!(plain(Path::new(path)), Path::new(wanted), "{path}");
        }
    }
}
