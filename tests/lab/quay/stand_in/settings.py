"""What one process knows: its version, its node, its configuration."""

import os
import socket
from pathlib import Path

import yaml

# A file of the image: unlike its environment it cannot be inherited or overwritten by who starts the container.
VERSION = Path("/quay-registry/VERSION").read_text(encoding="ascii").strip()
STACK = Path("/conf/stack")
DATA = Path("/datastorage")

REQUIRED = (
    "SERVER_HOSTNAME",
    "PREFERRED_URL_SCHEME",
    "DATABASE_SECRET_KEY",
    "AUTHENTICATION_TYPE",
    "DB_URI",
    "BUILDLOGS_REDIS",
    "USER_EVENTS_REDIS",
    "DISTRIBUTED_STORAGE_CONFIG",
)


class ConfigError(Exception):
    """The configuration cannot be used."""


def version_at_least(minor: int) -> bool:
    """Whether this is at least v3.MINOR."""
    return int(VERSION.lstrip("v").split(".")[1]) >= minor


def load(directory: Path = STACK) -> dict:
    """Only upper-case top-level keys count."""
    try:
        text = (directory / "config.yaml").read_text(encoding="utf-8")
        tree = yaml.safe_load(text)
    except (OSError, UnicodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read {directory}/config.yaml: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{directory}/config.yaml is not a mapping")
    return {key: value for key, value in tree.items() if isinstance(key, str) and key.isupper()}


def line_of(name: str) -> str | None:
    """The first line of a file that the lab puts beside the data, if it is there."""
    try:
        return (DATA / name).read_text(encoding="utf-8").strip().splitlines()[0]
    except (OSError, UnicodeError, IndexError):
        return None


def node() -> str:
    """The host's name; without the lab's file, the container's id."""
    return line_of(".node") or socket.gethostname()


def container() -> str:
    """The short id, which is the name of the container for itself."""
    return socket.gethostname()


def never_healthy() -> bool:
    """The lab's fault: this version never becomes healthy on this host."""
    return line_of(".never-healthy") == VERSION


def preferred_engines(config: dict) -> list[str]:
    """The environment goes before the configuration."""
    given = os.environ.get("QUAY_DISTRIBUTED_STORAGE_PREFERENCE")
    if given and given.split():
        return given.split()
    return list(config.get("DISTRIBUTED_STORAGE_PREFERENCE") or config.get("DISTRIBUTED_STORAGE_CONFIG", {}))


def preference_missing(config: dict) -> bool:
    """From v3.8 on, replication wants the variable; set but empty passes."""
    return bool(config.get("FEATURE_STORAGE_REPLICATION")) and "QUAY_DISTRIBUTED_STORAGE_PREFERENCE" not in os.environ and version_at_least(8)
