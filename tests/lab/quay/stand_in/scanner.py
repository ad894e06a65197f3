"""The security scanner: manifests go to Clair some time after their push, and what Clair says can be asked for."""

import base64
import http.client
import json
import ssl
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request

import psycopg2

from . import blobs, s3, services, settings, tokens

QUEUED, SCANNED, FAILED = 0, 1, -1
WORDS = {QUEUED: "queued", SCANNED: "scanned", FAILED: "failed"}


class Away(Exception):
    """Clair does not answer: nothing is known about the manifest."""


def _ask(config: dict, path: str, tree: dict | None = None) -> tuple[int, dict]:
    """Status and answer of Clair; the token is good for five minutes."""
    key = base64.b64decode(str(config.get("SECURITY_SCANNER_V4_PSK") or ""))
    token = tokens.jwt(key, {"iss": "quay"}, 300)
    request = urllib.request.Request(
        str(config.get("SECURITY_SCANNER_V4_ENDPOINT", "http://clair:8081")).rstrip("/") + path,
        data=None if tree is None else json.dumps(tree).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    context = ssl.create_default_context()
    for file in sorted((settings.STACK / "extra_ca_certs").glob("*")):
        context.load_verify_locations(file)
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            try:
                return error.code, json.loads(error.read() or b"{}")
            except ValueError:
                return error.code, {}
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Away(f"clair: {error}") from error


def _claim(config: dict):
    """One manifest that was never sent, or whose last attempt is some time ago. Lists have nothing to be scanned."""
    with services.transaction(config, "quay-securityworker") as cursor:
        cursor.execute(
            "select m.id, m.digest, m.manifest_bytes from manifest m left join manifestsecuritystatus s on s.manifest_id = m.id"
            " where not exists (select from manifestchild where manifest_id = m.id)"
            " and (s.manifest_id is null or (s.index_status <> %s and s.last_indexed < now() at time zone 'utc' - make_interval(secs => %s)))"
            " order by m.id limit 1 for update of m skip locked",
            (SCANNED, 2 * _interval(config)),
        )
        row = cursor.fetchone()
        if row:
            _note(cursor, row[0], QUEUED)
        return row


def _interval(config: dict) -> float:
    return float(config.get("SECURITY_SCANNER_INDEXING_INTERVAL", 30))


def _note(cursor, manifest: int, status: int, error: str = "") -> None:
    """The manifest may be gone by now: then there is nothing to note."""
    cursor.execute(
        "insert into manifestsecuritystatus (manifest_id, index_status, error) select id, %s, %s from manifest where id = %s"
        " on conflict (manifest_id) do update set index_status = excluded.index_status, error = excluded.error, last_indexed = now() at time zone 'utc'",
        (status, error[:2000], manifest),
    )


def _layers(config: dict, text: str) -> list[dict]:
    """Each with an address that opens it for a while: Clair fetches them from the store."""
    found = []
    for item in json.loads(text)["layers"]:
        if item.get("urls"):
            continue
        with services.transaction(config, "quay-securityworker") as cursor:
            blob = blobs.by_digest(cursor, item["digest"])
        if blob is None:
            raise s3.NotStored(f"no engine has {item['digest']}")
        found.append({"hash": blob.digest, "uri": blobs.source(config, blob).address(blobs.key(blob.digest)), "headers": {}})
    return found


def look(config: dict) -> None:
    """Everything that waits."""
    while row := _claim(config):
        number, digest, text = row
        try:
            status, answer = _ask(config, "/indexer/api/v1/index_report", {"hash": digest, "layers": _layers(config, text)})
            if status == 401:
                raise Away("clair: it refuses the key")
            done, error = (SCANNED, "") if status in (200, 201) and answer.get("success") else (FAILED, str(answer.get("message") or answer.get("err") or status))
        except s3.StorageError as problem:
            done, error = FAILED, str(problem)
        with services.transaction(config, "quay-securityworker") as cursor:
            _note(cursor, number, done, error)
        print(f"securityworker: {digest}: {WORDS[done]} {error}", flush=True)


def result(config: dict, repository: int, digest: str) -> dict | None:
    """What is known about a manifest, as the API says it."""
    with services.transaction(config, "quay-api") as cursor:
        cursor.execute("select s.index_status from manifest m left join manifestsecuritystatus s on s.manifest_id = m.id where m.repository_id = %s and m.digest = %s", (repository, digest))
        row = cursor.fetchone()
    if row is None:
        return None
    if not config.get("FEATURE_SECURITY_SCANNER") or row[0] != SCANNED:
        return {"status": WORDS[row[0] or QUEUED], "data": None}
    status, report = _ask(config, f"/matcher/api/v1/vulnerability_report/{digest}")
    if status != 200:
        return {"status": "queued", "data": None}
    features = []
    for name, package in sorted(report["packages"].items()):
        known = [report["vulnerabilities"][item] for item in report["package_vulnerabilities"].get(name, [])]
        where = (report["environments"].get(name) or [{}])[0].get("introduced_in", "")
        features.append({"Name": package["name"], "Version": package["version"], "VersionFormat": "", "NamespaceName": "", "AddedBy": where, "Vulnerabilities": known})
    return {"status": "scanned", "data": {"Layer": {"Name": digest, "ParentName": "", "NamespaceName": "", "IndexedByVersion": 4, "Features": features}}}


def work(config: dict, stop: threading.Event) -> None:
    """Until the process stops."""
    while not stop.is_set():
        try:
            look(config)
        except (Away, psycopg2.Error) as error:
            print(f"securityworker: {error}", file=sys.stderr, flush=True)
        stop.wait(_interval(config))
