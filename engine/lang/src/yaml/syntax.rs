//! Syntax errors in words of our own.

use granit_parser::ErrorKind;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Source, Span};

/// The diagnostic for an error of the parser at a byte; `open` is the innermost list or map in
/// brackets that was open there.
pub(super) fn diagnostic(
    source: &Source,
    kind: &ErrorKind,
    at: usize,
    open: Option<Span>,
) -> Diagnostic {
    let at = source.text().floor_char_boundary(at);
    if let Some(span) = unquoted_template(source, at) {
        return template(source, span);
    }
    let here = Span::of(
        source.id(),
        at,
        at + source.text()[at..]
            .chars()
            .next()
            .filter(|c| *c != '\n')
            .map_or(0, char::len_utf8),
    );
    if matches!(kind, ErrorKind::RecursionLimitExceeded) {
        return too_deep(source, here);
    }
    // A `:` on a line below an open bracket: what is wrong is the bracket.
    let swallowed = matches!(
        kind,
        ErrorKind::InvalidColonPlacement | ErrorKind::MappingValueNotAllowed
    ) && open
        .is_some_and(|open| source.line_column(open.start).0 < source.line_column(at).0);
    let kind = match open.map(|open| source.text()[open.start..].starts_with('[')) {
        Some(true) if swallowed => &ErrorKind::ExpectedFlowSequenceSeparator,
        Some(false) if swallowed => &ErrorKind::ExpectedFlowMappingSeparator,
        _ => kind,
    };
    if let Some(span) = missing_space(source, at) {
        let text = source.slice(span);
        return super::error(
            source,
            Code::Syntax,
            &format!("a space is missing after `{}`", &text[text.len() - 1..]),
            span,
            "here",
        );
    }
    let here = match kind {
        ErrorKind::UnknownQuotedScalarEscape => escape(source, at).unwrap_or(here),
        _ => here,
    };
    let (message, help) = words(kind);
    let diagnostic = Diagnostic::error(Code::Syntax, message)
        .label(source.id(), here, "here")
        .maybe_help(help.map(str::to_owned));
    match open {
        Some(open) if in_brackets(kind) => diagnostic.label(
            source.id(),
            open.with(open.start, open.start + 1),
            "opened here",
        ),
        _ => diagnostic,
    }
}

/// Nested deeper than [`super::MAX_DEPTH`].
pub(super) fn too_deep(source: &Source, here: Span) -> Diagnostic {
    super::error(
        source,
        Code::TooDeep,
        &format!("nested deeper than {} levels", super::MAX_DEPTH),
        here,
        "here",
    )
}

/// The diagnostic for `{{ … }}` without quotes.
pub(super) fn template(source: &Source, span: Span) -> Diagnostic {
    let text = source.slice(span);
    let quoted = if text.contains('\'') {
        format!("\"{}\"", text.replace('"', "\\\""))
    } else {
        format!("'{text}'")
    };
    super::error(
        source,
        Code::UnquotedTemplate,
        "a template needs quotes",
        span,
        "YAML reads this as a map",
    )
    .help(format!("write {quoted}"))
}

/// `-item` and `key:value`, on the line of this byte: the dash, or the key with its colon.
fn missing_space(source: &Source, at: usize) -> Option<Span> {
    let line = source.line_span(source.line_column(at).0);
    let text = source.slice(line);
    let begin = text.len() - text.trim_start().len();
    let rest = &text[begin..];
    let span = |len: usize| line.with(line.start + begin, line.start + begin + len);
    if rest.starts_with("-{") || rest.starts_with("-[") {
        return Some(span(1));
    }
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = rest.find(|c| !word(c)).filter(|end| *end > 0)?;
    let mut after = rest[end..].chars();
    let glued = after.next() == Some(':') && after.next().is_some_and(|c| !c.is_whitespace());
    // `http://…` is a text; what it lacks is something else.
    (glued && !rest[end..].starts_with("://")).then(|| span(end + 1))
}

/// The first escape after a byte that double quotes do not have.
fn escape(source: &Source, at: usize) -> Option<Span> {
    const KNOWN: &str = "0abtnvfre \"/\\N_LPxuU\t\r\n";
    let mut chars = source.text()[at..].char_indices();
    while let Some((start, c)) = chars.next() {
        if c == '\\' {
            let (end, c) = chars.next()?;
            if !KNOWN.contains(c) {
                return Some(Span::of(source.id(), at + start, at + end + c.len_utf8()));
            }
        }
    }
    None
}

/// The value on the line of this byte that starts with `{{`, up to its end.
fn unquoted_template(source: &Source, at: usize) -> Option<Span> {
    let (line, _) = source.line_column(at);
    let span = source.line_span(line);
    let text = source.slice(span);
    let start = [": {{", "- {{", "[{{", ", {{"]
        .iter()
        .filter_map(|lead| text.find(lead).map(|n| n + lead.len() - 2))
        .min()?;
    let end = value_end(text, start);
    Some(span.with(span.start + start, span.start + end))
}

/// Where a value that starts with a template at `start` probably was meant to end.
pub(super) fn value_end(line: &str, start: usize) -> usize {
    let rest = &line[start..];
    let mut end = rest.len();
    let mut depth = 0_usize;
    for (at, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                end = at;
                break;
            }
            '}' => depth -= 1,
            ',' | ']' if depth == 0 => {
                end = at;
                break;
            }
            '#' if depth == 0 && rest[..at].ends_with(' ') => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    start + rest[..end].trim_end().len()
}

