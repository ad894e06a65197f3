//! What the suites over the whole share: the house itself, its compiler, and what drives the
//! binary on the lab: a terminal, the journal as it grows, and the proofs.

pub mod canary;
pub mod chance;
pub mod client;
pub mod effects;
pub mod kills;
pub mod lab;
pub mod operator;
pub mod pair;
pub mod proof;
pub mod shipped;
pub mod tail;
pub mod terminal;
pub mod tools;

use std::path::{Path, PathBuf};

use runbook_lang::ast::parse_runbook;
use runbook_lang::compile::{Given, Request, compile};
use runbook_lang::diagnostic::{Diagnostic, Diagnostics};
use runbook_lang::inventory::parse_inventory;
use runbook_lang::source::Sources;
use runbook_lang::steptype::{Catalog, SHIPPED};
use runbook_model::Plan;

/// The top of the house.
#[must_use]
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests
        .parent()
        .expect("the tests lie inside the house")
        .to_path_buf()
}

/// Compiles texts with the shipped step types.
///
/// # Errors
/// All diagnostics, as text.
pub fn compile_texts(
    runbook: &str,
    inventory: &str,
    given: &Given,
    allow_missing: bool,
) -> Result<Plan, String> {
    let mut sources = Sources::new();
    let refused = |diagnostic: Diagnostic| diagnostic.message;
    let source = sources
        .add("runbook.yaml", runbook.as_bytes())
        .map_err(refused)?;
    let inventory = sources
        .add("inventory.yaml", inventory.as_bytes())
        .map_err(refused)?;
    let mut catalog = Catalog::new();
    let mut types = Sources::new();
    let (runbook, mut diagnostics) = parse_runbook(&source);
    let (inventory, found) = parse_inventory(&inventory);
    diagnostics.extend(found);
    let mut of_types = Diagnostics::new();
    for (name, text) in runbook_steps::TYPES {
        let source = types.add(name, text.as_bytes()).map_err(refused)?;
        of_types.extend(catalog.add(name, SHIPPED, &source));
    }
    if !of_types.is_empty() {
        return Err(of_types.render(&types));
    }
    if let (Some(runbook), Some(inventory)) = (&runbook, &inventory) {
        let request = Request {
            sources: &sources,
            source: &source,
            runbook,
            inventory,
            catalog: &catalog,
            given,
            allow_missing,
        };
        let (plan, found) = compile(&request);
        diagnostics.extend(found);
        if let (Some(plan), true) = (plan, diagnostics.is_empty()) {
            return Ok(plan);
        }
    }
    Err(diagnostics.render(&sources))
}
