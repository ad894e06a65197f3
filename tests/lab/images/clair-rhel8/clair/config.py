"""The configuration: unknown keys are fatal, and in combo mode all three parts must be there."""

import base64
import binascii
import os
from pathlib import Path

import yaml

BASE = {"connstring", "migrations"}
KNOWN = {
    "": {"http_listen_addr", "introspection_addr", "log_level", "tls", "indexer", "matcher", "matchers", "updaters", "notifier", "auth", "metrics", "trace"},
    "indexer": BASE | {"scanlock_retry", "layer_scan_concurrency", "index_report_request_concurrency", "airgap", "scanner"},
    "matcher": BASE | {"period", "update_retention", "max_conn_pool", "indexer_addr", "cache_age", "disable_updaters", "disable_enrichment"},
    "notifier": BASE | {"indexer_addr", "matcher_addr", "poll_interval", "delivery_interval", "disable_summary", "webhook", "amqp", "stomp"},
    "matchers": {"names", "config"},
    "updaters": {"sets", "filter", "config"},
    "auth": {"psk", "keyserver"},
    "auth.psk": {"key", "iss"},
}
PARTS = ("indexer", "matcher", "notifier")
LEVELS = ("debug-color", "debug", "info", "warn", "error", "fatal", "panic")


class ConfigError(Exception):
    """The configuration cannot be used."""


def path() -> Path:
    """Where it is."""
    return Path(os.environ.get("CLAIR_CONF", "/config/config.yaml"))


def _mapping(tree: dict, name: str) -> dict:
    """A part of the configuration, which may be missing; unknown keys in it are fatal."""
    part = tree
    for word in name.split(".") if name else ():
        part = part.get(word)
        if part is None:
            return {}
        if not isinstance(part, dict):
            raise ConfigError(f"{name}: should be a mapping")
    unknown = sorted(str(key) for key in part if key not in KNOWN[name])
    if unknown:
        raise ConfigError("unknown keys: " + ", ".join(f"{name}.{key}" if name else key for key in unknown))
    return part


def address(text: object, default: str) -> tuple[str, int]:
    """`:8081` and `127.0.0.1:8081`."""
    host, colon, port = str(text or default).rpartition(":")
    if not colon or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(f"{text}: should be HOST:PORT")
    return host.strip("[]") or "0.0.0.0", int(port)


def load(file: Path) -> dict:
    """The checked configuration, with the addresses and the key as they are used."""
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read {file}: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{file} is not a mapping")
    parts = {name: _mapping(tree, name) for name in KNOWN}
    mode = os.environ.get("CLAIR_MODE", "combo")
    if mode != "combo":
        raise ConfigError(f"mode {mode}: only combo is known here")
    for name in PARTS:
        if not parts[name].get("connstring"):
            raise ConfigError(f"{name}.connstring is missing: combo mode needs {', '.join(PARTS)}")
    if tree.get("log_level", "info") not in LEVELS:
        raise ConfigError(f"log_level: {tree['log_level']} is unknown")
    psk = parts["auth.psk"]
    try:
        key = base64.b64decode(str(psk.get("key", "")), validate=True)
    except binascii.Error as error:
        raise ConfigError("auth.psk.key is not base64") from error
    issuers = psk.get("iss")
    if psk and (not key or not isinstance(issuers, list) or not issuers):
        raise ConfigError("auth.psk needs key and iss, a list")
    return {
        "listen": address(tree.get("http_listen_addr"), ":6060"),
        "introspection": address(tree.get("introspection_addr"), ":8089"),
        "connstrings": {name: str(parts[name]["connstring"]) for name in PARTS},
        "migrations": {name: bool(parts[name].get("migrations", False)) for name in PARTS},
        "key": key,
        "issuers": [str(name) for name in issuers or []],
    }
