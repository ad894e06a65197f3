//! Clocks that are set while something waits for them.
#![allow(clippy::unwrap_used, reason = "a test helper")]

mod core_bench;

use core_bench::{Bench, differs, satisfied, until};
use runbook_exec::world::Sketch;
use runbook_model::RunResult;
use runbook_model::transition::Stage;

#[test]
fn a_pause_that_was_over_before_the_clock_was_set_back_ends_all_the_same() {
    let mut sketch = Sketch::new();
    let slow = sketch.probe("slow", "h1");
    let other = sketch.probe("other", "h1");
    sketch.step(slow).until = until(1, 60_000, false);
    let mut bench = Bench::limited(sketch, 1, 1);
    bench.ready("h1");
    bench.looked(slow, differs());
    assert_eq!(bench.stage(slow), Stage::Pausing);
    // Its time comes while the other one has the only slot.
    assert_eq!(bench.stage(other), Stage::Looking);
    bench.wake();
    bench.now -= 5_000;
    bench.looked(other, satisfied());
    assert_eq!((bench.stage(slow), bench.end()), (Stage::Pausing, None));
    bench.wake();
    bench.looked(slow, satisfied());
    assert_eq!(bench.end(), Some(RunResult::Succeeded));
}
