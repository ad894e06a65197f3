//! An imported runbook with the names that it has in the whole, and what its inputs become: the
//! path that gives one, a variable, or an input of the whole.

use super::text::{Names, Rewriter, Target};
use super::{Linker, output_var, rename, steps_of, unknown, var_def};
use crate::ast::{ImportDef, ImportedValue, InputDef, Runbook};
use crate::diagnostic::Code;
use crate::scope::Segment;
use crate::template::Template;
use crate::value::{InputType, as_yaml};
use crate::yaml::{Entry, Kind};

/// What an input is in the whole.
enum Given {
    /// What this path leads to.
    Path(String),
    /// An input with this prefix: of a value that the import gives, or nobody yet.
    Input(Box<InputDef>),
}

impl Linker<'_> {
    /// Gives everything in a runbook the names that it has in the whole. `outer` are the inputs of
    /// the runbook that imports it.
    pub(super) fn renamed(
        &mut self,
        mut inner: Runbook,
        import: &ImportDef,
        outer: &[InputDef],
    ) -> Runbook {
        let prefix = &import.prefix.value;
        let mut names = Names::with_prefix(prefix);
        self.name_groups(&mut inner, import, &mut names);
        let mut given = Vec::new();
        self.refuse_unknown(&inner, import);
        for mut def in std::mem::take(&mut inner.inputs) {
            let name = def.name.value.clone();
            let long = format!("{prefix}_{name}");
            map_group(&mut def, &names);
            if def.given.is_some() {
                // An import inside of it gives this one, in its own names.
                names.set("inputs", &name, Target::Path(format!("inputs.{long}")));
                def.name.value = long;
                inner.inputs.push(def);
                continue;
            }
            let entry = import.with.iter().find(|entry| entry.key.value == name);
            match self.given(def, entry, &long, outer) {
                Given::Path(path) => names.set("inputs", &name, Target::Path(path)),
                Given::Input(def) => {
                    names.set("inputs", &name, Target::Path(format!("inputs.{long}")));
                    given.push(*def);
                }
            }
        }
        for var in &inner.vars {
            let name = &var.name.value;
            let path = format!("vars.{prefix}_{name}");
            names.set("vars", name, Target::Path(path));
        }
        for (_, step) in inner.steps() {
            let name = &step.id.value;
            let path = format!("steps.{}", names.step(name));
            names.set("steps", name, Target::Path(path));
        }
        let mut rewriter = Rewriter {
            names: &names,
            diagnostics: &mut self.diagnostics,
        };
        rename::texts(&mut inner, &mut rewriter);
        for phase in &mut inner.phases {
            phase.id.value = names.step(&phase.id.value);
            let follows = phase.linked.follows.as_mut();
            follows.into_iter().for_each(|id| *id = names.step(id));
        }
        for step in steps_of(&mut inner) {
            step.id.value = names.step(&step.id.value);
        }
        let own = inner.vars.into_iter().map(|var| {
            let name = format!("{prefix}_{}", var.name.value);
            var_def(name, var)
        });
        let outputs = inner.outputs.into_iter().map(|output| {
            let name = output_var(prefix, &output.name.value);
            var_def(name, output)
        });
        inner.inputs.append(&mut given);
        Runbook {
            vars: own.chain(outputs).collect(),
            outputs: Vec::new(),
            ..inner
        }
    }

    fn name_groups(&mut self, inner: &mut Runbook, import: &ImportDef, names: &mut Names) {
        for (theirs, ours) in &import.groups {
            let is_known = inner
                .groups
                .iter()
                .any(|group| group.name.value == theirs.value);
            if !is_known {
                let known = inner.groups.iter().map(|group| group.name.value.as_str());
                let message = format!("the imported runbook asks for no group `{}`", theirs.value);
                unknown(&mut self.diagnostics, message, theirs, known);
                continue;
            }
            let path = Target::Path(format!("groups.{}", ours.value));
            names.set("groups", &theirs.value, path);
            names
                .groups
                .insert(theirs.value.clone(), ours.value.clone());
        }
        for group in &mut inner.groups {
            if let Some(ours) = names.groups.get(&group.name.value) {
                group.name.value.clone_from(ours);
            }
        }
    }

    fn refuse_unknown(&mut self, inner: &Runbook, import: &ImportDef) {
        for entry in &import.with {
            let open = || inner.inputs.iter().filter(|def| def.given.is_none());
            let known = || open().map(|def| def.name.value.as_str());
            if !known().any(|name| name == entry.key.value) {
                let message = format!("the imported runbook has no input `{}`", entry.key.value);
                unknown(&mut self.diagnostics, message, &entry.key, known());
            }
        }
    }

    fn given(
        &mut self,
        def: InputDef,
        given: Option<&Entry>,
        long: &str,
        outer: &[InputDef],
    ) -> Given {
        let own = def.name.clone();
        let name = own.clone().map(|_| long.to_owned());
        let Some(entry) = given else {
            return Given::Input(Box::new(InputDef { name, ..def }));
        };
        let open = |def: InputDef| {
            Given::Input(Box::new(InputDef {
                name,
                required: false,
                generate: None,
                ..def
            }))
        };
        let value = &entry.value;
        if value.has_error() {
            return open(def);
        }
        if !value.has_template() {
            if !self.fits(&def, entry) {
                return open(def);
            }
        } else if !matches!(value.kind, Kind::Str { .. }) {
            let message = format!("`{}` is a list or a map with templates in it", own.value);
            let help = Some("give it an input or a variable".to_owned());
            self.error(Code::NoTemplateHere, message, value.site(), help);
            return open(def);
        }
        let text = value.as_str().and_then(|text| Template::parse(text).ok());
        let path = text.and_then(|text| plain_path(&text));
        let source = path.as_deref().and_then(|path| {
            let name = path.strip_prefix("inputs.")?;
            outer.iter().find(|def| def.name.value == name)
        });
        match (path, source) {
            (Some(path), Some(source)) if is_same(source, &def) => return Given::Path(path),
            _ if def.kind.value.is_secret() => {
                let message = format!(
                    "the input `{}` is secret, and this is no secret input",
                    own.value
                );
                let help = Some("give it an input of the type `secret`".to_owned());
                self.error(Code::SecretLeak, message, value.site(), help);
                return open(def);
            }
            _ => {}
        }
        let given = ImportedValue {
            name: entry.key.clone(),
            value: value.clone(),
            declared: own.span,
            required: def.required,
            under: Vec::new(),
        };
        open(InputDef {
            given: Some(Box::new(given)),
            ..def
        })
    }

    /// Whether a plain value is one of the input's type.
    fn fits(&mut self, def: &InputDef, entry: &Entry) -> bool {
        let value = &entry.value;
        if let Err(why) = def.kind.value.check(&value.to_value()) {
            let message = format!("the input `{}` {why}", def.name.value);
            let help = way_out(def, entry);
            self.error(Code::BadInput, message, value.site(), Some(help));
            return false;
        }
        if def.kind.value.is_secret() {
            let message = format!(
                "the secret `{}` stands here for everybody to read",
                def.name.value
            );
            let help = Some("give it an input of the type `secret`".to_owned());
            self.error(Code::SecretLeak, message, value.site(), help);
            return false;
        }
        true
    }
}

