//! Sums and differences of dates, durations and sizes.

use serde_json::json;

use super::{fails, holds, value};

#[test]
fn dates_durations_and_sizes_are_added_and_subtracted() {
    for text in [
        "inputs.late < window.closes && inputs.late > window.opens",
        "window.opens + duration(\"1h30m\") == inputs.late",
        "duration(\"90m\") + window.opens == inputs.late",
        "inputs.late - window.opens == duration(\"90m\")",
        "inputs.late - duration(\"90m\") == window.opens",
        "window.closes - window.opens > \"5h\"",
        "window.opens == \"2026-03-01T23:00:00+01:00\"",
        "\"2026-03-01T23:00:00+01:00\" == window.opens",
        "timestamp(\"2026-03-01T22:00:00Z\") == window.opens",
        "timestamp(window.opens) == window.opens && duration(inputs.stable) == inputs.stable",
        "inputs.late in [window.opens, timestamp(\"2026-03-01T23:30:00Z\")]",
        "has(window.opens) && !has(window.no_return_before)",
        "inputs.stable + duration(\"30s\") == \"2m\"",
        "inputs.stable - duration(\"30s\") == \"1m\"",
        "inputs.room + inputs.room == \"2GiB\"",
        "inputs.room + 1024 > inputs.room && inputs.room - 1024 < inputs.room",
        "1024 + inputs.room == inputs.room + 1024",
        "host.stable > inputs.stable && host.stable == \"120s\"",
        "host.release > \"3.9\" && host.release.minor == \"3.10\"",
        "inputs.either[0] == duration(\"1m\") && inputs.either[1] > \"3.9\"",
        "inputs.either[1].minor == \"3.10\" && inputs.either[2] == \"text\"",
        "inputs.from in inputs.releases.map(r, inputs.releases[r]) || inputs.to > \"3.10\"",
        "\"at \" + string(window.opens) == \"at \" + window.opens",
    ] {
        assert!(holds(text), "{text}");
    }
    assert_eq!(
        value("window.opens + duration(\"2h\")"),
        json!("2026-03-02T00:00:00Z")
    );
    assert_eq!(
        value("inputs.late + inputs.stable"),
        json!("2026-03-02T00:31:30+01:00")
    );
    assert_eq!(value("duration(\"90s\")"), json!("1m30s"));
    assert_eq!(value("3 - 5"), json!(-2));
}

#[test]
fn quantities_that_do_not_go_together_are_no_sum() {
    let texts = [
        "window.opens + \"2h\" == inputs.late",
        "\"2026-03-01T22:00:00Z\" + inputs.stable == window.opens",
        "inputs.stable + \"1h\" == \"1h\"",
        "\"1GiB\" + inputs.room == \"2GiB\"",
        "window.opens + window.closes == window.opens",
        "window.opens - inputs.late > inputs.stable",
        "inputs.stable - duration(\"1d\") == inputs.stable",
        "inputs.room - 9223372036854775807 == inputs.room",
        "window.opens + 5 == window.opens",
        "inputs.from + inputs.to == inputs.to",
        "inputs.stable + inputs.room == inputs.room",
        "window.opens - \"1h\" == window.opens",
        "inputs.hostname - \"a\" == \"\"",
        "window.opens < \"soon\"",
        "window.opens == inputs.stable",
        "window.opens < inputs.to",
        "duration(\"5\") == inputs.stable",
        "timestamp(\"2026-03-01\") == window.opens",
        "window.no_return_before < window.opens",
        "window.opens.year == 2026",
        "!inputs.hostname",
    ];
    let all: Vec<String> = texts
        .iter()
        .map(|t| format!("{t}\n    {}", fails(t)))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}
