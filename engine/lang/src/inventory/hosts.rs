//! Hosts and how they are reached.

use std::collections::{BTreeMap, HashMap};

use runbook_model::{Account, Connection, Host, HostName};

use super::HostDef;
use crate::diagnostic::Code;
use crate::fields::{Cx, Fields};
use crate::keys::Section;
use crate::source::Spanned;
use crate::yaml::{Entry, Kind};

/// How hosts are reached unless they say otherwise.
#[derive(Default, Clone)]
struct Reached {
    user: Option<String>,
    port: Option<u16>,
    ssh_config: Option<String>,
    account: Option<Account>,
}

/// Variables of hosts, as they are written.
pub(super) type OwnVars<'n> = HashMap<String, Vec<&'n Entry>>;

/// Reads the hosts; their variables are left to be merged with those of groups.
pub(super) fn read<'n>(
    cx: &mut Cx<'_>,
    fields: &Fields<'n>,
) -> Option<(Vec<HostDef>, OwnVars<'n>)> {
    let mut all = Reached::default();
    all.read(cx, fields);
    fields.entry("hosts")?;
    let mut own = HashMap::new();
    let hosts = fields
        .map("hosts")
        .into_iter()
        .filter_map(|entry| host(cx, entry, &all, &mut own))
        .collect();
    Some((hosts, own))
}

fn host<'n>(
    cx: &mut Cx<'_>,
    entry: &'n Entry,
    all: &Reached,
    own: &mut OwnVars<'n>,
) -> Option<HostDef> {
    let name = HostName::new(entry.key.value.clone()).ok()?;
    let fields = Fields::read(cx, Section::InventoryHost, &entry.value, entry.key.span)?;
    own.insert(entry.key.value.clone(), fields.map("vars"));
    let mut reached = all.clone();
    reached.read(cx, &fields);
    let address = fields
        .text("address")
        .and_then(|a| destination(cx, "an address", a));
    Some(HostDef {
        host: Host {
            connection: Connection {
                local: false,
                address: address.unwrap_or_else(|| name.to_string()),
                port: reached.port,
                user: reached.user,
                ssh_config: reached.ssh_config,
            },
            name,
            account: reached.account.unwrap_or(Account::Login),
            vars: BTreeMap::new(),
            groups: Vec::new(),
            meaning: Default::default(),
        },
        span: entry.key.span,
        var_spans: BTreeMap::new(),
    })
}

impl Reached {
    /// Takes what a map says, `connection` first, the keys beside it over that.
    fn read(&mut self, cx: &mut Cx<'_>, fields: &Fields<'_>) {
        if let Some(section) = fields
            .entry("connection")
            .and_then(|e| Fields::read(cx, Section::Connection, &e.value, e.key.span))
        {
            self.read_keys(cx, &section);
        }
        self.read_keys(cx, fields);
        match fields.node("become").map(|n| &n.kind) {
            Some(Kind::Bool(false)) => self.account = Some(Account::Login),
            Some(_) => self.account = Some(Account::Sudo("root".to_owned())),
            None => {}
        }
    }

    fn read_keys(&mut self, cx: &mut Cx<'_>, fields: &Fields<'_>) {
        if let Some(user) = fields
            .text("user")
            .and_then(|u| destination(cx, "an account", u))
        {
            self.user = Some(user);
        }
        if let Some(port) = fields.int("port").and_then(|p| u16::try_from(p.value).ok()) {
            self.port = Some(port);
        }
        if let Some(path) = fields.text("ssh_config") {
            self.ssh_config = Some(path.value);
        }
    }
}

/// What ends up as an argument of `ssh`, or in its configuration: nothing that could be more than
/// a name there.
fn destination(cx: &mut Cx<'_>, noun: &str, text: Spanned<String>) -> Option<String> {
    let clean = |c: char| c.is_ascii_alphanumeric() || "._-:%[]@\\".contains(c);
    if !text.value.is_empty()
        && text.value.len() <= 255
        && !text.value.starts_with('-')
        && text.value.chars().all(clean)
    {
        return Some(text.value);
    }
    let message =
        format!("{noun} is made of letters, digits and `.` `_` `-` `:` `%`, not first a `-`");
    cx.error(Code::BadName, message, text.span, "", None);
    None
}
