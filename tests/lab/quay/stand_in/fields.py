"""What the fields of the configuration must be, without asking any service."""

import base64
import binascii
import re
import ssl
from pathlib import Path

from . import s3, settings

# The engines there are, with what each of them needs.
_S3 = {"hostname", "is_secure", "storage_path", "access_key", "secret_key", "bucket_name"}
ENGINES = {
    **{kind: _S3 for kind in s3.KINDS},
    "S3Storage": {"storage_path", "s3_bucket"},
    "STSS3Storage": {"storage_path", "s3_bucket", "sts_role_arn", "sts_user_access_key", "sts_user_secret_key"},
    "CloudFrontedS3Storage": {"storage_path", "s3_bucket", "s3_region", "cloudfront_distribution_domain", "cloudfront_key_id", "cloudfront_privatekey_filename"},
    "AzureStorage": {"azure_container", "storage_path", "azure_account_name"},
    "GoogleCloudStorage": {"storage_path", "access_key", "secret_key", "bucket_name"},
    "SwiftStorage": {"swift_container", "storage_path", "auth_url", "swift_user", "swift_password", "auth_version"},
    "LocalStorage": {"storage_path"},
}
BOOLEANS = {
    "SETUP_COMPLETE", "EXTERNAL_TLS_TERMINATION", "TESTING", "USE_CDN", "SESSION_COOKIE_SECURE", "REPO_MIRROR_TLS_VERIFY", "REPO_MIRROR_ROLLBACK",
    "ALLOW_PULLS_WITHOUT_STRICT_LOGGING", "ALLOW_WITHOUT_STRICT_LOGGING", "ACTION_LOG_AUDIT_LOGINS", "MAIL_USE_TLS", "MAIL_USE_AUTH", "SECURITY_SCANNER_V4_MANIFEST_CLEANUP",
}
AUTHENTICATION = ("Database", "LDAP", "JWT", "Keystone", "OIDC", "AppToken")
TIMES = ("0s", "1d", "1w", "2w", "4w")


def _needs(config: dict, *names: str) -> None:
    missing = [name for name in names if config.get(name) in (None, "", [], {})]
    if missing:
        raise settings.ConfigError(f"{', '.join(missing)}: required")


def required(config: dict, directory: Path) -> None:
    """What every configuration has."""
    missing = [name for name in settings.REQUIRED if config.get(name) in (None, "", {})]
    if missing:
        raise settings.ConfigError("required: " + ", ".join(missing))


def types(config: dict, directory: Path) -> None:
    """A boolean in quotes is a text, and a text is true, whatever it says."""
    texts = sorted(name for name, value in config.items() if (name in BOOLEANS or name.startswith("FEATURE_")) and name != "FEATURE_LISTEN_IP_VERSION" and not isinstance(value, bool))
    if texts:
        raise settings.ConfigError("must be a boolean: " + ", ".join(texts))
    if config["AUTHENTICATION_TYPE"] not in AUTHENTICATION:
        raise settings.ConfigError(f"AUTHENTICATION_TYPE must be one of {', '.join(AUTHENTICATION)}")
    if not isinstance(config.get("SUPER_USERS", []), list):
        raise settings.ConfigError("SUPER_USERS must be a list")
    if not config.get("SETUP_COMPLETE"):
        raise settings.ConfigError("SETUP_COMPLETE must be true")


def _names(file: Path) -> list[str]:
    """The names that a certificate is for."""
    leaf = ssl._ssl._test_decode_cert(str(file))  # the standard library has no other way to read a certificate from a file
    return [value for kind, value in leaf.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]


def hosting(config: dict, directory: Path) -> None:
    """The name of the registry, and the certificate for it."""
    host = str(config["SERVER_HOSTNAME"])
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?", host):
        raise settings.ConfigError("SERVER_HOSTNAME must be a name, without a scheme and a path")
    if config["PREFERRED_URL_SCHEME"] not in ("http", "https"):
        raise settings.ConfigError("PREFERRED_URL_SCHEME must be http or https")
    if config["PREFERRED_URL_SCHEME"] == "https" and not config.get("EXTERNAL_TLS_TERMINATION"):
        for name in ("ssl.cert", "ssl.key"):
            if not (directory / name).is_file():
                raise settings.ConfigError(f"{name} is missing")
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(directory / "ssl.cert", directory / "ssl.key")
        names = _names(directory / "ssl.cert")
        name = host.split(":")[0]
        if name not in names and f"*.{name.partition('.')[2]}" not in names:
            raise settings.ConfigError(f"the certificate is for {', '.join(names) or 'no name'}, and not for {name}")


