//! The tags of a template with their exact places, found before the grammar sees the text.
//!
//! The grammar's own tree has no places for paths and recurses without a limit. This pass bounds
//! what the grammar gets, and refuses what the language leaves out in the language's own words.

use std::ops::Range;

use crate::scope::ExprError;
use crate::value::shown;

/// Longest text with tags, in bytes.
const MAX_LEN: usize = 256 << 10;
/// Most tags in one text.
const MAX_TAGS: usize = 4096;
/// Deepest nesting of blocks, and of brackets inside one tag.
const MAX_DEPTH: usize = 16;

/// What a tag does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TagKind {
    /// `{{path}}` or `{{helper …}}`
    Put,
    /// `{{#block …}}`
    Open,
    /// `{{/block}}`
    Close,
    /// `{{else}}`
    Else,
    /// `{{else if …}}`
    ElseChain,
    /// `{{! … }}`
    Comment,
}

/// A tag and its place, braces included.
#[derive(Clone, Debug)]
pub(super) struct Tag {
    pub(super) kind: TagKind,
    pub(super) range: Range<usize>,
}

/// Finds all tags in document order and checks that blocks are closed.
pub(super) fn scan(text: &str) -> Result<Vec<Tag>, ExprError> {
    if text.len() > MAX_LEN {
        return Err(ExprError::new(0..0, "a text with `{{…}}` may have 256 KiB"));
    }
    let mut tags: Vec<Tag> = Vec::new();
    let mut open: Vec<(&str, Range<usize>)> = Vec::new();
    let mut at = 0;
    while let Some(start) = next_tag(text, &mut at) {
        let (kind, end) = tag_at(text, start)?;
        let range = start..end;
        if tags.len() == MAX_TAGS {
            return Err(ExprError::new(range, "a text may have 4096 `{{…}}`"));
        }
        match kind {
            TagKind::Open if open.len() == MAX_DEPTH => {
                return Err(ExprError::new(range, "blocks are nested too deeply"));
            }
            TagKind::Open => open.push((word(text, &range), range.clone())),
            TagKind::Close => close(&mut open, text, &range)?,
            TagKind::Else | TagKind::ElseChain if open.is_empty() => {
                return Err(ExprError::new(range, "`else` stands outside of a block"));
            }
            _ => {}
        }
        tags.push(Tag { kind, range });
        at = end;
    }
    match open.pop() {
        Some((name, range)) => Err(ExprError::new(
            range,
            format!(
                "the block `{0}` is not closed: `{{{{/{0}}}}}` is missing",
                shown(name)
            ),
        )),
        None => Ok(tags),
    }
}

fn close(
    open: &mut Vec<(&str, Range<usize>)>,
    text: &str,
    range: &Range<usize>,
) -> Result<(), ExprError> {
    let name = word(text, range);
    match open.pop() {
        Some((opened, _)) if opened == name => Ok(()),
        Some((opened, _)) => Err(ExprError::new(
            range.clone(),
            format!(
                "`{{{{/{}}}}}` closes the block `{}`",
                shown(name),
                shown(opened)
            ),
        )),
        None => Err(ExprError::new(
            range.clone(),
            format!(
                "`{{{{/{}}}}}` closes a block that was not opened",
                shown(name)
            ),
        )),
    }
}

/// The next `{{` that is not escaped. `\{{` is literal; two or more backslashes are backslashes.
fn next_tag(text: &str, at: &mut usize) -> Option<usize> {
    loop {
        let start = *at + text[*at..].find("{{")?;
        let slashes = text[*at..start]
            .bytes()
            .rev()
            .take_while(|b| *b == b'\\')
            .count();
        if slashes != 1 {
            return Some(start);
        }
        *at = start + 2;
        if text[*at..].starts_with("{{") {
            *at += 2;
        }
    }
}

