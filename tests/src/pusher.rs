//! Who pushes to the registry and pulls from it, by one address: that of the load balancer, or of a node past it.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use crate::site::Site;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A client of the registry.
#[derive(Debug, Clone)]
pub struct Pusher {
    /// The name of the registry.
    pub hostname: String,
    /// Where it asks.
    pub address: String,
    /// What it verifies with.
    pub ca: String,
    /// Name and password.
    pub user: (String, String),
}

/// An answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

/// What was pushed and acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Its repository.
    pub repository: String,
    /// The digest of its manifest.
    pub manifest: String,
    /// The digest of its only layer.
    pub layer: String,
}

impl Pusher {
    /// By the address of a host.
    #[must_use]
    pub fn of(site: &Site, host: &str, user: &str, password: &str) -> Self {
        Self {
            hostname: site.value("HOSTNAME").to_owned(),
            address: site.address(host),
            ca: site.value("CA").to_owned(),
            user: (user.to_owned(), password.to_owned()),
        }
    }

    /// The status of a GET without a login; 0 where nothing answers.
    #[must_use]
    pub fn status(&self, path: &str) -> u16 {
        self.ask("GET", path, &[], None).map_or(0, |a| a.status)
    }

    /// Pushes an image of one layer with this content.
    ///
    /// # Errors
    /// The first answer that is not as it should be.
    pub fn push(&self, repository: &str, tag: &str, content: &[u8]) -> Result<Pushed, String> {
        let token = self.token(repository)?;
        let layer = self.push_blob(&token, repository, content)?;
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":["{layer}"]}}}}"#
        );
        let config_digest = self.push_blob(&token, repository, config.as_bytes())?;
        let docker = "application/vnd.docker";
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"{docker}.container.image.v1+json","size":{},"digest":"{config_digest}"}},"layers":[{{"mediaType":"{docker}.image.rootfs.diff.tar.gzip","size":{},"digest":"{layer}"}}]}}"#,
            config.len(),
            content.len()
        );
        let answer = self.ask(
            "PUT",
            &format!("/v2/{repository}/manifests/{tag}"),
            &[
                format!("Authorization: Bearer {token}"),
                format!("Content-Type: {MANIFEST}"),
            ],
            Some(manifest.as_bytes()),
        )?;
        wanted(&answer, 201, "the manifest")?;
        Ok(Pushed {
            repository: repository.to_owned(),
            manifest: digest(manifest.as_bytes()),
            layer,
        })
    }

    /// Whether manifest and layer come back as they were pushed.
    ///
    /// # Errors
    /// The first answer that is not as it should be.
    pub fn pull(&self, pushed: &Pushed) -> Result<(), String> {
        let token = self.token(&pushed.repository)?;
        for (kind, of) in [("manifests", &pushed.manifest), ("blobs", &pushed.layer)] {
            let answer = self.ask(
                "GET",
                &format!("/v2/{}/{kind}/{of}", pushed.repository),
                &[
                    format!("Authorization: Bearer {token}"),
                    format!("Accept: {MANIFEST}"),
                ],
                None,
            )?;
            wanted(&answer, 200, kind)?;
            if &digest(&answer.body) != of {
                return Err(format!("{kind}: {of} came back as something else"));
            }
        }
        Ok(())
    }

    fn token(&self, repository: &str) -> Result<String, String> {
        let path = format!(
            "/v2/auth?service={}&scope=repository:{repository}:pull,push",
            self.hostname
        );
        let answer = self.ask("GET", &path, &[], None)?;
        wanted(&answer, 200, "the login")?;
        let value: serde_json::Value =
            serde_json::from_slice(&answer.body).map_err(|e| e.to_string())?;
        let token = value["token"].as_str().ok_or("there is no token")?;
        Ok(token.to_owned())
    }

    fn push_blob(&self, token: &str, repository: &str, content: &[u8]) -> Result<String, String> {
        let login = format!("Authorization: Bearer {token}");
        let begun = self.ask(
            "POST",
            &format!("/v2/{repository}/blobs/uploads/"),
            std::slice::from_ref(&login),
            Some(b""),
        )?;
        wanted(&begun, 202, "the begin of an upload")?;
        let location = begun
            .head
            .lines()
            .find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("location")
                    .then(|| value.trim().to_owned())
            })
            .ok_or("an upload without a location")?;
        let prefix = format!("https://{}", self.hostname);
        let path = location.strip_prefix(&prefix).unwrap_or(&location);
        let of = digest(content);
        let mark = if path.contains('?') { '&' } else { '?' };
        let sent = self.ask(
            "PUT",
            &format!("{path}{mark}digest={of}"),
            &[login, "Content-Type: application/octet-stream".to_owned()],
            Some(content),
        )?;
        wanted(&sent, 201, "a blob")?;
        Ok(of)
    }

    fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[String],
        body: Option<&[u8]>,
    ) -> Result<Answer, String> {
        let mut curl = Command::new("curl");
        curl.args(["-q", "-sS", "-i", "--noproxy", "*", "--max-time", "10"])
            .args(["--cacert", &self.ca, "-X", method])
            .args([
                "--resolve",
                &format!("{}:443:{}", self.hostname, self.address),
            ]);
        for header in headers {
            curl.args(["-H", header]);
        }
        if headers.is_empty() && path.starts_with("/v2/auth") {
            curl.args(["-u", &format!("{}:{}", self.user.0, self.user.1)]);
        }
        if body.is_some() {
            curl.args(["-H", "Expect:", "--data-binary", "@-"]);
        }
        curl.arg(format!("https://{}{path}", self.hostname));
        let mut child = curl
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        let mut input = child.stdin.take().ok_or("no pipe")?;
        // One that has ended already has said why.
        let _ = input.write_all(body.unwrap_or_default());
        drop(input);
        let output = child.wait_with_output().map_err(|e| e.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let cut = output.stdout.windows(4).position(|w| w == b"\r\n\r\n");
        let cut = cut.ok_or("an answer without a head")?;
        let head = String::from_utf8_lossy(&output.stdout[..cut]).into_owned();
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
        Ok(Answer {
            status: status.ok_or("an answer without a status")?,
            head,
            body: output.stdout[cut + 4..].to_vec(),
        })
    }
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn digest(content: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(content) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn wanted(answer: &Answer, status: u16, what: &str) -> Result<(), String> {
    if answer.status == status {
        return Ok(());
    }
    let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(200)]).into_owned();
    Err(format!("{what}: status {}, {body}", answer.status))
}
