//! Secrets in variables and files. A file must be its owner's alone, as a private key must.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt as _;

use runbook_exec::secrets::LONGEST;
use zeroize::Zeroizing;

use super::Value;

/// The value of a variable of the environment.
pub(super) fn variable(name: &str) -> Value {
    match std::env::var(name) {
        Ok(value) => Ok(Zeroizing::new(value)),
        Err(std::env::VarError::NotPresent) => Err("it is not set".into()),
        Err(std::env::VarError::NotUnicode(_)) => Err("it is not text".into()),
    }
}

/// The content of a file.
pub(super) fn file(path: &str) -> Value {
    let file = private(path)?;
    text(file)
}

/// Opens a file that nobody else may read or write.
pub(super) fn private(path: &str) -> Result<File, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let found = file.metadata().map_err(|e| e.to_string())?;
    if found.is_dir() {
        return Err("it is a directory".into());
    }
    // What a shell hands over with `<(…)` is a pipe.
    if found.is_file() && found.mode() & 0o077 != 0 {
        return Err(format!(
            "its mode is {:04o}, so others may read or change it: chmod 600",
            found.mode() & 0o7777
        ));
    }
    Ok(file)
}

/// A text, bounded, without the line break at its end: an editor and `echo` add one.
pub(super) fn text(from: impl Read) -> Value {
    // With all its room at once: what grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 3));
    from.take(LONGEST as u64 + 3)
        .read_to_end(&mut bytes)
        .map_err(|e| e.to_string())?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "it is not text")?;
    let text = text
        .strip_suffix('\n')
        .map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn read(content: &[u8]) -> Value {
        let mut temporary = tempfile::NamedTempFile::new().unwrap();
        temporary.write_all(content).unwrap();
        file(temporary.path().to_str().unwrap())
    }

    #[test]
    fn a_file_loses_one_line_break() {
        assert_eq!(read(b" pass word \n\n").unwrap().as_str(), " pass word \n");
        assert_eq!(read(b"word\r\n").unwrap().as_str(), "word");
        assert_eq!(read(b"word").unwrap().as_str(), "word");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert_eq!(read(b"\xff").unwrap_err(), "it is not text");
        assert_eq!(
            variable("RUNBOOK_TEST_NO_SUCH_VARIABLE").unwrap_err(),
            "it is not set"
        );
        assert!(file("/nonexistent/secret").is_err());
        assert_eq!(file("/").unwrap_err(), "it is a directory");
        assert!(read(&vec![b'x'; LONGEST + 9]).unwrap().len() > LONGEST);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let mut temporary = tempfile::NamedTempFile::new().unwrap();
        temporary.write_all(b"hunter2").unwrap();
        let path = temporary.path().to_str().unwrap().to_owned();
        for mode in [0o640, 0o604, 0o620] {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, permissions).unwrap();
            let problem = file(&path).unwrap_err();
            assert!(problem.contains("chmod 600"), "{mode:o}: {problem}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(file(&path).unwrap().as_str(), "hunter2");
    }
}
