//! What a runbook asks for: inputs, rules over them, and groups of hosts with their variables.

mod generate;
mod kind;

pub(crate) use kind::read as read_kind;

use crate::diagnostic::Code;
use crate::fields::{Cx, Fields};
use crate::keys::{Name, Section};
use crate::source::{Span, Spanned};
use crate::value::InputType;
use crate::yaml::{Entry, Kind, Node};

pub use generate::{GenerateDef, Place};

/// An input, or a variable that hosts of a group have.
#[derive(Debug, Clone)]
pub struct InputDef {
    /// Its name.
    pub name: Spanned<String>,
    /// Its type; `pattern` and `in` are a part of it, except of a secret, whose value is not known
    /// where types are checked.
    pub kind: Spanned<InputType>,
    /// It must be given.
    pub required: bool,
    /// What it is when nothing is given; it fits the type.
    pub default: Option<Node>,
    /// One line for people.
    pub help: String,
    /// A regular expression that the text matches; it compiles.
    pub pattern: Option<Spanned<String>>,
    /// The group that a host must belong to.
    pub in_group: Option<Spanned<String>>,
    /// How it is made if nobody gives it; of a secret only.
    pub generate: Option<GenerateDef>,
    /// What an import gives for it: then nobody else does.
    pub given: Option<Box<ImportedValue>>,
}

/// What an import gives for an input of the runbook that it brings in.
#[derive(Debug, Clone)]
pub struct ImportedValue {
    /// The input's own name, which is the key in `with`.
    pub name: Spanned<String>,
    /// A plain value, or a text with templates in the names of the runbook that imports.
    pub value: Node,
    /// Where the input is declared.
    pub declared: Span,
    /// It must have a value.
    pub required: bool,
    /// The imports with a `when` that it belongs to.
    pub under: Vec<usize>,
}

impl ImportedValue {
    /// The text with templates, if it is one.
    pub fn template(&self) -> Option<Spanned<String>> {
        let text = self.value.as_str().filter(|text| text.contains("{{"))?;
        Some(Spanned::new(text.to_owned(), self.value.site()))
    }
}

/// Something that must be true of the inputs.
#[derive(Debug, Clone)]
pub struct Rule {
    /// A condition.
    pub check: Spanned<String>,
    /// A text with templates.
    pub message: Spanned<String>,
}

/// What an inventory must provide.
#[derive(Debug, Clone)]
pub struct GroupDef {
    /// Its name.
    pub name: Spanned<String>,
    /// At least as many hosts.
    pub min: Option<Spanned<u32>>,
    /// Exactly as many hosts.
    pub exactly: Option<Spanned<u32>>,
    /// Variables of its hosts.
    pub vars: Vec<InputDef>,
}

impl InputDef {
    /// Reads the definition that a name stands for.
    pub(super) fn read(cx: &mut Cx<'_>, section: Section, entry: &Entry) -> Option<Self> {
        let name = entry.key.clone();
        let fields = Fields::read(cx, section, &entry.value, name.span)?;
        let kind = kind::read(cx, &fields, section)?;
        let def = Self {
            required: fields.bool("required").unwrap_or(false),
            default: fields.node("default").cloned(),
            help: fields.words("help"),
            pattern: fields.text("pattern"),
            in_group: fields.text("in"),
            generate: generate::read(cx, &fields),
            given: None,
            name,
            kind,
        };
        def.check(cx, &fields);
        Some(def)
    }

    fn check(&self, cx: &mut Cx<'_>, fields: &Fields<'_>) {
        if self.required
            && let Some(span) = fields.key_span("default")
        {
            let message = format!(
                "`{}` is required, so its default is never used",
                self.name.value
            );
            cx.error(
                Code::Conflict,
                message,
                span,
                "",
                Some("remove one of the two".to_owned()),
            );
        }
        let Some(default) = self.default.as_ref().filter(|d| !d.has_error()) else {
            return;
        };
        if self.kind.value.is_secret() {
            let message = "a secret has no default: it would stand here for everybody to read";
            let help = "leave it out: a secret is given with `--secret`, or made with `generate`";
            cx.error(
                Code::Conflict,
                message,
                default.site(),
                "",
                Some(help.to_owned()),
            );
        } else if default.has_template() {
            let help = Some("a value that depends on others is one of `vars`".to_owned());
            cx.error(
                Code::NoTemplateHere,
                "a default is a plain value",
                default.site(),
                "this is a template",
                help,
            );
        } else if let Err(why) = self.kind.value.check(&default.to_value()) {
            let message = format!("the default of `{}` {why}", self.name.value);
            cx.error(Code::BadValue, message, default.site(), "", None);
        }
    }
}

/// Reads `inputs`, the rules among them.
pub(super) fn inputs(cx: &mut Cx<'_>, node: &Node) -> (Vec<InputDef>, Vec<Rule>) {
    let (mut inputs, mut rules) = (Vec::new(), Vec::new());
    for entry in node.as_map().unwrap_or(&[]) {
        if entry.key.value == "rules" {
            rules = read_rules(cx, &entry.value);
        } else if crate::fields::name_holds(cx, Name::Id, &entry.key.value, entry.key.span) {
            inputs.extend(InputDef::read(cx, Section::Input, entry));
        }
    }
    (inputs, rules)
}

fn read_rules(cx: &mut Cx<'_>, node: &Node) -> Vec<Rule> {
    match &node.kind {
        Kind::Seq(items) => items.iter().filter_map(|item| rule(cx, item)).collect(),
        Kind::Error => Vec::new(),
        _ => {
            let help = Some("write `rules: [{ check: …, message: … }]`".to_owned());
            cx.error(
                Code::WrongType,
                format!("`rules` is a list, not {}", node.noun()),
                node.site(),
                "",
                help,
            );
            Vec::new()
        }
    }
}

fn rule(cx: &mut Cx<'_>, node: &Node) -> Option<Rule> {
    let fields = Fields::read(cx, Section::Rule, node, head(node))?;
    Some(Rule {
        check: fields.text("check")?,
        message: fields.text("message")?,
    })
}

/// Reads one group that the inventory must provide.
pub(super) fn group(cx: &mut Cx<'_>, entry: &Entry) -> Option<GroupDef> {
    let fields = Fields::read(cx, Section::Group, &entry.value, entry.key.span)?;
    if entry.key.value == "all" || entry.key.value == "control" {
        let message = format!(
            "`{}` cannot be a group: the name has a meaning already",
            entry.key.value
        );
        cx.error(Code::BadName, message, entry.key.span, "", None);
        return None;
    }
    if let (Some(span), Some(_)) = (fields.key_span("min"), fields.key_span("exactly")) {
        cx.error(
            Code::Conflict,
            "`min` and `exactly` do not go together",
            span,
            "",
            Some("`exactly` alone says both: leave `min` out".to_owned()),
        );
    }
    let count = |name| {
        fields
            .int(name)
            .and_then(|n| u32::try_from(n.value).ok().map(|v| Spanned::new(v, n.span)))
    };
    let vars = fields
        .map("vars")
        .into_iter()
        .filter_map(|e| InputDef::read(cx, Section::GroupVar, e))
        .collect();
    Some(GroupDef {
        name: entry.key.clone(),
        min: count("min"),
        exactly: count("exactly"),
        vars,
    })
}

/// Where a map without a name of its own is pointed at: its first key.
pub(super) fn head(node: &Node) -> Span {
    node.as_map()
        .and_then(|entries| entries.first())
        .map_or(node.site(), |e| e.key.span)
}
