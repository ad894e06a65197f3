//! Drives the steps of one file through their life, and keeps every mismatch.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;

use runbook_model::Outcome;
use runbook_tests::effects::{Effect, Effects, Probe};
use runbook_tests::operator::Operator;
use runbook_tests::tools::Tools;
use serde_json::{Value, json};

/// What stands before the look of each step.
const MARK: &str = "@@@ ";

/// What each step is about, as its look prints it.
type Looks = BTreeMap<String, String>;

/// One file on its way.
pub(crate) struct Drive<'a> {
    /// The host.
    pub(crate) tools: &'a Tools,
    /// The file.
    pub(crate) effects: &'a Effects,
    /// Everything that was not as it should be.
    pub(crate) wrong: Vec<String>,
    /// How often `runbook run` was called.
    pub(crate) runs: usize,
    operator: Operator,
    secrets: Vec<OsString>,
}

/// How the steps of a run ended, by step; and all that was written.
pub(crate) struct Ran {
    outcomes: BTreeMap<String, Option<Outcome>>,
    text: String,
}

impl<'a> Drive<'a> {
    pub(crate) fn new(tools: &'a Tools, effects: &'a Effects) -> Self {
        let mut operator = Operator::new("/dev/null".as_ref(), &tools.inventory);
        let mut secrets = Vec::new();
        for (name, text) in &effects.secrets {
            let file = operator.file(&format!("secret-{name}"), text);
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
            secrets.push("--secret".into());
            secrets.push(format!("{name}=file:{}", file.display()).into());
        }
        let value = |(name, script): (&String, &String)| {
            let text = tools.must(&format!("the input {name}"), script);
            (name.clone(), json!(text.trim_end()))
        };
        let inputs: BTreeMap<String, Value> = effects.inputs.iter().map(value).collect();
        for go in [true, false] {
            let mut inputs = inputs.clone();
            inputs.insert("go".into(), json!(go));
            let _ = operator.file(&format!("inputs-{go}.yaml"), &json!(inputs).to_string());
        }
        for (name, text) in &effects.beside {
            let _ = operator.file(name, text);
        }
        operator.runbook = operator.file("all.yaml", "");
        Self {
            tools,
            effects,
            wrong: Vec::new(),
            runs: 0,
            operator,
            secrets,
        }
    }

    /// Done, taken back, done, done again, spoilt, found, and mended.
    pub(crate) fn effects(&mut self) {
        let steps = &self.effects.steps;
        if steps.is_empty() {
            return;
        }
        let runbook = self
            .effects
            .runbook(&steps.iter().map(|e| e.step.clone()).collect::<Vec<_>>());
        let (zero, elsewhere) = (self.looks(), self.elsewhere());

        let ran = self.run(&runbook, false);
        self.all_ended("first run", &ran, Wanted::Changed);
        let done = self.looks();
        for effect in steps {
            if zero[&effect.name] == done[&effect.name] {
                self.wrong.push(format!(
                    "{}: its look shows no effect: {:?}",
                    effect.name, zero[&effect.name]
                ));
            }
        }
        self.roll_back();
        for effect in steps {
            if let Some(back) = &effect.back {
                self.tools
                    .must(&format!("the way back of {}", effect.name), back);
            }
        }
        self.same("rollback", &zero);
        self.untouched("rollback", &elsewhere);

        let ran = self.run(&runbook, true);
        self.all_ended("second run", &ran, Wanted::Changed);
        let one = self.looks();
        let ran = self.run(&runbook, true);
        self.all_ended("run of what is there", &ran, Wanted::Satisfied);
        self.same("run of what is there", &one);
        self.untouched("run of what is there", &elsewhere);

        // First every other one, so that a plan that always finds everything is noticed.
        let before = self.elsewhere();
        let (even, odd): (Vec<_>, Vec<_>) =
            steps.iter().enumerate().partition(|(at, _)| at % 2 == 0);
        let mut spoilt = Vec::new();
        for half in [even, odd] {
            for (_, effect) in half {
                self.drift(effect);
                spoilt.push(effect.name.as_str());
            }
            let looks = self.looks();
            for name in &spoilt {
                if looks[*name] == one[*name] {
                    self.wrong
                        .push(format!("{name}: its look shows no drift: {:?}", one[*name]));
                }
            }
            self.plan_finds(&runbook, &spoilt);
        }
        let ran = self.run(&runbook, true);
        self.all_ended("run after drift", &ran, Wanted::Changed);
        self.same("run after drift", &one);
        self.untouched("run after drift", &before);
    }

