//! Step types that the engine itself does, with schemas like any other.

use std::collections::BTreeMap;

use runbook_model::StepType;
use runbook_model::gate::OPTION;
use runbook_model::step_type::{InDoubt, Output, Param, Scripts, Shape, TypeKind};

/// The origin of these types.
pub const ORIGIN: &str = "engine";
/// A person decides at the terminal.
pub const GATE_APPROVE: &str = "gate.approve";
/// A person types a word.
pub const GATE_CONFIRM: &str = "gate.confirm";
/// Time passes, and a person can end that.
pub const GATE_WAIT: &str = "gate.wait";
/// A person does something that no program can.
pub const MANUAL_TASK: &str = "manual.task";
/// Time passes.
pub const WAIT: &str = "wait";
/// Conditions that must be true.
pub const ASSERT: &str = "assert";
/// What happened, written into the run's directory.
pub const RUN_RECORD: &str = "run.record";
/// A file from one host to another, through the controller.
pub const COPY: &str = "copy";
/// A file of a host to the controller.
pub const FETCH: &str = "fetch";

/// All of them.
pub(super) fn types() -> Vec<StepType> {
    vec![
        engine(
            GATE_APPROVE,
            TypeKind::Gate,
            "A person says yes or no before anything after it starts",
            vec![
                (
                    "message",
                    required(Shape::String, "what is about to happen"),
                ),
                ("show", optional(Shape::List, SHOW)),
                (
                    "approvers",
                    Param {
                        default: Some(1.into()),
                        ..optional(Shape::Int, "how many people must say yes")
                    },
                ),
                (
                    "not_runner",
                    Param {
                        default: Some(false.into()),
                        ..optional(Shape::Bool, "whoever runs it is none of them")
                    },
                ),
                (
                    "expires",
                    optional(
                        Shape::Duration,
                        "how long an answer counts before the gate is passed",
                    ),
                ),
                (
                    "deadline",
                    optional(
                        Shape::String,
                        "an expression: the date until which an answer is waited for",
                    ),
                ),
                (
                    "on_deadline",
                    Param {
                        values: vec!["stop".to_owned(), "rollback".to_owned()],
                        default: Some("stop".into()),
                        ..optional(Shape::Enum, "what happens when nobody has answered by then")
                    },
                ),
                (
                    "options",
                    optional(
                        Shape::Map,
                        "the answers that can be given, each with what follows: `continue`, `stop` or `rollback`",
                    ),
                ),
            ],
            vec![(
                OPTION,
                output(
                    Shape::String,
                    "the answer that decided it: one of `options`, `yes` where there are none, or `no`",
                ),
            )],
        ),
        engine(
            GATE_CONFIRM,
            TypeKind::Gate,
            "A person types a word, so that nobody goes on by accident",
            vec![
                (
                    "type_word",
                    required(Shape::String, "the word that is typed"),
                ),
                (
                    "message",
                    optional(Shape::String, "what is about to happen"),
                ),
                ("show", optional(Shape::List, SHOW)),
            ],
            vec![],
        ),
        engine(
            GATE_WAIT,
            TypeKind::Gate,
            "Time passes before the run goes on by itself; a person can end the wait, or the run",
            vec![
                ("message", optional(Shape::String, "what is waited for")),
                (
                    "for",
                    optional(Shape::Duration, "how long, from its first start"),
                ),
                ("until", optional(Shape::String, "a date")),
                ("show", optional(Shape::List, SHOW)),
            ],
            vec![],
        ),
        engine(
            MANUAL_TASK,
            TypeKind::Gate,
            "Something that a person does, and says that it is done",
            vec![
                ("text", required(Shape::String, "what is to be done")),
                (
                    "evidence",
                    optional(
                        Shape::Json,
                        "what is asked for as proof: names, each with a `type` like an input; outputs of the step",
                    ),
                ),
                ("show", optional(Shape::List, SHOW)),
            ],
            vec![],
        ),
        engine(
            WAIT,
            TypeKind::Wait,
            "Time passes",
            vec![
                (
                    "for",
                    optional(Shape::Duration, "how long, from its first start"),
                ),
                ("until", optional(Shape::String, "a date")),
            ],
            vec![],
        ),
        engine(
            ASSERT,
            TypeKind::Assert,
            "Conditions that must all be true",
            vec![(
                "all",
                required(
                    Shape::Json,
                    "a list of conditions, `check`, each with the `message` for when it is false",
                ),
            )],
            vec![],
        ),
        engine(
            RUN_RECORD,
            TypeKind::Record,
            "What happened, written into the run's directory",
            vec![(
                "include",
                optional(Shape::List, "steps whose outputs are written down"),
            )],
            vec![],
        ),
        engine(
            COPY,
            TypeKind::Copy,
            "A file from one host to another, through the controller",
            vec![
                (
                    "from",
                    required(Shape::String, "`host:/path`, or a path on the controller"),
                ),
                (
                    "to",
                    required(
                        Shape::String,
                        "`host:/path`, or a path on the controller; on the host of the step: `{{host.name}}:/path`",
                    ),
                ),
                ("sha256", digest()),
                (
                    "owner",
                    optional(
                        Shape::String,
                        "a name or a number; kept unless given, and of a new copy the account that writes it",
                    ),
                ),
                (
                    "group",
                    optional(
                        Shape::String,
                        "a name or a number; kept unless given, and of a new copy that of the account",
                    ),
                ),
                (
                    "mode",
                    Param {
                        pattern: Some("^0?[0-7]{2}[0145]$".to_owned()),
                        ..optional(
                            Shape::String,
                            "in octal digits, in quotes, never writable by others; kept unless given, and 0600 of a new copy",
                        )
                    },
                ),
            ],
            of_copy(),
        ),
        engine(
            FETCH,
            TypeKind::Copy,
            "A file of the host to the controller",
            vec![
                (
                    "from",
                    Param {
                        pattern: Some("^/".to_owned()),
                        ..required(
                            Shape::Path,
                            "the file on the host; it must stand still meanwhile, so make a copy of a log first",
                        )
                    },
                ),
                (
                    "to",
                    Param {
                        pattern: Some("^/".to_owned()),
                        ..required(
                            Shape::Path,
                            "the file on the controller, or a directory, each host another: `{{run.dir}}/{{host.name}}.log`",
                        )
                    },
                ),
                ("sha256", digest()),
            ],
            of_copy(),
        ),
    ]
}

