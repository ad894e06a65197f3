//! The scope: the values that names stand for when a template or a condition is evaluated.
//!
//! One scope serves one instance. The roots are shared (`Arc`), so that building hundreds of
//! scopes copies nothing; conditions take from a root only the names that they read.

mod error;
mod item;
mod reference;

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::value::{Date, InputType, Meaning};

pub(crate) use error::byte_of;
pub use error::{EvalError, ExprError};
pub(crate) use item::Item;
pub use reference::{Reference, Segment, path_text};

/// The names that a text may start with.
pub const ROOTS: [&str; 10] = [
    "inputs", "vars", "host", "groups", "item", "window", "run", "outputs", "steps", "params",
];

/// A value that several scopes share, with what it means.
#[derive(Clone)]
pub struct Shared {
    value: Arc<Value>,
    meaning: Option<Arc<Meaning>>,
}

impl Shared {
    /// A value of which parts are versions, durations, sizes or dates.
    pub fn with(value: impl Into<Value>, meaning: Option<Meaning>) -> Self {
        Self {
            value: Arc::new(value.into()),
            meaning: meaning.map(Arc::new),
        }
    }

    /// Names that stand for dates: a window. What is no date stays text.
    pub fn dates(map: Map<String, Value>) -> Self {
        let date = |value: &Value| {
            let is_date = value.as_str().is_some_and(|text| Date::parse(text).is_ok());
            is_date.then_some(Meaning::Date)
        };
        let parts = map.iter().map(|(name, value)| (name.clone(), date(value)));
        let meaning = Meaning::parts(parts);
        Self::with(map, meaning)
    }
}

impl From<Value> for Shared {
    fn from(value: Value) -> Self {
        Self::with(value, None)
    }
}

impl From<Map<String, Value>> for Shared {
    fn from(map: Map<String, Value>) -> Self {
        Self::with(map, None)
    }
}

impl From<Arc<Value>> for Shared {
    fn from(value: Arc<Value>) -> Self {
        Self {
            value,
            meaning: None,
        }
    }
}

/// The inputs of a run in their normal form, with what they mean. Made once, shared by all scopes.
#[derive(Clone, Default)]
pub struct Inputs(Option<Shared>);

impl Inputs {
    /// Takes inputs by name. A value that its type does not accept is kept as it is:
    /// refusing inputs is the business of whoever reads them.
    pub fn new(inputs: impl IntoIterator<Item = (String, (InputType, Value))>) -> Self {
        let mut meanings = Vec::new();
        let mut values = Map::new();
        for (name, (kind, value)) in inputs {
            let value = match kind.check(&value) {
                Ok(value) => {
                    meanings.push((name.clone(), Meaning::of(&kind, &value)));
                    value
                }
                Err(_) => value,
            };
            values.insert(name, value);
        }
        Self(Some(Shared::with(values, Meaning::parts(meanings))))
    }
}

/// What the roots stand for. A root that was not set is not known here.
#[derive(Clone, Default)]
pub struct Scope {
    roots: [Option<Shared>; ROOTS.len()],
}

impl Scope {
    /// A scope in which nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `inputs`; share one [`Inputs`] between scopes.
    pub fn set_inputs(&mut self, inputs: &Inputs) {
        self.roots[0].clone_from(&inputs.0);
    }

    /// Sets `vars`: a map from names to values.
    pub fn set_vars(&mut self, vars: impl Into<Shared>) {
        self.set("vars", vars.into());
    }

    /// Sets `host`: the variables of the host, with `name`, `address` and `facts`.
    pub fn set_host(&mut self, host: impl Into<Shared>) {
        self.set("host", host.into());
    }

    /// Sets `groups`: from group to host to the host's variables.
    pub fn set_groups(&mut self, groups: impl Into<Shared>) {
        self.set("groups", groups.into());
    }

    /// Sets `item`, what a `for_each` is at.
    pub fn set_item(&mut self, item: impl Into<Shared>) {
        self.set("item", item.into());
    }

