//! Texts that are read one after the other, and everything that is wrong with them.

use std::path::Path;

use runbook_lang::ast::{Runbook, parse_runbook};
use runbook_lang::diagnostic::{Code, Diagnostics};
use runbook_lang::inventory::{Inventory, parse_inventory};
use runbook_lang::source::{Source, Sources};
use runbook_lang::steptype::Catalog;

use super::file::{self, beside};
use super::imports::Imports;
use crate::error::Error;

/// Reads texts and collects what is wrong with them.
pub(super) struct Reader {
    pub(super) sources: Sources,
    pub(super) diagnostics: Diagnostics,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self {
            sources: Sources::new(),
            diagnostics: Diagnostics::new(),
        }
    }

    /// What is wrong, as the end of the command.
    pub(super) fn mistakes(self) -> Error {
        Error::Mistakes {
            diagnostics: self.diagnostics,
            sources: self.sources,
            also: None,
        }
    }

    /// A file as a source; none if it is no text that can be read, which is then reported.
    pub(super) fn read(
        &mut self,
        what: &'static str,
        path: &Path,
    ) -> Result<Option<Source>, Error> {
        let bytes = file::read(path).map_err(|source| Error::Read {
            what,
            path: path.to_owned(),
            source,
        })?;
        Ok(self.add(&path.to_string_lossy(), &bytes))
    }

    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> Option<Source> {
        self.sources
            .add(name, bytes)
            .map_err(|mistake| self.diagnostics.push(mistake))
            .ok()
    }

    pub(super) fn parse<T>(&mut self, (parsed, found): (Option<T>, Diagnostics)) -> Option<T> {
        self.diagnostics.extend(found);
        parsed
    }

    /// A runbook with everything that it imports, and the types that can be used in it.
    pub(super) fn runbook(
        &mut self,
        file: &Path,
        source: Option<&Source>,
    ) -> (Option<Runbook>, Catalog) {
        let runbook = source.and_then(|source| self.parse(parse_runbook(source)));
        let mut files = Imports::of(self, file, source);
        let runbook = runbook.map(|runbook| files.link(runbook));
        let folders = files.folders();
        let catalog = self.catalog(&folders, runbook.as_ref());
        (runbook, catalog)
    }

    /// An inventory, with paths that mean the same from everywhere.
    pub(super) fn inventory(&mut self, file: &Path) -> Result<Option<Inventory>, Error> {
        let source = self.read("inventory", file)?;
        let inventory = source.and_then(|source| self.parse(parse_inventory(&source)));
        Ok(inventory.map(|inventory| with_paths(inventory, file)))
    }

    /// Whether a file is another kind than the one that it was read as.
    pub(super) fn misread(&self) -> bool {
        self.diagnostics.iter().any(|d| d.code == Code::WrongFile)
    }
}

/// An `ssh_config` is named relative to the inventory, or to the home directory.
pub(super) fn with_paths(mut inventory: Inventory, file: &Path) -> Inventory {
    let home = std::env::var("HOME").unwrap_or_default();
    for def in &mut inventory.hosts {
        let config = &mut def.host.connection.ssh_config;
        *config = config.take().map(|path| match path.strip_prefix("~/") {
            Some(rest) => format!("{home}/{rest}"),
            None => beside(file, &path).to_string_lossy().into_owned(),
        });
    }
    inventory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ssh_config_is_found_beside_the_inventory() {
        let text = b"hosts: { a: {}, b: { connection: { ssh_config: /etc/x } } }\nconnection: { ssh_config: lab/config }\n";
        let source = Sources::new().add("inventory.yaml", text).unwrap();
        let inventory = parse_inventory(&source).0.unwrap();
        let inventory = with_paths(inventory, Path::new("/srv/site/inventory.yaml"));
        let found: Vec<_> = inventory
            .hosts
            .iter()
            .filter_map(|def| def.host.connection.ssh_config.as_deref())
            .collect();
        assert_eq!(found, ["/srv/site/lab/config", "/etc/x"]);
    }
}
