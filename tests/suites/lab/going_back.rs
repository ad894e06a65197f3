//! The upgrade is taken back: before the migration, and after it with the dump.

use runbook_tests::client::Door;
use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::Operator;

use crate::{assert_says, assert_upgraded, date, is_done};

const OLD: &str = "v3.7.0";

/// What SQL says, as the superuser.
fn sql(lab: &Lab, database: &str, text: &str) -> String {
    let psql = format!("su postgres -c \"psql -XAtq -d {database} -c \\\"{text}\\\"\"");
    lab.on("db01", &psql).trim().to_owned()
}

/// The old version runs everywhere, and clients reach it.
#[track_caller]
fn assert_back(lab: &Lab, operator: &Operator) {
    let events = lab.events_at_rest();
    for node in NODES {
        let containers = lab.containers(node);
        let mut names: Vec<_> = containers.iter().map(|c| c.name.as_str()).collect();
        names.sort_unstable();
        let wanted: &[&str] = if node == NODES[0] {
            &["mirror", "quay01"]
        } else {
            &[node]
        };
        assert_eq!(names, wanted, "{containers:?}");
        assert!(containers.iter().all(|c| c.status == "running"));
        let last = events
            .iter()
            .rfind(|e| e.node == node && e.mode == "registry");
        let last = last.map(|e| (e.version.as_str(), e.event.as_str()));
        assert_eq!(last, Some((OLD, "ready")), "{}", lab.run(&["events"]));
        assert!(Door::of(lab, node).ask().served, "{node}");
    }
    let overlap = events.iter().any(|e| e.event == "overlap");
    assert!(!overlap, "{}", lab.run(&["events"]));
    for _ in 0..NODES.len() {
        assert!(Door::of(lab, "db01").ask().served);
    }
    let login = "select rolcanlogin from pg_roles where rolname = 'quayuser'";
    assert_eq!(sql(lab, "postgres", login), "t");
    let status = operator.status();
    assert_eq!(status["holds"], serde_json::json!([]), "nothing is held");
    assert_eq!(status["outages"][0]["begun_by"], "freeze");
    assert_eq!(status["outages"][0]["ended_by"], "rb_open");
    let outages = &operator.record()["outages"];
    assert_eq!(outages, &status["outages"]);
}

#[test]
fn before_the_migration_the_old_containers_come_back_and_the_next_night_upgrades() {
    let lab = Lab::fresh();
    let operator = Operator::of_upgrade(&lab);
    let mut night = operator.run();
    night.until("the dump is away", is_done("dump_away@"));
    night.terminal.interrupt();
    let text = night.ends_with(4);
    assert_says(&text, &["clients are cut off"]);
    let id = operator.runs()[0].to_string();
    assert!(!Door::of(&lab, "db01").ask().served);

    let plan = operator.alone(&["rollback", &id, "--plan"].map(Into::into));
    let text = String::from_utf8_lossy(&plan.stdout);
    assert_says(&text, &["rb_restore", "rb_open"]);
    let words = ["rollback", &id, "--reason", "not tonight", "--confirm", &id];
    let mut back = operator.session(&words.map(Into::into));
    back.terminal.answer("choose@control", "rollback");
    let text = back.ends_with(0);
    assert_says(&text, &["is rolled back"]);
    assert_back(&lab, &operator);
    let of_new = lab.events().into_iter().filter(|e| e.version != OLD);
    assert_eq!(of_new.count(), 0, "{}", lab.run(&["events"]));
    let kept = "select count(*) from pg_database where datname like 'quaydb_failed%'";
    assert_eq!(
        sql(&lab, "postgres", kept),
        "0",
        "the database was left alone"
    );

    // The record tells of both, and the logs are on the hosts.
    let record = operator.record();
    assert_eq!(record["rollback"]["reason"], "not tonight");
    assert_says(
        &record["steps"]["logs"]["quay02"].to_string(),
        &["/quay02."],
    );
    let logs = format!("ls /var/lib/quay-geo-upgrade-logs/{id}");
    assert_says(&lab.on("quay03", &logs), &["quay03.", ".log", ".state"]);

    lab.run(&["reset"]);
    let again = Operator::of_upgrade(&lab);
    again.run().ends_with(0);
    assert_upgraded(&lab, &again);
}

/// A run whose schema has moved; what was written before the dump, and what after it.
fn migrated(lab: &Lab) {
    sql(lab, "quaydb", "create table kept (word text)");
    sql(lab, "quaydb", "insert into kept values ('before')");
}

/// The data are those of the dump, and what came later is put aside.
#[track_caller]
fn assert_restored(lab: &Lab, operator: &Operator) {
    let words = "select string_agg(word, ' ' order by word) from kept";
    assert_eq!(sql(lab, "quaydb", words), "before");
    let id = operator.runs()[0].to_string();
    let aside = format!("quaydb_failed_{id}");
    assert_eq!(sql(lab, &aside, words), "after before");
    let revision = "select version_num from alembic_version";
    let (now, then) = (sql(lab, "quaydb", revision), sql(lab, &aside, revision));
    assert_ne!(now, then);
    let record = operator.record();
    assert_eq!(record["steps"]["schema_now"]["revision"], now);
    assert_eq!(record["steps"]["schema_rb"]["revision"], then);
}

#[test]
fn after_the_migration_the_word_at_the_gate_brings_the_dump_back() {
    let lab = Lab::fresh();
    migrated(&lab);
    let operator = Operator::of_upgrade(&lab);
    let mut night = operator.run();
    night.until("the first node is healthy", is_done("others_silent@"));
    night.terminal.wait_for("approve_rest@control asks:");
    sql(&lab, "quaydb", "insert into kept values ('after')");
    night.terminal.wait_for("no to stop: ");
    night.terminal.send("back\n");
    // Nobody is asked again.
    let text = night.terminal.end();
    assert_eq!(text.code, Some(3), "{}", text.text);
    assert_says(&text.text, &["rb_restore@db01 changed"]);
    assert_back(&lab, &operator);
    assert_restored(&lab, &operator);
}

#[test]
fn nobody_decides_until_the_deadline_and_the_registry_comes_back_as_it_was() {
    let lab = Lab::fresh();
    migrated(&lab);
    let window = format!(
        "{{ opens: {}, no_return_before: {}, closes: {} }}",
        date("-1 minute"),
        date("+100 seconds"),
        date("+2 hours")
    );
    let operator = Operator::of_upgrade(&lab).with_inputs(&[("window", &window)]);
    let mut night = operator.run();
    night.until("the first node is healthy", is_done("healthy_first@"));
    sql(&lab, "quaydb", "insert into kept values ('after')");
    let text = night.terminal.end();
    assert_eq!(text.code, Some(3), "{}", text.text);
    assert_says(
        &text.text,
        &["nobody had decided", "rb_restore@db01 changed"],
    );
    assert_back(&lab, &operator);
    assert_restored(&lab, &operator);
}
