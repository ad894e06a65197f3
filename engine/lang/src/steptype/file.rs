//! The file of a step type.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use runbook_model::StepType;
use runbook_model::step_type::{Example, InDoubt, Output, Param, Scripts, Shape, TypeKind};
use sha2::{Digest as _, Sha256};

use super::arguments::check_params;
use super::content;
use super::param::coerce;
use super::{rules, schema};
use crate::diagnostic::{Code, Diagnostics};
use crate::fields::{Cx, Fields};
use crate::keys::Section;
use crate::source::{Source, Span};
use crate::yaml::{self, Entry, Node};

/// Limit of a check, unless the type says otherwise.
const CHECK_MS: u64 = 30_000;
/// Limit of an apply, unless the type says otherwise.
const APPLY_MS: u64 = 600_000;

/// Reads the file of a step type. `stem` is the name of the file without `.yaml`, `origin` where
/// it comes from.
pub fn parse_type(stem: &str, origin: &str, source: &Source) -> (Option<StepType>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let tree = yaml::read(source, &mut diagnostics);
    let step_type = read(&mut Cx::new(source, &mut diagnostics), stem, origin, &tree);
    diagnostics.sort();
    // What is half right must not run: a plan stores only types without a mistake.
    (step_type.filter(|_| !diagnostics.has_errors()), diagnostics)
}

fn read(cx: &mut Cx<'_>, stem: &str, origin: &str, tree: &Node) -> Option<StepType> {
    let at = tree
        .as_map()
        .and_then(|e| e.first())
        .map_or(Span::default(), |e| e.key.span);
    let fields = Fields::read(cx, Section::Type, tree, at)?;
    if let Some(name) = fields.text("type").filter(|name| name.value != stem) {
        let message = format!("the type is named `{}`, its file `{stem}`", name.value);
        cx.error(
            Code::Conflict,
            message,
            name.span,
            "",
            Some("both have the same name".to_owned()),
        );
    }
    let kind = if fields.entry("content").is_some() {
        content::stands_alone(cx, &fields);
        TypeKind::Ordinary
    } else {
        kind(cx, &fields, at)
    };
    let params: BTreeMap<_, _> = fields
        .map("params")
        .into_iter()
        .filter_map(|e| Some((e.key.value.clone(), param(cx, e)?)))
        .collect();
    let outputs = fields
        .map("outputs")
        .into_iter()
        .filter_map(|e| Some((e.key.value.clone(), output(cx, e, kind)?)))
        .collect();
    let content = content::read(cx, &fields, &params);
    let progress = content::progress(cx, &fields, &params);
    let rules = rules::read(cx, &fields, &params);
    let (check_timeout_ms, apply_timeout_ms) = timeouts(cx, &fields);
    let texts = |name| fields.texts(name).into_iter().map(|t| t.value).collect();
    let mut step_type = StepType {
        name: fields.text("type")?.value,
        summary: fields.words("summary"),
        doc: fields.words("doc"),
        origin: origin.to_owned(),
        digest: digest(cx.source.text()),
        kind,
        params,
        rules,
        outputs,
        reads: texts("reads"),
        writes: texts("writes"),
        volatile: fields.bool("volatile").unwrap_or(false),
        restarts_host: restarts_host(cx, &fields, kind),
        progress,
        in_doubt: if fields.words("in_doubt") == "ask" {
            InDoubt::Ask
        } else {
            InDoubt::Check
        },
        check_timeout_ms,
        apply_timeout_ms,
        scripts: Scripts {
            functions: fields.words("functions"),
            check: fields.words("check"),
            apply: fields.words("apply"),
            undo: fields.words("undo"),
        },
        content,
        examples: Vec::new(),
    };
    keys_of_resources(cx, &fields, &step_type);
    content::describe(&mut step_type);
    step_type.examples = examples(cx, &fields, &step_type);
    Some(step_type)
}

