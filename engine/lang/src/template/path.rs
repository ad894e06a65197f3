//! The text of a path in a template, taken apart: `../this.[a b].0`, `@root.inputs.x`, `@index`.

/// A path as written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PathText {
    /// How many `../` come first.
    pub(super) up: usize,
    /// Whether it starts at `@root`.
    pub(super) at_root: bool,
    /// Whether it starts with `this` or `./`.
    pub(super) this: bool,
    /// The name behind `@`, for `@index` and its like.
    pub(super) local: Option<String>,
    /// The names that follow.
    pub(super) names: Vec<String>,
}

/// Takes a path apart that the grammar has accepted.
pub(super) fn take_apart(raw: &str) -> PathText {
    let mut path = PathText::default();
    let mut rest = raw;
    if let Some(after) = rest.strip_prefix("./") {
        path.this = true;
        rest = after;
    }
    if let Some(after) = rest.strip_prefix("@root") {
        path.at_root = true;
        rest = after.strip_prefix(['.', '/']).unwrap_or(after);
    } else if let Some(after) = rest.strip_prefix('@') {
        path.local = Some(String::new());
        rest = after;
    }
    while let Some(after) = rest.strip_prefix("..") {
        path.up += 1;
        rest = after.strip_prefix(['.', '/']).unwrap_or(after);
    }
    while !rest.is_empty() {
        let (name, after) = match rest.strip_prefix('[') {
            Some(inner) => inner.split_once(']').unwrap_or((inner, "")),
            None => rest.split_at(rest.find(['.', '/']).unwrap_or(rest.len())),
        };
        if name == "this" && !rest.starts_with('[') {
            path.this |= path.names.is_empty();
        } else {
            path.names.push(name.to_owned());
        }
        rest = after.strip_prefix(['.', '/']).unwrap_or(after);
    }
    if path.local.is_some() && !path.names.is_empty() {
        path.local = Some(path.names.remove(0));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(raw: &str) -> Vec<String> {
        take_apart(raw).names
    }

    #[test]
    fn paths_are_taken_apart() {
        assert_eq!(names("inputs.from"), ["inputs", "from"]);
        assert_eq!(names("inputs/list.[a b].0"), ["inputs", "list", "a b", "0"]);
        let up = take_apart("../../x");
        assert_eq!((up.up, up.names), (2, vec!["x".to_owned()]));
        let this = take_apart("this.region");
        assert!(this.this);
        assert_eq!(this.names, ["region"]);
        assert!(take_apart("@root.inputs.x").at_root);
        assert_eq!(take_apart("@../index").local.as_deref(), Some("index"));
    }
}
