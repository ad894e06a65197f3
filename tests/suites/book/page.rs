//! A page whose end is generated: what stands above the mark is written by hand and kept.

use std::fs;

use crate::book;

/// Below this line everything is generated.
const MARK: &str = "<!-- Below this line everything is made by `RUNBOOK_BLESS=1 cargo test -p runbook-tests --test book`. -->";

/// Compares a page with what it should be, or writes it; says what is wrong.
pub(crate) fn hold(page: &str, title: &str, made: &str) -> Result<(), String> {
    let path = book().join(page);
    let old = fs::read_to_string(&path).unwrap_or_default();
    let above = old.split(MARK).next().unwrap().trim_end();
    let above = match above.is_empty() {
        true => format!("# {title}"),
        false => above.to_owned(),
    };
    let new = format!("{above}\n\n{MARK}\n\n{}\n", made.trim_end());
    if old == new {
        return Ok(());
    }
    if std::env::var_os("RUNBOOK_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, new).unwrap();
        return Ok(());
    }
    let line = old
        .lines()
        .zip(new.lines())
        .position(|(old, new)| old != new);
    Err(format!("{page}: line {}", line.map_or(1, |at| at + 1)))
}

/// Fails with all that is stale.
pub(crate) fn all_hold(results: impl IntoIterator<Item = Result<(), String>>) {
    let stale: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(
        stale.is_empty(),
        "these pages are stale, RUNBOOK_BLESS=1 writes them: {stale:#?}"
    );
}
