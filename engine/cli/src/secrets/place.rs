//! Places of secrets as they are typed and shown: `env:VAR`, `file:PATH`, `command:WORDS`, `age:FILE`, `prompt`.

use runbook_model::plan::SecretSource;
use runbook_model::text::printable;

/// What may be typed.
#[cfg(feature = "age")]
pub(crate) const PLACES: &str = "env:VARIABLE, file:PATH, command:PROGRAM, age:FILE or prompt";
/// What may be typed.
#[cfg(not(feature = "age"))]
pub(crate) const PLACES: &str = "env:VARIABLE, file:PATH, command:PROGRAM or prompt";

/// `NAME=PLACE`; none if it is something else, which could be the secret itself.
pub(crate) fn parse(text: &str) -> Option<(String, SecretSource)> {
    let (name, place) = text.split_once('=').filter(|(name, _)| !name.is_empty())?;
    let source = match place.split_once(':') {
        Some(("env", var)) if !var.is_empty() => SecretSource::Env(var.into()),
        Some(("file", path)) => SecretSource::File(absolute(path)?),
        Some(("age", path)) => SecretSource::Age(absolute(path)?),
        Some(("command", line)) => {
            SecretSource::Command(shlex::split(line).filter(|words| !words.is_empty())?)
        }
        None if place == "prompt" => SecretSource::Prompt,
        _ => return None,
    };
    Some((name.into(), source))
}

/// A resume may be typed in another directory.
fn absolute(path: &str) -> Option<String> {
    let path = std::path::absolute(path).ok()?;
    path.into_os_string().into_string().ok()
}

/// The place of a secret, for a message.
pub(crate) fn words(source: &SecretSource) -> String {
    match source {
        SecretSource::Env(name) => format!("the variable {}", printable(name)),
        SecretSource::File(path) => format!("the file {}", printable(path)),
        SecretSource::Age(path) => format!("the encrypted file {}", printable(path)),
        SecretSource::Command(words) => {
            let program = words.first().map_or("", String::as_str);
            format!("the program {}", printable(program))
        }
        SecretSource::Prompt => "the terminal".into(),
        SecretSource::Generated(_) => "the hosts".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_typed() {
        let source = |place: &str| parse(&format!("db={place}")).map(|(_, source)| source);
        assert_eq!(
            source("env:DB_PASSWORD"),
            Some(SecretSource::Env("DB_PASSWORD".into()))
        );
        assert_eq!(
            source("file:/a:b=c"),
            Some(SecretSource::File("/a:b=c".into()))
        );
        assert_eq!(
            source("command:pass show 'quay db'"),
            Some(SecretSource::Command(vec![
                "pass".into(),
                "show".into(),
                "quay db".into()
            ]))
        );
        assert_eq!(source("prompt"), Some(SecretSource::Prompt));
        let here = std::env::current_dir().unwrap().join("key.age");
        assert_eq!(
            source("age:key.age"),
            Some(SecretSource::Age(here.to_str().unwrap().into()))
        );
    }

    #[test]
    fn what_is_no_place_is_none() {
        for wrong in [
            "hunter2",
            "db=hunter2",
            "db=env:",
            "db=file:",
            "db=command:",
            "db=command:'half",
            "db=prompt:x",
            "db=vault:hunter2",
            "=env:X",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
