//! The link drops while work waits in a row, and somebody wants it to stop.

use std::time::{Duration, Instant};

use runbook_model::Event;
use runbook_tests::lab::{Lab, NODES};

use super::{counted, is_launched, operator, said};
use crate::assert_says;

/// How long the first effect takes: longer than a host goes on without its controller.
const LONG: u64 = 34;

#[test]
fn what_waits_in_a_row_behind_a_cut_link_does_not_begin_after_ctrl_c() {
    let lab = Lab::fresh();
    let operator = operator(&lab, "queue.yaml", &format!("long: {LONG}\n"));
    let mut night = operator.run();
    night.until("the first effect runs", is_launched("long@quay02"));
    let begin = Instant::now();
    lab.run(&["cut", NODES[1]]);
    night.terminal.interrupt();
    night.until("it stops starting", |record, _| {
        matches!(record.event, Event::Stopping { .. })
    });
    // It ends on the host, where nobody can be heard.
    std::thread::sleep(Duration::from_secs(LONG + 2).saturating_sub(begin.elapsed()));
    lab.run(&["heal", NODES[1]]);
    let text = night.ends_with(4);
    let id = operator.runs()[0].clone();
    assert_says(
        &text,
        &[
            "long@quay02 changed",
            "was interrupted",
            "never started\n  queue (6 of 7)",
            &format!("runbook resume {id}"),
        ],
    );
    assert!(!text.contains("still runs, or may"), "{text}");
    assert_eq!(counted(&lab, NODES[1]), ["long"], "nothing else began");
    let left = said(&operator.alone(&["remaining".into(), id.as_str().into()]));
    let names = [
        "\n  one ",
        "\n  two ",
        "\n  three ",
        "\n  four ",
        "\n  five ",
        "\n  six ",
    ];
    assert_says(&left, &names);
    assert!(!left.contains("long"), "{left}");
    let seen = operator.seen();
    let dispatched =
        |record: &&runbook_model::Record| matches!(record.event, Event::Dispatched { .. });
    assert_eq!(seen.journal.records.iter().filter(dispatched).count(), 1);

    operator.resume().ends_with(0);
    let all = ["five", "four", "long", "one", "six", "three", "two"];
    assert_eq!(counted(&lab, NODES[1]), all);
}
