//! Runbooks that import each other: each file once, found beside the one that names it.

use std::path::{Path, PathBuf};

use runbook_lang::ast::Runbook;
use runbook_lang::import;
use runbook_lang::source::{Source, SourceId};

use super::file::{self, beside, real};
use super::reader::Reader;

/// The files that imports name, each read once.
pub(super) struct Imports<'r> {
    reader: &'r mut Reader,
    /// Where each runbook comes from, as it was named and as it is.
    paths: Vec<(PathBuf, PathBuf, Option<Source>)>,
    /// The same of text files.
    texts: Vec<(PathBuf, Option<Source>)>,
}

impl<'r> Imports<'r> {
    pub(super) fn of(reader: &'r mut Reader, file: &Path, source: Option<&Source>) -> Self {
        Self {
            reader,
            paths: vec![(file.to_owned(), real(file), source.cloned())],
            texts: Vec::new(),
        }
    }

    pub(super) fn link(&mut self, runbook: Runbook) -> Runbook {
        let (runbook, found) = import::link(runbook, self);
        self.reader.diagnostics.extend(found);
        runbook
    }

    /// The directories of all files, each once.
    pub(super) fn folders(self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = Vec::new();
        let mut seen = Vec::new();
        for (path, real, _) in self.paths {
            let of_real = beside(&real, "");
            if !seen.contains(&of_real) {
                seen.push(of_real);
                folders.push(beside(&path, ""));
            }
        }
        folders
    }
}

impl import::Files for Imports<'_> {
    fn read(&mut self, from: SourceId, file: &str) -> Result<Option<Source>, String> {
        let path = self.path(from, file);
        let real = real(&path);
        if let Some((_, _, source)) = self.paths.iter().find(|(_, known, _)| *known == real) {
            return Ok(source.clone());
        }
        let source = self.add(&path)?;
        self.paths.push((path, real, source.clone()));
        Ok(source)
    }

    fn text(&mut self, from: SourceId, file: &str) -> Result<Option<Source>, String> {
        let path = self.path(from, file);
        let real = real(&path);
        if let Some((_, source)) = self.texts.iter().find(|(known, _)| *known == real) {
            return Ok(source.clone());
        }
        let source = self.add(&path)?;
        self.texts.push((real, source.clone()));
        Ok(source)
    }
}

impl Imports<'_> {
    /// A file that is named in another one.
    fn path(&self, from: SourceId, file: &str) -> PathBuf {
        let is_from = |source: &Option<Source>| source.as_ref().is_some_and(|s| s.id() == from);
        let base = self.paths.iter().find(|(_, _, source)| is_from(source));
        base.map_or_else(|| PathBuf::from(file), |(path, ..)| beside(path, file))
    }

    fn add(&mut self, path: &Path) -> Result<Option<Source>, String> {
        let bytes = file::read(path).map_err(|error| error.to_string())?;
        Ok(self.reader.add(&path.to_string_lossy(), &bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imported_files_are_found_beside_the_one_that_names_them_and_so_are_their_types() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        };
        let main = write(
            "main.yaml",
            "runbook: main\nphases: [{ phase: a, import: { file: sub/one.yaml } }, { phase: b, import: { file: ./sub/../sub/one.yaml } }]\n",
        );
        write(
            "sub/one.yaml",
            "runbook: one\nphases: [{ phase: x, import: { file: two.yaml } }]\n",
        );
        write(
            "sub/two.yaml",
            "runbook: two\nsteps: [{ step: s, uses: own.look }, { step: t, uses: template, with: { path: /a, source: ../texts/a.conf } }]\n",
        );
        write("texts/a.conf", "a {{run.id}}\n");
        write("texts/types/other.yaml", "no step type at all\n");
        write(
            "sub/types/own.look.yaml",
            "type: own.look\nsummary: A look\nparams: {}\nprobe: true\ncheck: 'true'\n",
        );
        let mut reader = Reader::new();
        let source = reader.read("runbook", &main).unwrap();
        let (runbook, catalog) = reader.runbook(&main, source.as_ref());
        assert_eq!(reader.diagnostics.render(&reader.sources), "");
        let runbook = runbook.unwrap();
        let steps: Vec<_> = runbook
            .steps()
            .map(|(_, step)| step.id.value.as_str())
            .collect();
        assert_eq!(steps, ["a_x_s", "a_x_t", "b_x_s", "b_x_t"]);
        assert!(catalog.get("own.look").is_some());
        let read = |name: &str| {
            reader
                .sources
                .iter()
                .filter(|s| s.name().ends_with(name))
                .count()
        };
        assert_eq!(
            (read("one.yaml"), read("two.yaml"), read("a.conf")),
            (1, 1, 1),
            "each file is read once"
        );
    }
}
