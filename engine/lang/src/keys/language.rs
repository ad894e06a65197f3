//! Keys of a runbook.

use super::shape::{Section as S, Shape};
use super::{Key, Name, key, required};

/// Types of inputs and of group variables.
const TYPES: &[&str] = &[
    "string", "int", "bool", "enum", "path", "duration", "size", "version", "host", "secret",
    "map", "list", "date", "object", "one_of",
];
/// Types of what is in a parameter.
const PARTS: &[&str] = &[
    "string", "int", "bool", "enum", "path", "duration", "size", "version", "secret", "map",
    "list", "date", "object", "one_of", "variant",
];

const ALPHABETS: &[&str] = &["alphanumeric", "lower", "hex", "url_safe"];
const ORDER: &[&str] = &["steps", "per_host", "graph"];
const ON_FAILURE: &[&str] = &["stop", "continue"];
const OUTAGE: &[&str] = &["begin", "end"];
const UNDO: &[&str] = &["none"];
const HOLD_FAILURE: &[&str] = &["keep", "release"];

const STEPS: Shape = Shape::List(&Shape::Section(S::Step));
const PHASES: Shape = Shape::List(&Shape::Section(S::Phase));
const VARIABLES: Shape = Shape::Map(Name::Id, &Shape::Any);
const TEXTS: Shape = Shape::OneOrList(&Shape::Text);
const COUNT: Shape = Shape::Int(0, 100_000);

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    required(key(S::Runbook, "runbook", Shape::Name(Name::Runbook), "The name of the runbook.", "quay-geo-upgrade")),
    key(S::Runbook, "version", Shape::Label, "The version of the runbook, for people.", "1"),
    key(S::Runbook, "summary", Shape::Text, "What the runbook is for, in one line.", "Upgrade a registry"),
    key(S::Runbook, "inputs", Shape::Inputs, "What is asked before a run: a map from names to inputs, and `rules` over them.", "{ hostname: { type: string, required: true } }"),
    key(S::Runbook, "groups", Shape::Map(Name::Id, &Shape::Section(S::Group)), "What the inventory must provide, checked before the first connection.", "{ quay: { min: 2 } }"),
    key(S::Runbook, "vars", VARIABLES, "Names for values: a literal of any type, a template, or `{ cel: … }`.", "{ target: '{{inputs.image}}@{{inputs.digest}}' }"),
    key(S::Runbook, "window", Shape::Section(S::Window), "When the run may happen.", "{ opens: '{{inputs.opens}}' }"),
    key(S::Runbook, "done_when", Shape::Condition, "True where everything is there already; asked once, as early as possible, never again on resume.", "vars.state == \"done\""),
    key(S::Runbook, "phases", PHASES, "The parts of the runbook, each with a barrier at its end.", "[{ phase: look, steps: [{ step: port, uses: host.port }] }]"),
    key(S::Runbook, "steps", STEPS, "The steps of a runbook that has one phase only.", "[{ step: port, uses: host.port }]"),
    key(S::Runbook, "rollback", Shape::Section(S::Rollback), "The procedure of going back, instead of the automatic one.", "{ phases: [] }"),
    key(S::Runbook, "finally", STEPS, "Steps that run on every ending.", "[{ step: record, uses: run.record }]"),
    key(S::Runbook, "outputs", VARIABLES, "What another runbook sees of this one when it imports it.", "{ drained: '{{steps.drain.only.outputs.count}}' }"),

    required(key(S::Input, "type", Shape::Choice(TYPES), "What kind of value it is.", "string")),
    key(S::Input, "of", Shape::Any, "What a list or a map holds: a type, or a whole definition.", "string"),
    key(S::Input, "fields", Shape::Map(Name::Id, &Shape::Section(S::Input)), "The names of an object, each with its definition.", "{ opens: { type: date, required: true } }"),
    key(S::Input, "one_of", Shape::List(&Shape::Section(S::Input)), "Definitions, of which the first that fits is taken.", "[{ type: version }, { type: enum, values: [latest] }]"),
    key(S::Input, "required", Shape::Bool, "It must be given.", "true"),
    key(S::Input, "default", Shape::Any, "What it is when nothing is given.", "60s"),
    key(S::Input, "help", Shape::Text, "What to give, in one line.", "the version that runs now"),
    key(S::Input, "values", Shape::List(&Shape::Text), "The words of an enum.", "[wait, report]"),
    key(S::Input, "pattern", Shape::Pattern, "A regular expression that the text matches.", "'^sha256:[0-9a-f]{64}$'"),
    key(S::Input, "in", Shape::Name(Name::Id), "The group that a host must belong to.", "quay"),

    key(S::Input, "generate", Shape::Section(S::Generate), "A secret that nobody gives: what the hosts have (`adopt`), else what an earlier run has stored, else a new one.", "{ length: 40 }"),
    key(S::Input, "adopt", Shape::Section(S::Adopt), "Where hosts have a generated secret already; all that have it must agree.", "{ on: quay, file: /mnt/quay/config/config.yaml, pattern: '^SECRET_KEY: (.+)$' }"),
    key(S::Input, "exists", Shape::Section(S::Exists), "Where this is there, a secret was there before, and a new one is refused.", "{ on: db, path: /var/lib/pgsql/data/PG_VERSION }"),

    key(S::Generate, "length", Shape::Int(12, 1024), "How many characters; 32 unless given.", "40"),
    key(S::Generate, "alphabet", Shape::Choice(ALPHABETS), "Which characters: letters and digits unless given.", "hex"),

    required(key(S::Adopt, "on", Shape::Name(Name::Id), "The group of the hosts that may have it, or `control`.", "quay")),
    required(key(S::Adopt, "file", Shape::Text, "The file that it is in, from `/`.", "/mnt/quay/config/config.yaml")),
    key(S::Adopt, "pattern", Shape::Pattern, "A regular expression that finds it in the file, line by line; its only group is the secret. Without one the whole file is.", "'^SECRET_KEY: (.+)$'"),

    required(key(S::Exists, "on", Shape::Name(Name::Id), "The group of the hosts that may have it, or `control`.", "db")),
    required(key(S::Exists, "path", Shape::Text, "A file or a directory that is there where there are data, from `/`.", "/var/lib/pgsql/data/PG_VERSION")),

    required(key(S::Rule, "check", Shape::Condition, "What must be true of the inputs.", "inputs.to > inputs.from")),
    required(key(S::Rule, "message", Shape::Text, "What to say when it is not.", "not an upgrade")),

    key(S::Group, "min", COUNT, "At least as many hosts.", "1"),
    key(S::Group, "exactly", COUNT, "Exactly as many hosts.", "1"),
    key(S::Group, "vars", Shape::Map(Name::Id, &Shape::Section(S::GroupVar)), "Variables of its hosts.", "{ region: { type: string, required: true } }"),

    required(key(S::GroupVar, "type", Shape::Choice(TYPES), "What kind of value it is.", "string")),
    key(S::GroupVar, "of", Shape::Any, "What a list or a map holds: a type, or a whole definition.", "string"),
    key(S::GroupVar, "fields", Shape::Map(Name::Id, &Shape::Section(S::GroupVar)), "The names of an object, each with its definition.", "{ host: { type: string, required: true } }"),
    key(S::GroupVar, "one_of", Shape::List(&Shape::Section(S::GroupVar)), "Definitions, of which the first that fits is taken.", "[{ type: version }, { type: enum, values: [latest] }]"),
    key(S::GroupVar, "required", Shape::Bool, "Every host of the group must have it.", "true"),
    key(S::GroupVar, "default", Shape::Any, "What it is for hosts that do not have it.", "a"),
    key(S::GroupVar, "help", Shape::Text, "What it means, in one line.", "the region of the node"),
    key(S::GroupVar, "values", Shape::List(&Shape::Text), "The words of an enum.", "[a, b]"),
    key(S::GroupVar, "pattern", Shape::Pattern, "A regular expression that the text matches.", "'^[a-z]+$'"),

    required(key(S::Value, "type", Shape::Choice(PARTS), "What kind of value it is.", "object")),
    key(S::Value, "of", Shape::Any, "What a list or a map holds: a type, or a whole definition.", "string"),
    key(S::Value, "names", Shape::Pattern, "A regular expression that the names of a map match.", "'^[a-z]+$'"),
    key(S::Value, "fields", Shape::Map(Name::Field, &Shape::Section(S::Value)), "The names of an object, each with its definition; it has no others.", "{ SERVER_HOSTNAME: { type: string, required: true } }"),
    key(S::Value, "variants", Shape::Map(Name::Field, &Shape::Section(S::Value)), "The value is a list of two: one of these names, and what its definition says.", "{ S3Storage: { type: object, fields: { s3_bucket: { type: string } } } }"),
    key(S::Value, "one_of", Shape::List(&Shape::Section(S::Value)), "Definitions, of which the first that fits is taken.", "[{ type: int }, { type: enum, values: [auto] }]"),
    key(S::Value, "required", Shape::Bool, "It must be given.", "true"),
    key(S::Value, "default", Shape::Any, "What it is when nothing is given.", "60s"),
    key(S::Value, "help", Shape::Text, "What to give, in one line.", "the name that clients use"),
    key(S::Value, "values", Shape::List(&Shape::Text), "The words of an enum.", "[http, https]"),
    key(S::Value, "pattern", Shape::Pattern, "A regular expression that the text matches.", "'^[a-z]+$'"),

    required(key(S::Var, "cel", Shape::Condition, "An expression; taken once, when what it reads is known.", "inputs.from < inputs.to")),

    key(S::Window, "opens", Shape::Text, "Not before this date.", "'{{inputs.opens}}'"),
    key(S::Window, "closes", Shape::Text, "Not after this date.", "'{{inputs.closes}}'"),
    key(S::Window, "no_return_before", Shape::Text, "The point of no return must be passed before this date.", "'{{inputs.late}}'"),

    required(key(S::Phase, "phase", Shape::Name(Name::Id), "The name of the phase.", "survey")),
    key(S::Phase, "on", Shape::Text, "Where its steps run, unless they say otherwise.", "quay"),
    key(S::Phase, "when", Shape::Condition, "It runs only if this is true; decided once.", "inputs.drain == \"wait\""),
    key(S::Phase, "order", Shape::Choice(ORDER), "How its steps follow each other: `steps` waits for every earlier step on all hosts, `per_host` lets each host walk the list at its own pace, `graph` follows only what is written.", "per_host"),
    key(S::Phase, "rolling", Shape::Section(S::Rolling), "The whole list of steps batch by batch.", "{ batch: [1, 50%] }"),
    key(S::Phase, "on_failure", Shape::Choice(ON_FAILURE), "With `stop`, nothing new starts anywhere; with `continue`, a host that fails leaves the phase and the others finish it.", "continue"),
    key(S::Phase, "max_failures", COUNT, "How many hosts may fail, with `on_failure: continue`, before the run stops at the end of the phase; 0 unless given.", "1"),
    key(S::Phase, "import", Shape::Section(S::Import), "Another runbook as this phase.", "{ file: drain.yaml }"),
    key(S::Phase, "steps", STEPS, "What is done, in order.", "[{ step: port, uses: host.port }]"),

    key(S::Rolling, "batch", Shape::OneOrList(&Shape::Share), "How many hosts at a time, as numbers or percentages; the last one repeats.", "[1, 50%]"),
    key(S::Rolling, "by", Shape::Text, "A host variable that is never mixed in a batch.", "region"),
    key(S::Rolling, "max_failures", COUNT, "How many hosts may fail before nothing new starts, those that cannot be reached included; 0 unless given.", "1"),
    key(S::Rolling, "min_ok", COUNT, "How many hosts must be well at any time.", "1"),
    key(S::Rolling, "pause", Shape::Duration, "How long to wait between batches.", "5m"),

    required(key(S::Import, "file", Shape::Text, "The other runbook's file, relative to this one.", "drain.yaml")),
    key(S::Import, "as", Shape::Name(Name::Id), "The prefix of its ids; the name of the phase unless given.", "drain"),
    key(S::Import, "with", VARIABLES, "Its inputs, each a value or a template.", "{ node: '{{inputs.first}}' }"),
    key(S::Import, "groups", Shape::Map(Name::Id, &Shape::Name(Name::Id)), "Which of our groups each of its groups is; the one of the same name unless given.", "{ nodes: quay }"),

    required(key(S::Step, "step", Shape::Name(Name::Id), "The name of the step, unique in the runbook.", "pull")),
    required(key(S::Step, "uses", Shape::Name(Name::Type), "The step type.", "podman.image")),
    key(S::Step, "with", Shape::Map(Name::Param, &Shape::Any), "The parameters of the step type.", "{ image: '{{vars.target}}' }"),
    key(S::Step, "on", Shape::Text, "Where it runs: groups, hosts, slices, unions, exclusions, or `control`.", "'quay, !quay02'"),
    key(S::Step, "via", Shape::Text, "It belongs to its host, but runs on these: a selector. Two hosts are two instances.", "lb"),
    key(S::Step, "as", Shape::Text, "The account that it runs as; `login` is the one that logs in.", "postgres"),
    key(S::Step, "chdir", Shape::Text, "The directory that it runs in.", "/srv"),
    key(S::Step, "needs", TEXTS, "The steps that it waits for, instead of the implied order: `pull`, or `pull@host` for the same host only.", "[pull, stop@host]"),
    key(S::Step, "for_each", Shape::Any, "One instance for each item of a group, an input, a variable, a list or a map; named by the host, the key, or the value itself.", "groups.quay"),
    key(S::Step, "tags", TEXTS, "Free words.", "[slow]"),
    key(S::Step, "when", Shape::Condition, "It runs only if this is true; decided once, never again.", "inputs.drain == \"wait\""),
    key(S::Step, "expect", Shape::Condition, "What must be true of its outputs.", "outputs.value == 0"),
    key(S::Step, "retry", Shape::Section(S::Retry), "Repeats its apply.", "{ attempts: 3, delay: 5s }"),
    key(S::Step, "until", Shape::Section(S::Until), "Repeats its check until it holds.", "{ passes: 3, every: 10s, within: 15m }"),
    key(S::Step, "timeout", Shape::Duration, "The limit of one attempt.", "30m"),
    key(S::Step, "critical", Shape::Bool, "Never killed by a timeout or an interrupt, never retried by itself.", "true"),
    key(S::Step, "fresh", Shape::Duration, "A probe runs again before each step that needs it, if it is older than this, and on resume.", "30m"),
    key(S::Step, "once", Shape::Bool, "A probe is a record of how things were: never taken again.", "true"),
    key(S::Step, "hold", Shape::Section(S::Hold), "What it did is held until something releases it.", "{ release: end }"),
    key(S::Step, "outage", Shape::Choice(OUTAGE), "It begins, or ends, the outage.", "begin"),
    key(S::Step, "no_return", Shape::Text, "What is lost by going back after it.", "the first push after this"),
    key(S::Step, "undo", Shape::Choice(UNDO), "It is left out of the automatic rollback.", "none"),
    key(S::Step, "on_failure", Shape::Choice(ON_FAILURE), "With `stop`, nothing new starts anywhere; with `continue`, its failure is recorded and it counts as done.", "continue"),

    required(key(S::Retry, "attempts", Shape::Int(1, 100), "How many attempts in all.", "3")),
    key(S::Retry, "delay", Shape::Duration, "How long to wait before the second attempt.", "5s"),
    key(S::Retry, "backoff", Shape::Number(1.0), "The factor from one delay to the next.", "2"),
    key(S::Retry, "max_delay", Shape::Duration, "No delay is longer than this.", "1m"),

    key(S::Until, "every", Shape::Duration, "How long to wait between two looks; 5 s unless given.", "10s"),
    key(S::Until, "passes", Shape::Int(1, 1_000), "How many good looks in a row; 1 unless given.", "3"),
    required(key(S::Until, "within", Shape::Duration, "The wall-clock time for all of it, from the first look.", "15m")),
    key(S::Until, "fatal", Shape::Condition, "Ends it at once when true of the outputs.", "outputs.restarts > 0"),

    required(key(S::Hold, "release", TEXTS, "The steps that release it, later ones or those of `finally`; or `end`.", "[unfreeze]")),
    key(S::Hold, "on_failure", Shape::Choice(HOLD_FAILURE), "What becomes of it when the run fails.", "keep"),
    key(S::Hold, "max", Shape::Duration, "How long it may be held.", "2h"),

    required(key(S::Rollback, "phases", PHASES, "Its parts.", "[]")),
];
