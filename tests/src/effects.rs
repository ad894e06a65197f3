//! What a file of `tests/effects` says: steps, how the state that each is about is looked at, and how somebody spoils it by hand.

use std::collections::BTreeMap;
use std::path::Path;

use runbook_lang::diagnostic::Diagnostics;
use runbook_lang::source::Sources;
use runbook_lang::yaml;
use serde_json::{Map, Value, json};

/// A file.
#[derive(Debug, Clone)]
pub struct Effects {
    /// Before everything.
    pub prepare: String,
    /// Inputs, each with the script that prints it.
    pub inputs: BTreeMap<String, String>,
    /// Secret inputs, each with its text.
    pub secrets: BTreeMap<String, String>,
    /// Files beside the runbook, each with its text.
    pub beside: BTreeMap<String, String>,
    /// Prints what nobody may touch.
    pub elsewhere: String,
    /// Those with an effect.
    pub steps: Vec<Effect>,
    /// Those that only look, and those that run each time.
    pub probes: Vec<Probe>,
    /// Behind everything: ends what `prepare` has started.
    pub after: String,
}

/// A step with an effect.
#[derive(Debug, Clone)]
pub struct Effect {
    /// Its name.
    pub name: String,
    /// As it stands in a runbook.
    pub step: Value,
    /// Prints the state that it is about.
    pub look: String,
    /// Changes that by hand.
    pub drift: String,
    /// Its type has no undo, and this brings the state back.
    pub back: Option<String>,
    /// The tool that it needs.
    pub tool: Option<Tool>,
}

/// A tool, and what comes of it when it is not as it should be. `error` unless the file says otherwise.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What a failure says; the name, unless given.
    pub says: String,
    /// It is not there.
    pub missing: String,
    /// It never ends; `untried` where the limit of the check is too far away.
    pub hangs: String,
    /// It answers in another language, with the same status.
    pub german: String,
}

/// A step that only looks, or one that runs each time.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Its name.
    pub name: String,
    /// As it stands in a runbook.
    pub step: Value,
    /// It runs each time, and this shows what it has done.
    pub always: Option<Always>,
    /// Spoils what it looks at.
    pub bad: String,
    /// What it must say then.
    pub says: String,
    /// Makes it good again, and takes away what was done if it runs each time.
    pub mend: String,
    /// The tool that it needs.
    pub tool: Option<Tool>,
}

/// What shows that a step which runs each time has done it.
#[derive(Debug, Clone)]
pub struct Always {
    /// Prints what it is about.
    pub look: String,
    /// What that must print once it ran, and not before.
    pub shows: String,
}

/// The keys of a map, each of which must be asked for.
struct Keys {
    place: String,
    map: Map<String, Value>,
}

impl Effects {
    /// Reads a file.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let name = path.display().to_string();
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut sources = Sources::new();
        let source = sources.add(&name, &bytes).expect("it is text");
        let mut found = Diagnostics::new();
        let value = yaml::read(&source, &mut found).to_value();
        assert!(found.is_empty(), "{}", found.render(&sources));
        let mut keys = Keys::of(&name, value);
        let texts = |value: Value| -> BTreeMap<String, String> {
            serde_json::from_value(value).expect("texts by name")
        };
        let mut list = |key: &str| match keys.map.remove(key) {
            Some(Value::Array(items)) => items,
            None => Vec::new(),
            Some(other) => panic!("{name}: `{key}` is {other}, should be a list"),
        };
        let steps = list("steps").into_iter().map(effect).collect();
        let probes = list("probes").into_iter().map(probe).collect();
        let effects = Self {
            inputs: texts(keys.map.remove("inputs").unwrap_or(json!({}))),
            secrets: texts(keys.map.remove("secrets").unwrap_or(json!({}))),
            beside: texts(keys.map.remove("beside").unwrap_or(json!({}))),
            prepare: keys.text("prepare"),
            elsewhere: keys.text("elsewhere"),
            after: keys.text("after"),
            steps,
            probes,
        };
        keys.end();
        effects
    }

    /// A runbook of these steps. It fails at its end unless the input `go` is true: what was done by a run that has
    /// succeeded is never taken back.
    #[must_use]
    pub fn runbook(&self, steps: &[Value]) -> String {
        self.ordered(steps, "steps")
    }

    /// A step behind those whose outputs it reads.
    #[must_use]
    pub fn with_needed(&self, step: &Value) -> Vec<Value> {
        let text = step.to_string();
        let needed = self
            .steps
            .iter()
            .filter(|other| text.contains(&format!("steps.{}.", other.name)))
            .map(|other| other.step.clone());
        needed.chain([step.clone()]).collect()
    }

    /// The same, in an order of phases: `graph` for all at once.
    #[must_use]
    pub fn ordered(&self, steps: &[Value], order: &str) -> String {
        let mut inputs =
            Map::from_iter([("go".into(), json!({ "type": "bool", "required": true }))]);
        for name in self.inputs.keys() {
            inputs.insert(name.clone(), json!({ "type": "string", "required": true }));
        }
        for name in self.secrets.keys() {
            inputs.insert(name.clone(), json!({ "type": "secret", "required": true }));
        }
        let mut all: Vec<Value> = steps.to_vec();
        // What fails shall not keep the others from being tried.
        for step in all.iter_mut().filter_map(Value::as_object_mut) {
            step.entry("on").or_insert(json!("tools"));
            step.entry("on_failure").or_insert(json!("continue"));
        }
        all.push(json!({ "step": "go_on", "uses": "assert", "on": "control", "with": { "all": [{ "check": "inputs.go", "message": "it ends here" }] } }));
        // JSON is YAML.
        json!({ "runbook": "effects", "inputs": inputs, "phases": [{ "phase": "all", "order": order, "steps": all }] }).to_string()
    }
}

