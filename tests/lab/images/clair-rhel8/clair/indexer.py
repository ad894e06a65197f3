"""What is in the layers of a manifest: the distribution, and the packages of dpkg."""

import hashlib
import re
import tarfile
import tempfile
import urllib.error
import urllib.request

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
RELEASES = ("etc/os-release", "usr/lib/os-release")
PACKAGES = "var/lib/dpkg/status"


class Unreadable(Exception):
    """A manifest that cannot be indexed; the text says why."""


def checked(manifest: object) -> tuple[str, list[dict]]:
    """The hash and the layers of what a client sent."""
    if not isinstance(manifest, dict) or not DIGEST.fullmatch(str(manifest.get("hash"))):
        raise ValueError("hash: should be a digest")
    layers = manifest.get("layers")
    if not isinstance(layers, list):
        raise ValueError("layers: should be a list")
    for layer in layers:
        if not isinstance(layer, dict) or not DIGEST.fullmatch(str(layer.get("hash"))) or not str(layer.get("uri", "")).startswith(("http://", "https://")):
            raise ValueError("layers: each needs hash and uri")
    return manifest["hash"], layers


def _fetch(layer: dict, file) -> None:
    headers = {name: ", ".join(values) for name, values in (layer.get("headers") or {}).items()}
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(urllib.request.Request(layer["uri"], headers=headers), timeout=20) as answer:
            while chunk := answer.read(1 << 20):
                digest.update(chunk)
                file.write(chunk)
    except (OSError, urllib.error.URLError) as error:
        # Not the address: it is signed.
        raise Unreadable(f"failed to fetch layer {layer['hash']}: {error}") from error
    if f"sha256:{digest.hexdigest()}" != layer["hash"]:
        raise Unreadable(f"layer {layer['hash']} came as sha256:{digest.hexdigest()}")
    file.seek(0)


def _files(file) -> dict[str, str]:
    """The texts that are looked at."""
    found = {}
    try:
        with tarfile.open(fileobj=file, mode="r:*") as archive:
            for member in archive:
                name = member.name.removeprefix("./").lstrip("/")
                if name in (*RELEASES, PACKAGES) and member.isfile():
                    found[name] = archive.extractfile(member).read(64 << 20).decode("utf-8", "replace")
    except tarfile.ReadError as error:
        raise Unreadable(f"a layer cannot be read: {error}") from error
    return found


def _release(text: str) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    values = {name.strip(): value.strip().strip("\"'") for name, value in pairs}
    return {"did": values.get("ID", ""), "name": values.get("NAME", ""), "version": values.get("VERSION", ""), "version_id": values.get("VERSION_ID", ""), "pretty_name": values.get("PRETTY_NAME", "")}


def _packages(text: str) -> list[dict[str, str]]:
    found = []
    for block in re.split(r"\n\n+", text):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(" "))
        if "Package" in fields and fields.get("Status", "").endswith(" installed"):
            found.append({"name": fields["Package"], "version": fields.get("Version", ""), "kind": "binary", "arch": fields.get("Architecture", "")})
    return found


def index(manifest: str, layers: list[dict]) -> dict:
    """The report; a later layer has the say over an earlier one."""
    texts: dict[str, tuple[str, str]] = {}
    for layer in layers:
        with tempfile.TemporaryFile() as file:
            _fetch(layer, file)
            texts.update({name: (text, layer["hash"]) for name, text in _files(file).items()})
    releases = [texts[name][0] for name in RELEASES if name in texts]
    distributions = {"1": {"id": "1", **_release(releases[0])}} if releases else {}
    text, where = texts.get(PACKAGES, ("", ""))
    packages = {str(number): {"id": str(number), **item} for number, item in enumerate(_packages(text), 1)}
    environments = {number: [{"package_db": PACKAGES, "introduced_in": where, "distribution_id": "1" if releases else ""}] for number in packages}
    return {
        "manifest_hash": manifest, "state": "IndexFinished", "success": True, "err": "",
        "packages": packages, "distributions": distributions, "repository": {}, "environments": environments,
    }


def failed(manifest: str, reason: str) -> dict:
    """The report of a manifest that could not be indexed."""
    return {
        "manifest_hash": manifest, "state": "IndexError", "success": False, "err": reason,
        "packages": {}, "distributions": {}, "repository": {}, "environments": {},
    }
