//! What a script can call is what the page about step types lists.

use std::collections::BTreeSet;
use std::fs;

use runbook_tests::root;

use crate::book;

/// Functions of the engine's own, which no script of a type calls.
const OWN: &str = "rb_";

#[test]
fn every_verb_of_the_prelude_is_explained() {
    let text =
        |name: &str| fs::read_to_string(root().join("engine/remote/src/sh").join(name)).unwrap();
    let prelude = text("prelude.sh") + &text("undo.sh");
    let there: BTreeSet<_> = prelude
        .lines()
        .filter_map(|line| line.split_once("() {"))
        .map(|(name, _)| name.trim())
        .filter(|name| !name.starts_with(OWN))
        .collect();
    assert!(there.contains("differs"), "the prelude is read wrongly");
    let page = fs::read_to_string(book().join("guide/step-types.md")).unwrap();
    let explained: BTreeSet<_> = page
        .lines()
        .skip_while(|line| *line != "| verb | meaning |")
        .skip(2)
        .map_while(|line| line.strip_prefix("| `"))
        .filter_map(|row| row.split([' ', '`']).next())
        .collect();
    assert_eq!(explained, there);
}