/// The digest that a copy must have.
fn digest() -> Param {
    Param {
        pattern: Some("^[0-9a-f]{64}$".to_owned()),
        ..optional(Shape::String, "what the content must be, in hex")
    }
}

/// What is known of a copy.
fn of_copy() -> Vec<(&'static str, Output)> {
    vec![
        ("file", output(Shape::String, "where the copy is")),
        (
            "sha256",
            output(Shape::String, "the digest of its content, in hex"),
        ),
        ("size", output(Shape::Int, "its bytes")),
    ]
}

const SHOW: &str = "steps whose outputs are shown beside the question";

fn engine(
    name: &str,
    kind: TypeKind,
    summary: &str,
    params: Vec<(&str, Param)>,
    outputs: Vec<(&str, Output)>,
) -> StepType {
    StepType {
        name: name.to_owned(),
        summary: summary.to_owned(),
        doc: String::new(),
        origin: ORIGIN.to_owned(),
        digest: String::new(),
        kind,
        params: params
            .into_iter()
            .map(|(name, param)| (name.to_owned(), param))
            .collect(),
        rules: Vec::new(),
        outputs: outputs
            .into_iter()
            .map(|(name, output)| (name.to_owned(), output))
            .collect::<BTreeMap<_, _>>(),
        reads: Vec::new(),
        writes: Vec::new(),
        volatile: false,
        restarts_host: false,
        progress: None,
        in_doubt: InDoubt::Check,
        check_timeout_ms: 60_000,
        apply_timeout_ms: 3_600_000,
        scripts: Scripts::default(),
        content: None,
        examples: Vec::new(),
    }
}

fn required(shape: Shape, help: &str) -> Param {
    Param {
        required: true,
        ..optional(shape, help)
    }
}

fn optional(shape: Shape, help: &str) -> Param {
    Param {
        shape,
        required: false,
        default: None,
        help: help.to_owned(),
        pattern: None,
        values: Vec::new(),
        secret: false,
        schema: None,
    }
}

fn output(shape: Shape, help: &str) -> Output {
    Output {
        shape,
        secret: false,
        help: help.to_owned(),
    }
}
