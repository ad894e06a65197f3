//! Foreign text made fit for a message: short, on one line, without control characters.

use runbook_model::text::printable;

/// How many characters of a foreign text a message shows.
const LIMIT: usize = 80;

/// Escapes control and direction characters and cuts long text.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}…", printable(&text[..end])),
        None => printable(text).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_and_control_characters_are_escaped() {
        assert_eq!(shown(&"ü".repeat(500)).chars().count(), LIMIT + 1);
        assert_eq!(shown("a\u{1b}[2J"), "a\\u{1b}[2J");
    }
}
