//! YAML that nests, repeats, or is no text.

use super::Ends::{Accepted, Refused};
use super::{Case, INVENTORY, RUNBOOK, all};

/// The largest file that is read, in bytes.
const LIMIT: usize = 4 << 20;

/// A runbook with one more key.
fn extra(text: &str) -> String {
    format!("{RUNBOOK}x-extra: {text}\n")
}

#[test]
fn nesting() {
    let deep = |open: &str, close: &str, n: usize| extra(&(open.repeat(n) + &close.repeat(n)));
    let mut block = String::from(RUNBOOK);
    for level in 0..1_500 {
        block += &format!("{}x-a:\n", " ".repeat(level));
    }
    all(vec![
        Case::new("lists", "runbook.yaml", deep("[", "]", 200_000), Refused),
        Case::new(
            "lists, open",
            "runbook.yaml",
            deep("[", "", 200_000),
            Refused,
        ),
        Case::new("maps", "runbook.yaml", deep("{a: ", "}", 200_000), Refused),
        Case::new(
            "mixed",
            "runbook.yaml",
            deep("[{a: ", "}]", 200_000),
            Refused,
        ),
        Case::new(
            "dashes",
            "runbook.yaml",
            extra(&format!("\n  {}a", "- ".repeat(200_000))),
            Refused,
        ),
        Case::new(
            "questions",
            "runbook.yaml",
            extra(&format!("\n  {}a", "? ".repeat(200_000))),
            Refused,
        ),
        Case::new("blocks", "runbook.yaml", block, Refused),
        Case::new(
            "closing",
            "runbook.yaml",
            extra(&"]".repeat(200_000)),
            Refused,
        ),
        Case::new(
            "inventory",
            "inventory.yaml",
            format!("{INVENTORY}x: {}", "[".repeat(200_000)),
            Refused,
        ),
        Case::new(
            "inputs",
            "inputs.yaml",
            format!("text: {}", "[".repeat(200_000)),
            Refused,
        ),
        Case::new(
            "type",
            "types/own.yaml",
            format!("type: own\nparams: {}", "{a: ".repeat(200_000)),
            Refused,
        ),
    ]);
}

#[test]
fn repeating() {
    let mut laughs = extra("&a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]");
    let mut merges = extra("&a0 { a: ha, b: ha }");
    for n in 1..30 {
        let before = format!("*a{}", n - 1);
        laughs += &format!("x-l{n}: &a{n} [{}]\n", [before.as_str(); 10].join(", "));
        merges += &format!("x-m{n}: &a{n} {{ <<: {before}, a{n}: {before}, b{n}: {before} }}\n");
    }
    let long = extra(&format!("&long {}", "a".repeat(2 << 20)));
    let long_often = format!("{long}x-often: [{}]\n", "*long, ".repeat(200_000));
    let anchors: String = (0..55).map(|n| format!("&b{n} [")).collect();
    let anchors = extra(&format!(
        "{anchors}{}{}",
        "1, ".repeat(500_000),
        "]".repeat(55)
    ));
    let cycle = extra("&a { <<: *a, b: [*a] }");
    let merges_often = extra(&format!("{{ <<: [{}] }}", "{ a: 1 }, ".repeat(100_000)));
    let inputs = format!(
        "text: &a [{}]\nb: &b [{}]\nc: [{}]\n",
        "1, ".repeat(1_000),
        "*a, ".repeat(1_000),
        "*b, ".repeat(1_000)
    );
    all(vec![
        Case::new(
            "aliases of aliases",
            "runbook.yaml",
            laughs.clone(),
            Refused,
        ),
        Case::new("in an inventory", "inventory.yaml", laughs, Refused),
        Case::new("merges of merges", "runbook.yaml", merges, Refused),
        Case::new("a long text, often", "runbook.yaml", long_often, Refused),
        Case::new("anchors in anchors", "runbook.yaml", anchors, Refused),
        Case::new("inside itself", "runbook.yaml", cycle, Refused),
        Case::new("many merges", "runbook.yaml", merges_often, Accepted),
        Case::new("in inputs", "inputs.yaml", inputs, Refused),
    ]);
}

