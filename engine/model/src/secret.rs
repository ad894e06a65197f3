//! Where secrets come from. Values are never here: they are read again at every start of a controller.

use serde::{Deserialize, Serialize};

use crate::HostName;

/// Where a secret is read from, at every start of a controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// A variable of the environment.
    Env(String),
    /// A file on the controller.
    File(String),
    /// A program on the controller, as words; what it prints is the secret.
    Command(Vec<String>),
    /// A file on the controller, encrypted with age.
    Age(String),
    /// Asked at the terminal.
    Prompt,
    /// Nobody gives it: it is what the hosts have, what is stored, or made here.
    Generated(Generated),
}

/// A secret that nobody gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// Characters of a new one.
    pub length: u32,
    /// Which characters.
    pub alphabet: Alphabet,
    /// Where hosts have it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopt: Option<Adopt>,
    /// What is a sign that there was one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<Exists>,
}

/// Where hosts have a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopt {
    /// The hosts that may have it.
    pub hosts: Vec<HostName>,
    /// The file that it is in.
    pub file: String,
    /// A regular expression whose only group is the secret; without one the whole file is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// Data that a new secret would lock out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exists {
    /// The hosts that may have it.
    pub hosts: Vec<HostName>,
    /// What is there if there are data.
    pub path: String,
}

/// The characters of a generated secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alphabet {
    /// Letters and digits.
    #[default]
    Alphanumeric,
    /// Small letters and digits.
    Lower,
    /// Digits of a number to the base 16.
    Hex,
    /// Letters, digits, `-` and `_`.
    UrlSafe,
}

impl Alphabet {
    /// All of them, with the words for them.
    pub const ALL: [(&'static str, Self); 4] = [
        ("alphanumeric", Self::Alphanumeric),
        ("lower", Self::Lower),
        ("hex", Self::Hex),
        ("url_safe", Self::UrlSafe),
    ];

    /// Its characters.
    #[must_use]
    pub fn characters(self) -> &'static str {
        match self {
            Self::Alphanumeric => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            Self::Lower => "abcdefghijklmnopqrstuvwxyz0123456789",
            Self::Hex => "0123456789abcdef",
            Self::UrlSafe => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
        }
    }
}

/// Where the value of a generated secret came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretOrigin {
    /// Hosts had it.
    Adopted,
    /// It was stored by an earlier run.
    Stored,
    /// It was made for this run.
    Generated,
}

impl SecretOrigin {
    /// What became of it, in a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Adopted => "adopted from hosts",
            Self::Stored => "taken from the store",
            Self::Generated => "generated",
        }
    }
}
