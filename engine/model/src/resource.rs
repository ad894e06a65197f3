//! Resource keys: the names of what steps read and write, `file:{{path}}` in the file of a type.

/// A key with its parameters filled in; none where a value is missing, or the key is not whole.
#[must_use]
pub fn filled(key: &str, mut value: impl FnMut(&str) -> Option<String>) -> Option<String> {
    let mut out = String::new();
    let mut rest = key;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}")?;
        out.push_str(before);
        out.push_str(&value(name.trim())?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::filled;

    #[test]
    fn a_key_is_filled_in_or_there_is_none() {
        let value = |name: &str| (name == "path").then(|| "/a{{b}}".to_owned());
        assert_eq!(
            filled("file:{{ path }}!", value).as_deref(),
            Some("file:/a{{b}}!")
        );
        assert_eq!(filled("plain", value).as_deref(), Some("plain"));
        assert_eq!(filled("file:{{other}}", value), None);
        assert_eq!(filled("file:{{path", value), None);
    }
}
