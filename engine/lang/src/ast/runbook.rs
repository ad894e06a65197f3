//! The top level of a runbook.

use std::collections::HashMap;

use runbook_model::plan::Part;

use super::input::{group, inputs};
use super::{GroupDef, InputDef, Phase, Rule, StepDef};
use crate::diagnostic::{Code, Diagnostics};
use crate::fields::{Cx, Fields};
use crate::keys::Section;
use crate::limits;
use crate::misread;
use crate::source::{Source, SourceId, Span, Spanned};
use crate::yaml::{self, Entry, Kind, Node};

/// A runbook as it is written.
#[derive(Debug, Clone)]
pub struct Runbook {
    /// The text that it was read from.
    pub source: SourceId,
    /// Its name.
    pub name: Spanned<String>,
    /// Its version, for people.
    pub version: Option<Spanned<String>>,
    /// What it is for, in one line.
    pub summary: Option<Spanned<String>>,
    /// What is asked before a run.
    pub inputs: Vec<InputDef>,
    /// What must be true of it.
    pub rules: Vec<Rule>,
    /// What the inventory must provide.
    pub groups: Vec<GroupDef>,
    /// Names for values.
    pub vars: Vec<VarDef>,
    /// When it may run.
    pub window: Option<WindowDef>,
    /// A condition: everything is there already.
    pub done_when: Option<Spanned<String>>,
    /// Its phases in order: those of the procedure, those of going back, and the ending.
    pub phases: Vec<Phase>,
    /// What a runbook that imports it sees.
    pub outputs: Vec<VarDef>,
}

/// When a runbook may run: texts with templates, each a date.
#[derive(Debug, Clone)]
pub struct WindowDef {
    /// Not before.
    pub opens: Option<Spanned<String>>,
    /// Not after.
    pub closes: Option<Spanned<String>>,
    /// The point of no return must be passed before.
    pub no_return_before: Option<Spanned<String>>,
    /// Where `window` is written.
    pub span: Span,
}

/// A name for a value.
#[derive(Debug, Clone)]
pub struct VarDef {
    /// The name.
    pub name: Spanned<String>,
    /// The value.
    pub value: VarValue,
    /// Of what an import brought in: the imports with a `when` that it belongs to.
    pub under: Vec<usize>,
    /// The input of an imported runbook that it is given for, of a value that is known only later.
    pub gives: Option<Box<InputDef>>,
}

/// What a variable stands for.
#[derive(Debug, Clone)]
pub enum VarValue {
    /// A value of any type, without templates.
    Literal(Node),
    /// A text with templates.
    Template(Spanned<String>),
    /// An expression in CEL.
    Cel(Spanned<String>),
}

impl Runbook {
    /// All steps with their phases, in order.
    pub fn steps(&self) -> impl Iterator<Item = (&Phase, &StepDef)> {
        self.phases
            .iter()
            .flat_map(|phase| phase.steps.iter().map(move |step| (phase, step)))
    }
}

/// Reads a runbook. There is none if the text is no map, or has no name.
pub fn parse_runbook(source: &Source) -> (Option<Runbook>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let tree = yaml::read(source, &mut diagnostics);
    let mut cx = Cx::new(source, &mut diagnostics);
    let runbook = match misread::is_other(&mut cx, &tree, misread::Kind::Runbook) {
        true => None,
        false => runbook(&mut cx, &tree),
    };
    diagnostics.sort();
    (runbook, diagnostics)
}

fn runbook(cx: &mut Cx<'_>, tree: &Node) -> Option<Runbook> {
    let at = tree
        .as_map()
        .and_then(|e| e.first())
        .map_or(Span::default(), |e| e.key.span);
    let fields = Fields::read(cx, Section::Runbook, tree, at)?;
    let (inputs, rules) = fields
        .node("inputs")
        .map(|node| inputs(cx, node))
        .unwrap_or_default();
    let groups = fields
        .map("groups")
        .into_iter()
        .filter_map(|entry| group(cx, entry))
        .collect();
    let vars = fields
        .map("vars")
        .into_iter()
        .filter_map(|entry| var(cx, entry))
        .collect();
    let outputs = fields
        .map("outputs")
        .into_iter()
        .filter_map(|entry| var(cx, entry))
        .collect();
    let window = fields
        .entry("window")
        .and_then(|e| window(cx, &e.value, e.key.span));
    let mut phases = phases(cx, &fields, tree, at);
    if let Some(entry) = fields.entry("rollback") {
        phases.extend(rollback(cx, &entry.value, entry.key.span));
    }
    if let Some(entry) = fields.entry("finally") {
        let id = Spanned::new("finally".to_owned(), entry.key.span);
        let steps = steps(cx, &fields, "finally");
        phases.push(Phase::of_steps(id, Part::Finally, steps));
    }
    let count: usize = phases.iter().map(|phase| phase.steps.len()).sum();
    if count > limits::STEPS {
        let message = format!("{count} steps, at most {} are read", limits::STEPS);
        cx.error(Code::TooMany, message, at, "in this runbook", None);
        return None;
    }
    unique_names(cx, &phases);
    Some(Runbook {
        source: cx.id(),
        name: fields.text("runbook")?,
        version: fields.text("version"),
        summary: fields.text("summary"),
        inputs,
        rules,
        groups,
        vars,
        window,
        done_when: fields.text("done_when"),
        phases,
        outputs,
    })
}

