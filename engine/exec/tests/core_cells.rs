//! What the random worlds have been through: each fault in each state of the protocol, and what came
//! next. A cell is a fault, where a step (or an undo) stood when it struck, and the transition that
//! it made then. Every cell that can occur does; those that cannot are listed here, with the reason.
//!
//! `cargo test -p runbook-exec --test core_cells -- --nocapture` says how many there are of each kind;
//! with `RUNBOOK_CELLS=1` it shows every cell.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_cells_table;
mod core_laws;
mod core_worlds;

use std::collections::BTreeMap;
use std::sync::Mutex;

use core_cells_table::{Cell, Excuse, count, excuse, summed, table};
use core_worlds::{cases, each_seed};
use runbook_exec::world::{Faults, Random, Size};

/// So many worlds reach every cell.
const WORLDS: u64 = 12_000;

fn cells() -> BTreeMap<Cell, usize> {
    let all = Mutex::new(BTreeMap::new());
    each_seed(0..cases(WORLDS), |seed| {
        let mut world = match seed % 5 {
            4 => core_worlds::chained::world(seed, true),
            _ => core_worlds::world(seed, Size::SMALL, true),
        };
        world.faults.budget = 20;
        world.faults.killed += 40;
        if seed.is_multiple_of(4) {
            world.on_disk();
        }
        let mut counts = BTreeMap::new();
        if seed.is_multiple_of(3) {
            world.run_to_end(20);
        } else {
            // The others go back at some time, and most goes wrong on that way.
            let mut random = Random::new(!seed);
            world.faults.budget = 2;
            world.faults.interrupt = 60;
            world.run_to_end(2);
            world.faults = Faults {
                budget: 20,
                ..Faults::some(&mut random)
            };
            if !world.journal.is_empty() {
                world.roll_back_to_end(None, 25, &mut |_| {});
            }
        }
        count(&world, &mut counts);
        let mut all = all.lock().unwrap();
        for (cell, n) in counts {
            *all.entry(cell).or_default() += n;
        }
        Ok(())
    });
    all.into_inner().unwrap()
}

#[test]
fn every_cell_that_can_occur_does() {
    let counts = cells();
    println!("{}", summed(&counts));
    if std::env::var_os("RUNBOOK_CELLS").is_some() {
        println!("{}", table(&counts));
    }
    let mut wrong = Vec::new();
    for cell in Cell::all() {
        let n = counts.get(&cell).copied().unwrap_or(0);
        match excuse(&cell) {
            None if n == 0 => wrong.push(format!("{cell}: empty, and no reason is given")),
            Some(Excuse::Never(reason)) if n > 0 => {
                wrong.push(format!("{cell}: {n} times, although {reason}"));
            }
            _ => {}
        }
    }
    let enough = cases(WORLDS) >= WORLDS;
    let first = wrong.iter().take(10).cloned().collect::<Vec<_>>();
    assert!(
        !enough || wrong.is_empty(),
        "{} cells are not as they should be:\n{}\nRUNBOOK_CELLS=1 shows every cell",
        wrong.len(),
        first.join("\n")
    );
}