#[test]
fn size() {
    let padded = |size: usize| format!("{RUNBOOK}#{}", "x".repeat(size - RUNBOOK.len() - 1));
    let lines = format!("{RUNBOOK}{}", "# x\n".repeat((LIMIT - RUNBOOK.len()) / 4));
    all(vec![
        Case::new("the limit", "runbook.yaml", padded(LIMIT), Accepted),
        Case::new("one more", "runbook.yaml", padded(LIMIT + 1), Refused),
        Case::new("far more", "runbook.yaml", vec![b' '; 64 << 20], Refused),
        Case::new(
            "inventory",
            "inventory.yaml",
            vec![b' '; LIMIT + 1],
            Refused,
        ),
        Case::new("inputs", "inputs.yaml", vec![b' '; LIMIT + 1], Refused),
        Case::new("type", "types/own.yaml", vec![b' '; LIMIT + 1], Refused),
        Case::new("a million lines", "runbook.yaml", lines, Accepted),
        Case::new(
            "a long text",
            "runbook.yaml",
            extra(&"a".repeat(3 << 20)),
            Accepted,
        ),
        Case::new(
            "many values",
            "runbook.yaml",
            extra(&format!("[{}]", "1, ".repeat(300_000))),
            Accepted,
        ),
        Case::new(
            "too many values",
            "runbook.yaml",
            extra(&format!("[{}]", ",".repeat(10) + &"1,".repeat(1_500_000))),
            Refused,
        ),
        Case::new(
            "many keys",
            "runbook.yaml",
            extra(&format!("{{ {} }}", keys(50_000))),
            Accepted,
        ),
    ]);
}

/// `k0: 1, k1: 1, …`
pub(crate) fn keys(count: usize) -> String {
    (0..count).map(|n| format!("k{n}: 1, ")).collect()
}

#[test]
fn no_text() {
    let utf16: Vec<u8> = RUNBOOK.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with = |bytes: &[u8]| [RUNBOOK.as_bytes(), b"x-a: ", bytes, b"\n"].concat();
    let controls: String = (1..32_u8)
        .filter(|c| !b"\t\n\r".contains(c))
        .map(char::from)
        .collect();
    let steering = "\u{202e}\u{2066}\u{feff}\u{200b}\u{85}\u{2028}".repeat(10_000);
    all(vec![
        Case::new("zeros", "runbook.yaml", vec![0; LIMIT], Refused),
        Case::new("not UTF-8", "runbook.yaml", with(b"\xff\xfe"), Refused),
        Case::new(
            "half a character",
            "runbook.yaml",
            with(b"\xe2\x82"),
            Refused,
        ),
        Case::new("surrogate", "runbook.yaml", with(b"\xed\xa0\x80"), Refused),
        Case::new(
            "UTF-16",
            "runbook.yaml",
            [b"\xff\xfe", utf16.as_slice()].concat(),
            Refused,
        ),
        Case::new("NUL", "runbook.yaml", with(b"a\0b"), Refused),
        Case::new("escaped NUL", "runbook.yaml", with(b"\"\\0\""), Refused),
        Case::new(
            "controls",
            "runbook.yaml",
            with(controls.as_bytes()),
            Refused,
        ),
        Case::new(
            "escape sequence",
            "runbook.yaml",
            with(b"\x1b]0;title\x07"),
            Refused,
        ),
        Case::new(
            "escaped escape in a name",
            "runbook.yaml",
            "runbook: \"\\e[31mred\"\nsteps: []\n",
            Refused,
        ),
        Case::new(
            "steering",
            "runbook.yaml",
            format!("runbook: demo\n{steering}: 1\nsteps: []\n"),
            Refused,
        ),
        Case::new(
            "byte order mark",
            "runbook.yaml",
            format!("\u{feff}{RUNBOOK}"),
            Accepted,
        ),
        Case::new(
            "CR LF",
            "runbook.yaml",
            RUNBOOK.replace('\n', "\r\n"),
            Accepted,
        ),
        Case::new("CR", "runbook.yaml", RUNBOOK.replace('\n', "\r"), Accepted),
        Case::new("only CR", "runbook.yaml", vec![b'\r'; LIMIT], Refused),
        Case::new(
            "in an inventory",
            "inventory.yaml",
            b"hosts: { h1: { address: \xff } }\n".to_vec(),
            Refused,
        ),
        Case::new(
            "in inputs",
            "inputs.yaml",
            b"text: \xff\n".to_vec(),
            Refused,
        ),
        Case::new(
            "in a type",
            "types/own.yaml",
            b"type: own\nsummary: \x01\n".to_vec(),
            Refused,
        ),
    ]);
}

