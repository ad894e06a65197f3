//! What differs between an instance of the old plan and the same one of the new plan.

use std::collections::{BTreeMap, BTreeSet};

use runbook_lang::evaluate::assert_checks;
use runbook_lang::steptype::ASSERT;
use runbook_model::edit::Reason;
use runbook_model::plan::Var;
use runbook_model::step::Expr;
use runbook_model::step_type::TypeKind;
use runbook_model::{HostName, NodeIx, NodeKind, Plan, RunState, Step, StepType, Value};

use super::reads::Reads;
use super::words::Words;
use crate::graph::Frozen;

/// The parameter of gates that is only worded.
const MESSAGE: &str = "message";

/// Two plans of one run.
pub(super) struct Change<'a> {
    pub(super) old: &'a Plan,
    pub(super) new: &'a Plan,
    pub(super) before: &'a Frozen,
    pub(super) after: &'a Frozen,
    /// From old nodes to new ones.
    pub(super) places: BTreeMap<NodeIx, NodeIx>,
    /// From new nodes to old ones.
    pub(super) from: BTreeMap<NodeIx, NodeIx>,
    pub(super) words: Option<&'a Words>,
    pub(super) state: &'a RunState,
    /// The state in the numbers of the new plan, as if everything counted.
    pub(super) mapped: RunState,
    /// New nodes whose result is not what it was: they run again, or are new.
    pub(super) moved: BTreeSet<NodeIx>,
}

/// The node and its host in both plans.
#[derive(Clone, Copy)]
struct Pair<'a> {
    from: NodeIx,
    to: NodeIx,
    host: Option<&'a HostName>,
}

