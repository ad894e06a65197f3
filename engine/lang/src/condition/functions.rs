//! The functions of conditions: CEL's own, and the operators that understand versions and dates.
//!
//! CEL asks only the left operand of an operator what it means, and its text knows nothing of
//! versions. The operators that compare, add and subtract are therefore calls of functions declared here (names
//! with `@` cannot be written in an expression). They are also stricter: values of different
//! kinds are never equal, so comparing them is an error and not `false`.

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use cel::common::ast::operators;
use cel::common::types::{
    CelBool, CelInt, CelList, CelMap, CelNull, CelString, CelUInt, DYN_TYPE, STRING_TYPE,
};
use cel::common::value::{CowVal, Val};
use cel::{Env, ExecutionError};

use super::convert::key_text;
use super::quantity;
use super::special::{self, Special};
use crate::value::{Meaning, Version};

/// Who says it, in errors made here: their messages are in our own words.
pub(super) const OURS: &str = "runbook";
/// Sorts the keys of a map before it is iterated.
pub(super) const IN_ORDER: &str = "@in_order";
/// Functions that may be called on their own, and with how many values.
pub(super) const GLOBAL: [(&str, usize); 9] = [
    ("size", 1),
    ("string", 1),
    ("int", 1),
    ("double", 1),
    ("bool", 1),
    ("version", 1),
    ("duration", 1),
    ("timestamp", 1),
    ("matches", 2),
];
/// Functions that may be called on a value, and with how many more.
pub(super) const MEMBER: [(&str, usize); 5] = [
    ("size", 0),
    ("contains", 1),
    ("startsWith", 1),
    ("endsWith", 1),
    ("matches", 1),
];

/// The operators that are ours, and the functions that replace them.
pub(super) const REPLACED: [(&str, &str); 9] = [
    (operators::EQUALS, "@equal"),
    (operators::NOT_EQUALS, "@unequal"),
    (operators::LESS, "@less"),
    (operators::LESS_EQUALS, "@at_most"),
    (operators::GREATER, "@greater"),
    (operators::GREATER_EQUALS, "@at_least"),
    (operators::IN, "@member"),
    (operators::ADD, "@plus"),
    (operators::SUBSTRACT, "@minus"),
];

/// The environment of all conditions.
pub(super) static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib().with_optional_support(false);
    let two: [(&str, cel::common::functions::Function); 9] = [
        ("@equal", |args| equal(&args).map(truth)),
        ("@unequal", |args| equal(&args).map(|same| truth(!same))),
        ("@less", |args| order(&args, "<").map(|o| truth(o.is_lt()))),
        ("@at_most", |args| {
            order(&args, "<=").map(|o| truth(o.is_le()))
        }),
        ("@greater", |args| {
            order(&args, ">").map(|o| truth(o.is_gt()))
        }),
        ("@at_least", |args| {
            order(&args, ">=").map(|o| truth(o.is_ge()))
        }),
        ("@member", |args| member(&args).map(truth)),
        ("@plus", quantity::plus),
        ("@minus", quantity::minus),
    ];
    for (name, function) in two {
        env.add_overload(name, name, vec![DYN_TYPE, DYN_TYPE], function)
            .expect("each operator is declared once");
    }
    env.add_overload(IN_ORDER, IN_ORDER, vec![DYN_TYPE], in_order)
        .expect("the order of keys is declared once");
    let made: [(&str, cel::common::functions::Function); 3] = [
        ("version", |args| made(&args, &Meaning::Version)),
        ("duration", |args| made(&args, &Meaning::Duration)),
        ("timestamp", |args| made(&args, &Meaning::Date)),
    ];
    for (name, function) in made {
        let id = format!("text_to_{name}");
        env.add_overload(name, &id, vec![STRING_TYPE], function)
            .expect("each special value is made from text once");
        for kind in special::types().into_iter().filter(|k| k.name() == name) {
            let id = format!("{name}_to_{name}");
            env.add_overload(name, &id, vec![kind.to_owned()], same)
                .expect("each special value stays what it is once");
        }
    }
    for kind in special::types() {
        let id = format!("{}_to_text", kind.name());
        env.add_overload("string", &id, vec![kind.to_owned()], text)
            .expect("texts from special values are declared once");
    }
    Arc::new(env)
});

fn truth<'b, 'v>(truth: bool) -> CowVal<'b, 'v> {
    CowVal::owned(CelBool::from(truth))
}

pub(super) fn ours(message: impl Into<String>) -> ExecutionError {
    ExecutionError::function_error(OURS, message.into())
}

pub(super) fn two<'a, 'b, 'v>(
    args: &'a [CowVal<'b, 'v>],
) -> Result<[&'a (dyn Val + 'v); 2], ExecutionError> {
    match args {
        [a, b] => Ok([a.as_ref(), b.as_ref()]),
        _ => Err(ours("an operator takes two values")),
    }
}

/// What a value is, for a message.
pub(super) fn kind(val: &dyn Val) -> &'static str {
    if let Some(special) = val.downcast_ref::<Special>() {
        return match special {
            Special::Version(_) => "a version",
            Special::Duration(..) => "a duration",
            Special::Size(..) => "a size",
            Special::Date(..) => "a date",
        };
    }
    kind_of_type(val.get_type().name())
}

/// What a type of CEL is called in messages.
pub(super) fn kind_of_type(name: &str) -> &'static str {
    match name {
        "bool" => "`true` or `false`",
        "int" | "uint" | "double" => "a number",
        "string" => "text",
        "null_type" => "nothing",
        "version" => "a version",
        "duration" => "a duration",
        "size" => "a size",
        "timestamp" => "a date",
        name if name.starts_with("list") => "a list",
        name if name.starts_with("map") => "a map",
        _ => "a value of another kind",
    }
}

