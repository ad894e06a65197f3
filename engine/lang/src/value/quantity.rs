//! Durations and sizes: text with units, and the whole numbers that they stand for.

/// Units of a duration in milliseconds, longest first.
const TIMES: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Units of a size in bytes.
const SIZES: [(&str, u64); 13] = [
    ("PiB", 1 << 50),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("PB", 1_000_000_000_000_000),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
    ("", 1),
];

/// Reads a duration such as `90s`, `1h30m` or `2d` as whole milliseconds.
///
/// The error says what the text is, to stand behind "is". Units go from the longest to the shortest, each at most once. A bare number is refused:
/// whether it means seconds or minutes would be a guess.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    let mut rest = text;
    let mut units = TIMES.as_slice();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return Err("empty, write a duration like `90s` or `1h30m`".to_owned());
    }
    while !rest.is_empty() {
        let (number, after) =
            split_number(rest).ok_or("not a duration, write one like `90s`, `1h30m` or `2d`")?;
        let unit_len = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        if unit.is_empty() {
            return Err(
                "a number without its unit, write `d`, `h`, `m`, `s` or `ms` behind it".to_owned(),
            );
        }
        let at = units.iter().position(|(name, _)| *name == unit).ok_or(
            if TIMES.iter().any(|(name, _)| *name == unit) {
                "not a duration: its units go from long to short, each once, like `1h30m`"
            } else {
                "not a duration, its units are `d`, `h`, `m`, `s` and `ms`"
            },
        )?;
        total = number
            .checked_mul(units[at].1)
            .and_then(|ms| total.checked_add(ms))
            .ok_or("a duration too long to be counted")?;
        units = &units[at + 1..];
        rest = after;
    }
    Ok(total)
}

/// Writes whole milliseconds as the shortest exact duration: `1h30m`.
pub fn format_duration(milliseconds: u64) -> String {
    if milliseconds == 0 {
        return "0s".to_owned();
    }
    let mut rest = milliseconds;
    let mut out = String::new();
    for (unit, length) in TIMES {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            out.push_str(&count.to_string());
            out.push_str(unit);
        }
    }
    out
}

/// Reads a size such as `10GiB`, `512MB` or `1024` as bytes.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) =
        split_number(text).ok_or("not a size, write one like `10GiB`, `512MB` or `1024`")?;
    let factor = SIZES
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, factor)| *factor)
        .ok_or(if unit.starts_with(['.', ',']) {
            "not a size: write a whole number and a unit, `1536MiB` and not `1.5GiB`"
        } else {
            "not a size, its units are `KiB` `MiB` `GiB` `TiB` `PiB`, and `kB` `MB` `GB` `TB` `PB`"
        })?;
    number
        .checked_mul(factor)
        .ok_or_else(|| "a size too large to be counted".to_owned())
}

/// Writes bytes as an exact size in the largest unit that divides them: `10GiB`, `512MB`, `1500`.
pub fn format_size(bytes: u64) -> String {
    let fitting = SIZES
        .iter()
        .filter(|(unit, factor)| {
            *factor > 1 && *unit != "KB" && bytes > 0 && bytes.is_multiple_of(*factor)
        })
        .max_by_key(|(_, factor)| *factor);
    match fitting {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => bytes.to_string(),
    }
}

/// The leading decimal digits and what follows them. Twenty digits are more than `u64` holds.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("90s"), Ok(90_000));
        assert_eq!(parse_duration("1h30m"), Ok(5_400_000));
        assert_eq!(parse_duration("2d"), Ok(172_800_000));
        assert_eq!(parse_duration("250ms"), Ok(250));
        assert_eq!(parse_duration("1m250ms"), Ok(60_250));
        assert_eq!(parse_duration("0s"), Ok(0));
        for text in [
            "",
            "90",
            "s",
            "1x",
            "30m1h",
            "1s1s",
            "1 h",
            "-1s",
            "1.5h",
            "1h ",
            "１s",
            "18446744073709551616s",
            "18446744073709551615s",
            "18446744073709551615ms1ms",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert_eq!(format_duration(5_400_000), "1h30m");
        assert_eq!(format_duration(90_000), "1m30s");
        assert_eq!(format_duration(0), "0s");
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("10GiB"), Ok(10 << 30));
        assert_eq!(parse_size("512MB"), Ok(512_000_000));
        assert_eq!(parse_size("1024"), Ok(1024));
        assert_eq!(parse_size("0"), Ok(0));
        for text in [
            "",
            "GiB",
            "10 GiB",
            "1.5GiB",
            "10gib",
            "-1",
            "1e3",
            "18446744073709551616",
            "16384PiB",
            "10GiBx",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        assert_eq!(format_size(10 << 30), "10GiB");
        assert_eq!(format_size(512_000_000), "512MB");
        assert_eq!(format_size(1500), "1500");
        assert_eq!(format_size(0), "0");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(n in any::<u64>()) {
            prop_assert_eq!(parse_duration(&format_duration(n)), Ok(n));
            prop_assert_eq!(parse_size(&format_size(n)), Ok(n));
        }

        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,30}") {
            let _ = parse_duration(&text);
            let _ = parse_size(&text);
        }
    }
}
