//! Secrets as tools write them, in texts, values and pieces of output.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn hidden(veil: &Veil, text: &str) -> String {
    let mut text = text.to_owned();
    veil.exact(&mut text);
    text
}

fn hidden_prose(veil: &Veil, text: &str) -> String {
    let mut text = text.to_owned();
    veil.prose(&mut text);
    text
}

#[test]
fn secrets_are_taken_out_of_texts() {
    let veil = Veil::new(["hunter2", "hunter22", "a\"bc\nsecond line", "x"]);
    let hidden = |text: &str| hidden(&veil, text);
    assert_eq!(hidden("-p hunter2 -q hunter22"), "-p (secret) -q (secret)");
    assert_eq!(hidden("only the second line"), "only the (secret)");
    assert_eq!(
        hidden("{\"p\":\"a\\\"bc\\nsecond line\"}"),
        "{\"p\":\"(secret)\"}"
    );
    assert_eq!(hidden("xx"), "xx", "too short to be told from the rest");
    assert_eq!(hidden("hunter"), "hunter", "a part is not the secret");
}

/// As tools wrote them, not as this engine would.
#[test]
fn secrets_are_found_as_tools_write_them() {
    let secret = "it's \"ü\"\n<&\\/> 😀 50%";
    let veil = Veil::new([secret]);
    for (tool, written) in [
        ("base64", "aXQncyAiw7wiCjwmXC8+IPCfmIAgNTAl"),
        ("base64 -w 9", "aXQncyAiw\n7wiCjwmXC\n8+IPCfmIA\ngNTAl"),
        (
            "base64 in a block of YAML",
            "aXQncyAiw7wi\r\n      CjwmXC8+IPCfmIAgNTAl",
        ),
        (
            "base64 -w 12 in JSON",
            "aXQncyAiw7wi\\nCjwmXC8+IPCf\\nmIAgNTAl",
        ),
        ("base64, url-safe", "aXQncyAiw7wiCjwmXC8-IPCfmIAgNTAl"),
        ("base64 in a URL", "aXQncyAiw7wiCjwmXC8%2BIPCfmIAgNTAl"),
        (
            "xxd -p",
            "697427732022c3bc220a3c265c2f3e20f09f9880203530\n25",
        ),
        (
            "od -tx1 -An",
            " 69 74 27 73 20 22 c3 bc 22 0a 3c 26 5c 2f 3e 20\n f0 9f 98 80 20 35 30 25",
        ),
        (
            "hex with colons",
            "69:74:27:73:20:22:C3:BC:22:0A:3C:26:5C:2F:3E:20:F0:9F:98:80:20:35:30:25",
        ),
        (
            "urlencode",
            "it%27s%20%22%C3%BC%22%0A%3C%26%5C%2F%3E%20%F0%9F%98%80%2050%25",
        ),
        (
            "a form",
            "it%27s+%22%c3%bc%22%0a%3c%26%5c/%3e+%f0%9f%98%80+50%25",
        ),
        ("json.dumps", r#"it's \"\u00fc\"\n<&\\/> \ud83d\ude00 50%"#),
        (
            "json_encode of PHP",
            r#"it's \"\u00fc\"\n<&\\\/> \ud83d\ude00 50%"#,
        ),
        ("JSON of Go", r#"it's \"ü\"\n\u003c\u0026\\/\u003e 😀 50%"#),
        (
            "JSON in JSON in ASCII",
            r#"it's \\\"\\u00fc\\\"\\n<&\\\\/> \\ud83d\\ude00 50%"#,
        ),
        (
            "JSON in JSON through echo",
            r#"it's \\"ü\\"\n<&\\/> 😀 50%"#,
        ),
        ("JSON in JSON", r#"it's \\\"ü\\\"\\n<&\\\\/> 😀 50%"#),
        ("a quoted word", "'it'\\''s \"ü\"\n<&\\/> 😀 50%'"),
        ("a word in pieces", "'it'\"'\"'s \"ü\"\n<&\\/> 😀 50%'"),
        (
            "printf %q of bash",
            r#"$'it\'s "\303\274"\n<&\\/> \360\237\230\200 50%'"#,
        ),
        ("ls", r#"'it'\''s "ü"'$'\n''<&\/> 😀 50%'"#),
        (
            "escaped words",
            "it\\'s\\ \\\"ü\\\"\n\\<\\&\\\\/\\>\\ 😀\\ 50%",
        ),
        (
            "html.escape",
            "it&#x27;s &quot;ü&quot;\n&lt;&amp;\\/&gt; 😀 50%",
        ),
        (
            "htmlspecialchars",
            "it&#039;s &quot;ü&quot;\n&lt;&amp;\\/&gt; 😀 50%",
        ),
        (
            "XML in ASCII",
            "it&apos;s &quot;&#252;&quot;&#10;&lt;&amp;\\/&gt; &#128512; 50%",
        ),
        ("repr of Python", r#"it\'s "\xfc"\n<&\\/> \U0001f600 50%"#),
        ("Debug of Rust", r#"it's \"ü\"\n<&\\/> \u{1f600} 50%"#),
        ("a diff", "+it's \"ü\"\n+<&\\/> 😀 50%\n"),
    ] {
        let found = hidden(&veil, &format!("[{written}]"));
        let around = found.replace(HIDDEN, "");
        assert!(
            found.contains(HIDDEN) && around.chars().all(|c| "[]'$= +\n".contains(c)),
            "{tool}: {found}"
        );
    }
}

#[test]
fn base64_is_found_inside_a_longer_one() {
    let veil = Veil::new(["hunter2"]);
    // admin:hunter2, xadmin:hunter2! and xxadmin:hunter2!!
    assert_eq!(
        hidden(&veil, "Basic YWRtaW46aHVudGVyMg=="),
        "Basic YWRtaW46(secret)=="
    );
    assert_eq!(hidden(&veil, "eGFkbWluOmh1bnRlcjIh"), "eGFkbWluO(secret)h");
    assert_eq!(
        hidden(&veil, "eHhhZG1pbjpodW50ZXIyISE="),
        "eHhhZG1pbj(secret)ISE="
    );
}

#[test]
fn lines_of_a_secret_are_found_alone() {
    let veil =
        Veil::new(["-----BEGIN KEY-----\n  MC4CAQAwBQYDK2VwBCIEIA\nab\n-----END KEY-----\n"]);
    assert_eq!(hidden(&veil, "> MC4CAQAwBQYDK2VwBCIEIA <"), "> (secret) <");
    assert_eq!(hidden(&veil, "drab cab"), "drab cab", "a line may be short");
}

#[test]
fn a_long_secret_is_hidden_in_every_part() {
    let secret: String = (0..2_000).map(|n| format!("{n:x}.")).collect();
    let veil = Veil::new([secret.as_str()]);
    assert_eq!(hidden(&veil, &format!("a {secret} b")), "a (secret) b");
    let encoded = base64(format!("a {secret} b").as_bytes());
    assert!(hidden(&veil, &encoded).len() < 20);
}

#[test]
fn a_part_of_a_secret_beside_a_cut_is_hidden() {
    let veil = Veil::new(["correct horse battery staple"]);
    let hidden = |text: &str| hidden_prose(&veil, text);
    assert_eq!(hidden("is `correct horse ba…`"), "is `(secret)…`");
    assert_eq!(
        hidden("a correct horse\n[… 12 bytes left out …]\nbattery staple b"),
        "a (secret)\n[… 12 bytes left out …]\n(secret) b"
    );
    assert_eq!(hidden("horse battery staple: refused"), "(secret): refused");
    assert_eq!(
        hidden("it said correct hor\u{fffd}"),
        "it said (secret)\u{fffd}"
    );
    assert_eq!(
        hidden(&format!("{}…", &base64(b"x correct horse")[..14])),
        "eC(secret)…"
    );
    assert_eq!(hidden("correct and staple"), "correct and staple");
}

#[test]
fn values_of_every_type_are_looked_through() {
    let veil = Veil::new(["hunter2", "12345678"]);
    let mut value = json!({
        "a hunter2": ["hunter2", { "n": 12345678 }], "n": 123456789, "f": 0.5, "ok": true, "none": null,
    });
    veil.value(&mut value);
    assert_eq!(
        value,
        json!({
            "a (secret)": ["(secret)", { "n": "(secret)" }], "n": 123456789, "f": 0.5, "ok": true, "none": null,
        })
    );
}

#[test]
fn everything_that_a_task_brings_is_looked_through() {
    let veil = Veil::new(["hunter2"]);
    let outputs = || BTreeMap::from([("hunter2".to_owned(), json!(["aHVudGVyMg=="]))]);
    let failure = || Failure {
        tail: "68756e74657232".to_owned(),
        ..Failure::new(runbook_model::FailureKind::Apply, "hunter2")
    };
    let unit = || runbook_model::AttemptId::new("a-1").unwrap();
    let node = runbook_model::NodeIx(0);
    let looked = |verdict| Input::Looked {
        look: 1,
        node,
        verdict,
        outputs: outputs(),
        before: BTreeMap::from([("hunter2".to_owned(), "hunter2".to_owned())]),
    };
    let host = || runbook_model::HostName::new("a").unwrap();
    let problem = || "hunter2".to_owned();
    let ended = |end| Input::Ended { unit: unit(), end };
    for input in [
        looked(Verdict::Satisfied),
        looked(Verdict::Differs(vec![problem()])),
        looked(Verdict::Skipped(problem())),
        looked(Verdict::Error(failure())),
        ended(AttemptEnd::Failed(failure())),
        ended(AttemptEnd::Completed { outputs: outputs() }),
        Input::Performed {
            node,
            attempt: unit(),
            end: AttemptEnd::Failed(failure()),
        },
        Input::UnitState {
            unit: unit(),
            found: UnitFound::Lost(problem()),
        },
        Input::UnitState {
            unit: unit(),
            found: UnitFound::Ended(AttemptEnd::Failed(failure())),
        },
        Input::HostLost {
            host: host(),
            problem: problem(),
        },
        Input::HostUnusable {
            host: host(),
            problem: problem(),
        },
    ] {
        let text = format!("{:?}", veil.input(input));
        assert!(text.contains(HIDDEN), "{text}");
        for form in ["hunter2", "aHVudGVyMg", "68756e74657232"] {
            assert!(!text.contains(form), "{text}");
        }
    }
}

#[test]
fn a_secret_that_comes_later_is_hidden_from_then_on() {
    let veil = Veil::new([]);
    let mut held = Held::default();
    let mut out = veil.output(&mut held, b"hunter2 hun", false);
    veil.add(&json!({ "key": ["hunter2"] }));
    out.extend(veil.output(&mut held, b"ter2 hunter2", true));
    assert_eq!(out, b"hunter2 hunter2 *******");
}

#[test]
fn little_is_held_however_long_it_goes_on() {
    let veil = Veil::new(["aaaaaaaaaaaaaaaaaaaaaaab"]);
    let mut held = Held::default();
    for _ in 0..10 {
        let _ = veil.output(&mut held, &[b'a'; 1000], false);
        let _ = veil.output(
            &mut held,
            b"a                                             ",
            false,
        );
        assert!(held.bytes.len() < 8_000, "{}", held.bytes.len());
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    bytes
        .chunks(3)
        .flat_map(|group| {
            let bits = (0..3).fold(0u32, |bits, at| {
                bits << 8 | u32::from(*group.get(at).unwrap_or(&0))
            });
            (0..4).map(move |at| match at <= group.len() {
                true => char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]),
                false => '=',
            })
        })
        .collect()
}

/// A secret as it is written, in one of the encodings.
fn written(form: u8, text: &str) -> String {
    let each = |form: fn(u8) -> String| text.bytes().map(form).collect::<String>();
    match form {
        0 => text.to_owned(),
        1 => json!(text).to_string(),
        2 => each(|byte| format!("{byte:02x}")),
        3 => each(|byte| format!("{byte:02X}")),
        4 => each(|byte| match byte {
            b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        }),
        5 => each(|byte| format!("%{byte:02x}")),
        6 => format!("'{}'", text.replace('\'', r"'\''")),
        7 => text
            .encode_utf16()
            .map(|half| format!("\\u{half:04x}"))
            .collect(),
        8 => text
            .chars()
            .map(|c| format!("&#{};", u32::from(c)))
            .collect(),
        _ => each(|byte| format!("\\x{byte:02x}")),
    }
}

fn secret() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9'\"\\\\ \n<>&%+/=é😀\t-]{4,70}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_form_of_a_secret_is_left(secret in secret(), form in 0..10u8, before in "[ -~]{0,9}", after in "[ -~]{0,9}") {
        let veil = Veil::new([secret.as_str()]);
        let form = written(form, &secret);
        let text = hidden(&veil, &format!("{before}{form}{after}"));
        prop_assert!(!text.contains(&form), "{text}");
        prop_assert!(text.contains(HIDDEN), "{text}");
    }

    #[test]
    fn no_digit_of_base64_is_left(secret in secret(), before: Vec<u8>, after: Vec<u8>, width in 4..77usize) {
        let veil = Veil::new([secret.as_str()]);
        let all = [before.as_slice(), secret.as_bytes(), &after].concat();
        let digits = base64(&all);
        let (begin, end) = (before.len() * 8 / 6, ((before.len() + secret.len()) * 8).div_ceil(6));
        let lines = digits.as_bytes().chunks(width).collect::<Vec<_>>().join(&b'\n');
        let mut held = Held::default();
        let mut covered = veil.output(&mut held, &lines, true);
        // Line ends between the digits are covered too.
        covered = covered.into_iter().zip(&lines).filter(|(_, was)| **was != b'\n').map(|(byte, _)| byte).collect();
        prop_assert!(covered[begin..end].iter().all(|byte| *byte == b'*'), "{}", String::from_utf8_lossy(&covered));
    }

    #[test]
    fn pieces_hide_what_the_whole_hides(
        secrets in prop::collection::vec(secret(), 1..4),
        parts in prop::collection::vec((any::<prop::sample::Index>(), 0..10u8, "[a-c'\\\\%&\n]{0,5}"), 0..6),
        size in 1..40usize,
    ) {
        let veil = Veil::new(secrets.iter().map(String::as_str));
        let text: String = parts
            .iter()
            .map(|(which, form, between)| format!("{between}{}", written(*form, which.get::<String>(&secrets))))
            .collect();
        let whole = veil.output(&mut Held::default(), text.as_bytes(), true);
        let (mut held, mut out) = (Held::default(), Vec::new());
        for piece in text.as_bytes().chunks(size) {
            out.extend(veil.output(&mut held, piece, false));
        }
        out.extend(veil.output(&mut held, &[], true));
        prop_assert_eq!(out.len(), text.len());
        prop_assert_eq!(out, whole);
    }

    #[test]
    fn what_holds_no_secret_stays(text in "[ -~é\n]{0,200}") {
        let veil = Veil::new(["zürich-ÄÖÜ-ßßßß"]);
        prop_assert_eq!(hidden(&veil, &text), text);
    }
}
