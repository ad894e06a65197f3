//! An imported runbook with the names that it has in the whole, and what its inputs become: the
//! path that gives one, a variable, or an input of the whole.

use super::text::{Names, Rewriter, Target};
use super::{Linker, output_var, rename, steps_of, unknown, var_def};
use crate::ast::{ImportDef, InputDef, Runbook, VarDef, VarValue};
use crate::diagnostic::Code;
use crate::scope::Segment;
use crate::source::Spanned;
use crate::template::Template;
use crate::value::InputType;
use crate::yaml::{Entry, Kind};

/// What an input is in the whole.
enum Given {
    /// What this path leads to.
    Path(String),
    /// A text with templates.
    Template(Spanned<String>),
    /// An input with this prefix: of a value that the import gives, or nobody yet.
    Input(Box<InputDef>),
}

impl Linker<'_> {
    /// Gives everything in a runbook the names that it has in the whole.
    pub(super) fn renamed(&mut self, mut inner: Runbook, import: &ImportDef) -> Runbook {
        let prefix = &import.prefix.value;
        let mut names = Names::with_prefix(prefix);
        self.name_groups(&mut inner, import, &mut names);
        let mut vars = Vec::new();
        let mut inputs = Vec::new();
        self.refuse_unknown(&inner, import);
        for def in std::mem::take(&mut inner.inputs) {
            let name = def.name.value.clone();
            let long = format!("{prefix}_{name}");
            let given = import.with.iter().find(|entry| entry.key.value == name);
            match self.given(def, given, &long) {
                Some(Given::Path(path)) => names.set("inputs", &name, Target::Path(path)),
                Some(Given::Template(text)) => {
                    names.set("inputs", &name, Target::Path(format!("vars.{long}")));
                    vars.push(VarDef {
                        name: Spanned::new(long, text.span),
                        value: VarValue::Template(text),
                    });
                }
                Some(Given::Input(mut def)) => {
                    names.set("inputs", &name, Target::Path(format!("inputs.{long}")));
                    map_group(&mut def, &names);
                    inputs.push(*def);
                }
                None => {}
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
        vars.extend(own.chain(outputs));
        Runbook {
            inputs,
            vars,
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
            let known = || inner.inputs.iter().map(|def| def.name.value.as_str());
            if !known().any(|name| name == entry.key.value) {
                let message = format!("the imported runbook has no input `{}`", entry.key.value);
                unknown(&mut self.diagnostics, message, &entry.key, known());
            }
        }
    }

    fn given(&mut self, def: InputDef, given: Option<&Entry>, long: &str) -> Option<Given> {
        let name = def.name.clone().map(|_| long.to_owned());
        let Some(entry) = given else {
            return Some(Given::Input(Box::new(InputDef { name, ..def })));
        };
        let value = &entry.value;
        if value.has_error() {
            return None;
        }
        if !value.has_template() {
            if let Err(why) = def.kind.value.check(&value.to_value()) {
                let message = format!("the input `{}` {why}", def.name.value);
                self.error(Code::BadInput, message, value.site(), None);
                return None;
            }
            if def.kind.value.is_secret() {
                let message = format!(
                    "the secret `{}` stands here for everybody to read",
                    def.name.value
                );
                let help = Some("give it an input of the type `secret`".to_owned());
                self.error(Code::SecretLeak, message, value.site(), help);
                return None;
            }
            return Some(Given::Input(Box::new(InputDef {
                name: Spanned::new(long.to_owned(), entry.key.span),
                required: false,
                default: Some(value.clone()),
                generate: None,
                ..def
            })));
        }
        let Kind::Str { text, .. } = &value.kind else {
            let message = format!(
                "`{}` is a list or a map with templates in it",
                entry.key.value
            );
            let help = Some("give it an input or a variable".to_owned());
            self.error(Code::NoTemplateHere, message, value.site(), help);
            return None;
        };
        let path = Template::parse(text).ok().and_then(|t| plain_path(&t));
        match path {
            Some(path) if path.starts_with("inputs.") || path.starts_with("vars.") => {
                Some(Given::Path(path))
            }
            path => {
                self.check_text(&def, entry, path.is_some());
                Some(Given::Template(Spanned::new(text.clone(), value.site())))
            }
        }
    }

    /// A text that is known only later has no type: what is more than a text would lose its meaning.
    fn check_text(&mut self, def: &InputDef, entry: &Entry, is_path: bool) {
        let kind = def.kind.value.base();
        let is_text = matches!(
            kind,
            InputType::String | InputType::Path | InputType::Enum(_) | InputType::Host
        );
        let keeps_type = matches!(
            kind,
            InputType::Int | InputType::Bool | InputType::List(_) | InputType::Map(_)
        );
        if !(is_text || is_path && keeps_type) {
            let message = format!(
                "the input `{}` is a {}, and a text like this has no type",
                def.name.value,
                kind.word()
            );
            let help = Some("give it a value, or one input: `{{inputs.…}}`".to_owned());
            self.error(Code::BadInput, message, entry.value.site(), help);
        }
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
