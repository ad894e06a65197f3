//! The difference of two texts, as a person reads it, bounded.

use similar::TextDiff;

/// Lines of a diff.
const LINES: usize = 200;
/// Characters of one line.
const WIDE: usize = 300;
/// Lines of a text that is compared line by line: more would take long, and nobody reads it.
const COMPARED: usize = 4_000;
/// A unified diff with so many lines around each change; none if a text is too long, or where there is no difference. Control
/// characters are not escaped yet.
pub(super) fn unified(now: &str, wanted: &str, around: usize) -> Option<String> {
    let lines = |text: &'_ str| text.split_inclusive('\n').count();
    if now == wanted || lines(now) > COMPARED || lines(wanted) > COMPARED {
        return None;
    }
    let now: Vec<&str> = now.split_inclusive('\n').collect();
    let wanted: Vec<&str> = wanted.split_inclusive('\n').collect();
    let diff = TextDiff::configure()
        .newline_terminated(true)
        .diff_slices(&now, &wanted);
    let whole = diff
        .unified_diff()
        .context_radius(around)
        .header("now", "wanted")
        .to_string();
    let mut out: Vec<String> = whole.split('\n').map(clipped).collect();
    // The newline at its end, not a line.
    out.pop();
    if out.len() > LINES {
        let more = out.len() - LINES;
        out.truncate(LINES);
        out.push(format!("… and {more} more lines"));
    }
    Some(out.join("\n"))
}

fn clipped(line: &str) -> String {
    match line.char_indices().nth(WIDE) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_shown_with_what_is_around() {
        let now = "a\nb\nc\nd\ne\nf\ng\n";
        insta::assert_snapshot!(unified(now, "a\nb\nc\nd\nE\nf\ng", 3).unwrap(), @r"
        --- now
        +++ wanted
        @@ -2,6 +2,6 @@
         b
         c
         d
        -e
        +E
         f
        -g
        +g
        \ No newline at end of file
        ");
    }

    #[test]
    fn a_new_file_is_all_plus() {
        insta::assert_snapshot!(unified("", "one\r\ntwo\n", 3).unwrap().replace('\r', "<CR>"), @"
        --- now
        +++ wanted
        @@ -0,0 +1,2 @@
        +one<CR>
        +two
        ");
    }

    #[test]
    fn a_diff_is_bounded() {
        let many: String = (0..1_000).map(|n| format!("{n}\n")).collect();
        let diff = unified("", &many, 3).unwrap();
        assert_eq!(diff.lines().count(), LINES + 1);
        assert_eq!(diff.lines().last(), Some("… and 803 more lines"));
        let wide = unified("", &"ä".repeat(1_000), 3).unwrap();
        assert!(wide.lines().all(|line| line.chars().count() <= WIDE + 1));
        assert_eq!(unified("", &"\n".repeat(COMPARED + 1), 3), None);
        assert_eq!(unified("a", "a", 3), None);
    }
}