/// Whether one input is as good as the other: of the same type, and with a value wherever the other
/// needs one.
fn is_same(outer: &InputDef, inner: &InputDef) -> bool {
    let has_value = outer.required || outer.default.is_some() || outer.kind.value.is_secret();
    outer.kind.value == inner.kind.value && has_value
}

/// How a value that fits is written.
fn way_out(def: &InputDef, entry: &Entry) -> String {
    match (def.kind.value.example("host01"), &def.pattern) {
        (Some(value), _) => {
            format!("write it like `{}: {}`", entry.key.value, as_yaml(&value))
        }
        (None, Some(pattern)) => format!("give one that matches `{}`", pattern.value),
        (None, None) => "give what its definition asks for".to_owned(),
    }
}

/// The path of `{{path}}`, if every name in it can be written with a dot.
fn plain_path(template: &Template) -> Option<String> {
    let names: Option<Vec<&str>> = template.single_path()?.iter().map(Segment::name).collect();
    let names = names?;
    let plain = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    (names.len() > 1 && names.iter().all(plain)).then(|| names.join("."))
}

/// The group that a host must be in, by our name.
fn map_group(def: &mut InputDef, names: &Names) {
    let ours = |name: &String| names.groups.get(name).cloned();
    if let Some(group) = &mut def.in_group
        && let Some(name) = ours(&group.value)
    {
        group.value = name;
    }
    if let InputType::Limited(limited) = &mut def.kind.value
        && let Some(name) = limited.group.as_ref().and_then(ours)
    {
        limited.group = Some(name);
    }
    if let Some(generate) = &mut def.generate {
        for place in [&mut generate.adopt, &mut generate.exists]
            .into_iter()
            .flatten()
        {
            if let Some(name) = ours(&place.on.value) {
                place.on.value = name;
            }
        }
    }
}