fn steps(cx: &mut Cx<'_>, fields: &Fields<'_>, key: &str) -> Vec<StepDef> {
    let items = fields.items(key).into_iter();
    items.filter_map(|node| StepDef::read(cx, node)).collect()
}

fn rollback(cx: &mut Cx<'_>, node: &Node, span: Span) -> Vec<Phase> {
    let Some(fields) = Fields::read(cx, Section::Rollback, node, span) else {
        return Vec::new();
    };
    let phases = fields.items("phases").into_iter();
    phases
        .filter_map(|node| Phase::read(cx, node, Part::Rollback))
        .collect()
}

fn window(cx: &mut Cx<'_>, node: &Node, span: Span) -> Option<WindowDef> {
    let fields = Fields::read(cx, Section::Window, node, span)?;
    Some(WindowDef {
        opens: fields.text("opens"),
        closes: fields.text("closes"),
        no_return_before: fields.text("no_return_before"),
        span,
    })
}

fn phases(cx: &mut Cx<'_>, fields: &Fields<'_>, tree: &Node, at: Span) -> Vec<Phase> {
    if let (Some(steps), true) = (
        tree.get("steps").and(fields.entry("steps")),
        tree.get("phases").is_some(),
    ) {
        let help = Some("move the steps into a phase".to_owned());
        cx.error(
            Code::Conflict,
            "a runbook has `phases` or `steps`, not both",
            steps.key.span,
            "",
            help,
        );
    }
    if tree.get("phases").is_none() && tree.get("steps").is_none() && !tree.is_null() {
        cx.error(
            Code::MissingKey,
            "a runbook needs `phases`, or `steps`",
            at,
            "here",
            None,
        );
    }
    let mut phases: Vec<_> = fields
        .items("phases")
        .into_iter()
        .filter_map(|node| Phase::read(cx, node, Part::Main))
        .collect();
    if let Some(entry) = fields.entry("steps") {
        let id = Spanned::new("main".to_owned(), entry.key.span);
        phases.push(Phase::of_steps(id, Part::Main, steps(cx, fields, "steps")));
    }
    phases
}

fn var(cx: &mut Cx<'_>, entry: &Entry) -> Option<VarDef> {
    let node = &entry.value;
    let value = match &node.kind {
        Kind::Error => return None,
        Kind::Str { text, .. } if text.contains("{{") => {
            VarValue::Template(Spanned::new(text.clone(), node.site()))
        }
        Kind::Map(_) if node.get("cel").is_some() => {
            let fields = Fields::read(cx, Section::Var, node, entry.key.span)?;
            VarValue::Cel(fields.text("cel")?)
        }
        _ if node.has_template() => {
            let mut first = None;
            node.texts(&mut |text, node| {
                if text.contains("{{") {
                    first = first.or(Some(node.site()));
                }
            });
            let help = Some("give this text a variable of its own".to_owned());
            let message = format!(
                "`{}` is a list or a map, its texts cannot be templates",
                entry.key.value
            );
            cx.error(
                Code::NoTemplateHere,
                message,
                first.unwrap_or(node.site()),
                "this is a template",
                help,
            );
            return None;
        }
        _ => VarValue::Literal(node.clone()),
    };
    Some(VarDef {
        name: entry.key.clone(),
        value,
        under: Vec::new(),
        gives: None,
    })
}

fn unique_names(cx: &mut Cx<'_>, phases: &[Phase]) {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for phase in phases {
        if let Some(first) = seen.insert(&phase.id.value, phase.id.span) {
            cx.twice("the phase", &phase.id.value, phase.id.span, first);
        }
    }
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for step in phases.iter().flat_map(|p| &p.steps) {
        match seen.get(step.id.value.as_str()) {
            Some(first) => cx.twice("the step", &step.id.value, step.id.span, *first),
            None => _ = seen.insert(&step.id.value, step.id.span),
        }
    }
}