impl Change<'_> {
    /// What differs between an instance and what it was.
    pub(super) fn differences(&self, from: NodeIx, to: NodeIx) -> Vec<Reason> {
        let (Some((was, _)), Some((is, host))) = (self.old.instance(from), self.new.instance(to))
        else {
            return Vec::new();
        };
        let pair = Pair {
            from,
            to,
            host: Some(host),
        };
        let mut reasons = Vec::new();
        self.type_of(was, is, &mut reasons);
        self.place_of(from, to, &mut reasons);
        self.params_of(pair, was, is, &mut reasons);
        let chdir = |step: &Step| {
            step.chdir
                .as_ref()
                .map(|expr| Value::String(expr.text.clone()))
        };
        match self.value(pair, chdir(was).as_ref(), chdir(is).as_ref()) {
            Compared::Same => {}
            Compared::Reads(id) => reasons.push(Reason::Reads(id)),
            Compared::Differs => reasons.push(Reason::Chdir),
        }
        let when = self.condition(pair, was.when.as_ref(), is.when.as_ref());
        reasons.extend(when.reason(Reason::When));
        let expect = self.condition(pair, was.expect.as_ref(), is.expect.as_ref());
        reasons.extend(expect.reason(Reason::Expect));
        reasons.sort();
        reasons.dedup();
        reasons
    }

    /// Whether the `when` of an instance is another one, or reads what is.
    pub(super) fn when_differs(&self, from: NodeIx, to: NodeIx) -> bool {
        let (Some((was, _)), Some((is, host))) = (self.old.instance(from), self.new.instance(to))
        else {
            return false;
        };
        let pair = Pair {
            from,
            to,
            host: Some(host),
        };
        self.condition(pair, was.when.as_ref(), is.when.as_ref()) != Compared::Same
    }

    /// The same of the `when` of a phase, by its begin.
    pub(super) fn phase_when_differs(&self, from: NodeIx, to: NodeIx) -> bool {
        let pair = Pair {
            from,
            to,
            host: None,
        };
        let when = |plan: &Plan, node| plan.phase_of(node).and_then(|phase| phase.when.clone());
        let (was, is) = (when(self.old, from), when(self.new, to));
        self.condition(pair, was.as_ref(), is.as_ref()) != Compared::Same
    }

    fn type_of(&self, was: &Step, is: &Step, reasons: &mut Vec<Reason>) {
        if was.uses != is.uses {
            return reasons.push(Reason::Uses(was.uses.clone()));
        }
        let (old, new) = (self.old.type_of(was), self.new.type_of(is));
        if old.map(does) != new.map(does) {
            reasons.push(Reason::Type);
        }
    }

    fn place_of(&self, from: NodeIx, to: NodeIx, reasons: &mut Vec<Reason>) {
        let (Some(was), Some(is)) = (self.old.runs_on(from), self.new.runs_on(to)) else {
            return;
        };
        if was != is {
            reasons.push(Reason::RunsOn(was.clone()));
        }
        let address = |plan: &Plan, host| {
            let of = &plan.hosts.get(host)?.connection;
            Some((of.local, of.address.clone(), of.port))
        };
        if was == is && address(self.old, was) != address(self.new, is) {
            reasons.push(Reason::Address(is.clone()));
        }
        let (old, new) = (
            &self.old.nodes[from.at()].kind,
            &self.new.nodes[to.at()].kind,
        );
        let (
            NodeKind::Instance {
                account: was_account,
                item: was_item,
                ..
            },
            NodeKind::Instance { account, item, .. },
        ) = (old, new)
        else {
            return;
        };
        let of_host = |plan: &Plan, host| plan.hosts.get(host).map(|host| host.account.clone());
        let was_account = was_account.clone().or_else(|| of_host(self.old, was));
        let account = account.clone().or_else(|| of_host(self.new, is));
        if was_account != account {
            reasons.push(Reason::Account);
        }
        // The value of an item counts where it is read.
        if was_item.is_some() != item.is_some() {
            reasons.push(Reason::Item);
        }
    }

    fn params_of(&self, pair: Pair<'_>, was: &Step, is: &Step, reasons: &mut Vec<Reason>) {
        if is.uses == ASSERT {
            return reasons.extend(self.checks_of(pair, was, is).reason(Reason::Condition));
        }
        let gate = self
            .new
            .type_of(is)
            .is_some_and(|of| of.kind == TypeKind::Gate);
        let names: BTreeSet<&String> = was.with.keys().chain(is.with.keys()).collect();
        for name in names {
            let (old, new) = (was.with.get(name), is.with.get(name));
            if gate && name == MESSAGE {
                // Its wording does not count, what it shows does.
                let reads = new.map(Reads::of_value).unwrap_or_default();
                reasons.extend(self.reads(pair, &reads).reason(Reason::Shows));
                continue;
            }
            let own = match gate {
                true => Reason::Shows,
                false => Reason::Param(name.clone()),
            };
            reasons.extend(self.value(pair, old, new).reason(own));
        }
    }

    /// The conditions of an assert; how it says that they are false does not count.
    fn checks_of(&self, pair: Pair<'_>, was: &Step, is: &Step) -> Compared {
        let texts = |step| -> Vec<String> {
            let checks = assert_checks(step).into_iter();
            checks.map(|(check, _)| check.to_owned()).collect()
        };
        let (old, new) = (texts(was), texts(is));
        let reads = new
            .iter()
            .map(|text| self.reads(pair, &Reads::of_condition(text)));
        let read = reads.fold(Compared::Same, Compared::and);
        match old == new {
            true => read,
            false => read.and(Compared::Differs),
        }
    }

    fn condition(&self, pair: Pair<'_>, was: Option<&Expr>, is: Option<&Expr>) -> Compared {
        let text = |expr: Option<&Expr>| expr.map(|expr| expr.text.clone());
        if text(was) != text(is) {
            return Compared::Differs;
        }
        is.map_or(Compared::Same, |expr| {
            self.reads(pair, &Reads::of_condition(&expr.text))
        })
    }

    /// A value with texts in it, by what they say as far as that is known.
    fn value(&self, pair: Pair<'_>, was: Option<&Value>, is: Option<&Value>) -> Compared {
        let reads = is.map(Reads::of_value).unwrap_or_default();
        let read = self.reads(pair, &reads);
        if let Compared::Reads(_) = read {
            return read;
        }
        if was == is && read == Compared::Same {
            return Compared::Same;
        }
        let (Some(words), Some(was), Some(is)) = (self.words, was, is) else {
            return Compared::Differs;
        };
        let old = words.before(pair.from, was, self.state);
        let new = words.after(pair.to, is, &self.mapped);
        match (old, new) {
            (Some(old), Some(new)) if old == new => Compared::Same,
            _ => Compared::Differs,
        }
    }

    /// Whether everything that is read is what it was.
    fn reads(&self, pair: Pair<'_>, reads: &Reads) -> Compared {
        let (mut same, mut steps) = (true, BTreeSet::new());
        for path in &reads.0 {
            let names: Vec<&str> = path.iter().map(String::as_str).collect();
            same &= match names.as_slice() {
                ["steps", step, ..] => {
                    steps.insert((*step).to_owned());
                    true
                }
                ["vars", name, ..] => {
                    steps.extend(self.steps_of_var(name));
                    !self.var_differs(name)
                }
                ["host", name, ..] => pair.host.is_none_or(|host| {
                    let var = |plan: &Plan| plan.hosts.get(host)?.vars.get(*name).cloned();
                    var(self.old) == var(self.new)
                }),
                ["item", ..] => item(self.old, pair.from) == item(self.new, pair.to),
                path => self.is_same(path),
            };
        }
        if let Some(id) = self.moved_read(pair, &steps) {
            return Compared::Reads(id);
        }
        match same {
            true => Compared::Same,
            false => Compared::Differs,
        }
    }

    /// Parts of the plan that are the same for everybody.
    fn is_same(&self, path: &[&str]) -> bool {
        let input = |plan: &Plan, name: &str| {
            let input = plan.inputs.get(name)?;
            Some((input.value.clone(), input.secret.is_some()))
        };
        let members = |plan: &Plan, name: &str| -> Option<Vec<Value>> {
            let all: Vec<HostName> = match name {
                "all" => plan.hosts.keys().cloned().collect(),
                _ => plan.groups.get(name)?.clone(),
            };
            let vars = |host: &HostName| plan.hosts.get(host).map(|h| serde_json::json!(h.vars));
            let one = |host: HostName| serde_json::json!([host.as_str(), vars(&host)]);
            Some(all.into_iter().map(one).collect())
        };
        match path {
            ["inputs", name, ..] => input(self.old, name) == input(self.new, name),
            ["inputs"] => self.old.inputs == self.new.inputs,
            ["groups", name, ..] => members(self.old, name) == members(self.new, name),
            ["groups"] => self.old.groups == self.new.groups && self.old.hosts == self.new.hosts,
            ["window", ..] => self.old.window == self.new.window,
            _ => true,
        }
    }

    /// An instance that is read and whose result is not what it was, or that is gone.
    fn moved_read(&self, pair: Pair<'_>, steps: &BTreeSet<String>) -> Option<String> {
        if steps.is_empty() {
            return None;
        }
        let read = |plan: &Plan, node: &NodeIx| {
            let step = plan.instance(*node).map(|(step, _)| step.id.as_str());
            step.is_some_and(|step| steps.contains(step))
        };
        let now = self.after.requires(pair.to).iter();
        let moved = now.filter(|p| read(self.new, p) && self.moved.contains(p));
        let then = self.before.requires(pair.from).iter();
        let gone = then.filter(|p| read(self.old, p) && !self.places.contains_key(p));
        let moved = moved.map(|p| &self.new.nodes[p.at()].id);
        let mut all = moved.chain(gone.map(|p| &self.old.nodes[p.at()].id));
        all.next().cloned()
    }

    /// Variables that are not what they were, whatever steps say.
    pub(super) fn changed_vars(&self) -> BTreeSet<String> {
        let names = self.old.vars.keys().chain(self.new.vars.keys());
        names
            .filter(|name| self.var_differs(name))
            .cloned()
            .collect()
    }

    /// Whether a variable is taken from something that runs again, is new, or is gone.
    pub(super) fn var_moves(&self, name: &str) -> bool {
        let steps = self.steps_of_var(name);
        let of = |plan: &Plan, node: &NodeIx| {
            let step = plan.instance(*node).map(|(step, _)| step.id.as_str());
            step.is_some_and(|step| steps.contains(step))
        };
        let mut old = self.old.instances().map(|(node, ..)| node);
        self.moved.iter().any(|node| of(self.new, node))
            || old.any(|node| of(self.old, &node) && !self.places.contains_key(&node))
    }

    fn var_differs(&self, name: &str) -> bool {
        let mut open = vec![name.to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let (was, is) = (self.old.vars.get(&name), self.new.vars.get(&name));
            if was.map(written) != is.map(written) {
                return true;
            }
            for path in is.map(var_reads).unwrap_or_default().0 {
                let names: Vec<&str> = path.iter().map(String::as_str).collect();
                match names.as_slice() {
                    ["vars", other, ..] => open.push((*other).to_owned()),
                    ["steps", ..] => {}
                    path if !self.is_same(path) => return true,
                    _ => {}
                }
            }
        }
        false
    }

    /// The steps that a variable is taken from, through others too.
    fn steps_of_var(&self, name: &str) -> BTreeSet<String> {
        let (mut open, mut seen) = (vec![name.to_owned()], BTreeSet::new());
        let mut steps = BTreeSet::new();
        while let Some(name) = open.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            for path in self
                .new
                .vars
                .get(&name)
                .map(var_reads)
                .unwrap_or_default()
                .0
            {
                let mut names = path.into_iter();
                match (names.next().as_deref(), names.next()) {
                    (Some("vars"), Some(other)) => open.push(other),
                    (Some("steps"), Some(step)) => {
                        steps.insert(step);
                    }
                    _ => {}
                }
            }
        }
        steps
    }
}