def engines(config: dict) -> None:
    """Each engine with what it needs, and the lists that name engines."""
    known = config["DISTRIBUTED_STORAGE_CONFIG"]
    if not isinstance(known, dict):
        raise settings.ConfigError("DISTRIBUTED_STORAGE_CONFIG must be a mapping")
    for name, entry in known.items():
        if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[1], dict):
            raise settings.ConfigError(f"engine {name} must be a list of its kind and its options")
        kind, options = entry
        if kind not in ENGINES:
            raise settings.ConfigError(f"engine {name}: {kind} is not a known storage engine")
        if missing := sorted(ENGINES[kind] - set(options)):
            raise settings.ConfigError(f"engine {name}: required: {', '.join(missing)}")
        if not isinstance(options.get("is_secure", False), bool):
            raise settings.ConfigError(f"engine {name}: is_secure must be a boolean")
        if not str(options.get("port", 80)).isdigit():
            raise settings.ConfigError(f"engine {name}: port must be a number")
        if kind == "LocalStorage" and config.get("FEATURE_STORAGE_REPLICATION"):
            raise settings.ConfigError(f"engine {name}: FEATURE_STORAGE_REPLICATION cannot be used with LocalStorage")
    for name in ("DISTRIBUTED_STORAGE_PREFERENCE", "DISTRIBUTED_STORAGE_DEFAULT_LOCATIONS"):
        if unknown := [engine for engine in config.get(name) or [] if engine not in known]:
            raise settings.ConfigError(f"{name} names no engine: {', '.join(map(str, unknown))}")


def mirroring(config: dict, directory: Path) -> None:
    """The mirror worker."""
    interval = config.get("REPO_MIRROR_INTERVAL", 30)
    if isinstance(interval, bool) or not isinstance(interval, int) or interval < 1:
        raise settings.ConfigError("REPO_MIRROR_INTERVAL must be a number of seconds")


def optional(config: dict, directory: Path) -> None:
    """Parts that have needs of their own where they are on."""
    offered = config.get("TAG_EXPIRATION_OPTIONS", list(TIMES))
    if config.get("DEFAULT_TAG_EXPIRATION", "2w") not in offered:
        raise settings.ConfigError("DEFAULT_TAG_EXPIRATION must be one of TAG_EXPIRATION_OPTIONS")
    if config.get("FEATURE_MAILING"):
        _needs(config, "MAIL_SERVER")
    if config.get("FEATURE_ACTION_LOG_ROTATION"):
        _needs(config, "ACTION_LOG_ARCHIVE_LOCATION")
        if config["ACTION_LOG_ARCHIVE_LOCATION"] not in config["DISTRIBUTED_STORAGE_CONFIG"]:
            raise settings.ConfigError("ACTION_LOG_ARCHIVE_LOCATION names no engine")


def scanner(config: dict, directory: Path) -> None:
    """The endpoint and the key that Clair has too."""
    if not config.get("FEATURE_SECURITY_SCANNER"):
        return
    _needs(config, "SECURITY_SCANNER_V4_ENDPOINT", "SECURITY_SCANNER_V4_PSK")
    if not re.fullmatch(r"https?://[^/\s]+/?", str(config["SECURITY_SCANNER_V4_ENDPOINT"])):
        raise settings.ConfigError("SECURITY_SCANNER_V4_ENDPOINT must be http://HOST:PORT")
    try:
        base64.b64decode(str(config["SECURITY_SCANNER_V4_PSK"]), validate=True)
    except binascii.Error as error:
        raise settings.ConfigError("SECURITY_SCANNER_V4_PSK must be base64") from error
