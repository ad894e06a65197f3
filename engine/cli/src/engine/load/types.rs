//! Step types: shipped, the engine's own, and those beside runbooks.

use std::path::{Path, PathBuf};

use runbook_lang::ast::Runbook;
use runbook_lang::diagnostic::nearest;
use runbook_lang::steptype::{Catalog, SHIPPED};
use runbook_model::StepType;
use runbook_model::text::printable;

use super::file::{self, beside};
use super::reader::Reader;
use crate::error::Error;

/// The directory beside a runbook that holds step types of its own.
pub(super) const TYPES: &str = "types";
/// More files of types are not read.
const MOST_TYPES: usize = 1_000;

/// All step types: shipped, the engine's own, and those beside a runbook.
pub(crate) fn types(beside: Option<&Path>) -> Result<Vec<StepType>, Error> {
    let mut reader = Reader::new();
    let mut catalog = Catalog::new();
    reader.shipped(&mut catalog, |_| true);
    if let Some(file) = beside {
        reader.beside(&mut catalog, file);
    }
    match reader.diagnostics.has_errors() {
        true => Err(reader.mistakes()),
        false => Ok(catalog.iter().cloned().collect()),
    }
}

/// The one type of this name.
pub(crate) fn type_named(types: Vec<StepType>, name: &str) -> Result<StepType, Error> {
    let hint =
        nearest(name, types.iter().map(|t| t.name.as_str())).map(|n| format!("did you mean {n}?"));
    types
        .into_iter()
        .find(|t| t.name == name)
        .ok_or_else(|| Error::Typed {
            message: format!("there is no step type `{}`", printable(name)),
            hint: hint.or_else(|| Some("list them: runbook steps".into())),
        })
}

impl Reader {
    /// The types that a runbook names. If it names one that does not exist, all of them, so that
    /// the suggestion is a good one.
    pub(super) fn catalog(&mut self, folders: &[PathBuf], runbook: Option<&Runbook>) -> Catalog {
        let mut catalog = Catalog::new();
        for folder in folders {
            self.types_in(&mut catalog, folder);
        }
        let used: Vec<&str> = runbook
            .into_iter()
            .flat_map(Runbook::steps)
            .map(|(_, step)| step.uses.value.as_str())
            .collect();
        self.shipped(&mut catalog, |name| used.contains(&name));
        if used.iter().any(|name| catalog.get(name).is_none()) {
            self.shipped(&mut catalog, |name| !used.contains(&name));
        }
        catalog
    }

    pub(super) fn shipped(&mut self, catalog: &mut Catalog, wanted: impl Fn(&str) -> bool) {
        for (name, text) in runbook_steps::TYPES.iter().filter(|(name, _)| wanted(name)) {
            if let Some(source) = self.add(&format!("<{name}.yaml>"), text.as_bytes()) {
                let found = catalog.add(name, SHIPPED, &source);
                self.diagnostics.extend(found);
            }
        }
    }

    /// Types beside a runbook.
    pub(super) fn beside(&mut self, catalog: &mut Catalog, file: &Path) {
        self.types_in(catalog, &beside(file, ""));
    }

    /// Types in a directory of their own below this one; without such a directory there are none.
    fn types_in(&mut self, catalog: &mut Catalog, folder: &Path) {
        let Ok(entries) = std::fs::read_dir(folder.join(TYPES)) else {
            return;
        };
        let mut files: Vec<PathBuf> = entries
            .take(MOST_TYPES)
            .filter_map(|e| Some(e.ok()?.path()))
            .collect();
        files.retain(|path| path.extension().is_some_and(|e| e == "yaml"));
        files.sort();
        for path in files {
            let name = path.to_string_lossy().into_owned();
            let stem = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let Ok(bytes) = file::read(&path) else {
                continue;
            };
            if let Some(source) = self.add(&name, &bytes) {
                let found = catalog.add(&stem, &name, &source);
                self.diagnostics.extend(found);
            }
        }
    }
}
