//! Lengths and points of time for people.

use jiff::Timestamp;
use runbook_model::Millis;

use crate::Style;

/// A length of time: `0.4s`, `42s`, `12m03s`, `2h05m`, `3d04h`. A negative one is none.
#[must_use]
pub fn length(ms: Millis) -> String {
    let ms = ms.max(0);
    let s = ms / 1_000;
    match s {
        0..10 => format!("{s}.{}s", ms % 1_000 / 100),
        10..60 => format!("{s}s"),
        60..3_600 => two(s / 60, "m", s % 60, "s"),
        3_600..86_400 => two(s / 3_600, "h", s % 3_600 / 60, "m"),
        _ => two(s / 86_400, "d", s % 86_400 / 3_600, "h"),
    }
}

/// A length of time as a person would have written it: `30m`, `1h30m`, `500ms`.
#[must_use]
pub(crate) fn written(ms: u64) -> String {
    if ms == 0 {
        return "0s".into();
    }
    let mut out = String::new();
    let mut rest = ms;
    for (unit, name) in [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
        (1, "ms"),
    ] {
        if rest >= unit {
            out.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    out
}

fn two(a: i64, a_unit: &str, b: i64, b_unit: &str) -> String {
    if b == 0 {
        format!("{a}{a_unit}")
    } else {
        format!("{a}{a_unit}{b:02}{b_unit}")
    }
}

/// The time of day, `19:05:12`.
#[must_use]
pub fn clock(at: Millis, style: &Style) -> String {
    at_zone(at, style, "%H:%M:%S")
}

/// Date and time of day, `2026-11-22 19:05:12`.
#[must_use]
pub fn date_time(at: Millis, style: &Style) -> String {
    at_zone(at, style, "%Y-%m-%d %H:%M:%S")
}

/// The time of day; with its date where it is not the day of `now`.
pub(crate) fn moment(at: Millis, now: Millis, style: &Style) -> String {
    let day = |at| at_zone(at, style, "%Y-%m-%d");
    match day(at) == day(now) {
        true => clock(at, style),
        false => date_time(at, style),
    }
}

fn at_zone(at: Millis, style: &Style, format: &str) -> String {
    match Timestamp::from_millisecond(at) {
        Ok(t) => t.to_zoned(style.zone.clone()).strftime(format).to_string(),
        Err(_) => "?".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_short() {
        let all = [
            -5,
            0,
            420,
            9_990,
            42_000,
            60_000,
            723_000,
            7_500_000,
            273_600_000,
        ]
        .map(length);
        assert_eq!(
            all,
            [
                "0.0s", "0.0s", "0.4s", "9.9s", "42s", "1m", "12m03s", "2h05m", "3d04h"
            ]
        );
    }

    #[test]
    fn written_lengths_are_those_of_the_runbook() {
        assert_eq!(
            [0, 500, 90_000, 5_400_000].map(written),
            ["0s", "500ms", "1m30s", "1h30m"]
        );
    }

    #[test]
    fn another_day_is_named() {
        let style = Style::plain(80);
        assert_eq!(moment(86_399_000, 0, &style), "23:59:59");
        assert_eq!(moment(86_400_000, 0, &style), "1970-01-02 00:00:00");
    }

    #[test]
    fn a_time_out_of_range_is_no_panic() {
        assert_eq!(clock(Millis::MAX, &Style::plain(80)), "?");
        assert_eq!(date_time(0, &Style::plain(80)), "1970-01-01 00:00:00");
    }
}
