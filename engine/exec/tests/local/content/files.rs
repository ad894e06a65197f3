//! Files of a directory of its own, swapped by real runs on this machine, in a shell of choice.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook_exec::driver::Reach;
use runbook_exec::preview;
use runbook_exec::store::Store;
use runbook_lang::compile::Given;
use runbook_lang::evaluate::Evaluator;
use runbook_model::plan::SecretSource;
use runbook_model::{Event, Forecast, Outcome, Plan, RunId, Value};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Hook, Shift, block_on, me, plan};

/// The shipped types, and some whose values are secrets or parameters of other types.
const TYPES: [(&str, &str); 8] = [
    (
        "file",
        include_str!("../../../../../stdlib-steps/types/file.yaml"),
    ),
    (
        "line",
        include_str!("../../../../../stdlib-steps/types/line.yaml"),
    ),
    (
        "block",
        include_str!("../../../../../stdlib-steps/types/block.yaml"),
    ),
    (
        "ini",
        include_str!("../../../../../stdlib-steps/types/ini.yaml"),
    ),
    (
        "yaml.merge",
        include_str!("../../../../../stdlib-steps/types/yaml.merge.yaml"),
    ),
    (
        "json.merge",
        include_str!("../../../../../stdlib-steps/types/json.merge.yaml"),
    ),
    (
        "test.secret",
        "type: test.secret\nsummary: A secret in a file\nparams: { path: { type: path, required: true }, key: { type: string, secret: true, required: true } }\ncontent: { path: '{{path}}', text: '{{key}}', validate: [cat, '{}'] }\n",
    ),
    (
        "test.parts",
        "type: test.parts\nsummary: Parameters in a map\nparams: { path: { type: path, required: true }, port: { type: int, required: true }, none: { type: json }, key: { type: string, secret: true } }\ncontent: { path: '{{path}}', merge_yaml: { db: { port: '{{port}}', key: '{{key}}', none: '{{none}}', ssl: true } } }\n",
    ),
];

pub(crate) struct Files {
    dir: TempDir,
    /// A run beside one that failed would be refused: each has a store of its own.
    stores: Cell<u32>,
    shell: String,
    secret: String,
}

/// How each step ended: the word, and the message of a failure or the reason of a skip.
pub(crate) struct Ran {
    id: RunId,
    store: Store,
    pub(crate) events: Vec<Event>,
}