fn in_brackets(kind: &ErrorKind) -> bool {
    use ErrorKind as E;
    matches!(
        kind,
        E::UnexpectedEofFlowSequence
            | E::UnexpectedEofFlowMapping
            | E::UnexpectedEofImplicitFlowMapping
            | E::ExpectedFlowMappingSeparator
            | E::ExpectedFlowSequenceSeparator
            | E::MismatchedFlowCollectionEnd { .. }
            | E::UnclosedFlowCollection { .. }
            | E::BlockEntryInFlowCollection
            | E::InvalidFlowScalarIndent
    )
}

fn words(kind: &ErrorKind) -> (&'static str, Option<&'static str>) {
    use ErrorKind as E;
    match kind {
        E::UnexpectedEofFlowSequence | E::ExpectedFlowSequenceSeparator => (
            "a list in brackets is not closed",
            Some("a `,` or a `]` is missing"),
        ),
        E::UnexpectedEofFlowMapping
        | E::UnexpectedEofImplicitFlowMapping
        | E::ExpectedFlowMappingSeparator => (
            "a map in braces is not closed",
            Some("a `,` or a `}` is missing"),
        ),
        E::UnclosedFlowCollection { open: '[' } => {
            ("a list in brackets is not closed", Some("a `]` is missing"))
        }
        E::UnclosedFlowCollection { .. } => {
            ("a map in braces is not closed", Some("a `}` is missing"))
        }
        E::MismatchedFlowCollectionEnd { .. } => {
            ("this bracket does not fit the one that was opened", None)
        }
        E::MisplacedFlowCollectionEnd => ("a closing bracket without its opening one", None),
        E::UnclosedQuotedScalar | E::DocumentIndicatorInQuotedScalar => {
            ("a quote is not closed", None)
        }
        E::InvalidTrailingSingleQuotedScalar => (
            "something follows the closing quote",
            Some("inside single quotes, a single quote is written twice: `''`"),
        ),
        E::InvalidTrailingDoubleQuotedScalar => (
            "something follows the closing quote",
            Some("inside double quotes, a double quote is written `\\\"`"),
        ),
        E::UnknownQuotedScalarEscape
        | E::InvalidQuotedScalarHexEscape
        | E::InvalidLowSurrogateHexEscape
        | E::InvalidLowSurrogate
        | E::MissingLowSurrogate
        | E::UnpairedLowSurrogate
        | E::InvalidUnicodeEscape => (
            "no such escape in double quotes",
            Some("in single quotes a backslash is a backslash"),
        ),
        E::TabNotAllowed
        | E::TabInBlockIndentation
        | E::TabInIndentation
        | E::TabAtBlockScalarStart
        | E::TabInPlainScalar => ("a tab cannot indent", Some("indent with spaces")),
        E::InvalidIndentation
        | E::InvalidQuotedScalarIndent
        | E::InvalidFlowScalarIndent
        | E::InvalidBlockScalarIndent => ("this line is indented wrongly", None),
        E::MappingValueNotAllowed | E::InvalidColonPlacement | E::MappingKeyNotAllowed => (
            "a `:` does not belong here",
            Some("a text with `: ` in it needs quotes"),
        ),
        E::SimpleKeyExpected | E::InvalidSimpleKey => ("a key without its `:`", None),
        E::InvalidMappingValueWhitespace | E::FlowMappingValueAdjacentCollection => {
            ("a space is missing after `:`", None)
        }
        E::ExpectedBlockMappingKey => (
            "a key was expected here",
            Some("is the line indented like the keys above it?"),
        ),
        E::ExpectedBlockSequenceEntry => (
            "this line is indented wrongly",
            Some("it is neither an item of the list above it, nor does it end the list"),
        ),
        E::BlockSequenceEntryNotAllowed | E::BlockEntryInFlowCollection => {
            ("a `-` does not belong here", None)
        }
        E::InvalidBlockEntryWhitespace | E::PlainScalarStartsWithDashFlowIndicator => {
            ("a space is missing after `-`", None)
        }
        E::UnexpectedCharacter { .. } => (
            "a text cannot start with this character",
            Some("put it in quotes"),
        ),
        E::ExpectedNodeContent => ("a value was expected here", None),
        E::CommentInterceptedScalar | E::CommentNotSeparated => (
            "a comment does not belong here",
            Some("a text with `#` in it needs quotes"),
        ),
        E::ZeroBlockScalarIndent | E::InvalidBlockScalarHeader => {
            ("only a line break can follow `|` or `>`", None)
        }
        E::MissingAnchorOrAliasName => (
            "a name is missing after `&` or `*`",
            Some("a text that starts with `*` or `&` needs quotes"),
        ),
        E::DirectiveDisallowed
        | E::DuplicateVersionDirective
        | E::UnsupportedYamlMajorVersion
        | E::DuplicateTagDirective
        | E::MissingDocumentEndBeforeDirective
        | E::InvalidDirectiveTerminator => (
            "directives (`%…`) are not used here",
            Some("remove the line"),
        ),
        E::UndeclaredTagHandle
        | E::ExpectedTagBang
        | E::InvalidTagTerminator
        | E::InvalidGlobalTagCharacter
        | E::UnclosedVerbatimTag
        | E::InvalidTagEscape => (
            "tags are not used here",
            Some("a text that starts with `!` needs quotes"),
        ),
        _ => ("this is not valid YAML", None),
    }
}
