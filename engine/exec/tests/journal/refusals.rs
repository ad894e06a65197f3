//! Runs that are not as they were left: listed with what is wrong, and never gone on with.

use std::fs;
use std::path::Path;

use runbook_exec::journal::Journal;
use runbook_exec::store::{RunStatus, StoreError};
use runbook_model::plan::PLAN_FORMAT;
use runbook_model::{Epoch, Event, Plan, Record, RunResult};

use crate::events::{attempt, controller};
use crate::runs::{begun, close, file, hosts, plan, store};

#[test]
fn damaged_runs_are_listed_with_their_problem_and_stand_in_the_way() {
    let (_dir, store) = store();
    let mut ids = Vec::new();
    for (at, name) in [(3, "journal"), (2, "plan"), (1, "lock")] {
        let mut run = begun(&store, name, &[], at);
        close(&mut run, at, RunResult::Succeeded);
        ids.push(run.id.clone());
    }
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let at = bytes.len() - 40;
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    flip(&file(&store, &ids[0], "journal.jsonl"));
    flip(&file(&store, &ids[1], "plan.json"));
    fs::remove_file(file(&store, &ids[2], "lock")).unwrap();
    let listed = store.list().unwrap();
    let problem = |at: usize| match &listed[at].status {
        RunStatus::Unknown(problem) => problem.clone(),
        other => panic!("{other:?}"),
    };
    assert!(problem(0).contains("is damaged at byte"), "{}", problem(0));
    assert_eq!(
        listed[0].runbook.as_deref(),
        Some("journal"),
        "what is before the damage still says whose it is"
    );
    assert_eq!(
        listed[1].status,
        RunStatus::Closed(RunResult::Succeeded),
        "a finished run needs no plan"
    );
    assert!(
        problem(2).contains("its lock cannot be read"),
        "{}",
        problem(2)
    );
    assert_eq!(
        store.unfinished_for("journal", &hosts(&[])).unwrap().len(),
        1
    );
    assert_eq!(store.unfinished_for("unrelated", &hosts(&[])).unwrap(), []);
    assert!(
        store.take(&ids[2], &controller()).is_err(),
        "a new lock would not be the one that somebody holds"
    );
    let error = store.take(&ids[1], &controller()).unwrap_err().to_string();
    assert!(
        error.ends_with("plan.json is damaged: its checksum is not the one in plan.json.sha256"),
        "{error}"
    );
    // Nothing of it can be read: it may be anybody's.
    fs::write(file(&store, &ids[0], "journal.jsonl"), "garbage\n").unwrap();
    fs::write(file(&store, &ids[0], "plan.json"), "garbage\n").unwrap();
    assert_eq!(
        store.unfinished_for("unrelated", &hosts(&[])).unwrap()[0].id,
        ids[0]
    );
}

#[test]
fn a_damaged_journal_is_refused_and_left_as_it_is() {
    let (_dir, store) = store();
    let run = begun(&store, "upgrade", &[], 1);
    let (id, path) = (run.id.clone(), file(&store, &run.id, "journal.jsonl"));
    drop(run);
    let good = fs::read(&path).unwrap();
    let mut bytes = good.clone();
    bytes[30] ^= 1;
    bytes.extend_from_slice(b"{\"v\":1,");
    fs::write(&path, &bytes).unwrap();
    assert!(matches!(
        store.take(&id, &controller()),
        Err(StoreError::Journal(_))
    ));
    assert_eq!(fs::read(&path).unwrap(), bytes);
    fs::write(&path, [&good[..], b"{\"v\":1,"].concat()).unwrap();
    assert_eq!(
        store.look(&id).unwrap().journal.tail.torn.unwrap().offset,
        good.len() as u64
    );
    assert_eq!(store.list().unwrap()[0].status, RunStatus::Left);
    assert_eq!(
        store.take(&id, &controller()).unwrap().cut.unwrap().offset,
        good.len() as u64
    );
    assert_eq!(fs::read(&path).unwrap(), good);
}

#[test]
fn records_that_make_no_sense_together_are_refused() {
    let (_dir, store) = store();
    let mut run = begun(&store, "upgrade", &[], 1);
    let wrong = Record {
        seq: 3,
        epoch: Epoch(1),
        at: 1,
        event: Event::Launched {
            unit: attempt("never"),
        },
    };
    run.journal.append(&wrong).unwrap();
    run.journal.sync().unwrap();
    let id = run.id.clone();
    drop(run);
    assert!(matches!(
        store.take(&id, &controller()),
        Err(StoreError::Fold { .. })
    ));
    assert!(
        matches!(&store.list().unwrap()[0].status, RunStatus::Unknown(p) if p.contains("unit never"))
    );
}

#[test]
fn a_plan_that_is_not_the_runs_is_refused() {
    let (_dir, store) = store();
    let (one, two) = (
        begun(&store, "one", &[], 1).id,
        begun(&store, "two", &[], 1).id,
    );
    for name in ["plan.json", "plan.json.sha256"] {
        fs::copy(file(&store, &two, name), file(&store, &one, name)).unwrap();
    }
    assert!(matches!(
        store.take(&one, &controller()),
        Err(StoreError::Mismatch { .. })
    ));
    let error = store.look(&one).unwrap_err().to_string();
    assert!(error.ends_with("the journal is of another plan"), "{error}");
    fs::copy(
        file(&store, &two, "journal.jsonl"),
        file(&store, &one, "journal.jsonl"),
    )
    .unwrap();
    let error = store.look(&one).unwrap_err().to_string();
    assert!(
        error.ends_with(&format!("the journal is of run {}", two)),
        "{error}"
    );
}

#[test]
fn a_plan_of_another_format_is_refused_by_name() {
    let (_dir, store) = store();
    let newer = Plan {
        format: PLAN_FORMAT + 1,
        ..plan("upgrade", &[])
    };
    let id = store.create(&newer, &controller()).unwrap().id;
    let error = store.take(&id, &controller()).unwrap_err();
    assert!(
        matches!(&error, StoreError::PlanFormat { found, .. } if *found == u64::from(PLAN_FORMAT) + 1),
        "{error}"
    );
}

#[test]
fn a_plan_that_could_not_be_read_again_is_refused() {
    let (_dir, store) = store();
    let mut value = serde_json::Value::Null;
    for _ in 0..110 {
        value = vec![value].into();
    }
    let mut deep = plan("upgrade", &["quay01"]);
    deep.vars
        .insert("v".into(), runbook_model::plan::Var::Literal(value));
    let error = store.create(&deep, &controller()).unwrap_err().to_string();
    assert_eq!(
        error,
        "the plan cannot be stored: it nests 113 levels deep, and 100 can be read again"
    );
    assert_eq!(store.list().unwrap(), [], "what was begun is no run");
    store
        .create(&plan("upgrade", &["quay01"]), &controller())
        .unwrap();
    let runs = fs::read_dir(
        store
            .home(&store.resolve("last").unwrap())
            .unwrap()
            .dir()
            .parent()
            .unwrap(),
    )
    .unwrap();
    let left: Vec<_> = runs
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        !left.iter().any(|name| name.starts_with(".new-")),
        "{left:?}"
    );
}
