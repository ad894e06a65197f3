//! Tests as data: what is right passes, and each thing that is wrong is found.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use runbook_exec::driver::Reach;
use runbook_exec::trial::{Tools, TrialError, Tried, run_real, run_scenario, run_type};
use runbook_exec::world::Sketch;
use runbook_lang::ast::parse_runbook;
use runbook_lang::compile::{Given, Request, compile};
use runbook_lang::inventory::parse_inventory;
use runbook_lang::source::Sources;
use runbook_lang::steptype::{Catalog, SHIPPED, parse_type};
use runbook_lang::testfile::{parse_scenarios, parse_tests};
use runbook_model::HostName;
use runbook_remote::Options;

/// A package that is there or is made.
const TYPE: &str = "\
type: demo
summary: A demo
params:
  name: { type: string, default: a b }
  path: { type: path }
outputs: { version: { type: string } }
check: |
  need tool
  version=$(tool version \"$name\") || differs \"$name is not there\"
  output version \"$version\"
apply: |
  if [ -n \"$path\" ]; then echo made >\"$path\"; fi
  tool make \"$name\"
undo: |
  tool drop \"$name\"
";

/// Answers of a tool that makes what is not there.
const ANSWERS: &str = "[{ run: [tool, version, a b], after: dropped, status: 1 }, { run: [tool, version, a b], until: made, status: 1 }, \
{ run: [tool, version, a b], stdout: 7 }, { run: [tool, make, '*'], sets: made }, { run: [tool, drop, '*'], sets: dropped }]";

fn tried(type_text: &str, tests: &str) -> Vec<Tried> {
    let text = format!("{type_text}tests:\n{}", tests.replace("ANSWERS", ANSWERS));
    let mut sources = Sources::new();
    let source = sources.add("demo.yaml", text.as_bytes()).unwrap();
    let (step_type, mistakes) = parse_type("demo", SHIPPED, &source);
    assert!(mistakes.is_empty(), "{}", mistakes.render(&sources));
    let step_type = step_type.unwrap();
    let (tests, mistakes) = parse_tests(&step_type, &source);
    assert!(mistakes.is_empty(), "{}", mistakes.render(&sources));
    let tools = Tools::find(None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime
        .block_on(run_type(&tools, &step_type, &tests, &|_| true))
        .unwrap()
}

fn text_of(all: &[Tried]) -> String {
    let mut out = String::new();
    for tried in all {
        let _ = writeln!(out, "{}", tried.title);
        for wrong in &tried.mismatches {
            let found = wrong.found.replace('\n', " | ");
            let expected = wrong.expected.replace('\n', " | ");
            let _ = writeln!(out, "  {}: expected {expected}; found {found}", wrong.what);
        }
    }
    out
}

#[test]
fn what_is_right_passes() {
    let all = tried(
        TYPE,
        "  - test: it is there
    answers: [{ run: [tool, version, a b], stdout: 7 }]
    check: satisfied
    outputs: { version: '7' }
  - test: it is made, and dropped again
    with: { path: '{{scratch}}/made' }
    answers: ANSWERS
    check: differs
    reasons: [a b is not there]
    applies: [[tool, make, a b]]
    undoes: [[tool, drop, a b]]
    outputs: { version: '7' }
    becomes: { made: \"made\\n\", other: null }
    modes: { made: '0600' }
",
    );
    assert!(all.iter().all(Tried::passed), "{}", text_of(&all));
    assert_eq!(all.last().unwrap().title, "without the command tool");
}

#[test]
fn everything_that_is_wrong_is_told() {
    let all = tried(
        TYPE,
        "  - { test: no answer fits, answers: [{ run: [tool, version, other] }], check: differs, apply: false }
  - { test: another verdict, answers: [{ run: [tool, ...], stdout: 7 }], check: differs, outputs: { version: '8' } }
  - { test: other reasons, answers: ANSWERS, check: differs, reasons: [it is gone, twice] }
  - { test: other commands, answers: ANSWERS, check: differs, applies: [] }
  - { test: commands that were never called, answers: ANSWERS, check: differs, applies: [[tool, make, a b], [tool, start]] }
  - { test: it does not converge, answers: [{ run: [tool, version, '*'], status: 1 }, { run: [tool, make, '*'], sets: made }], check: differs }
  - { test: the apply fails, answers: [{ run: [tool, version, '*'], status: 1 }, { run: [tool, make, '*'], status: 4, stderr: the disk is full }], check: differs }
  - { test: a failure that does not come, answers: ANSWERS, check: differs, fails: no space }
  - { test: the undo leaves it there, answers: [{ run: [tool, version, '*'], status: 1, until: made }, { run: [tool, version, '*'] }, { run: [tool, '*', '*'], sets: made }], check: differs, undoes: [[tool, drop, a b]] }
  - { test: other files, with: { path: '{{scratch}}/made' }, answers: ANSWERS, check: differs, becomes: { made: other, there: a }, modes: { made: '0644' } }
",
    );
    insta::assert_snapshot!(text_of(&all));
}

#[test]
fn a_check_that_changes_something_is_found_out() {
    let type_text = TYPE.replace("  need tool\n", "  need tool\n  tool make \"$name\"\n");
    let all = tried(
        &type_text,
        "  - { test: it is there, answers: ANSWERS, check: satisfied }\n",
    );
    assert!(
        text_of(&all).contains("check: expected it only looks; found tool make 'a b'"),
        "{}",
        text_of(&all)
    );
}

#[test]
fn a_type_that_does_not_notice_a_missing_command_is_found_out() {
    let type_text = TYPE.replace("need tool\n", "have tool || exit 0\n");
    let tests = "  - { test: it is there, answers: ANSWERS, check: differs }\n";
    let all = tried(&type_text, tests);
    // The engine takes a check that ends before its end for an error; this one does not name the command.
    assert!(text_of(&all).contains("without the command tool\n  it is there: expected an error, or a skip, that names `tool`"), "{}", text_of(&all));
    let type_text = TYPE
        .replace("  need tool\n", "")
        .replace("|| differs \"$name is not there\"", "|| version=0");
    let tests = "  - { test: it is there, answers: [{ run: [tool, ...], stdout: 7 }], check: satisfied OPTIONAL}\n";
    let all = tried(&type_text, &tests.replace("OPTIONAL", ""));
    assert!(
        text_of(&all).contains("found satisfied"),
        "{}",
        text_of(&all)
    );
    let all = tried(
        &type_text,
        &tests.replace(
            "OPTIONAL",
            ", optional: { tool: a version is not everything } ",
        ),
    );
    assert_eq!(all.len(), 1, "{}", text_of(&all));
}

#[test]
fn scripts_see_nothing_of_this_process_but_its_tools() {
    let type_text = "type: demo\nsummary: A demo\noutputs: { seen: { type: string } }\nprobe: true\ncheck: |\n  have cargo && differs 'cargo is there'\n  have sed || differs 'sed is not there'\n  case $PATH in */bin:*) ;; *) differs \"$PATH\" ;; esac\n  output seen \"${CARGO_MANIFEST_DIR-}\"\n";
    let all = tried(
        type_text,
        "  - { test: it sees nothing, check: satisfied, outputs: { seen: '' } }\n",
    );
    assert!(all.iter().all(Tried::passed), "{}", text_of(&all));
}

/// Tests for real, with this machine as the host.
fn real(text: &str) -> Vec<Result<Tried, TrialError>> {
    let mut sources = Sources::new();
    let source = sources.add("demo.yaml", text.as_bytes()).unwrap();
    let (step_type, mistakes) = parse_type("demo", SHIPPED, &source);
    assert!(mistakes.is_empty(), "{}", mistakes.render(&sources));
    let step_type = step_type.unwrap();
    let (tests, mistakes) = parse_tests(&step_type, &source);
    assert!(mistakes.is_empty(), "{}", mistakes.render(&sources));
    let state = tempfile::tempdir().unwrap();
    let options = Options {
        state_dir: Some(state.path().to_string_lossy().into_owned()),
        ..Options::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let reach = Reach::new(&Sketch::new().done(), options);
        let mut all = Vec::new();
        for test in &tests {
            all.push(run_real(&reach, &HostName::control(), &step_type, test).await);
        }
        reach.close().await;
        all
    })
}

#[test]
fn a_real_host_is_looked_at_changed_and_looked_at_again() {
    let text = "type: demo\nsummary: A demo\nparams: { path: { type: path, required: true }, state: { type: string, default: 'ok' } }\noutputs: { at: { type: string } }\ncheck: |\n  output at \"$path\"\n  [ -e \"$path\" ] || differs 'it is not there'\napply: |\n  if [ \"$state\" = ok ]; then echo >\"$path\"; fi\ntests:\n\
        \x20 - { test: it is made, real: true, with: { path: '{{scratch}}/x' }, check: differs, reasons: [not there], outputs: { at: '{{scratch}}/x' } }\n\
        \x20 - { test: it is not made, real: true, with: { path: '{{scratch}}/x', state: no }, check: differs }\n";
    let all: Vec<Tried> = real(text).into_iter().map(Result::unwrap).collect();
    assert_eq!(
        text_of(&all),
        "it is made (on control)\nit is not made (on control)\n  then: expected satisfied; found differs: it is not there\n"
    );
}

#[test]
fn a_test_that_cannot_go_on_leaves_nothing_on_a_real_host() {
    let mark = format!("mark-{}", std::process::id());
    let long = "#".repeat(1 << 20);
    let text = format!(
        "type: demo\nsummary: A demo\nparams: {{ path: {{ type: path, required: true }} }}\ncheck: |\n  echo >\"$path\"\n  differs 'it is'\napply: |\n  {long}\ntests:\n\
         \x20 - {{ test: it cannot be sent, real: true, with: {{ path: '{{{{scratch}}}}/{mark}' }}, check: differs }}\n"
    );
    let error = real(&text).remove(0).unwrap_err();
    assert!(matches!(error, TrialError::Host(_)), "{error}");
    let left = std::fs::read_dir("/tmp").unwrap().flatten().find(|entry| {
        let ours = entry
            .file_name()
            .to_string_lossy()
            .starts_with("runbook-test.");
        ours && entry.path().join(&mark).exists()
    });
    assert!(left.is_none(), "{left:?}");
}

#[test]
fn what_is_no_file_is_told_and_not_read() {
    let text = TYPE.replace(
        "echo made >\"$path\"",
        "ln -s /dev/zero \"$path\"; mkdir \"$path.d\"; mkfifo \"$path.f\"; head -c 9000000 /dev/zero >\"$path.l\"",
    );
    let all = tried(
        &text,
        "  - { test: it is made, with: { path: '{{scratch}}/x' }, answers: ANSWERS, check: differs, becomes: { x: made, x.d: null, x.f: made, x.l: made } }\n",
    );
    insta::assert_snapshot!(text_of(&all), @"
    it is made
      x: expected made; found it is not a file
      x.d: expected no such file; found it is not a file
      x.f: expected made; found it is not a file
      x.l: expected made; found it is too large to be compared
    without the command tool
    ");
}

/// Two probes and a change.
const RUNBOOK: &str = "\
runbook: demo
steps:
  - { step: look, uses: test.look, on: web }
  - { step: approve, uses: gate.approve, on: control, with: { message: 'Go on?' } }
  - { step: change, uses: test.change, on: web, when: 'steps.look.outputs.size > 1' }
  - { step: after, uses: test.look, on: web, expect: 'outputs.size == 3', until: { every: 1s, within: 10s } }
";

fn scenarios(file: &str) -> String {
    scenarios_of(RUNBOOK, file)
}

fn scenarios_of(runbook: &str, file: &str) -> String {
    let mut sources = Sources::new();
    let mut catalog = Catalog::new();
    for (name, scripts) in [
        (
            "test.look",
            "probe: true\noutputs: { size: { type: int } }\ncheck: 'true'\n",
        ),
        ("test.change", "check: 'true'\napply: 'true'\n"),
    ] {
        let text = format!("type: {name}\nsummary: A demo\n{scripts}");
        let source = sources.add(name, text.as_bytes()).unwrap();
        assert!(catalog.add(name, "beside", &source).is_empty());
    }
    let runbook = sources.add("demo.yaml", runbook.as_bytes()).unwrap();
    let source = sources.add("demo.test.yaml", file.as_bytes()).unwrap();
    let (file, mistakes) = parse_scenarios(&source);
    assert!(mistakes.is_empty(), "{}", mistakes.render(&sources));
    let file = file.unwrap();
    let inventory = sources
        .add("inventory.yaml", file.inventory.value.as_bytes())
        .unwrap();
    let (inventory, _) = parse_inventory(&inventory);
    let (parsed, _) = parse_runbook(&runbook);
    let request = Request {
        sources: &sources,
        source: &runbook,
        runbook: parsed.as_ref().unwrap(),
        inventory: inventory.as_ref().unwrap(),
        catalog: &catalog,
        given: &Given::default(),
        allow_missing: false,
    };
    let (plan, mut mistakes) = compile(&request);
    let plan = Arc::new(plan.unwrap_or_else(|| panic!("{}", mistakes.render(&sources))));
    let mut all = Vec::new();
    for scenario in &file.scenarios {
        scenario.check_names(&plan, &source, &mut mistakes);
        all.push(run_scenario(&plan, &BTreeMap::new(), scenario, "demo").unwrap());
    }
    mistakes.render(&sources) + &text_of(&all)
}

const SHARED: &str = "\
inventory: |
  hosts:
    a: {}
    b: {}
  groups:
    web: { hosts: [a, b] }
facts:
  look: { outputs: { size: 2 } }
  after: { looks: [{ outputs: { size: 1 } }, { outputs: { size: 3 } }] }
scenarios:
";

#[test]
fn a_failure_that_a_phase_goes_on_after_is_one() {
    let runbook = "\
runbook: demo
phases:
  - phase: one
    order: per_host
    on_failure: continue
    steps:
      - { step: look, uses: test.look, on: web }
      - { step: change, uses: test.change, on: web }
  - { phase: two, steps: [{ step: after, uses: test.change, on: web }] }
";
    let file = |expect: &str| {
        format!(
            "inventory: |\n  hosts: {{ a: {{}}, b: {{}} }}\n  groups: {{ web: {{ hosts: [a, b] }} }}\nfacts:\n\
             \x20 look@b: {{ check: differs, reasons: [too small] }}\nscenarios:\n  - scenario: one\n    expect: {{ result: failed, {expect} }}\n"
        )
    };
    let right = "instances: { look@a: ok, look@b: failed, change@a: changed }, never: [change@b, after], fails: { look@b: too small }";
    assert_eq!(scenarios_of(runbook, &file(right)), "one\n");
    let wrong = "instances: { look@b: ok }, never: [change@a], fails: { look@b: other }";
    assert_eq!(
        scenarios_of(runbook, &file(wrong)),
        "one\n  look@b: expected ok; found failed: too small\n  change@a: expected it never begins; found changed\n  look@b: expected failed: other; found failed: too small\n"
    );
}

#[test]
fn scenarios_that_are_right_pass() {
    let said = scenarios(&format!(
        "{SHARED}
  - scenario: all is well
    expect: {{ result: succeeded, instances: {{ change: changed, after: ok }}, order: [look before approve, change@a before after@b] }}
  - scenario: one host is there already
    facts: {{ look@b: {{ outputs: {{ size: 1 }} }} }}
    expect: {{ result: succeeded, instances: {{ change@a: changed, change@b: skipped }}, never: [change@b] }}
  - scenario: nobody wants it
    answers: {{ approve: no }}
    expect: {{ result: refused, never: [change, after] }}
  - scenario: it fails
    fail: [change@a]
    expect: {{ result: failed, instances: {{ change@a: failed }}, fails: {{ change@a: says that it fails }} }}
  - scenario: it never gets there
    facts: {{ after: {{ looks: [{{ outputs: {{ size: 0 }} }}] }} }}
    expect: {{ result: failed, fails: {{ after: after 10 s }} }}
"
    ));
    assert_eq!(
        said,
        "all is well\none host is there already\nnobody wants it\nit fails\nit never gets there\n"
    );
}

#[test]
fn scenarios_that_are_wrong_are_told() {
    let said = scenarios(&format!(
        "{SHARED}
  - scenario: it fails, they say
    expect: {{ result: failed, instances: {{ change: satisfied, look: changed }}, never: [after@a], order: [after before look], fails: {{ change@b: disk }} }}
  - scenario: it works, they say
    fail: [look@b]
    expect: {{ result: succeeded, order: [change before after] }}
  - scenario: names that are not there
    facts: {{ chnge: {{}}, look: {{ outputs: {{ sise: 1 }} }} }}
    fail: [change@c]
    expect: {{ result: succeeded }}
"
    ));
    insta::assert_snapshot!(said);
}

#[test]
fn nothing_is_proved_of_a_step_that_is_nowhere() {
    let runbook = "\
runbook: demo
steps:
  - { step: look, uses: test.look, on: web }
  - { step: nowhere, uses: test.change, on: 'web, !a, !b' }
";
    let file = "\
inventory: |
  hosts: { a: {}, b: {} }
  groups: { web: { hosts: [a, b] } }
scenarios:
  - scenario: nobody was there
    expect: { result: succeeded, instances: { nowhere: changed }, order: [look before nowhere], fails: { nowhere: disk }, never: [nowhere] }
";
    assert_eq!(
        scenarios_of(runbook, file),
        "nobody was there
  nowhere: expected changed; found there is no instance
  look before nowhere: expected one ends, then the other begins; found there is no instance of nowhere
  nowhere: expected failed: disk; found there is no instance
"
    );
}

#[test]
fn times_without_an_end_are_times() {
    let said = scenarios(&format!(
        "{SHARED}
  - scenario: it takes for ever
    facts: {{ change: {{ takes: 200000000000d }} }}
    expect: {{ result: succeeded }}
"
    ));
    assert_eq!(said, "it takes for ever\n");
}

/// A gate with a way back, and a procedure of going back.
const BACK: &str = "\
runbook: demo
window: { opens: '2031-05-01T22:00:00Z', no_return_before: '2031-05-02T00:00:00Z', closes: '2031-05-02T02:00:00Z' }
phases:
  - phase: change
    steps:
      - { step: change, uses: test.change, on: web }
      - step: rest
        uses: gate.approve
        with: { message: Go on?, options: { go: continue, back: rollback }, deadline: window.no_return_before, on_deadline: rollback }
      - { step: after, uses: test.look, on: web }
rollback:
  phases:
    - phase: undo
      steps:
        - { step: sure, uses: gate.confirm, with: { type_word: back } }
        - { step: again, uses: test.change, on: web }
";

const HOSTS: &str = "\
inventory: |
  hosts: { a: {}, b: {} }
  groups: { web: { hosts: [a, b] } }
scenarios:
";

#[test]
fn scenarios_go_back_as_runs_do() {
    let file = format!(
        "{HOSTS}
  - scenario: all is well, while the window is open
    expect: {{ result: succeeded, instances: {{ rest: passed, after: ok }}, never: [sure, again] }}
  - scenario: back is said
    answers: {{ rest: back }}
    expect: {{ result: rolled_back, instances: {{ again: changed }}, order: [change before again], never: [after] }}
  - scenario: nobody says anything
    answers: {{ rest: nobody }}
    expect: {{ result: rolled_back, fails: {{ rest: 'nobody had decided by 2031-05-02T00:00:00Z' }}, never: [after] }}
  - scenario: no is no way back
    answers: {{ rest: no }}
    expect: {{ result: refused, never: [after, again] }}
  - scenario: a person goes back
    fail: [change@b]
    then: rollback
    expect: {{ result: rolled_back, instances: {{ change@b: failed, sure: passed, again: changed }} }}
  - scenario: and thinks better of it
    answers: {{ sure: no }}
    then: rollback
    expect: {{ result: refused, instances: {{ after: ok }}, never: [again] }}
"
    );
    let said = scenarios_of(BACK, &file);
    let titles = file.lines().filter_map(|l| l.split("scenario: ").nth(1));
    let wanted: String = titles.map(|title| format!("{title}\n")).collect();
    assert_eq!(said, wanted);
}

#[test]
fn words_that_no_gate_takes_are_mistakes() {
    let said = scenarios_of(
        BACK,
        &format!(
            "{HOSTS}
  - scenario: words
    answers: {{ rest: bak, sure: go, change: yes }}
    expect: {{ result: succeeded, instances: {{ rest: passed }} }}
"
        ),
    );
    insta::assert_snapshot!(said);
}