/// What a comparison says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Compared {
    Same,
    /// It reads what this instance says, which is not what it was.
    Reads(String),
    Differs,
}

impl Compared {
    fn and(self, other: Self) -> Self {
        match self {
            Self::Same => other,
            _ => self,
        }
    }

    fn reason(self, own: Reason) -> Option<Reason> {
        match self {
            Self::Same => None,
            // What was done before was done with other values only where a value is read.
            Self::Reads(id) if own.is_of_values() => Some(Reason::Reads(id)),
            Self::Reads(id) => Some(Reason::Needs(id)),
            Self::Differs => Some(own),
        }
    }
}

fn item(plan: &Plan, node: NodeIx) -> Option<Value> {
    match &plan.nodes[node.at()].kind {
        NodeKind::Instance { item, .. } => item.as_ref().map(|item| item.value.clone()),
        _ => None,
    }
}

/// A variable without its place.
fn written(var: &Var) -> (u8, Value) {
    match var {
        Var::Literal(value) => (0, value.clone()),
        Var::Template(expr) => (1, Value::String(expr.text.clone())),
        Var::Cel(expr) => (2, Value::String(expr.text.clone())),
    }
}

fn var_reads(var: &Var) -> Reads {
    match var {
        Var::Literal(_) => Reads::default(),
        Var::Template(expr) => Reads::of_value(&Value::String(expr.text.clone())),
        Var::Cel(expr) => Reads::of_condition(&expr.text),
    }
}

/// What a type does on a host: its scripts but for the way back, what it takes, and what it gives.
/// Words for people, limits of time and the version of the engine are no part of it.
fn does(of: &StepType) -> Value {
    let params = of.params.iter().map(|(name, param)| {
        let shape = (param.shape, param.default.clone(), param.values.clone());
        (name, (shape, param.secret))
    });
    let outputs = of.outputs.iter();
    let outputs = outputs.map(|(name, output)| (name, (output.shape, output.secret)));
    serde_json::json!({
        "kind": of.kind,
        "functions": of.scripts.functions,
        "check": of.scripts.check,
        "apply": of.scripts.apply,
        "content": of.content,
        "params": params.collect::<BTreeMap<_, _>>(),
        "outputs": outputs.collect::<BTreeMap<_, _>>(),
    })
}
