//! The table of legal transitions of a node: used by the live run, by resume, and by tests. What is
//! not in the table is refused.

use serde::{Deserialize, Serialize};

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Not begun in this generation.
    #[default]
    Waiting,
    /// A check runs.
    Looking,
    /// A check has answered; the next move is being decided.
    Judging,
    /// An effect is intended; it may or may not have begun.
    Intended,
    /// An effect was launched.
    Running,
    /// An effect is not known.
    InDoubt,
    /// An attempt has ended; the next move is being decided.
    Applied,
    /// Waiting for the next attempt or look.
    Pausing,
    /// A person is asked.
    Asking,
    /// A person has answered.
    Answered,
    /// Ended.
    Done,
}

/// What moves a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the event of the same name")]
pub enum Trigger {
    Decided,
    Looking,
    Looked,
    Dispatched,
    Launched,
    Ended,
    Doubted,
    /// A member of a chain has ended without its turn.
    Returned,
    Pausing,
    Asked,
    Said,
    Answered,
    Finished,
    Reopened,
    /// Another controller opened the run.
    Opened,
}

use Stage as S;
use Trigger as T;

/// Every legal transition.
pub const TABLE: &[(Stage, Trigger, Stage)] = &[
    (S::Waiting, T::Decided, S::Waiting),
    (S::Waiting, T::Looking, S::Looking),
    (S::Waiting, T::Dispatched, S::Intended),
    (S::Waiting, T::Pausing, S::Pausing),
    (S::Waiting, T::Asked, S::Asking),
    (S::Waiting, T::Finished, S::Done),
    (S::Looking, T::Looked, S::Judging),
    // Its host is gone for good, and the others go on.
    (S::Looking, T::Finished, S::Done),
    (S::Judging, T::Dispatched, S::Intended),
    (S::Judging, T::Pausing, S::Pausing),
    (S::Judging, T::Finished, S::Done),
    (S::Intended, T::Launched, S::Running),
    (S::Intended, T::Ended, S::Applied),
    (S::Intended, T::Doubted, S::InDoubt),
    (S::Intended, T::Returned, S::Waiting),
    (S::Running, T::Ended, S::Applied),
    (S::Running, T::Doubted, S::InDoubt),
    (S::Running, T::Returned, S::Waiting),
    (S::InDoubt, T::Looking, S::Looking),
    (S::InDoubt, T::Ended, S::Applied),
    (S::InDoubt, T::Finished, S::Done),
    (S::Applied, T::Looking, S::Looking),
    (S::Applied, T::Dispatched, S::Intended),
    (S::Applied, T::Pausing, S::Pausing),
    (S::Applied, T::Finished, S::Done),
    (S::Pausing, T::Looking, S::Looking),
    (S::Pausing, T::Dispatched, S::Intended),
    (S::Pausing, T::Finished, S::Done),
    (S::Asking, T::Said, S::Asking),
    (S::Asking, T::Answered, S::Answered),
    (S::Answered, T::Finished, S::Done),
    (S::Done, T::Reopened, S::Waiting),
    // A controller that died was deciding, looking, pausing or asking: that begins again. What may
    // have had an effect stays as it is, to be settled by what the host says.
    (S::Waiting, T::Opened, S::Waiting),
    (S::Looking, T::Opened, S::Waiting),
    (S::Judging, T::Opened, S::Waiting),
    (S::Pausing, T::Opened, S::Waiting),
    (S::Asking, T::Opened, S::Waiting),
    (S::Answered, T::Opened, S::Waiting),
    (S::Intended, T::Opened, S::Intended),
    (S::Running, T::Opened, S::Running),
    (S::InDoubt, T::Opened, S::InDoubt),
    (S::Applied, T::Opened, S::Applied),
    (S::Done, T::Opened, S::Done),
];

/// The table by stage and trigger: every event of a run is looked up in it.
const NEXT: [[Option<Stage>; T::Opened as usize + 1]; S::Done as usize + 1] = {
    let mut next = [[None; T::Opened as usize + 1]; S::Done as usize + 1];
    let mut row = 0;
    while row < TABLE.len() {
        let (from, by, to) = TABLE[row];
        next[from as usize][by as usize] = Some(to);
        row += 1;
    }
    next
};

/// Where a node goes, or `None` if that is not legal.
#[must_use]
pub fn next(stage: Stage, trigger: Trigger) -> Option<Stage> {
    let by_trigger = NEXT.get(stage as usize)?;
    by_trigger.get(trigger as usize).copied().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pair_stands_twice() {
        for (i, a) in TABLE.iter().enumerate() {
            for b in &TABLE[i + 1..] {
                assert!((a.0, a.1) != (b.0, b.1), "{a:?} and {b:?}");
            }
        }
    }

    #[test]
    fn what_is_looked_up_is_what_the_table_says() {
        let stages = [
            S::Waiting,
            S::Looking,
            S::Judging,
            S::Intended,
            S::Running,
            S::InDoubt,
            S::Applied,
            S::Pausing,
            S::Asking,
            S::Answered,
            S::Done,
        ];
        let triggers = [
            T::Decided,
            T::Looking,
            T::Looked,
            T::Dispatched,
            T::Launched,
            T::Ended,
            T::Doubted,
            T::Returned,
            T::Pausing,
            T::Asked,
            T::Said,
            T::Answered,
            T::Finished,
            T::Reopened,
            T::Opened,
        ];
        assert_eq!((stages.len(), triggers.len()), (NEXT.len(), NEXT[0].len()));
        for stage in stages {
            for trigger in triggers {
                let row = TABLE.iter().find(|row| (row.0, row.1) == (stage, trigger));
                assert_eq!(next(stage, trigger), row.map(|row| row.2));
            }
        }
    }

    #[test]
    fn an_effect_needs_an_intent() {
        for (from, by, _) in TABLE {
            if *by == Trigger::Launched {
                assert_eq!(*from, Stage::Intended);
            }
        }
    }

    #[test]
    fn only_reopening_leaves_the_end() {
        let leaving: Vec<_> = TABLE
            .iter()
            .filter(|(from, _, to)| *from == Stage::Done && *to != Stage::Done)
            .collect();
        assert_eq!(leaving, [&(Stage::Done, Trigger::Reopened, Stage::Waiting)]);
    }

    #[test]
    fn a_new_controller_forgets_no_effect() {
        for stage in [
            Stage::Intended,
            Stage::Running,
            Stage::InDoubt,
            Stage::Applied,
            Stage::Done,
        ] {
            assert_eq!(next(stage, Trigger::Opened), Some(stage));
        }
    }
}
