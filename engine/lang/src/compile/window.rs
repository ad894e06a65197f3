//! The window of a runbook: dates, where they are known, in their order.

use runbook_model::Value;
use runbook_model::plan::Window;

use super::Compiler;
use super::hosts::Hosts;
use super::inputs::Known;
use crate::diagnostic::Code;
use crate::source::Spanned;
use crate::template::Template;
use crate::value::{Date, InputType};

impl Compiler<'_> {
    pub(super) fn window(&mut self, hosts: &Hosts, inputs: &Known) -> Option<Window> {
        let def = self.request.runbook.window.as_ref()?;
        let scope = self.early_scope(hosts, inputs);
        let mut date = |text: &Option<Spanned<String>>| -> Option<String> {
            let text = text.as_ref()?;
            let template = Template::parse(&text.value).ok()?;
            let value = match template.render(&scope) {
                Ok(value) => value,
                Err(error) => {
                    if !self.is_left_out(&error, inputs) {
                        self.error(Code::BadValue, error.message, text.span, "", None);
                    }
                    return None;
                }
            };
            match InputType::Date.check(&value) {
                Ok(Value::String(date)) => Some(date),
                Ok(_) => None,
                Err(why) => {
                    let message = format!("this part of the window {why}");
                    self.error(Code::BadValue, message, text.span, "", None);
                    None
                }
            }
        };
        let window = Window {
            opens: date(&def.opens),
            closes: date(&def.closes),
            no_return_before: date(&def.no_return_before),
        };
        let dates = [
            ("opens", &window.opens, &def.opens),
            (
                "no_return_before",
                &window.no_return_before,
                &def.no_return_before,
            ),
            ("closes", &window.closes, &def.closes),
        ];
        let known: Vec<_> = dates
            .into_iter()
            .filter_map(|(name, date, def)| {
                let at = Date::parse(date.as_ref()?).ok()?.at();
                Some((name, at, def.as_ref()?.span))
            })
            .collect();
        for two in known.windows(2) {
            if two[0].1 >= two[1].1 {
                let message = format!("`{}` of the window is not before `{}`", two[0].0, two[1].0);
                let help = "a window opens, passes the point of no return, and closes";
                self.error(Code::BadValue, message, two[1].2, "", Some(help.to_owned()));
            }
        }
        Some(window)
    }
}
