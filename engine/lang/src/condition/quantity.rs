//! `+` and `-`: of numbers, texts and lists as in CEL, and of dates, durations and sizes.

use cel::ExecutionError;
use cel::common::types::{CelInt, CelList, CelString, CelUInt};
use cel::common::value::{CowVal, Val};

use super::functions::{kind, ours, two};
use super::special::Special;
use crate::value::{Date, parse_duration, parse_size};

/// Longest text that `+` may give, in bytes, and longest list.
const MAX_TEXT: usize = 1 << 20;
const MAX_LIST: usize = 100_000;

pub(super) fn plus<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [a, b] = two(&args)?;
    if let Some(sum) = special_sum(a, b) {
        return sum.map(CowVal::owned);
    }
    if let Some(hint) = quoted_quantity(a, b).or_else(|| quoted_quantity(b, a)) {
        return Err(ours(format!("`+` joins no quantity and text; {hint}")));
    }
    let beside_text = [a, b]
        .iter()
        .any(|val| val.downcast_ref::<CelString>().is_some());
    // A version beside a text is put in as text.
    let args: Vec<CowVal<'b, 'v>> = match beside_text {
        true => args.into_iter().map(as_plain_text).collect(),
        false => args,
    };
    let [a, b] = two(&args)?;
    let cannot = || {
        let (left, right) = (kind(a), kind(b));
        let hint = if left == "text" || right == "text" {
            "; write `string(…)` around what is no text"
        } else {
            ""
        };
        ours(format!("`+` does not join {left} and {right}{hint}"))
    };
    let long = |val: &dyn Val| match (
        val.downcast_ref::<CelString>(),
        val.downcast_ref::<CelList>(),
    ) {
        (Some(text), _) => text.inner().len() > MAX_TEXT / 2,
        (_, Some(list)) => list.inner().len() > MAX_LIST / 2,
        _ => false,
    };
    if long(a) || long(b) {
        return Err(ours("`+` would make a value that is too large"));
    }
    let sum = a
        .as_adder()
        .ok_or_else(cannot)?
        .add(b)
        .map_err(|error| match error {
            ExecutionError::Overflow(..) => ours("`+` gives a number that is too large"),
            _ => cannot(),
        })?;
    Ok(CowVal::Owned(sum.into_owned()))
}

pub(super) fn minus<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [a, b] = two(&args)?;
    if let Some(difference) = special_difference(a, b) {
        return difference.map(CowVal::owned);
    }
    if let Some(hint) = quoted_quantity(a, b).or_else(|| quoted_quantity(b, a)) {
        return Err(ours(format!("`-` takes no text; {hint}")));
    }
    let cannot = || {
        let (left, right) = (kind(a), kind(b));
        ours(match (left, right) {
            ("a number", "a number") => "`-` needs two whole numbers, or two others".to_owned(),
            _ => format!("`-` does not take {right} from {left}"),
        })
    };
    let difference = a
        .as_subtractor()
        .ok_or_else(cannot)?
        .sub(b)
        .map_err(|error| match error {
            ExecutionError::Overflow(..) => ours("`-` gives a number that is too large"),
            _ => cannot(),
        })?;
    Ok(CowVal::Owned(difference.into_owned()))
}

type Made = Option<Result<Special, ExecutionError>>;

/// The sum, where dates, durations and sizes are added; none where they are not.
fn special_sum(a: &dyn Val, b: &dyn Val) -> Made {
    let special = |val: &dyn Val| val.downcast_ref::<Special>().cloned();
    let sum = match (special(a), special(b)) {
        (Some(Special::Date(date, _)), Some(Special::Duration(ms, _)))
        | (Some(Special::Duration(ms, _)), Some(Special::Date(date, _))) => {
            date.later(ms).map(Special::date)
        }
        (Some(Special::Duration(a, _)), Some(Special::Duration(b, _))) => {
            a.checked_add(b).map(Special::duration)
        }
        (Some(Special::Size(a, _)), Some(Special::Size(b, _))) => {
            a.checked_add(b).map(Special::size)
        }
        (Some(Special::Size(size, _)), None) => size.checked_add(bytes(b)?).map(Special::size),
        (None, Some(Special::Size(size, _))) => size.checked_add(bytes(a)?).map(Special::size),
        _ => return None,
    };
    Some(sum.ok_or_else(|| ours("`+` gives more than can be counted")))
}

/// The difference, likewise. Nothing here is less than nothing.
fn special_difference(a: &dyn Val, b: &dyn Val) -> Made {
    let special = |val: &dyn Val| val.downcast_ref::<Special>().cloned();
    let difference = match (special(a), special(b)) {
        (Some(Special::Date(date, _)), Some(Special::Duration(ms, _))) => {
            date.earlier(ms).map(Special::date)
        }
        (Some(Special::Date(a, _)), Some(Special::Date(b, _))) => {
            a.since(&b).map(Special::duration)
        }
        (Some(Special::Duration(a, _)), Some(Special::Duration(b, _))) => {
            a.checked_sub(b).map(Special::duration)
        }
        (Some(Special::Size(a, _)), Some(Special::Size(b, _))) => {
            a.checked_sub(b).map(Special::size)
        }
        (Some(Special::Size(size, _)), None) => size.checked_sub(bytes(b)?).map(Special::size),
        _ => return None,
    };
    Some(difference.ok_or_else(|| {
        ours(
            "`-` gives less than nothing here; compare the two before, the larger one stands first",
        )
    }))
}

fn bytes(val: &dyn Val) -> Option<u64> {
    val.downcast_ref::<CelInt>()
        .and_then(|n| u64::try_from(*n.inner()).ok())
        .or_else(|| val.downcast_ref::<CelUInt>().map(|n| *n.inner()))
}

/// A text that is meant as a quantity beside one: joining them as texts would be silent nonsense.
fn quoted_quantity(special: &dyn Val, text: &dyn Val) -> Option<&'static str> {
    let text = text.downcast_ref::<CelString>()?.inner();
    let is_date = || Date::parse(text).is_ok();
    match special.downcast_ref::<Special>()? {
        Special::Date(..) | Special::Duration(..) if parse_duration(text).is_ok() => {
            Some("write `duration(…)` around the text")
        }
        Special::Date(..) | Special::Duration(..) if is_date() => {
            Some("write `timestamp(…)` around the text")
        }
        Special::Size(..) if parse_size(text).is_ok() => {
            Some("give sizes as inputs, or as a number of bytes")
        }
        _ => None,
    }
}

fn as_plain_text<'b, 'v>(val: CowVal<'b, 'v>) -> CowVal<'b, 'v> {
    match val.downcast_ref::<Special>() {
        Some(special) => CowVal::owned(CelString::from(special.text().to_owned())),
        None => val,
    }
}