    /// Each is content, is not when its good is spoilt, and is again: the first and the last for all of them at once.
    pub(crate) fn probes(&mut self) {
        let probes = &self.effects.probes;
        if probes.is_empty() {
            return;
        }
        let steps: Vec<_> = probes.iter().map(|probe| probe.step.clone()).collect();
        let all = self.effects.runbook(&steps);
        for probe in probes {
            self.shown("before", probe, false);
        }
        let ran = self.run(&all, true);
        for probe in probes {
            self.content("before", &ran, probe);
        }
        for probe in probes {
            self.tools
                .must(&format!("the spoiling of {}", probe.name), &probe.bad);
            let ran = self.run(
                &self.effects.runbook(std::slice::from_ref(&probe.step)),
                true,
            );
            self.tools
                .must(&format!("the mending of {}", probe.name), &probe.mend);
            let outcome = ran.outcome(&probe.name);
            let said = outcome
                .and_then(Outcome::failure)
                .map(|failure| format!("{}\n{}", failure.message, failure.tail));
            if !said.is_some_and(|said| said.contains(&probe.says)) {
                self.wrong.push(format!(
                    "{} spoilt: it ended as {outcome:?}{}",
                    probe.name,
                    ran.hint(outcome)
                ));
            }
        }
        for probe in probes {
            self.shown("mended", probe, false);
        }
        let ran = self.run(&all, true);
        for probe in probes {
            self.content("mended", &ran, probe);
        }
    }

    /// It has looked and was content, or has run and shows it.
    pub(crate) fn content(&mut self, when: &str, ran: &Ran, probe: &Probe) {
        let wanted = match &probe.always {
            None => Outcome::Looked,
            Some(_) => Outcome::Changed,
        };
        let outcome = ran.outcome(&probe.name);
        if outcome != Some(&wanted) {
            self.wrong.push(format!(
                "{} {when}: it ended as {outcome:?}{}",
                probe.name,
                ran.hint(outcome)
            ));
        }
        self.shown(when, probe, true);
    }

    /// What it does is there, or not yet.
    fn shown(&mut self, when: &str, probe: &Probe, there: bool) {
        let Some(always) = &probe.always else {
            return;
        };
        let (_, text) = self.tools.shell(&always.look);
        if text.contains(&always.shows) != there {
            let not = if there { "not " } else { "" };
            self.wrong.push(format!(
                "{} {when}: `{}` is {not}there: {text}",
                probe.name, always.shows
            ));
        }
    }

    /// Runs a runbook to its end, which is a failure unless it may go on.
    pub(crate) fn run(&mut self, runbook: &str, go: bool) -> Ran {
        self.runs += 1;
        let args = self.args("run", runbook, go);
        let output = self.operator.alone(&args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        assert!(
            code == Some(i32::from(!go)),
            "the run ended with {code:?}:\n{text}"
        );
        let seen = self.operator.seen();
        let nodes = seen.plan.nodes.iter().zip(&seen.state.nodes);
        let outcomes = nodes
            .filter_map(|(node, state)| {
                Some((node.id.split_once('@')?.0.to_owned(), state.outcome.clone()))
            })
            .collect();
        Ran { outcomes, text }
    }

    /// Spoils what a step is about.
    pub(crate) fn drift(&self, effect: &Effect) {
        self.tools
            .must(&format!("the drift of {}", effect.name), &effect.drift);
    }

    /// The same, where it may be spoilt already.
    pub(crate) fn drift_again(&self, effect: &Effect) {
        let _ = self.tools.shell(&effect.drift);
    }

    /// What a probe that runs each time has done is taken away.
    pub(crate) fn mend_again(&self, probe: &Probe) {
        if probe.always.is_some() {
            self.tools
                .must(&format!("the mending of {}", probe.name), &probe.mend);
        }
    }

    fn args(&mut self, command: &str, runbook: &str, go: bool) -> Vec<OsString> {
        self.operator.runbook = self.operator.file("all.yaml", runbook);
        self.operator.inputs = Some(
            self.operator
                .runbook
                .with_file_name(format!("inputs-{go}.yaml")),
        );
        let mut args = self.operator.run_args();
        args[0] = command.into();
        args.extend(self.secrets.iter().cloned());
        args
    }

    fn roll_back(&mut self) {
        let run = self.operator.runs()[0].to_string();
        let args = [
            "rollback",
            &run,
            "--reason",
            "it was to fail",
            "--confirm",
            &run,
        ]
        .map(OsString::from);
        let args: Vec<_> = args
            .into_iter()
            .chain(self.secrets.iter().cloned())
            .collect();
        let output = self.operator.alone(&args);
        let seen = self.operator.seen();
        for (node, undo) in &seen.state.undos {
            if let Some(failure) = &undo.failure {
                let id = seen.plan.nodes.get(node.at()).map_or("?", |node| &node.id);
                self.wrong.push(format!(
                    "rollback: the undo of {id} failed: {}\n{}",
                    failure.message, failure.tail
                ));
            }
        }
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            self.wrong.push(format!(
                "rollback ended with {:?}:\n{text}",
                output.status.code()
            ));
            // A run that may go on keeps its hosts.
            let abandoned = self.operator.alone(
                &[
                    "abandon",
                    &run,
                    "--reason",
                    "the test goes on",
                    "--confirm",
                    &run,
                ]
                .map(OsString::from),
            );
            assert!(
                abandoned.status.success(),
                "{}",
                String::from_utf8_lossy(&abandoned.stderr)
            );
        }
    }

