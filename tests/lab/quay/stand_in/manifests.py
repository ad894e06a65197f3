"""Manifests and tags."""

import hashlib
import json
import re

from . import blobs, replication, services
from .messages import DIGEST, Problem, Reply, Request, as_json

LIMIT = 4 << 20
IMAGES = ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json")
LISTS = ("application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}")


def _parsed(request: Request, data: bytes) -> tuple[str, dict]:
    """The type, and the tree."""
    try:
        tree = json.loads(data)
    except ValueError as error:
        raise Problem(400, "MANIFEST_INVALID", "the manifest is no JSON") from error
    if not isinstance(tree, dict):
        raise Problem(400, "MANIFEST_INVALID", "the manifest is no mapping")
    kind = (request.headers.get("Content-Type") or "").split(";")[0].strip()
    if kind not in IMAGES + LISTS:
        kind = str(tree.get("mediaType"))
    if kind not in IMAGES + LISTS or tree.get("mediaType", kind) != kind:
        raise Problem(415, "MANIFEST_INVALID", "manifests of this type are not taken here")
    return kind, tree


def _names(tree: dict, kind: str) -> list[str]:
    """What the manifest needs: blobs, or manifests."""
    try:
        items = tree["manifests"] if kind in LISTS else [tree["config"], *(layer for layer in tree["layers"] if not layer.get("urls"))]
        digests = [item["digest"] for item in items]
    except (KeyError, TypeError, AttributeError) as error:
        raise Problem(400, "MANIFEST_INVALID", "the manifest does not name what it consists of") from error
    if not all(isinstance(digest, str) and DIGEST.fullmatch(digest) for digest in digests):
        raise Problem(400, "MANIFEST_INVALID", "the manifest has a digest that is not known here")
    return digests


def put(request: Request, path: str, repository: int, reference: str) -> Reply:
    """A manifest, all of whose parts must be there; with it go the tag and the work for the queue, or nothing at all."""
    data = request.body.all(LIMIT)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if DIGEST.fullmatch(reference):
        blobs.expect(reference, digest)
    elif not TAG.fullmatch(reference):
        raise Problem(400, "TAG_INVALID", "manifest tag did not match URI")
    kind, tree = _parsed(request, data)
    names = _names(tree, kind)
    with services.transaction(request.config, "quay-registry") as cursor:
        cursor.execute(
            "insert into manifest (repository_id, digest, media_type, manifest_bytes) values (%s, %s, %s, %s)"
            " on conflict (repository_id, digest) do update set media_type = excluded.media_type returning id",
            (repository, digest, kind, data.decode()),
        )
        manifest = cursor.fetchone()[0]
        for name in names:
            if kind in LISTS:
                cursor.execute("select id from manifest where repository_id = %s and digest = %s", (repository, name))
                if (row := cursor.fetchone()) is None:
                    raise Problem(400, "MANIFEST_INVALID", f"manifest {name} is not here")
                cursor.execute("insert into manifestchild values (%s, %s) on conflict do nothing", (manifest, row[0]))
                continue
            blob = blobs.of_repository(cursor, repository, name)
            if blob is None:
                raise Problem(400, "MANIFEST_BLOB_UNKNOWN", f"blob {name} is not here")
            cursor.execute("insert into manifestblob values (%s, %s) on conflict do nothing", (manifest, blob.id))
            replication.ask(cursor, request.config, path.split("/")[0], blob)
        if not DIGEST.fullmatch(reference):
            cursor.execute(
                "insert into tag (repository_id, name, manifest_id) values (%s, %s, %s) on conflict (repository_id, name) do update set manifest_id = excluded.manifest_id",
                (repository, reference, manifest),
            )
    return Reply(201, headers={"Docker-Content-Digest": digest, "Location": f"{request.origin()}/v2/{path}/manifests/{digest}"})


def _select(cursor, repository: int, reference: str):
    if DIGEST.fullmatch(reference):
        cursor.execute("select id, digest, media_type, manifest_bytes from manifest where repository_id = %s and digest = %s", (repository, reference))
    else:
        cursor.execute("select m.id, m.digest, m.media_type, m.manifest_bytes from tag t join manifest m on m.id = t.manifest_id where t.repository_id = %s and t.name = %s", (repository, reference))
    row = cursor.fetchone()
    if row is None:
        raise Problem(404, "MANIFEST_UNKNOWN", "manifest unknown")
    return row


def get(request: Request, repository: int, reference: str) -> Reply:
    """Byte by byte as it was pushed."""
    with services.transaction(request.config, "quay-registry") as cursor:
        _, digest, kind, text = _select(cursor, repository, reference)
    return Reply(200, text.encode(), kind, {"Docker-Content-Digest": digest})


def delete(request: Request, repository: int, reference: str) -> Reply:
    """A tag; by digest all tags of the manifest. A manifest that nobody names any more goes too, its blobs stay."""
    with services.transaction(request.config, "quay-registry") as cursor:
        manifest = _select(cursor, repository, reference)[0]
        if DIGEST.fullmatch(reference):
            cursor.execute("delete from tag where manifest_id = %s", (manifest,))
        else:
            cursor.execute("delete from tag where repository_id = %s and name = %s", (repository, reference))
        cursor.execute(
            "delete from manifest m where id = %s and not exists (select from tag where manifest_id = m.id)"
            " and not exists (select from manifestchild where child_manifest_id = m.id)",
            (manifest,),
        )
    return Reply(202)


def tags(request: Request, path: str, repository: int) -> Reply:
    """The names, by pages if the client wants them so."""
    number = request.one("n") or "100"
    if not number.isdigit() or not 0 < int(number) <= 1000:
        raise Problem(400, "PAGINATION_NUMBER_INVALID", "n is a number up to 1000")
    with services.transaction(request.config, "quay-registry") as cursor:
        cursor.execute('select name from tag where repository_id = %s and name collate "C" > %s order by name collate "C" limit %s', (repository, request.one("last") or "", int(number) + 1))
        names = [row[0] for row in cursor.fetchall()]
    headers = {}
    if len(names) > int(number):
        names = names[: int(number)]
        headers = {"Link": f'</v2/{path}/tags/list?n={number}&last={names[-1]}>; rel="next"'}
    return as_json(200, {"name": path, "tags": names}, headers)
