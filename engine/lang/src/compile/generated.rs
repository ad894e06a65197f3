//! Secrets that nobody gives: the hosts that may have them.

use runbook_model::HostName;
use runbook_model::id::CONTROL;
use runbook_model::plan::SecretSource;
use runbook_model::secret::{Adopt, Exists, Generated};

use super::Compiler;
use super::hosts::Hosts;
use crate::ast::{InputDef, Place};
use crate::diagnostic::{Code, did_you_mean};

impl Compiler<'_> {
    /// The source of a secret that is generated.
    pub(super) fn generated(&mut self, def: &InputDef, hosts: &Hosts) -> Option<SecretSource> {
        let generate = def.generate.as_ref()?;
        let adopt = generate.adopt.as_ref().map(|place| Adopt {
            hosts: self.members(place, hosts),
            file: place.path.clone(),
            pattern: place.pattern.clone(),
        });
        let exists = generate.exists.as_ref().map(|place| Exists {
            hosts: self.members(place, hosts),
            path: place.path.clone(),
        });
        Some(SecretSource::Generated(Generated {
            length: generate.length,
            alphabet: generate.alphabet,
            adopt,
            exists,
        }))
    }

    fn members(&mut self, place: &Place, hosts: &Hosts) -> Vec<HostName> {
        let name = &place.on.value;
        if name == CONTROL {
            return vec![HostName::control()];
        }
        if let Some(members) = hosts.groups.get(name) {
            return members.clone();
        }
        let known = hosts.groups.keys().map(String::as_str).chain([CONTROL]);
        let help = did_you_mean(name, known);
        let message = format!("the inventory has no group `{name}`");
        self.error(Code::UnknownName, message, place.on.span, "", help);
        Vec::new()
    }
}
