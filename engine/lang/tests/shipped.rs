//! Every shipped step type loads, and its examples fit its parameters.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read its files fails"
)]

use std::fs;
use std::path::Path;

use runbook_lang::source::Sources;
use runbook_lang::steptype::{Catalog, SHIPPED};

#[test]
fn every_shipped_type_loads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stdlib-steps/types");
    let mut sources = Sources::new();
    let mut catalog = Catalog::new();
    let mut rendered = String::new();
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let source = sources
            .add(&format!("{stem}.yaml"), &fs::read(&path).unwrap())
            .unwrap();
        rendered += &catalog.add(&stem, SHIPPED, &source).render(&sources);
        count += 1;
    }
    assert_eq!(rendered, "");
    assert!(count > 0 && catalog.iter().filter(|t| t.origin == SHIPPED).count() == count);
}
