//! What a plain scalar is: the YAML 1.2 core schema, without its surprises.

use super::{Kind, Style};

/// The kind of an unquoted scalar.
pub(super) fn plain(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        _ => {}
    }
    // A number that does not fit, or not exactly, stays the text that it is: nothing is rounded
    // behind anybody's back, except in the last digit of a fraction.
    int(text)
        .map(Kind::Int)
        .or_else(|| float(text).map(Kind::Float))
        .unwrap_or_else(|| Kind::Str {
            text: text.to_owned(),
            style: Style::Plain,
        })
}

fn int(text: &str) -> Option<i64> {
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(digits, 8);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !leading_zero(digits);
    if plain { text.parse().ok() } else { None }
}

fn radix(digits: &str, base: u32) -> Option<i64> {
    // `from_str_radix` would take a sign here.
    if digits.starts_with(['-', '+']) {
        None
    } else {
        i64::from_str_radix(digits, base).ok()
    }
}

fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e.strip_prefix(['-', '+']).unwrap_or(e))),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let shaped = digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && !leading_zero(whole)
        && (exponent.is_some() || mantissa.contains('.'))
        && exponent.is_none_or(|e| !e.is_empty() && digits(e));
    let value: f64 = if shaped {
        text.parse().ok()?
    } else {
        return None;
    };
    value.is_finite().then_some(value)
}

fn leading_zero(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_are_numbers() {
        for (text, n) in [
            ("0", 0),
            ("-12", -12),
            ("+5", 5),
            ("0x1F", 31),
            ("0o644", 420),
        ] {
            assert_eq!(plain(text), Kind::Int(n), "{text}");
        }
        for (text, n) in [
            ("1.10", 1.1),
            ("-.5", -0.5),
            ("1.", 1.0),
            ("2e3", 2000.0),
            ("0.5E-1", 0.05),
        ] {
            assert_eq!(plain(text), Kind::Float(n), "{text}");
        }
        for text in [
            "no",
            "on",
            "y",
            "off",
            "0644",
            "1_000",
            "00.5",
            ".",
            "+",
            "-",
            "e3",
            "1e",
            "1e+",
            "0x",
            "0x-1",
            "0b1",
            ".inf",
            "-.inf",
            ".nan",
            "1e999",
            "12345678901234567890",
            "12:30:45",
            "2024-01-01",
            "1.2.3",
            "0o9",
            "1e0.5",
        ] {
            assert_eq!(
                plain(text),
                Kind::Str {
                    text: text.into(),
                    style: Style::Plain
                },
                "{text}"
            );
        }
        assert_eq!(plain("True"), Kind::Bool(true));
        assert_eq!(
            plain("tRUE"),
            Kind::Str {
                text: "tRUE".into(),
                style: Style::Plain
            }
        );
        assert_eq!(plain("~"), Kind::Null);
    }
}