/// Whether two values are the same, without a look at whether they could be.
fn is_same(a: &dyn Val, b: &dyn Val) -> bool {
    match (a.downcast_ref::<Special>(), b.downcast_ref::<Special>()) {
        (Some(special), _) => special.equals(b),
        (None, Some(special)) => special.equals(a),
        (None, None) => a.equals(b),
    }
}

fn equal(args: &[CowVal<'_, '_>]) -> Result<bool, ExecutionError> {
    let [a, b] = two(args)?;
    let (left, right) = (kind(a), kind(b));
    let is_null = |v: &dyn Val| v.downcast_ref::<CelNull>().is_some();
    if left != right && !is_null(a) && !is_null(b) && !comparable(a, b) && !comparable(b, a) {
        return Err(ours(format!(
            "{left} is never equal to {right}; convert one with `string(…)`, `int(…)` or `version(…)`"
        )));
    }
    Ok(is_same(a, b))
}

/// Whether a special value can be compared with the other value at all.
fn comparable(special: &dyn Val, other: &dyn Val) -> bool {
    let is_text = other.downcast_ref::<CelString>().is_some();
    let is_whole =
        other.downcast_ref::<CelInt>().is_some() || other.downcast_ref::<CelUInt>().is_some();
    match special.downcast_ref::<Special>() {
        Some(Special::Size(..)) => is_text || is_whole,
        Some(_) => is_text,
        None => false,
    }
}

fn order(args: &[CowVal<'_, '_>], operator: &str) -> Result<Ordering, ExecutionError> {
    let [a, b] = two(args)?;
    let cannot = || {
        let (left, right) = (kind(a), kind(b));
        ours(match (left, right) {
            ("a version", "text") | ("text", "a version") => {
                format!("`{operator}` compares a version with text that is no version")
            }
            ("a duration", "text") | ("text", "a duration") => {
                format!("`{operator}` compares a duration with text that is no duration")
            }
            ("a size", "text") | ("text", "a size") => {
                format!("`{operator}` compares a size with text that is no size")
            }
            ("a date", "text") | ("text", "a date") => {
                format!("`{operator}` compares a date with text that is no date")
            }
            _ => format!("`{operator}` does not compare {left} with {right}"),
        })
    };
    match (a.downcast_ref::<Special>(), b.downcast_ref::<Special>()) {
        (Some(special), _) => return special.relate(b).ok_or_else(cannot),
        (None, Some(special)) => {
            return special.relate(a).map(Ordering::reverse).ok_or_else(cannot);
        }
        (None, None) => {}
    }
    if let (Some(a), Some(b)) = (a.downcast_ref::<CelString>(), b.downcast_ref::<CelString>())
        && looks_like_version(a.inner())
        && looks_like_version(b.inner())
    {
        // As text, 3.10 comes before 3.9. Nobody means that.
        return Err(ours(format!(
            "`{operator}` compares two texts that look like versions; write `version(…)` around one"
        )));
    }
    a.as_comparer()
        .ok_or_else(cannot)?
        .compare(b)
        .map_err(|_| cannot())
}

fn looks_like_version(text: &str) -> bool {
    text.contains('.') && Version::parse(text).is_some()
}

fn member(args: &[CowVal<'_, '_>]) -> Result<bool, ExecutionError> {
    let [item, all] = two(args)?;
    if let Some(list) = all.downcast_ref::<CelList>() {
        return Ok(list.inner().iter().any(|e| is_same(item, e.as_ref())));
    }
    if let Some(map) = all.downcast_ref::<CelMap>() {
        return Ok(map.inner().keys().any(|key| is_same(item, key.inner())));
    }
    let hint = match kind(all) {
        "text" => "; for text write `a.contains(b)`",
        _ => "",
    };
    Err(ours(format!(
        "`in` looks into a list or a map, this is {}{hint}",
        kind(all)
    )))
}

/// Maps are iterated by their keys, and those in order: a result must not depend on chance.
fn in_order<'b, 'v>(mut args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let Some(all) = args.pop() else {
        return Err(ours("nothing to go through"));
    };
    let Some(map) = all.downcast_ref::<CelMap>() else {
        return Ok(all);
    };
    let mut keys: Vec<_> = map.inner().keys().collect();
    keys.sort_by_cached_key(|key| key_text(key));
    let keys: Vec<Box<dyn Val + 'v>> = keys
        .into_iter()
        .map(|key| key.inner().clone_as_boxed())
        .collect();
    Ok(CowVal::owned(CelList::from(keys)))
}

/// A special value from text.
fn made<'b, 'v>(
    args: &[CowVal<'b, 'v>],
    meaning: &Meaning,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = args
        .first()
        .and_then(|text| text.downcast_ref::<CelString>());
    text.and_then(|text| Special::of(meaning, &text.inner().into()))
        .map(CowVal::owned)
        .ok_or_else(|| {
            ours(match meaning {
                Meaning::Duration => "`duration(…)` takes text like `1h30m`",
                Meaning::Date => "`timestamp(…)` takes text like `2026-03-01T22:00:00+01:00`",
                _ => "`version(…)` takes text like `3.7.0`",
            })
        })
}

fn text<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    args.first()
        .and_then(|special| special.downcast_ref::<Special>())
        .map(|special| CowVal::owned(CelString::from(special.text().to_owned())))
        .ok_or_else(|| ours("`string(…)` takes one value"))
}

fn same<'b, 'v>(mut args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    args.pop().ok_or_else(|| ours("a function takes one value"))
}