    /// Sets `window`: `opens`, `closes` and `no_return_before`, made with [`Shared::dates`].
    pub fn set_window(&mut self, window: impl Into<Shared>) {
        self.set("window", window.into());
    }

    /// Sets `run.id` and `run.dir`, a directory on the controller.
    pub fn set_run(&mut self, id: &str, dir: &str) {
        self.set("run", serde_json::json!({ "id": id, "dir": dir }).into());
    }

    /// Sets `outputs`, the step's own.
    pub fn set_outputs(&mut self, outputs: impl Into<Shared>) {
        self.set("outputs", outputs.into());
    }

    /// Sets `steps`: from step to `outputs`, `only`, `on`, `started`, `finished`, `host`.
    pub fn set_steps(&mut self, steps: impl Into<Shared>) {
        self.set("steps", steps.into());
    }

    /// Sets `params`: the arguments of an instance, for the rules of its type.
    pub fn set_params(&mut self, params: impl Into<Shared>) {
        self.set("params", params.into());
    }

    /// The value at a path; `None` if a part of it is not there, or is not a plain name.
    pub fn get(&self, path: &[Segment]) -> Option<Value> {
        let names: Option<Vec<&str>> = path.iter().map(Segment::name).collect();
        self.find(&names?).map(|item| item.value.into_owned())
    }

    /// The value that the names lead to.
    pub(crate) fn find(&self, names: &[&str]) -> Option<Item<'_>> {
        let (root, rest) = names.split_first()?;
        let Some((first, rest)) = rest.split_first() else {
            return self.root(root);
        };
        let mut item = self.member(root, first)?;
        for name in rest {
            item = item.step(name)?;
        }
        Some(item)
    }

    pub(crate) fn root(&self, name: &str) -> Option<Item<'_>> {
        let at = ROOTS.iter().position(|root| *root == name)?;
        let shared = self.roots[at].as_ref()?;
        Some(Item::new(&shared.value, shared.meaning.as_deref()))
    }

    pub(crate) fn root_value(&self, name: &str) -> Option<&Value> {
        let at = ROOTS.iter().position(|root| *root == name)?;
        self.roots[at].as_ref().map(|shared| &*shared.value)
    }

    /// The member of a root.
    pub(crate) fn member<'a>(&'a self, root: &str, name: &str) -> Option<Item<'a>> {
        self.root(root)?.step(name)
    }

    fn set(&mut self, root: &str, value: Shared) {
        if let Some(at) = ROOTS.iter().position(|r| *r == root) {
            self.roots[at] = Some(value);
        }
    }
}

/// Values may be secrets: only the names of the roots are shown.
impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = ROOTS.iter().zip(&self.roots).filter(|(_, v)| v.is_some());
        f.debug_set().entries(known.map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn path(text: &str) -> Vec<Segment> {
        text.split('.')
            .map(|n| Segment::Name(n.to_owned()))
            .collect()
    }

    #[test]
    fn values_are_found_by_path() {
        let mut scope = Scope::new();
        scope.set_inputs(&Inputs::new([(
            "to".to_owned(),
            (InputType::Version, json!("v3.8.1")),
        )]));
        scope.set_vars(json!({"list": [{"a": 1}]}));
        assert_eq!(scope.get(&path("inputs.to")), Some(json!("3.8.1")));
        assert_eq!(scope.get(&path("inputs.to.minor")), Some(json!("3.8")));
        assert_eq!(scope.get(&path("vars.list.0.a")), Some(json!(1)));
        assert_eq!(scope.get(&path("vars.list.1")), None);
        assert_eq!(scope.get(&path("steps.x")), None);
        assert_eq!(
            scope.get(&[Segment::Name("vars".to_owned()), Segment::Any]),
            None
        );
    }

    #[test]
    fn debug_output_shows_no_value() {
        let mut scope = Scope::new();
        scope.set_inputs(&Inputs::new([(
            "password".to_owned(),
            (InputType::Secret, json!("hunter2")),
        )]));
        assert_eq!(format!("{scope:?}"), "{\"inputs\"}");
    }
}