impl Ran {
    pub(crate) fn words(&self) -> Vec<&'static str> {
        self.outcomes().map(Outcome::word).collect()
    }

    fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.events.iter().filter_map(|event| match event {
            Event::Finished { outcome, .. } if *outcome != Outcome::Passed => Some(outcome),
            _ => None,
        })
    }

    /// The only failure.
    pub(crate) fn failure(&self) -> String {
        let failures: Vec<_> = self
            .outcomes()
            .filter_map(|outcome| match outcome {
                Outcome::Failed(failure) => Some(failure.message.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(failures.len(), 1, "{failures:?}");
        failures[0].clone()
    }

    /// The outputs of the last step that ended.
    pub(crate) fn outputs(&self) -> BTreeMap<String, Value> {
        let outputs = self.events.iter().rev().find_map(|event| match event {
            Event::Finished { outputs, .. } if !outputs.is_empty() => Some(outputs.clone()),
            _ => None,
        });
        outputs.unwrap()
    }

    /// All that is stored of the run.
    pub(crate) fn stored(&self) -> String {
        let mut text = String::new();
        let mut todo = vec![self.store.home(&self.id).unwrap().dir().to_owned()];
        while let Some(path) = todo.pop() {
            match path.is_dir() {
                true => todo.extend(
                    std::fs::read_dir(path)
                        .unwrap()
                        .map(|entry| entry.unwrap().path()),
                ),
                false => text += &String::from_utf8_lossy(&std::fs::read(path).unwrap()),
            }
        }
        text
    }

    /// What was captured before the first change.
    pub(crate) fn before(&self) -> BTreeMap<String, String> {
        let before = self.events.iter().find_map(|event| match event {
            Event::Dispatched { instances, .. } => Some(instances[0].before.clone()),
            _ => None,
        });
        before.unwrap()
    }
}

impl Files {
    pub(crate) fn new(shell: &str) -> Self {
        let dir = TempDir::with_prefix("rb").unwrap();
        std::fs::create_dir(dir.path().join("files")).unwrap();
        let shell = if shell == "applets" {
            applets(dir.path())
        } else {
            shell.to_owned()
        };
        Self {
            dir,
            stores: Cell::default(),
            shell,
            secret: "hunter2\n".to_owned(),
        }
    }

    /// The secret that runs are given.
    pub(crate) fn with_secret(self, secret: &str) -> Self {
        Self {
            secret: secret.to_owned(),
            ..self
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("files").join(name)
    }

    /// Where the hosts keep their state.
    pub(crate) fn hosts(&self) -> PathBuf {
        self.dir.path().join("hosts")
    }

    pub(crate) fn put(&self, name: &str, text: &str, mode: u32) {
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        std::fs::metadata(self.path(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o7777
    }

    /// Names of all files: nothing may be left over.
    pub(crate) fn names(&self) -> Vec<String> {
        let all = std::fs::read_dir(self.path("")).unwrap();
        let mut names: Vec<_> = all
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A plan of one step for each map of arguments; `DIR` in a path is the directory of the files.
    pub(crate) fn plan(&self, uses: &str, steps: &[Value]) -> Plan {
        self.plan_of(uses, steps, "")
    }

    /// The same, and each step holds what it did until the run ends.
    pub(crate) fn held(&self, uses: &str, steps: &[Value]) -> Plan {
        self.plan_of(uses, steps, "    hold: { release: end }\n")
    }

    fn plan_of(&self, uses: &str, steps: &[Value], more: &str) -> Plan {
        let dir = self.path("");
        let mut given = Given::default();
        let mut inputs = String::from("runbook: files\ninputs:\n");
        let password = json!("{{inputs.password}}").to_string();
        if steps
            .iter()
            .any(|step| step.to_string().contains(&password))
        {
            let source = SecretSource::Env("NONE".to_owned());
            given.secrets.insert("password".to_owned(), source);
            inputs += "  password: { type: secret, required: true }\n";
        }
        let mut list = String::from("steps:\n");
        for (at, step) in steps.iter().enumerate() {
            list +=
                &format!("  - step: s{at}\n    uses: {uses}\n    on: control\n{more}    with:\n");
            for (name, value) in step.as_object().unwrap() {
                match value.as_str() {
                    // An input is any text, braces included.
                    Some(text) if text != "{{inputs.password}}" => {
                        let text = match name == "path" {
                            true => text.replace("DIR/", dir.to_str().unwrap()),
                            false => text.to_owned(),
                        };
                        let input = format!("{name}_{at}");
                        inputs += &format!("  {input}: {{ type: string, required: true }}\n");
                        list += &format!("      {name}: '{{{{inputs.{input}}}}}'\n");
                        given.values.insert(input, text.into());
                    }
                    _ => list += &format!("      {name}: {value}\n"),
                }
            }
        }
        plan(&(inputs + &list), &TYPES, &given)
    }

    fn secrets(&self) -> BTreeMap<String, String> {
        [("password".to_owned(), self.secret.clone())].into()
    }

    fn remote(&self) -> runbook_remote::Options {
        runbook_remote::Options {
            state_dir: Some(self.hosts().to_str().unwrap().to_owned()),
            shell: self.shell.clone(),
            ..Default::default()
        }
    }

    /// What a run would do to the first file now, without the name of the directory.
    pub(crate) fn forecast(&self, plan: &Plan) -> String {
        let plan = Arc::new(plan.clone());
        let evaluator =
            Evaluator::new(Arc::clone(&plan), &self.secrets(), "preview", "/nowhere").unwrap();
        let preview = block_on(async {
            let reach = Reach::new(&plan, self.remote());
            let preview = preview::live(&plan, &evaluator, &reach).await;
            reach.close().await;
            preview
        });
        let (node, _, _) = plan.instances().next().unwrap();
        let said = match &preview.nodes[node.at()] {
            Forecast::Change(reasons) => reasons.join("\n"),
            Forecast::Error(message) => format!("error: {message}"),
            other => format!("{other:?}"),
        };
        said.replace(self.path("").to_str().unwrap(), "DIR/")
    }

    pub(crate) fn run(&self, plan: &Plan) -> Ran {
        self.run_with(plan, Box::new(|_| {}))
    }

    pub(crate) fn run_with(&self, plan: &Plan, hook: Hook) -> Ran {
        self.stores.set(self.stores.get() + 1);
        let store =
            Store::open(&self.dir.path().join(format!("store{}", self.stores.get()))).unwrap();
        let run = store.create(plan, &me()).unwrap();
        let id = run.id.clone();
        drop(run.lock);
        self.drive(
            Ran {
                id,
                store,
                events: Vec::new(),
            },
            hook,
        )
    }

    /// Another controller goes on with the run.
    pub(crate) fn resume(&self, ran: Ran) -> Ran {
        self.drive(ran, Box::new(|_| {}))
    }

    fn drive(&self, ran: Ran, hook: Hook) -> Ran {
        let left = Shift {
            secrets: self.secrets(),
            hook,
            ..Shift::new(&ran.store, &ran.id, self.remote())
        }
        .work();
        assert!(left.result.is_some());
        Ran {
            events: left.events,
            ..ran
        }
    }
}

/// busybox with its own tools in front of the system's.
fn applets(dir: &Path) -> String {
    let bin = dir.join("bin");
    std::fs::create_dir(&bin).unwrap();
    let list = std::process::Command::new("busybox")
        .arg("--list")
        .output()
        .expect("busybox is installed");
    let list = String::from_utf8(list.stdout).unwrap();
    for applet in list
        .lines()
        .filter(|applet| *applet != "busybox")
        .chain(["busybox"])
    {
        symlink("/bin/busybox", bin.join(applet)).unwrap();
    }
    format!("env PATH={} busybox sh", bin.display())
}