fn tag_at(text: &str, start: usize) -> Result<(TagKind, usize), ExprError> {
    let inner = &text[start + 2..];
    if inner.starts_with("{{") {
        return Err(ExprError::new(
            start..start + 4,
            "raw blocks are not supported; write `\\{{` for braces that stay",
        ));
    }
    let trimmed = inner.trim_start();
    let trimmed = trimmed.strip_prefix('~').unwrap_or(trimmed).trim_start();
    if let Some(comment) = trimmed.strip_prefix('!') {
        let (body, mark) = match comment.strip_prefix("--") {
            Some(body) => (body, "--}}"),
            None => (comment, "}}"),
        };
        return match body.find(mark) {
            Some(len) => Ok((TagKind::Comment, text.len() - body.len() + len + mark.len())),
            None => Err(ExprError::new(start..start + 2, "this comment has no end")),
        };
    }
    let refuse = |message: &str| Err(ExprError::new(start..start + 2, message));
    let kind = match trimmed.as_bytes() {
        [b'{', ..] => {
            return refuse("`{{{` is not needed: nothing is escaped, write `{{`");
        }
        [b'&', ..] => return refuse("`{{&` is not needed: nothing is escaped, write `{{`"),
        [b'>', ..] | [b'#', b'>', ..] => return refuse("partials are not supported"),
        [b'*', ..] | [b'#', b'*', ..] => return refuse("decorators are not supported"),
        [b'#', ..] => TagKind::Open,
        [b'/', ..] => TagKind::Close,
        _ => match else_rest(trimmed) {
            Some(rest) if rest.trim_start().trim_start_matches('~').starts_with("}}") => {
                TagKind::Else
            }
            Some(_) => TagKind::ElseChain,
            None => TagKind::Put,
        },
    };
    Ok((kind, end_of(text, start)?))
}

/// What follows `else` or `^`, if the tag begins with it.
fn else_rest(trimmed: &str) -> Option<&str> {
    if let Some(rest) = trimmed.strip_prefix('^') {
        return Some(rest);
    }
    let rest = trimmed.strip_prefix("else")?;
    rest.starts_with(|c: char| c.is_whitespace() || c == '}' || c == '~')
        .then_some(rest)
}

/// The byte behind the `}}` that ends the tag; quotes and brackets are stepped over.
fn end_of(text: &str, start: usize) -> Result<usize, ExprError> {
    let bytes = text.as_bytes();
    let mut at = start + 2;
    let mut brackets: Vec<u8> = Vec::new();
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                at = end_of_quote(bytes, at).ok_or_else(|| {
                    ExprError::new(at..at + 1, "this quote has no end inside the `{{…}}`")
                })?
            }
            b'(' | b'[' | b'{' if brackets.len() == MAX_DEPTH => {
                return Err(ExprError::new(at..at + 1, "brackets are nested too deeply"));
            }
            b'(' | b'[' | b'{' => brackets.push(byte),
            b'}' if brackets.last() != Some(&b'{') && bytes.get(at + 1) == Some(&b'}') => {
                return Ok(at + 2);
            }
            b')' | b']' | b'}' => {
                brackets.pop();
            }
            _ => {}
        }
        at += 1;
    }
    Err(ExprError::new(
        start..start + 2,
        "this `{{` is not closed by `}}`",
    ))
}

/// The byte of the closing quote.
pub(super) fn end_of_quote(bytes: &[u8], start: usize) -> Option<usize> {
    let quote = bytes[start];
    let mut at = start + 1;
    loop {
        match *bytes.get(at)? {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at),
            _ => at += 1,
        }
    }
}

/// The first word of a tag: `each` of `{{~#each x}}`.
fn word<'t>(text: &'t str, range: &Range<usize>) -> &'t str {
    text[range.start + 2..range.end - 2]
        .trim_start_matches(|c: char| c.is_whitespace() || "~#/".contains(c))
        .split(|c: char| c.is_whitespace() || "~}(".contains(c))
        .next()
        .unwrap_or("")
}
