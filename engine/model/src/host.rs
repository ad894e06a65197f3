//! A host as the plan knows it: how to reach it, who to be there, and what the inventory says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{HostName, Value};

/// One host of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Its name in the inventory.
    pub name: HostName,
    /// How it is reached.
    pub connection: Connection,
    /// Who steps are on this host unless they say otherwise.
    pub account: Account,
    /// Variables, all precedence applied; `name` and `address` are among them.
    pub vars: BTreeMap<String, Value>,
    /// The groups that it belongs to, directly or through children.
    pub groups: Vec<String>,
    /// What variables mean whose types the runbook gives, as `lang` stores it.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub meaning: Value,
}

/// How a host is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Connection {
    /// The controller itself: no network.
    #[serde(default)]
    pub local: bool,
    /// What `ssh` is given as destination.
    pub address: String,
    /// Port, where it is not the one `ssh` would take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Login account, where it is not the one `ssh` would take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// An `ssh_config` file of this inventory's own, on the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_config: Option<String>,
}

/// Who a step is on a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// The account that logs in.
    Login,
    /// Another account, through `sudo -n`; `root` unless named.
    Sudo(String),
}
