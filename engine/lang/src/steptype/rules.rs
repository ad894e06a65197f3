//! What must be true of the parameters of a type together: conditions over `params`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use runbook_model::step_type::{Param, Rule, Shape};
use runbook_model::{StepType, Value};
use serde_json::Map;

use super::schema;
use crate::condition::Condition;
use crate::diagnostic::{Code, did_you_mean};
use crate::fields::{Cx, Fields};
use crate::keys::Section;
use crate::scope::{Scope, Segment};
use crate::source::Span;

/// Reads `rules`.
pub(super) fn read(
    cx: &mut Cx<'_>,
    fields: &Fields<'_>,
    params: &BTreeMap<String, Param>,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    for item in fields.items("rules") {
        let at = item.as_map().and_then(|e| e.first());
        let at = at.map_or(item.site(), |e| e.key.span);
        let Some(of) = Fields::read(cx, Section::TypeRule, item, at) else {
            continue;
        };
        let (Some(check), message) = (of.text("check"), of.words("message")) else {
            continue;
        };
        if is_sound(cx, &check.value, check.span, params) {
            rules.push(Rule {
                check: check.value,
                message,
            });
        }
    }
    rules
}

fn is_sound(cx: &mut Cx<'_>, text: &str, at: Span, params: &BTreeMap<String, Param>) -> bool {
    let condition = match Condition::parse(text) {
        Ok(condition) => condition,
        Err(error) => {
            cx.error(Code::BadCondition, error.message, at, "", None);
            return false;
        }
    };
    let mut sound = true;
    for reference in condition.references() {
        let name = reference.path.get(1).and_then(Segment::name);
        let (message, help) = match name {
            _ if reference.root() != "params" => {
                let message = format!("a rule reads `params`, not `{}`", reference.root());
                (message, None)
            }
            Some(name) if !params.contains_key(name) => {
                let help = did_you_mean(name, params.keys().map(String::as_str));
                (format!("no parameter `{name}`"), help)
            }
            _ => continue,
        };
        cx.error(Code::UnknownParameter, message, at, "in this rule", help);
        sound = false;
    }
    sound
}

/// Asks the rules of a type; `given` is what is given for its parameters.
///
/// # Errors
/// What the first rule says that does not hold; a value is not repeated.
pub fn hold(step_type: &StepType, given: Map<String, Value>) -> Result<(), String> {
    match broken(step_type, given).into_iter().next() {
        Some(message) => Err(message),
        None => Ok(()),
    }
}

/// Stands for a value that is not known yet. No text of the language has a NUL in it.
pub(crate) struct Unknown;

impl From<Unknown> for Value {
    fn from(_: Unknown) -> Self {
        Self::from("\0")
    }
}

/// What the rules say that do not hold. One that reads a value that is not known is not asked.
pub(crate) fn broken(step_type: &StepType, mut given: Map<String, Value>) -> Vec<String> {
    let mut out = Vec::new();
    if step_type.rules.is_empty() {
        return out;
    }
    for (name, value) in &mut given {
        let param = step_type.params.get(name);
        if let Some(kind) = param
            .and_then(|param| param.schema.as_ref())
            .and_then(schema::kind_of)
        {
            schema::fill(&kind, value);
        }
        if let Some(typed) = param.and_then(|param| typed(param, value)) {
            *value = typed;
        }
    }
    let given = Value::Object(given);
    let mut scope = Scope::new();
    scope.set_params(Arc::new(given.clone()));
    for rule in &step_type.rules {
        let condition = match parsed(&rule.check) {
            Ok(condition) => condition,
            Err(why) => {
                out.push(why);
                continue;
            }
        };
        let mut references = condition.references().iter();
        if references.any(|reference| is_open(&given, &reference.path[1..])) {
            continue;
        }
        match condition.truth(&scope) {
            Ok(true) => {}
            Ok(false) => out.push(rule.message.clone()),
            Err(error) => out.push(format!("{}: {}", rule.message, error.message)),
        }
    }
    out
}

/// A number or a truth that is given as text, as the script will have it.
fn typed(param: &Param, value: &Value) -> Option<Value> {
    let text = value.as_str()?;
    match param.shape {
        Shape::Int => text.parse::<i64>().ok().map(Value::from),
        Shape::Bool => text.parse::<bool>().ok().map(Value::from),
        _ => None,
    }
}

/// As many rules are remembered.
const REMEMBERED: usize = 1_024;

thread_local! {
    /// Rules that were read before: a type with many of them is asked often.
    static PARSED: RefCell<BTreeMap<String, Rc<Condition>>> = RefCell::default();
}

fn parsed(text: &str) -> Result<Rc<Condition>, String> {
    PARSED.with_borrow_mut(|known| match known.get(text) {
        Some(condition) => Ok(Rc::clone(condition)),
        None => {
            let condition = Rc::new(Condition::parse(text).map_err(|error| error.message)?);
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(text.to_owned(), Rc::clone(&condition));
            Ok(condition)
        }
    })
}

/// Whether something in a value is not known.
pub(crate) fn holds_unknown(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.values().any(holds_unknown),
        Value::Array(items) => items.iter().any(holds_unknown),
        value => *value == Value::from(Unknown),
    }
}

/// Whether something on a path is not known. Of a map at its end the names are known, and a rule that
/// reads further has a reference that goes further; of a list, all items are read.
fn is_open(value: &Value, path: &[Segment]) -> bool {
    let unknown = || Value::from(Unknown);
    match (value, path) {
        (value, _) if *value == unknown() => true,
        (Value::Object(map), [Segment::Name(name), rest @ ..]) => {
            map.get(name).is_some_and(|value| is_open(value, rest))
        }
        (Value::Array(items), [Segment::Name(at), rest @ ..]) => at
            .parse::<usize>()
            .ok()
            .and_then(|at| items.get(at))
            .is_some_and(|value| is_open(value, rest)),
        (Value::Array(items), []) => items.iter().any(holds_unknown),
        (Value::Object(map), [Segment::Any, rest @ ..]) => {
            map.values().any(|value| is_open(value, rest))
        }
        (Value::Array(items), [Segment::Any, rest @ ..]) => {
            items.iter().any(|value| is_open(value, rest))
        }
        _ => false,
    }
}
