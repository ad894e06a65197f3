//! A file that is read as something that it is not: one message instead of one for every key.

use std::path::Path;

use crate::diagnostic::Code;
use crate::fields::Cx;
use crate::yaml::{Key, Node};

/// What a file is by the keys at its top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Runbook,
    Type,
    Inventory,
    Scenarios,
}

/// The keys that only one kind of file has at its top; scenarios may name a `runbook` too.
const MARKS: [(&str, Kind); 6] = [
    ("scenarios", Kind::Scenarios),
    ("runbook", Kind::Runbook),
    ("phases", Kind::Runbook),
    ("steps", Kind::Runbook),
    ("type", Kind::Type),
    ("hosts", Kind::Inventory),
];

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Self::Runbook => "a runbook",
            Self::Type => "a step type",
            Self::Inventory => "an inventory",
            Self::Scenarios => "a file of scenarios",
        }
    }

    /// What to type for such a file.
    fn command(self, file: &str) -> String {
        let folder = Path::new(file).parent();
        let in_types = folder.is_some_and(|folder| folder.ends_with("types"));
        match self {
            Self::Runbook => format!("check it with `runbook check {file}`"),
            Self::Type if in_types => format!("try it with `runbook test {file}`"),
            Self::Type => {
                "put it into a directory `types` beside the runbook that uses it, and try it with `runbook test types/NAME.yaml`".to_owned()
            }
            Self::Inventory => {
                format!("name it beside the runbook: `runbook check RUNBOOK -i {file}`")
            }
            Self::Scenarios => format!("try it with `runbook test {file}`"),
        }
    }
}

/// Says so if a file is another kind than the one that it is read as.
pub(crate) fn is_other(cx: &mut Cx<'_>, tree: &Node, wanted: Kind) -> bool {
    let found: Vec<(Kind, &Key)> = marks(tree).collect();
    let Some((kind, key)) = found.first().copied() else {
        return false;
    };
    let is_wanted = found.iter().any(|(kind, _)| *kind == wanted);
    if kind == wanted || is_wanted && kind != Kind::Scenarios {
        return false;
    }
    let message = format!("this is {}, not {}", kind.noun(), wanted.noun());
    let help = kind.command(cx.source.name());
    cx.error(Code::WrongFile, message, key.span, "", Some(help));
    true
}

fn marks(tree: &Node) -> impl Iterator<Item = (Kind, &Key)> {
    let entries = tree.as_map().unwrap_or_default();
    MARKS.iter().filter_map(move |(mark, kind)| {
        let entry = entries.iter().find(|entry| entry.key.value == *mark)?;
        Some((*kind, &entry.key))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Diagnostics;
    use crate::source::Sources;

    fn said(file: &str, text: &str, wanted: Kind) -> Option<String> {
        let mut sources = Sources::new();
        let source = sources.add(file, text.as_bytes()).unwrap();
        let mut diagnostics = Diagnostics::new();
        let tree = crate::yaml::read(&source, &mut diagnostics);
        let is_other = is_other(&mut Cx::new(&source, &mut diagnostics), &tree, wanted);
        let said = diagnostics.into_iter().next();
        assert_eq!(is_other, said.is_some());
        said.map(|said| format!("{}; {}", said.message, said.help.unwrap_or_default()))
    }

    #[test]
    fn a_file_is_known_by_its_first_keys() {
        let of = |file: &str, text: &str| said(file, text, Kind::Runbook);
        assert_eq!(
            of("a/types/own.x.yaml", "type: own.x\n").as_deref(),
            Some(
                "this is a step type, not a runbook; try it with `runbook test a/types/own.x.yaml`"
            )
        );
        assert_eq!(
            of("b.yaml", "hosts: {}\n").as_deref(),
            Some(
                "this is an inventory, not a runbook; name it beside the runbook: `runbook check RUNBOOK -i b.yaml`"
            )
        );
        assert!(of("c.test.yaml", "runbook: a.yaml\nscenarios: []\n").is_some());
        for runbook in [
            "runbook: a\nhosts: all\n",
            "hosts: all\nsteps: []\n",
            "a: 1\n",
        ] {
            assert_eq!(of("d.yaml", runbook), None, "{runbook}");
        }
        let inventory = |text: &str| said("i.yaml", text, Kind::Inventory);
        assert!(inventory("runbook: a\nsteps: []\n").is_some());
        assert_eq!(inventory("hosts: {}\ntype: x\n"), None);
    }
}
