//! The shipped runbooks with everything that they import, compiled as the command line does it. The step types are read once.

use std::collections::BTreeMap;
use std::fs;

use runbook_lang::ast::{Runbook, parse_runbook};
use runbook_lang::compile::{Given, Request, compile};
use runbook_lang::diagnostic::Diagnostics;
use runbook_lang::import;
use runbook_lang::inventory::parse_inventory;
use runbook_lang::source::{Source, SourceId, Sources};
use runbook_lang::steptype::{Catalog, SHIPPED};
use runbook_model::Plan;

use crate::root;

/// What was read so far.
#[derive(Debug)]
pub struct Shipped {
    sources: Sources,
    catalog: Catalog,
    /// Runbooks by the name of their file.
    files: BTreeMap<String, Source>,
}

impl Shipped {
    /// The step types.
    ///
    /// # Panics
    /// If there is a mistake in one.
    #[must_use]
    pub fn types() -> Self {
        let mut sources = Sources::new();
        let mut catalog = Catalog::new();
        let mut found = Diagnostics::new();
        for (name, text) in runbook_steps::TYPES {
            let source = sources.add(name, text.as_bytes());
            let source = source.unwrap_or_else(|d| panic!("{name}: {}", d.message));
            found.extend(catalog.add(name, SHIPPED, &source));
        }
        assert!(found.is_empty(), "{}", found.render(&sources));
        Self {
            sources,
            catalog,
            files: BTreeMap::new(),
        }
    }

    /// A runbook by the name of its file, with those that it imports.
    ///
    /// # Errors
    /// All mistakes, as text.
    pub fn runbook(&mut self, name: &str) -> Result<(Source, Runbook), String> {
        let source = self.file(name)?;
        let (runbook, mut found) = parse_runbook(&source);
        let Some(runbook) = runbook else {
            return Err(found.render(&self.sources));
        };
        let (runbook, more) = import::link(runbook, self);
        found.extend(more);
        match found.is_empty() {
            true => Ok((source, runbook)),
            false => Err(found.render(&self.sources)),
        }
    }

    /// Compiles it for the hosts of an inventory, whose text this is.
    ///
    /// # Errors
    /// All mistakes, as text.
    pub fn compile(
        &mut self,
        (source, runbook): &(Source, Runbook),
        inventory: &str,
        given: &Given,
    ) -> Result<Plan, String> {
        let hosts = self
            .sources
            .add("inventory.yaml", inventory.as_bytes())
            .map_err(|d| d.message)?;
        let (inventory, mut found) = parse_inventory(&hosts);
        let Some(inventory) = inventory else {
            return Err(found.render(&self.sources));
        };
        let (plan, more) = compile(&Request {
            sources: &self.sources,
            source,
            runbook,
            inventory: &inventory,
            catalog: &self.catalog,
            given,
            allow_missing: false,
        });
        found.extend(more);
        match plan {
            Some(plan) if found.is_empty() => Ok(plan),
            _ => Err(found.render(&self.sources)),
        }
    }

    fn file(&mut self, name: &str) -> Result<Source, String> {
        if let Some(source) = self.files.get(name) {
            return Ok(source.clone());
        }
        let path = root().join("runbooks").join(name);
        let bytes = fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let source = self.sources.add(name, &bytes).map_err(|d| d.message)?;
        self.files.insert(name.to_owned(), source.clone());
        Ok(source)
    }
}

impl import::Files for Shipped {
    fn read(&mut self, _: SourceId, file: &str) -> Result<Option<Source>, String> {
        // They all lie in one directory.
        self.file(file).map(Some)
    }
}
