//! Every fuzz target gets its corpus, the files that tests are made of, and mutations of both: the
//! same ones every time, a few hundred unless `RUNBOOK_FUZZ_ROUNDS` says more. What overflows the
//! stack ends the program: `RUNBOOK_FUZZ_KEEP` names a file that holds what was tried last.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(unreachable_pub, reason = "it is a library for the fuzzer")]
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use runbook_tests::chance::{Chance, number};
use runbook_tests::root;
use targets::TARGETS;

/// Mutations of each target.
const ROUNDS: u64 = 400;

/// Pieces that mean something to one of the readers.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{#if ",
    "{{/if}}",
    "{{#each ",
    "{{else}}",
    ": ",
    "- ",
    "\n  ",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "&a ",
    "*a",
    "<<: ",
    "!",
    "|",
    ">",
    "#",
    "\t",
    "\r",
    "\u{feff}",
    "\u{2028}",
    "\0",
    "vars.map",
    "inputs",
    "steps.a.only.outputs",
    ".all(x, ",
    "&&",
    "||",
    "==",
    "? ",
    "size(",
    "(",
    ")",
    "has(",
    "quay[0]",
    "[1:]",
    ", !h1",
    "control",
    "1h30m",
    "10GiB",
    "v3.8",
    "99999999999999999999",
    "-1",
    "1e999",
    "0x",
    "null",
    "true",
    "{\"seq\":",
    "\"crc\":",
    "steps:",
    "uses: assert",
    "when: ",
];

/// The seeds of a target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut folders = vec![root().join("tests/fuzz/corpus").join(target)];
    let tests = root().join("engine/lang/tests");
    match target {
        "yaml" | "runbook" => folders.extend(["broken", "compile", "good"].map(|f| tests.join(f))),
        "inventory" => folders.push(tests.join("broken")),
        "step_type" => folders.push(root().join("stdlib-steps/types")),
        "journal" => folders.push(root().join("engine/exec/tests/journal")),
        _ => {}
    }
    let files: BTreeSet<PathBuf> = folders.iter().flat_map(|folder| files(folder)).collect();
    let seeds: Vec<_> = files
        .into_iter()
        .map(|file| fs::read(file).unwrap())
        .collect();
    assert!(!seeds.is_empty(), "`{target}` has no corpus");
    seeds
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_file()).collect()
}

/// A seed with a few changes.
fn mutated(seeds: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut below = |end: usize| chance.below(end as u64) as usize;
    let mut bytes = seeds[below(seeds.len())].clone();
    for _ in 0..=below(4) {
        let at = below(bytes.len() + 1);
        let end = (at + below(20)).min(bytes.len());
        match below(6) {
            0 if !bytes.is_empty() => {
                let at = at.min(bytes.len() - 1);
                bytes[at] ^= 1 << below(8);
            }
            1 => _ = bytes.drain(at..end),
            2 => {
                let piece = bytes[at..end].repeat(1 + below(40));
                bytes.splice(at..at, piece);
            }
            3 => {
                let other = &seeds[below(seeds.len())];
                let from = below(other.len() + 1);
                let to = (from + below(60)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            4 => bytes.truncate(at),
            _ => _ = bytes.splice(at..end, PIECES[below(PIECES.len())].bytes()),
        }
    }
    bytes
}

/// Tries one target; what breaks it is in the message.
fn tried(name: &str) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    let seeds = seeds(name);
    let keep = std::env::var_os("RUNBOOK_FUZZ_KEEP");
    let attempt = |bytes: &[u8]| {
        if let Some(keep) = &keep {
            fs::write(keep, bytes).unwrap();
        }
        let run = std::panic::AssertUnwindSafe(|| target(bytes));
        assert!(
            std::panic::catch_unwind(run).is_ok(),
            "`{name}` breaks on {:?}",
            String::from_utf8_lossy(bytes)
        );
    };
    seeds.iter().for_each(|seed| attempt(seed));
    let mut chance = Chance::new(number("RUNBOOK_SEED").unwrap_or(1));
    for _ in 0..number("RUNBOOK_FUZZ_ROUNDS").unwrap_or(ROUNDS) {
        attempt(&mutated(&seeds, &mut chance));
    }
}

macro_rules! targets {
    ($($name:ident)+) => {
        $(#[test]
        fn $name() {
            tried(stringify!($name));
        })+

        #[test]
        fn every_target_is_tried_and_can_be_fuzzed() {
            let tried: Vec<_> = [$(stringify!($name)),+].to_vec();
            let known: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(tried, known);
            let manifest = fs::read_to_string(root().join("tests/fuzz/Cargo.toml")).unwrap();
            for name in known {
                let program = root().join(format!("tests/fuzz/fuzz_targets/{name}.rs"));
                let text = fs::read_to_string(program).unwrap();
                assert!(text.contains(&format!("runbook_fuzz::{name}(data)")));
                assert!(manifest.contains(&format!("name = \"{name}\"")));
            }
        }
    };
}

targets! { yaml runbook inventory step_type scenarios template condition selector journal quantity }
