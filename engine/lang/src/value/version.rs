//! Versions: text such as `v3.7.0` that orders by its numbers.

use std::cmp::Ordering;
use std::fmt;

/// More parts than any product uses; more is not a version.
const MAX_PARTS: usize = 6;
/// Longest text taken for a version.
const MAX_LEN: usize = 64;

/// A version: numbers between dots, perhaps a suffix (`3.12.0-rc1`).
///
/// A leading `v` is dropped. Parts that are missing count as zero, so `3.7` equals `3.7.0`.
/// A version with a `-suffix` comes before the one without it, as in semantic versioning;
/// a `+suffix` does not take part in comparisons.
#[derive(Clone, Debug)]
pub struct Version {
    text: String,
    parts: Vec<u64>,
    suffix: Option<String>,
}

impl Version {
    /// Reads a version; `None` if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
        if text.is_empty() || text.len() > MAX_LEN {
            return None;
        }
        let (numbers, rest) = match text.find(['-', '+']) {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let parts: Vec<u64> = numbers.split('.').map(part).collect::<Option<_>>()?;
        if parts.len() > MAX_PARTS || !suffix_is_clean(rest) {
            return None;
        }
        let suffix = rest
            .strip_prefix('-')
            .map(|s| s.split('+').next().unwrap_or(s).to_owned());
        Some(Self {
            text: text.to_owned(),
            parts,
            suffix,
        })
    }

    /// The text without a leading `v`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first number, as text: `3` of `3.8.1`.
    pub fn major(&self) -> String {
        self.part(0).to_string()
    }

    /// The first two numbers, as text: `3.8` of `3.8.1`.
    pub fn minor(&self) -> String {
        format!("{}.{}", self.part(0), self.part(1))
    }

    /// The third number, as text: `1` of `3.8.1`.
    pub fn patch(&self) -> String {
        self.part(2).to_string()
    }

    /// The member that an expression names, such as `inputs.to.minor`.
    pub fn member(&self, name: &str) -> Option<String> {
        match name {
            "major" => Some(self.major()),
            "minor" => Some(self.minor()),
            "patch" => Some(self.patch()),
            _ => None,
        }
    }

    fn part(&self, at: usize) -> u64 {
        self.parts.get(at).copied().unwrap_or(0)
    }
}

fn part(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn suffix_is_clean(rest: &str) -> bool {
    rest.is_empty()
        || (rest.len() > 1
            && rest
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-+._".contains(&b)))
}

/// Semantic versioning's order of pre-release suffixes: numbers by value and before text.
fn order_suffixes(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.split('.'), b.split('.'));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(x), Some(y)) => match (part(x), part(y)) {
                (Some(x), Some(y)) => x.cmp(&y),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => x.cmp(y),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        for at in 0..self.parts.len().max(other.parts.len()) {
            match self.part(at).cmp(&other.part(at)) {
                Ordering::Equal => {}
                order => return order,
            }
        }
        match (&self.suffix, &other.suffix) {
            (None, None) => Ordering::Equal,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => order_suffixes(a, b),
        }
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn numbers_order_versions() {
        assert!(v("3.10") > v("3.9"));
        assert!(v("3.10.0") > v("3.9.12"));
        assert_eq!(v("v3.7.0"), v("3.7.0"));
        assert_eq!(v("3.7"), v("3.7.0"));
        assert!(v("3.12.0-rc2") < v("3.12.0"));
        assert!(v("3.12.0-rc.2") < v("3.12.0-rc.10"));
        assert_eq!(v("3.12.0+a"), v("3.12.0+b"));
    }

    #[test]
    fn members_are_text() {
        assert_eq!(v("v3.8.1").minor(), "3.8");
        assert_eq!(v("3.8.1").major(), "3");
        assert_eq!(v("3.8.1").patch(), "1");
        assert_eq!(v("3").minor(), "3.0");
        assert_eq!(v("v3.8.1").to_string(), "3.8.1");
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "v",
            "latest",
            "3.",
            ".3",
            "3..1",
            "3.x",
            "3.1-",
            "3.1 ",
            "-1",
            "3.+",
            "99999999999999999999",
            "1.2.3.4.5.6.7",
            "3.1-a b",
        ] {
            assert!(Version::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn order_is_the_order_of_the_numbers(a in any::<[u32; 3]>(), b in any::<[u32; 3]>()) {
            let text = |n: [u32; 3]| format!("v{}.{}.{}", n[0], n[1], n[2]);
            prop_assert_eq!(v(&text(a)).cmp(&v(&text(b))), a.cmp(&b));
        }

        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,20}") {
            if let Some(version) = Version::parse(&text) {
                prop_assert_eq!(version.cmp(&version), Ordering::Equal);
            }
        }
    }
}
