//! What is left of a run is on the disk while a person is asked, and when the controller ends.

use std::cell::RefCell;
use std::rc::Rc;

use runbook_model::{Event, RunResult};

use super::FILE;
use crate::support::Bench;

const GATED: &str = "
runbook: gated
steps:
  - { step: file, uses: test.file, on: control, with: { file: 'DIR/file' } }
  - { step: sure, uses: gate.approve, with: { message: 'Go on?' } }
  - { step: more, uses: test.file, on: control, with: { file: 'DIR/more' } }
";

#[test]
fn what_is_left_is_kept_before_a_person_answers_and_at_the_end() {
    let bench = Bench::new(GATED, &[FILE]);
    let kept = bench.journal().with_file_name("remaining.sh");
    let read = {
        let kept = kept.clone();
        move || std::fs::read_to_string(&kept).unwrap_or_default()
    };
    let at_the_answer = Rc::new(RefCell::new(String::new()));
    let (seen, reads) = (Rc::clone(&at_the_answer), read.clone());
    let left = bench.drive_with(Box::new(move |event| {
        if matches!(event, Event::Answered { .. }) {
            *seen.borrow_mut() = reads();
        }
    }));
    assert_eq!(left.result, Some(RunResult::Refused));
    let asked = at_the_answer.borrow();
    assert!(asked.contains("# sure@control: gate.approve"), "{asked}");
    assert!(asked.contains("#   Go on?") && !asked.contains("# file@control: test.file"));
    assert!(!asked.contains("it failed"), "{asked}");
    let ended = read();
    assert!(ended.contains("# it failed"), "{ended}");
    assert!(ended.contains("# more@control: test.file on the controller"));
}
