//! Text as one word of a POSIX shell.

/// The text in single quotes; nothing in it means anything to a shell.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_quoted(&mut out, text);
    out
}

pub(crate) fn push_quoted(out: &mut String, text: &str) {
    out.push('\'');
    for (at, part) in text.split('\'').enumerate() {
        if at > 0 {
            out.push_str("'\\''");
        }
        out.push_str(part);
    }
    out.push('\'');
}

/// Words for `eval "set -- $list"`.
pub(crate) fn word_list<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    let mut out = String::new();
    for word in words {
        if !out.is_empty() {
            out.push(' ');
        }
        push_quoted(&mut out, word.as_ref());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_kept() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
        assert_eq!(word_list(["a b", "-c"]), "'a b' '-c'");
        assert_eq!(word_list::<&str>([]), "");
    }
}
