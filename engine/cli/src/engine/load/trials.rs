//! Tests to be run: of step types, and scenarios of runbooks, read and checked. All mistakes in all
//! of them are reported at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook_lang::ast::Runbook;
use runbook_lang::compile::{Given, Request, compile};
use runbook_lang::diagnostic::{Code, Diagnostic, Severity, nearest};
use runbook_lang::inventory::{Inventory, parse_inventory};
use runbook_lang::source::Source;
use runbook_lang::steptype::{Catalog, ENGINE, SHIPPED};
use runbook_lang::testfile::{Scenario, Scenarios, TypeTest, parse_scenarios, parse_tests};
use runbook_lang::value::InputType;
use runbook_model::plan::SecretSource;
use runbook_model::text::printable;
use runbook_model::{Host, Plan, StepType};

use super::file::beside;
use super::reader::Reader;
use super::types::TYPES;
use crate::error::Error;

/// The end of the name of a file of scenarios.
const SCENARIOS: &str = ".test.yaml";
/// More files of scenarios in one directory are not read.
const MOST_FILES: usize = 1_000;

/// Tests that belong together.
pub(crate) enum Group {
    /// Those of a step type.
    Type(Box<StepType>, Vec<TypeTest>),
    /// Those of a runbook, by the file that they are in.
    Runbook(String, Vec<Scene>),
}

/// A scenario with its plan.
pub(crate) struct Scene {
    /// What is run.
    pub(crate) plan: Arc<Plan>,
    /// Values of secret inputs.
    pub(crate) secrets: BTreeMap<String, String>,
    /// What holds, and what must come of it.
    pub(crate) scenario: Scenario,
}

impl Group {
    /// The step type, or the file.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Type(step_type, _) => &step_type.name,
            Self::Runbook(file, _) => file,
        }
    }

    /// What each test shows.
    pub(crate) fn titles(&self) -> Vec<&str> {
        match self {
            Self::Type(_, tests) => tests.iter().map(|t| t.title.value.as_str()).collect(),
            Self::Runbook(_, scenes) => {
                let titles = scenes.iter().map(|s| s.scenario.title.value.as_str());
                titles.collect()
            }
        }
    }
}

/// What somebody asked for, sorted into types and files.
#[derive(Default)]
struct Wanted {
    /// The shipped types too.
    shipped: bool,
    /// Types by name.
    types: Vec<String>,
    /// Directories whose types are wanted, all of them or the one of this name.
    folders: Vec<(PathBuf, Option<String>)>,
    /// Files of scenarios.
    scenarios: Vec<PathBuf>,
    /// Those that are not there.
    absent: Vec<PathBuf>,
}

/// All tests that somebody asked for.
pub(crate) struct Trials {
    /// The tests.
    pub(crate) groups: Vec<Group>,
    /// Files of scenarios that would stand beside a runbook that was named, and do not.
    pub(crate) absent: Vec<PathBuf>,
}

/// Reads the tests of types and files; of everything here, and of the shipped types, if none is named.
pub(crate) fn trials(what: &[String]) -> Result<Trials, Error> {
    let wanted = sort_out(what)?;
    let mut reader = Reader::new();
    let mut groups = reader.types_of(&wanted)?;
    for file in &wanted.scenarios {
        groups.extend(reader.scenarios(file)?);
    }
    match reader.diagnostics.has_errors() {
        true => Err(reader.mistakes()),
        false => Ok(Trials {
            groups,
            absent: wanted.absent,
        }),
    }
}

/// The host of an inventory.
pub(crate) fn host(file: &Path, name: &str) -> Result<Host, Error> {
    let mut reader = Reader::new();
    let inventory = reader.inventory(file)?;
    let Some(inventory) = inventory.filter(|_| !reader.diagnostics.has_errors()) else {
        return Err(reader.mistakes());
    };
    let names = inventory.hosts.iter().map(|def| def.host.name.as_str());
    let hint = nearest(name, names).map(|name| format!("did you mean {name}?"));
    let found = inventory.host(name).map(|def| def.host.clone());
    found.ok_or_else(|| Error::Typed {
        message: format!("the inventory has no host `{}`", printable(name)),
        hint,
    })
}

