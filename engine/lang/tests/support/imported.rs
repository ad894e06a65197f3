//! Runbooks that import others, all of them texts in memory.

use std::collections::BTreeMap;

use runbook_lang::ast::parse_runbook;
use runbook_lang::compile::{Given, Request, compile};
use runbook_lang::import::{Files, link};
use runbook_lang::inventory::parse_inventory;
use runbook_lang::source::{Source, SourceId, Sources};
use runbook_lang::steptype::{Catalog, SHIPPED};
use runbook_model::Plan;

/// Files by name, each read once.
struct Memory {
    sources: Sources,
    texts: BTreeMap<&'static str, &'static str>,
    read: BTreeMap<String, Source>,
}

impl Files for Memory {
    fn read(&mut self, _: SourceId, file: &str) -> Result<Option<Source>, String> {
        if let Some(source) = self.read.get(file) {
            return Ok(Some(source.clone()));
        }
        let text = self.texts.get(file).ok_or("there is no such file")?;
        let source = self.sources.add(file, text.as_bytes()).unwrap();
        self.read.insert(file.to_owned(), source.clone());
        Ok(Some(source))
    }
}

const TYPES: [(&str, &str); 3] = [
    (
        "template",
        include_str!("../../../../stdlib-steps/types/template.yaml"),
    ),
    ("test.look", include_str!("../compile/types/test.look.yaml")),
    (
        "test.state",
        include_str!("../compile/types/test.state.yaml"),
    ),
];

/// The plan of a runbook with those that it imports, which is right.
pub(crate) fn plan(main: &'static str, others: &[(&'static str, &'static str)]) -> Plan {
    let (plan, found) = compiled(main, others);
    plan.unwrap_or_else(|| panic!("{found}"))
}

/// Compiles a runbook with those that it imports: the plan, or what is wrong.
pub(crate) fn compiled(
    main: &'static str,
    others: &[(&'static str, &'static str)],
) -> (Option<Plan>, String) {
    let mut files = Memory {
        sources: Sources::new(),
        texts: others.iter().copied().collect(),
        read: BTreeMap::new(),
    };
    let source = files.sources.add("main.yaml", main.as_bytes()).unwrap();
    files.read.insert("main.yaml".to_owned(), source.clone());
    let (runbook, mut diagnostics) = parse_runbook(&source);
    let (runbook, found) = link(runbook.unwrap(), &mut files);
    diagnostics.extend(found);
    let mut sources = files.sources;
    let hosts = include_str!("../compile/inventory.yaml");
    let hosts = sources.add("inventory.yaml", hosts.as_bytes()).unwrap();
    let mut catalog = Catalog::new();
    for (name, text) in TYPES {
        let source = sources.add(name, text.as_bytes()).unwrap();
        diagnostics.extend(catalog.add(name, SHIPPED, &source));
    }
    let request = Request {
        sources: &sources,
        source: &source,
        runbook: &runbook,
        inventory: &parse_inventory(&hosts).0.unwrap(),
        catalog: &catalog,
        given: &Given::default(),
        allow_missing: false,
    };
    let (plan, found) = compile(&request);
    diagnostics.extend(found);
    diagnostics.sort();
    let plan = plan.filter(|_| !diagnostics.has_errors());
    (plan, diagnostics.render(&sources))
}
