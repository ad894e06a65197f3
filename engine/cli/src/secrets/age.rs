//! Secrets in files that are encrypted with age, for a key in a file of identities.

use std::io::Read as _;
use std::path::Path;

use super::{Value, read};

/// The content of an encrypted file. Both files must be their owner's alone, as far as they are secret: the encrypted
/// one is not.
pub(super) fn decrypted(path: &str, identity: &Path) -> Value {
    let key = read::private(&identity.to_string_lossy())
        .map_err(|problem| format!("the identity cannot be read: {problem}"))?;
    let identities = age::IdentityFile::from_buffer(std::io::BufReader::new(key.take(1 << 20)))
        .map_err(|_| "the file of identities is none")?
        .into_identities()
        .map_err(|_| "the file of identities has none that can be used")?;
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    let decryptor = age::Decryptor::new(file).map_err(|_| "it is not encrypted with age")?;
    let text = decryptor
        .decrypt(
            identities
                .iter()
                .map(|identity| &**identity as &dyn age::Identity),
        )
        .map_err(|_| "the identity does not open it")?;
    read::text(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use age::secrecy::ExposeSecret as _;

    use super::*;

    fn file(content: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn a_file_is_opened_with_its_key_only() {
        let (key, other) = (
            age::x25519::Identity::generate(),
            age::x25519::Identity::generate(),
        );
        let encrypted = file(&age::encrypt(&key.to_public(), b"hunter2\n").unwrap());
        let path = encrypted.path().to_str().unwrap();
        let identity =
            |key: &age::x25519::Identity| file(key.to_string().expose_secret().as_bytes());
        let value = decrypted(path, identity(&key).path()).unwrap();
        assert_eq!(value.as_str(), "hunter2");
        let problem = decrypted(path, identity(&other).path()).unwrap_err();
        assert_eq!(problem, "the identity does not open it");
        let plain = file(b"hunter2");
        let problem = decrypted(plain.path().to_str().unwrap(), identity(&key).path()).unwrap_err();
        assert_eq!(problem, "it is not encrypted with age");
        assert!(decrypted(path, file(b"AGE-SECRET-KEY-1X").path()).is_err());
    }
}
