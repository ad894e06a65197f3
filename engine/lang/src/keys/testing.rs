//! Keys of tests: of step types, in their files, and of runbooks, in files beside them.

use super::shape::{Section as S, Shape};
use super::{Key, Name, key, required};

const VERDICTS: &[&str] = &["satisfied", "differs", "skipped", "error"];
const RESULTS: &[&str] = &[
    "succeeded",
    "already_there",
    "failed",
    "refused",
    "stopped",
    "rolled_back",
];
const OUTCOMES: &[&str] = &["satisfied", "changed", "ok", "passed", "skipped", "failed"];
const THEN: &[&str] = &["rollback"];

const TEXTS: Shape = Shape::OneOrList(&Shape::Text);
const WORDS: Shape = Shape::List(&Shape::Label);
const VALUES: Shape = Shape::Map(Name::Id, &Shape::Any);
const BY_PATH: Shape = Shape::Map(Name::Free, &Shape::Any);
const FACTS: Shape = Shape::Map(Name::Free, &Shape::Section(S::Fact));

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    required(key(S::TypeTest, "test", Shape::Text, "What it shows, in one line.", "an open port is closed")),
    key(S::TypeTest, "with", Shape::Map(Name::Param, &Shape::Any), "The parameters; `{{scratch}}` is the directory of the test.", "{ path: '{{scratch}}/motd' }"),
    key(S::TypeTest, "refused", TEXTS, "What is wrong with the parameters: a part of each message, in their order. Nothing runs then.", "['needs `port`']"),
    key(S::TypeTest, "files", BY_PATH, "Files in the directory of the test before it begins; a name that ends in `/` is a directory.", "{ motd: hello }"),
    key(S::TypeTest, "commands", TEXTS, "Commands that are there besides those with answers; calling one is a mistake.", "[runuser]"),
    key(S::TypeTest, "answers", Shape::List(&Shape::Section(S::Answer)), "What commands say; the first that fits answers, and a call that none fits is a mistake. A list among them is taken item by item, so that an alias can bring several.", "[{ run: [podman, --version] }]"),
    key(S::TypeTest, "check", Shape::Choice(VERDICTS), "What the check says.", "differs"),
    key(S::TypeTest, "reasons", TEXTS, "The reasons of the check, as many and in this order; each is a part of what it says.", "[is closed]"),
    key(S::TypeTest, "outputs", VALUES, "Outputs of the last check, or of the apply of a type that runs always.", "{ status: running }"),
    key(S::TypeTest, "fails", Shape::Text, "A part of the error: of the check if that has no verdict, else of the apply.", "cannot list"),
    key(S::TypeTest, "apply", Shape::Bool, "Whether the apply runs where the check differs; it does unless this is false.", "false"),
    key(S::TypeTest, "applies", Shape::List(&WORDS), "The commands that the apply runs, in order; those whose answer changes nothing may be left out. What a command gets as input may follow behind `<<<`.", "[[podman, start, quay01]]"),
    key(S::TypeTest, "then", Shape::Choice(VERDICTS), "What the check says after the apply; satisfied unless given.", "satisfied"),
    key(S::TypeTest, "undoes", Shape::List(&WORDS), "The commands that the undo runs after that, in order; the check says again what it said first.", "[[podman, stop, quay01]]"),
    key(S::TypeTest, "becomes", BY_PATH, "Files at the end: the whole text, or nothing for one that is not there.", "{ motd: hello }"),
    key(S::TypeTest, "modes", Shape::Map(Name::Free, &Shape::Text), "Modes of files at the end, in octal digits.", "{ motd: '0644' }"),
    key(S::TypeTest, "optional", Shape::Map(Name::Free, &Shape::Text), "Commands that the type can do without, each with the reason.", "{ chronyc: systemd is asked instead }"),
    key(S::TypeTest, "real", Shape::Bool, "It runs on a real host, when one is named.", "true"),

    required(key(S::Answer, "run", WORDS, "The command, word by word: `*` stands for any text in a word, a last word `...` for any further words.", "[podman, start, '*']")),
    key(S::Answer, "stdin", Shape::Text, "What it gets as input; `*` stands for any text.", "'*alembic_version*'"),
    key(S::Answer, "stdout", Shape::Label, "What it prints; a newline is added where there is none.", "running"),
    key(S::Answer, "words", WORDS, "What it prints instead: words, each with a NUL behind it.", "[podman, run, quay]"),
    key(S::Answer, "stderr", Shape::Label, "What it prints as an error.", "no such container"),
    key(S::Answer, "status", Shape::Int(0, 255), "Its exit status; 0 unless given.", "1"),
    key(S::Answer, "writes", BY_PATH, "Files that it writes in the directory of the test; nothing removes one.", "{ dump: data }"),
    key(S::Answer, "sets", Shape::Name(Name::Id), "A fact that is true from then on: the command changes something, or, as `sleep`, lets time pass.", "started"),
    key(S::Answer, "after", Shape::Name(Name::Id), "It answers only when this fact is true.", "started"),
    key(S::Answer, "until", Shape::Name(Name::Id), "It answers only as long as this fact is not true.", "started"),

    key(S::Scenarios, "runbook", Shape::Text, "The runbook; unless given, the file beside it whose name is the same up to `.test.yaml`.", "upgrade.yaml"),
    required(key(S::Scenarios, "inventory", Shape::Text, "The file of the inventory, or, in several lines, the inventory itself.", "inventory.yaml")),
    key(S::Scenarios, "inputs", VALUES, "Inputs of all scenarios.", "{ hostname: quay.example.com }"),
    key(S::Scenarios, "facts", FACTS, "What holds in all scenarios, by step or by instance.", "{ survey: { outputs: { healthy: true } } }"),
    required(key(S::Scenarios, "scenarios", Shape::List(&Shape::Section(S::Scenario)), "What is tried.", "[{ scenario: it works, expect: { result: succeeded } }]")),

    required(key(S::Scenario, "scenario", Shape::Text, "What it shows, in one line.", "the dump fails")),
    key(S::Scenario, "inputs", VALUES, "Inputs, beside those of all scenarios.", "{ drain: report }"),
    key(S::Scenario, "facts", FACTS, "What holds here, over what holds in all scenarios.", "{ dump: { check: satisfied } }"),
    key(S::Scenario, "fail", TEXTS, "Steps or instances that fail: the apply, or the look of a probe.", "[dump, stop@quay02]"),
    key(S::Scenario, "answers", Shape::Map(Name::Free, &Shape::Text), "What people say at a gate: `yes`, `no`, one of its `options`, or `nobody` where nobody says anything; yes unless given.", "{ approve: no }"),
    key(S::Scenario, "then", Shape::Choice(THEN), "What a person does when the run has ended.", "rollback"),
    required(key(S::Scenario, "expect", Shape::Section(S::Expected), "What must come of it.", "{ result: failed }")),

    key(S::Fact, "check", Shape::Choice(VERDICTS), "What a look says: unless given, a probe is satisfied, and anything else differs until its apply.", "differs"),
    key(S::Fact, "reasons", TEXTS, "Why it says so.", "[is stopped]"),
    key(S::Fact, "outputs", VALUES, "Outputs of a look, or of the apply where there is no look.", "{ healthy: true }"),
    key(S::Fact, "after", Shape::Section(S::Fact), "What holds after the apply, over what held before.", "{ outputs: { status: running } }"),
    key(S::Fact, "looks", Shape::List(&Shape::Section(S::Fact)), "One look after the other, over the rest; the last one stays.", "[{ check: differs }, { check: satisfied }]"),
    key(S::Fact, "takes", Shape::Duration, "How long the apply takes.", "5m"),

    required(key(S::Expected, "result", Shape::Choice(RESULTS), "How the run ends.", "succeeded")),
    key(S::Expected, "instances", Shape::Map(Name::Free, &Shape::Choice(OUTCOMES)), "How instances end; the name of a step stands for all of its instances.", "{ migrate@quay01: changed }"),
    key(S::Expected, "never", TEXTS, "Steps or instances that never begin.", "[migrate]"),
    key(S::Expected, "order", TEXTS, "What ends before something else begins: `A before B`.", "[stop before migrate]"),
    key(S::Expected, "fails", Shape::Map(Name::Free, &Shape::Text), "A part of what is said of a failure.", "{ dump: no space }"),
];
