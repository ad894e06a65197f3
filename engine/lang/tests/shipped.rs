//! Every shipped step type loads, and its examples fit its parameters.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

use std::fs;
use std::path::Path;

use runbook_lang::source::Sources;
use runbook_lang::steptype::{Catalog, INTO_FILES, SHIPPED};

/// All shipped types, and what is wrong with them.
fn shipped() -> (Catalog, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stdlib-steps/types");
    let mut sources = Sources::new();
    let mut catalog = Catalog::new();
    let mut rendered = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let source = sources
            .add(&format!("{stem}.yaml"), &fs::read(&path).unwrap())
            .unwrap();
        rendered += &catalog.add(&stem, SHIPPED, &source).render(&sources);
    }
    (catalog, rendered)
}

#[test]
fn every_shipped_type_loads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stdlib-steps/types");
    let count = fs::read_dir(folder).unwrap().count();
    let (catalog, rendered) = shipped();
    assert_eq!(rendered, "");
    assert!(count > 0 && catalog.iter().filter(|t| t.origin == SHIPPED).count() == count);
}

#[test]
fn secrets_go_into_files_as_messages_say() {
    let (catalog, _) = shipped();
    let takes = |name: &str| {
        catalog
            .get(name)
            .is_some_and(|t| t.params["secrets"].secret)
    };
    for name in INTO_FILES {
        assert!(takes(name), "{name}");
    }
}
