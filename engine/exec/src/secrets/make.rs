//! New secrets: every character is as likely as every other.

use runbook_model::secret::Alphabet;
use zeroize::Zeroizing;

use super::SecretError;

/// A new secret of so many characters.
pub(super) fn secret(length: u32, alphabet: Alphabet) -> Result<Zeroizing<String>, SecretError> {
    let characters = alphabet.characters().as_bytes();
    // Bytes above the last whole round would make the first characters more likely.
    let usable = 256 - 256 % characters.len();
    let length = usize::try_from(length).expect("a length fits an address");
    let mut out = Zeroizing::new(String::with_capacity(length));
    let mut bytes = Zeroizing::new([0u8; 64]);
    while out.len() < length {
        getrandom::fill(bytes.as_mut_slice()).map_err(|e| SecretError::Entropy {
            problem: e.to_string(),
        })?;
        let usable = bytes
            .iter()
            .map(|byte| usize::from(*byte))
            .filter(|byte| *byte < usable);
        for byte in usable.take(length - out.len()) {
            out.push(char::from(characters[byte % characters.len()]));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_secret_is_made_of_its_alphabet() {
        for (_, alphabet) in Alphabet::ALL {
            let made = secret(1024, alphabet).unwrap();
            let used: BTreeSet<char> = made.chars().collect();
            assert_eq!(made.len(), 1024);
            assert!(used.iter().all(|c| alphabet.characters().contains(*c)));
            // Of 1024 draws one character of 64 is never drawn once in ten million tries.
            assert!(used.len() + 2 >= alphabet.characters().len(), "{used:?}");
        }
        assert_ne!(
            secret(12, Alphabet::Hex).unwrap(),
            secret(12, Alphabet::Hex).unwrap()
        );
    }
}