fn sort_out(what: &[String]) -> Result<Wanted, Error> {
    let mut wanted = Wanted::default();
    if what.is_empty() {
        wanted.shipped = true;
        wanted.folders.push((PathBuf::new(), None));
        wanted.scenarios = scenarios_in(Path::new("."))?;
    }
    for text in what {
        let path = Path::new(text);
        let folder = path.parent().unwrap_or(Path::new(""));
        let stem = text.strip_suffix(".yaml").unwrap_or(text);
        // Without this, a misspelled name would pass with what stands beside it.
        if text.ends_with(".yaml") {
            std::fs::metadata(path).map_err(|source| Error::Read {
                what: "file",
                path: path.to_owned(),
                source,
            })?;
        }
        if path.is_dir() {
            let above = if path.ends_with(TYPES) { folder } else { path };
            wanted.folders.push((above.to_owned(), None));
            wanted.scenarios.extend(scenarios_in(path)?);
        } else if text.ends_with(SCENARIOS) {
            wanted.scenarios.push(path.to_owned());
        } else if text.ends_with(".yaml") && folder.ends_with(TYPES) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let above = folder.parent().unwrap_or(Path::new("")).to_owned();
            wanted.folders.push((above, Some(name.into_owned())));
        } else if text.ends_with(".yaml") {
            wanted.folders.push((folder.to_owned(), None));
            let beside = PathBuf::from(format!("{stem}{SCENARIOS}"));
            match beside.exists() {
                true => wanted.scenarios.push(beside),
                false => wanted.absent.push(beside),
            }
        } else {
            wanted.types.push(text.clone());
        }
    }
    Ok(wanted)
}

fn scenarios_in(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Read {
        what: "directory",
        path: folder.to_owned(),
        source,
    };
    let entries = std::fs::read_dir(folder).map_err(failed)?.take(MOST_FILES);
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(SCENARIOS))
        .map(|path| path.strip_prefix(".").map_or(path.clone(), Path::to_owned))
        .collect();
    files.sort();
    Ok(files)
}

impl Reader {
    fn types_of(&mut self, wanted: &Wanted) -> Result<Vec<Group>, Error> {
        let mut groups = Vec::new();
        if wanted.shipped {
            let mut catalog = Catalog::new();
            self.shipped(&mut catalog, |_| true);
            groups.extend(self.tests(&catalog, |_| true)?);
        }
        for (folder, name) in &wanted.folders {
            let mut catalog = Catalog::new();
            self.shipped(&mut catalog, |_| true);
            self.beside(&mut catalog, &folder.join("runbook.yaml"));
            groups.extend(self.tests(&catalog, |of| {
                of.origin != SHIPPED && name.as_ref().is_none_or(|name| of.name == *name)
            })?);
        }
        if !wanted.types.is_empty() {
            let mut catalog = Catalog::new();
            self.shipped(&mut catalog, |_| true);
            self.beside(&mut catalog, Path::new("runbook.yaml"));
            for name in &wanted.types {
                if catalog.get(name).is_none_or(|of| of.origin == ENGINE) {
                    let testable = catalog.iter().filter(|of| of.origin != ENGINE);
                    let hint = nearest(name, testable.map(|of| of.name.as_str()))
                        .map(|name| format!("did you mean {name}?"));
                    let message = format!("there is no step type `{}` with tests", printable(name));
                    return Err(Error::Typed { message, hint });
                }
            }
            groups.extend(self.tests(&catalog, |of| wanted.types.contains(&of.name))?);
        }
        Ok(groups)
    }