#[test]
fn syntax() {
    let text = |line: &str, count: usize| format!("{RUNBOOK}{}", line.repeat(count));
    all(vec![
        Case::new(
            "open quote",
            "runbook.yaml",
            extra(&format!("'{}", "a\n".repeat(1_000_000))),
            Refused,
        ),
        Case::new(
            "open double quote",
            "runbook.yaml",
            extra(&format!("\"{}", "a ".repeat(1_000_000))),
            Refused,
        ),
        Case::new(
            "open quotes",
            "runbook.yaml",
            text("x-a: 'a\n", 100_000),
            Refused,
        ),
        Case::new(
            "open lists",
            "runbook.yaml",
            text("x-a: [a\n", 100_000),
            Refused,
        ),
        Case::new(
            "templates",
            "runbook.yaml",
            text("x-a: {{ a }}\n", 30_000),
            Refused,
        ),
        Case::new(
            "templates in one line",
            "runbook.yaml",
            extra(&"{{ a }} ".repeat(100_000)),
            Refused,
        ),
        Case::new(
            "tags",
            "runbook.yaml",
            extra(&format!("[{}]", "!!binary a, ".repeat(100_000))),
            Refused,
        ),
        Case::new(
            "a long tag",
            "runbook.yaml",
            extra(&format!("!{} a", "a".repeat(1 << 20))),
            Refused,
        ),
        Case::new(
            "a long anchor",
            "runbook.yaml",
            extra(&format!("&{} a", "a".repeat(1 << 20))),
            Accepted,
        ),
        Case::new(
            "many anchors",
            "runbook.yaml",
            extra(&format!(
                "[{}]",
                (0..100_000)
                    .map(|n| format!("&a{n} 1, "))
                    .collect::<String>()
            )),
            Accepted,
        ),
        Case::new(
            "unknown anchors",
            "runbook.yaml",
            extra(&format!(
                "[{}]",
                (0..100_000).map(|n| format!("*a{n}, ")).collect::<String>()
            )),
            Refused,
        ),
        Case::new("documents", "runbook.yaml", text("---\n", 100_000), Refused),
        Case::new(
            "directives",
            "runbook.yaml",
            "%YAML 1.2\n".repeat(100_000),
            Refused,
        ),
        Case::new(
            "colons",
            "runbook.yaml",
            extra(&"a: ".repeat(100_000)),
            Refused,
        ),
        Case::new("tabs", "runbook.yaml", text("\tx: 1\n", 100_000), Refused),
        Case::new("percent", "runbook.yaml", "%".repeat(1 << 20), Refused),
        Case::new("stars", "runbook.yaml", "* ".repeat(1 << 20), Refused),
        Case::new("pipes", "runbook.yaml", "|".repeat(1 << 20), Refused),
        Case::new(
            "indentation indicator",
            "runbook.yaml",
            extra("|9\n a\n"),
            Refused,
        ),
    ]);
}