fn effect(value: Value) -> Effect {
    let mut keys = Keys::of("a step", value);
    let step = keys.step();
    let name = keys.place.clone();
    let undo = keys.text("undo");
    assert!(
        undo.is_empty() || undo == "none",
        "{name}: undo is `none` or not given"
    );
    let why = keys.text("why");
    assert_eq!(
        undo == "none",
        !why.is_empty(),
        "{name}: `undo: none` has a `why`"
    );
    let back = keys.text("back");
    assert_eq!(
        undo == "none",
        !back.is_empty(),
        "{name}: `undo: none` has a `back`"
    );
    let tool = keys.tool();
    let effect = Effect {
        look: keys.needed("look"),
        drift: keys.needed("drift"),
        back: Some(back).filter(|back| !back.is_empty()),
        name,
        step,
        tool,
    };
    keys.end();
    effect
}

fn probe(value: Value) -> Probe {
    let mut keys = Keys::of("a probe", value);
    let step = keys.step();
    let name = keys.place.clone();
    let (look, shows) = (keys.text("look"), keys.text("shows"));
    assert_eq!(
        look.is_empty(),
        shows.is_empty(),
        "{name}: `look` goes with `shows`"
    );
    let probe = Probe {
        step,
        name,
        always: Some(Always { look, shows }).filter(|always| !always.look.is_empty()),
        bad: keys.needed("bad"),
        says: keys.needed("says"),
        mend: keys.needed("mend"),
        tool: keys.tool(),
    };
    keys.end();
    probe
}

impl Keys {
    fn of(place: &str, value: Value) -> Self {
        let Value::Object(map) = value else {
            panic!("{place} is {value}, should be a map");
        };
        let place = place.to_owned();
        Self { place, map }
    }

    /// The step, whose name is the place from now on.
    fn step(&mut self) -> Value {
        let step = self.map.remove("step").expect("an entry has a `step`");
        let name = step["step"].as_str().expect("a step has a name");
        name.clone_into(&mut self.place);
        step
    }

    /// Its name, or a map of its own.
    fn tool(&mut self) -> Option<Tool> {
        let value = match self.map.remove("tool")? {
            Value::String(name) => json!({ "name": name }),
            other => other,
        };
        let mut keys = Keys::of(&self.place, value);
        let name = keys.needed("name");
        let says = keys.text("says");
        let mut or_error = |key: &str| match keys.text(key) {
            text if text.is_empty() => "error".to_owned(),
            text => text,
        };
        let tool = Tool {
            says: if says.is_empty() { name.clone() } else { says },
            name,
            missing: or_error("missing"),
            hangs: or_error("hangs"),
            german: or_error("german"),
        };
        keys.end();
        Some(tool)
    }

    fn text(&mut self, key: &str) -> String {
        match self.map.remove(key) {
            None => String::new(),
            Some(Value::String(text)) => text,
            Some(other) => panic!("{}: `{key}` is {other}, should be a text", self.place),
        }
    }

    fn needed(&mut self, key: &str) -> String {
        let text = self.text(key);
        assert!(!text.is_empty(), "{}: there is no `{key}`", self.place);
        text
    }

    fn end(self) {
        let left: Vec<_> = self.map.keys().collect();
        assert!(left.is_empty(), "{}: nobody knows {left:?}", self.place);
    }
}