    /// The tests of the types of a catalog.
    fn tests(
        &mut self,
        catalog: &Catalog,
        wanted: impl Fn(&StepType) -> bool,
    ) -> Result<Vec<Group>, Error> {
        let mut groups = Vec::new();
        let types = catalog
            .iter()
            .filter(|of| of.origin != ENGINE && wanted(of));
        for step_type in types {
            let shipped = runbook_steps::TYPES
                .iter()
                .find(|(name, _)| *name == step_type.name && step_type.origin == SHIPPED);
            let source = match shipped {
                Some((name, text)) => self.add(&format!("<{name}.yaml>"), text.as_bytes()),
                None => self.read("step type", Path::new(&step_type.origin))?,
            };
            if let Some(source) = source {
                let (tests, found) = parse_tests(step_type, &source);
                self.diagnostics.extend(found);
                groups.push(Group::Type(Box::new(step_type.clone()), tests));
            }
        }
        Ok(groups)
    }

    /// The scenarios of a file, each with its plan.
    fn scenarios(&mut self, file: &Path) -> Result<Option<Group>, Error> {
        let Some(source) = self.read("file of scenarios", file)? else {
            return Ok(None);
        };
        let Some(scenarios) = self.parse(parse_scenarios(&source)) else {
            return Ok(None);
        };
        let name = file.to_string_lossy().into_owned();
        let path = match &scenarios.runbook {
            Some(named) => beside(file, &named.value),
            None => PathBuf::from(name.replace(SCENARIOS, ".yaml")),
        };
        let text = self.read("runbook", &path)?;
        let (runbook, catalog) = self.runbook(&path, text.as_ref());
        let inventory = match scenarios.has_inventory() {
            true => {
                let inside = format!("<inventory in {name}>");
                let source = self.add(&inside, scenarios.inventory.value.as_bytes());
                source.and_then(|source| self.parse(parse_inventory(&source)))
            }
            false => self.inventory(&beside(file, &scenarios.inventory.value))?,
        };
        let (Some(text), Some(runbook), Some(inventory)) = (text, runbook, inventory) else {
            return Ok(None);
        };
        let stage = Stage {
            source: &text,
            runbook: &runbook,
            inventory: &inventory,
            catalog: &catalog,
        };
        let scenes = self.scenes(&source, &stage, scenarios);
        Ok(Some(Group::Runbook(name, scenes)))
    }

    fn scenes(&mut self, source: &Source, stage: &Stage<'_>, all: Scenarios) -> Vec<Scene> {
        let mut scenes = Vec::new();
        for scenario in all.scenarios {
            let (given, secrets) = given(stage.runbook, &scenario);
            let request = Request {
                sources: &self.sources,
                source: stage.source,
                runbook: stage.runbook,
                inventory: stage.inventory,
                catalog: stage.catalog,
                given: &given,
                allow_missing: false,
            };
            let (plan, found) = compile(&request);
            let Some(plan) = plan else {
                for mistake in found.iter().filter(|d| d.severity == Severity::Error) {
                    self.diagnostics.push(mistake.clone());
                }
                let message = "the runbook does not compile in this scenario";
                self.diagnostics
                    .push(Diagnostic::error(Code::BadInput, message).label(
                        source.id(),
                        scenario.title.span,
                        "here, and perhaps in the others",
                    ));
                // The same mistakes would be found in every scenario.
                return Vec::new();
            };
            scenario.check_names(&plan, source, &mut self.diagnostics);
            scenes.push(Scene {
                plan: Arc::new(plan),
                secrets,
                scenario,
            });
        }
        scenes
    }
}

/// What the scenarios of a file share.
struct Stage<'a> {
    source: &'a Source,
    runbook: &'a Runbook,
    inventory: &'a Inventory,
    catalog: &'a Catalog,
}

/// The inputs of a scenario. A secret is a text like any other there: nothing real is at stake.
fn given(runbook: &Runbook, scenario: &Scenario) -> (Given, BTreeMap<String, String>) {
    let mut given = Given {
        values: scenario.inputs.clone(),
        ..Given::default()
    };
    let mut secrets = BTreeMap::new();
    for def in &runbook.inputs {
        let name = &def.name.value;
        if def.kind.value == InputType::Secret
            && let Some(value) = given.values.remove(name)
        {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            given.secrets.insert(name.clone(), SecretSource::Prompt);
            secrets.insert(name.clone(), text);
        }
    }
    (given, secrets)
}