    fn plan_finds(&mut self, runbook: &str, spoilt: &[&str]) {
        let mut args = self.args("plan", runbook, true);
        args.push("--json".into());
        let output = self.operator.alone(&args);
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| {
            panic!(
                "plan: {e}: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        });
        for instance in plan["instances"].as_array().unwrap() {
            let (name, forecast) = (instance["step"].as_str().unwrap(), &instance["forecast"]);
            let good = match (name, spoilt.contains(&name)) {
                ("go_on", _) => true,
                // Where something earlier changes what it reads, a plan can only say `maybe`.
                (_, true) => forecast.get("change").or(forecast.get("maybe")).is_some(),
                (_, false) => forecast == "no_change" || forecast.get("maybe").is_some(),
            };
            if !good {
                let what = if spoilt.contains(&name) {
                    "spoilt"
                } else {
                    "as it was"
                };
                self.wrong
                    .push(format!("{name}: it is {what}, and plan says {forecast}"));
            }
        }
    }

    fn all_ended(&mut self, when: &str, ran: &Ran, wanted: Wanted) {
        for effect in &self.effects.steps {
            let outcome = ran.outcome(&effect.name);
            let good = match wanted {
                Wanted::Changed => outcome == Some(&Outcome::Changed),
                Wanted::Satisfied => outcome == Some(&Outcome::Satisfied),
            };
            if !good {
                self.wrong.push(format!(
                    "{} in the {when}: it ended as {outcome:?}{}",
                    effect.name,
                    ran.hint(outcome)
                ));
            }
        }
    }

    /// The looks of all steps.
    pub(crate) fn looks(&self) -> Looks {
        let script: String = self
            .effects
            .steps
            .iter()
            .map(|e| {
                format!(
                    "printf '\\n%s\\n' '{MARK}{}'\n(\n{}\n) || echo \"status $?\"\n",
                    e.name, e.look
                )
            })
            .collect();
        let (_, text) = self.tools.shell(&script);
        let mut looks = Looks::new();
        for part in format!("\n{text}").split(&format!("\n{MARK}")).skip(1) {
            let (name, look) = part.split_once('\n').unwrap_or((part, ""));
            looks.insert(name.to_owned(), look.trim_end().to_owned());
        }
        assert_eq!(
            looks.len(),
            self.effects.steps.len(),
            "a look ended the shell:\n{text}"
        );
        looks
    }

    fn elsewhere(&self) -> String {
        self.tools.must("elsewhere", &self.effects.elsewhere)
    }

    /// The looks are these.
    pub(crate) fn same(&mut self, when: &str, wanted: &Looks) {
        for (name, look) in self.looks() {
            if look != wanted[&name] {
                self.wrong.push(format!(
                    "{name} after the {when}: {}",
                    difference(&wanted[&name], &look)
                ));
            }
        }
    }

    fn untouched(&mut self, when: &str, wanted: &str) {
        let now = self.elsewhere();
        if now != wanted {
            self.wrong.push(format!(
                "elsewhere after the {when}: {}",
                difference(wanted, &now)
            ));
        }
    }
}

/// How each step shall have ended.
#[derive(Clone, Copy)]
enum Wanted {
    Changed,
    Satisfied,
}

impl Ran {
    pub(crate) fn outcome(&self, step: &str) -> Option<&Outcome> {
        self.outcomes.get(step).and_then(Option::as_ref)
    }

    /// All that was written, where the step never came to an end.
    pub(crate) fn hint(&self, outcome: Option<&Outcome>) -> String {
        match outcome {
            None => format!("\n{}", self.text),
            Some(_) => String::new(),
        }
    }
}

/// The lines that two texts do not share.
fn difference(wanted: &str, now: &str) -> String {
    let only = |sign: &str, of: &str, other: &str| -> Vec<String> {
        of.lines()
            .filter(|line| !other.lines().any(|o| o == *line))
            .map(|line| format!("\n    {sign} {line}"))
            .collect()
    };
    let lines = [only("-", wanted, now), only("+", now, wanted)].concat();
    if lines.is_empty() {
        format!("another order or number of lines:\n{wanted}\n  is now\n{now}")
    } else {
        lines.concat()
    }
}