/// The kind, and whether the scripts fit it.
fn kind(cx: &mut Cx<'_>, fields: &Fields<'_>, at: Span) -> TypeKind {
    let kind = match (
        fields.bool("probe").unwrap_or(false),
        fields.bool("always").unwrap_or(false),
    ) {
        (true, true) => {
            let span = fields.key_span("always").unwrap_or(at);
            cx.error(
                Code::Conflict,
                "a type is a `probe` or runs `always`, not both",
                span,
                "",
                Some("keep `probe` for what only looks, `always` for what has no check".to_owned()),
            );
            return TypeKind::Probe;
        }
        (true, false) => TypeKind::Probe,
        (false, true) => TypeKind::Always,
        (false, false) => TypeKind::Ordinary,
    };
    let (wanted, noun): (&[&str], _) = match kind {
        TypeKind::Probe => (&["check"], "a probe"),
        TypeKind::Always => (&["apply"], "a type that runs `always`"),
        _ => (&["check", "apply"], "a step type"),
    };
    for script in ["check", "apply", "undo"] {
        let written = fields.key_span(script);
        if wanted.contains(&script) && written.is_none() && !fields.incomplete {
            cx.error(
                Code::MissingKey,
                format!("{noun} needs `{script}`"),
                at,
                "here",
                None,
            );
        } else if let Some(span) = written
            .filter(|_| !wanted.contains(&script) && (script != "undo" || kind == TypeKind::Probe))
        {
            cx.error(
                Code::Conflict,
                format!("{noun} has no `{script}`"),
                span,
                "",
                Some(format!(
                    "leave `{script}` out, or make it a type of another kind"
                )),
            );
        }
    }
    kind
}

/// Whether its apply restarts the host; only a check can tell that it did.
fn restarts_host(cx: &mut Cx<'_>, fields: &Fields<'_>, kind: TypeKind) -> bool {
    let restarts = fields.bool("restarts_host").unwrap_or(false);
    let has_scripts = kind == TypeKind::Ordinary && fields.entry("content").is_none();
    if let (true, false, Some(span)) = (restarts, has_scripts, fields.key_span("restarts_host")) {
        let message = "`restarts_host` is for a type with `check` and `apply`";
        let help = "the check says whether the host was restarted".to_owned();
        cx.error(Code::Conflict, message, span, "", Some(help));
    }
    restarts
}

fn param(cx: &mut Cx<'_>, entry: &Entry) -> Option<Param> {
    let fields = Fields::read(cx, Section::Param, &entry.value, entry.key.span)?;
    let word = fields.text("type")?;
    let shape = shape(&word.value)?;
    let param = Param {
        shape,
        required: fields.bool("required").unwrap_or(false),
        default: fields.node("default").map(Node::to_value),
        help: fields.words("help"),
        pattern: fields.text("pattern").map(|p| p.value),
        values: fields
            .texts("values")
            .into_iter()
            .map(|v| v.value)
            .collect(),
        secret: fields.bool("secret").unwrap_or(false),
        schema: None,
    };
    let schema = match fields.entry("schema") {
        Some(entry) if shape == Shape::Json => Some(schema::read(cx, entry, param.secret)?),
        _ => None,
    };
    let param = Param { schema, ..param };
    let does_not_belong = |cx: &mut Cx<'_>, key: &str| {
        if let Some(span) = fields.key_span(key) {
            cx.error(
                Code::Conflict,
                format!("`{key}` does not belong to the type `{}`", word.value),
                span,
                "",
                Some(format!("leave `{key}` out, or give another `type`")),
            );
        }
    };
    if shape != Shape::Enum {
        does_not_belong(cx, "values");
    } else if param.values.is_empty() && !fields.incomplete {
        cx.error(
            Code::MissingKey,
            "the type `enum` needs `values`",
            word.span,
            "",
            None,
        );
    }
    if !matches!(shape, Shape::List | Shape::Map) {
        does_not_belong(cx, "of");
    }
    if !matches!(
        shape,
        Shape::String | Shape::Path | Shape::List | Shape::Map
    ) {
        does_not_belong(cx, "pattern");
    }
    if shape != Shape::Json {
        does_not_belong(cx, "schema");
    }
    let name = &entry.key.value;
    if let (true, Some(span)) = (param.required, fields.key_span("default")) {
        let message = format!("`{name}` is required, so its default is never used");
        cx.error(
            Code::Conflict,
            message,
            span,
            "",
            Some("remove one of the two".to_owned()),
        );
    } else if let Some(node) = fields
        .node("default")
        .filter(|_| !fields.incomplete && (shape != Shape::Enum || !param.values.is_empty()))
        && let Err(why) = coerce(&param, &node.to_value())
    {
        cx.error(
            Code::BadValue,
            format!("the default of `{name}` {why}"),
            node.site(),
            "",
            None,
        );
    }
    Some(param)
}

