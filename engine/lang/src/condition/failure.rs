//! Mistakes in our own words. The library's words repeat values, and a value may be a secret.

use cel::ExecutionError;
use cel::parser::ParseErrors;

use super::functions::{OURS, kind_of_type};
use crate::scope::{EvalError, ExprError, Reference, Scope, Segment, byte_of, path_text};
use crate::value::shown;

/// A condition that cannot be parsed.
pub(super) fn parse_error(text: &str, errors: &ParseErrors) -> ExprError {
    let Some(error) = errors.errors.first() else {
        return ExprError::new(0..text.len(), "this condition is not understood");
    };
    let (line, column) = error.pos;
    let at = match error.msg.contains("<EOF>") && !error.msg.contains("expecting <EOF>") {
        true => text.len(),
        false => byte_of(
            text,
            usize::try_from(line).unwrap_or(1),
            usize::try_from(column).unwrap_or(1),
        ),
    };
    let rest = &text[at..];
    let token = first_token(rest);
    let range = at..at + token.len();
    let message = match token {
        _ if error.msg.contains("has()") => {
            "`has` takes a path: `has(steps.x.outputs.y)`".to_owned()
        }
        _ if error.msg.contains("simple name") => {
            "the first value names the element: `list.all(x, x > 0)`".to_owned()
        }
        _ if error.msg.contains("reserved") => format!("`{}` is a reserved word", shown(token)),
        "" => "the condition ends too early".to_owned(),
        _ if error.msg.contains("no viable alternative") => {
            "what begins here is not complete, or has a part too many".to_owned()
        }
        "{" | "}" if text.contains("{{") => {
            "a condition names values as they are, without `{{` and `}}`".to_owned()
        }
        token if token.starts_with(|c: char| !c.is_ascii()) => {
            format!(
                "names have letters `a` to `z`, `{}` belongs into quotes",
                shown(token)
            )
        }
        "\"" | "'" => {
            "this text, or what stands before it, is not understood; a backslash is written `\\\\`"
                .to_owned()
        }
        token if token.starts_with(|c: char| c.is_ascii_digit()) => {
            format!("the number `{}` is not understood here", shown(token))
        }
        token => format!("`{}` is not expected here", shown(token)),
    };
    ExprError::new(range, message)
}

fn first_token(rest: &str) -> &str {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let len = match rest.chars().next() {
        None => 0,
        Some(c) if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
        Some(c) => c.len_utf8(),
    };
    &rest[..len]
}

/// An evaluation that failed.
pub(super) fn eval_error(
    text: &str,
    references: &[Reference],
    scope: &Scope,
    error: &ExecutionError,
) -> EvalError {
    let say = |message: String| EvalError::new(0..text.len(), message);
    match error {
        ExecutionError::NoSuchKey(key) => not_there(references, scope, key).unwrap_or_else(|| {
            say("a key that this condition computes is not in the map".to_owned())
        }),
        ExecutionError::UndeclaredReference(name) => {
            let of_root = references.iter().find(|r| r.root() == name.as_str());
            match of_root {
                Some(r) => EvalError::missing(r.range.clone(), path_text(&r.path)),
                None => say(format!("`{}` is not known here", shown(name))),
            }
        }
        ExecutionError::NoSuchOverload(call) => {
            say(overload(call.function(), call.argument_types()))
        }
        ExecutionError::FunctionError { function, message } if function == OURS => {
            say(message.clone())
        }
        ExecutionError::FunctionError { function, .. } => {
            say(format!("`{}` does not accept this value", shown(function)))
        }
        ExecutionError::UnexpectedType { got, .. } => say(format!(
            "a list or a map is needed, this is {}",
            kind_of_type(got)
        )),
        ExecutionError::UnsupportedBinaryOperator(name, ..) => {
            say(format!("{} needs two numbers", operator(name)))
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            say("division by zero".to_owned())
        }
        ExecutionError::Overflow(name, ..) => say(format!(
            "{} gives a number that is too large",
            operator(name)
        )),
        ExecutionError::IndexOutOfBounds(_) => say("the list has no such position".to_owned()),
        ExecutionError::DuplicateKey(_) => say("a map names one key twice".to_owned()),
        ExecutionError::UnsupportedKeyType(_) | ExecutionError::UnsupportedIndex(..) => {
            say("this cannot be a key; a version is a key as `.minor` or `string(…)`".to_owned())
        }
        ExecutionError::InvalidArgumentCount { .. } | ExecutionError::MissingArgumentOrTarget => {
            say("a function gets too few or too many values".to_owned())
        }
        _ => say("this condition cannot be evaluated".to_owned()),
    }
}

/// The reference that ran into the missing key.
fn not_there(references: &[Reference], scope: &Scope, key: &str) -> Option<EvalError> {
    let with_key = || {
        references
            .iter()
            .filter(|r| !r.guarded && r.path.iter().any(|s| s.name() == Some(key)))
    };
    let is_missing = |r: &&Reference| {
        let known: Vec<&str> = r.path.iter().map_while(Segment::name).collect();
        scope.find(&known).is_none()
    };
    let found = with_key()
        .find(is_missing)
        .or_else(|| with_key().find(|r| r.path.contains(&Segment::Any)))?;
    Some(EvalError::missing(
        found.range.clone(),
        path_text(&found.path),
    ))
}

fn overload(function: &str, types: &[String]) -> String {
    let kinds: Vec<_> = types.iter().map(|name| kind_of_type(name)).collect();
    match (function, kinds.as_slice()) {
        ("_._", [of, ..]) => format!("{of} has no members"),
        ("_[_]", [of, key]) => format!("{of} has no entry by {key}"),
        ("!_", [of]) => format!(
            "`!` needs `true` or `false`, this is {of}; what is compared stands in brackets: `!(a == b)`"
        ),
        ("-_", [of]) => format!("`-` needs a number, this is {of}"),
        ("_&&_" | "_||_", _) => format!(
            "{} needs `true` or `false` on both sides",
            operator(function)
        ),
        (name, kinds) => format!("`{}` does not take {}", shown(name), kinds.join(" and ")),
    }
}

fn operator(name: &str) -> String {
    let sign = match name {
        "add" => "+",
        "sub" => "-",
        "mul" => "*",
        "div" => "/",
        "rem" => "%",
        other => other.trim_matches('_'),
    };
    format!("`{}`", shown(sign))
}