fn output(cx: &mut Cx<'_>, entry: &Entry, kind: TypeKind) -> Option<Output> {
    let fields = Fields::read(cx, Section::Output, &entry.value, entry.key.span)?;
    let secret = fields.bool("secret").unwrap_or(false);
    if let (true, TypeKind::Always, Some(span)) = (secret, kind, fields.key_span("secret")) {
        // It is not journaled, so a resume could never have it again.
        let message =
            "a type that runs `always` has no secret output: no check could tell it again";
        cx.error(Code::Conflict, message, span, "", None);
    }
    let shape = shape(&fields.text("type")?.value)?;
    Some(Output {
        shape,
        secret,
        help: fields.words("help"),
    })
}

fn shape(word: &str) -> Option<Shape> {
    Some(match word {
        "string" => Shape::String,
        "int" => Shape::Int,
        "bool" => Shape::Bool,
        "enum" => Shape::Enum,
        "path" => Shape::Path,
        "duration" => Shape::Duration,
        "size" => Shape::Size,
        "list" => Shape::List,
        "map" => Shape::Map,
        "json" => Shape::Json,
        _ => return None,
    })
}

fn timeouts(cx: &mut Cx<'_>, fields: &Fields<'_>) -> (u64, u64) {
    let section = fields
        .entry("timeout")
        .and_then(|e| Fields::read(cx, Section::TypeTimeout, &e.value, e.key.span));
    let limit = |name, usual| {
        section
            .as_ref()
            .and_then(|s| s.duration(name))
            .map_or(usual, |d| d.value)
    };
    (limit("check", CHECK_MS), limit("apply", APPLY_MS))
}

/// The templates of resource keys name parameters, nothing else.
fn keys_of_resources(cx: &mut Cx<'_>, fields: &Fields<'_>, step_type: &StepType) {
    for text in ["reads", "writes"]
        .iter()
        .flat_map(|name| fields.texts(name))
    {
        let mut rest = text.value.as_str();
        while let Some((_, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").unwrap_or((after, ""));
            let name = name.trim();
            if !step_type.params.contains_key(name) {
                let help = crate::diagnostic::did_you_mean(
                    name,
                    step_type.params.keys().map(String::as_str),
                );
                cx.error(
                    Code::UnknownParameter,
                    format!("no parameter `{name}`"),
                    text.span,
                    "in this resource key",
                    help,
                );
            }
            rest = after;
        }
    }
}

fn examples(cx: &mut Cx<'_>, fields: &Fields<'_>, step_type: &StepType) -> Vec<Example> {
    let mut examples = Vec::new();
    for item in fields.items("examples") {
        let at = item
            .as_map()
            .and_then(|e| e.first())
            .map_or(item.site(), |e| e.key.span);
        let Some(example) = Fields::read(cx, Section::Example, item, at) else {
            continue;
        };
        let with: Vec<_> = example.map("with").into_iter().cloned().collect();
        check_params(
            step_type,
            &with,
            example.key_span("with").unwrap_or(at),
            cx.source,
            cx.diagnostics,
        );
        let with: BTreeMap<_, _> = with
            .iter()
            .map(|e| (e.key.value.clone(), e.value.to_value()))
            .collect();
        examples.push(Example {
            title: example.words("title"),
            with,
        });
    }
    examples
}

/// SHA-256 of a text, in hex.
fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
