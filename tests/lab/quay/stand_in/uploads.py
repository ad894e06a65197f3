"""Uploads of blobs. What has come lies in the store and is noted in the database, so that any node may go on with it."""

import json
import re
import sys
import uuid
from typing import Iterator, NamedTuple

from . import blobs, s3, services, settings
from .messages import DIGEST, Problem, Reply, Request


class Upload(NamedTuple):
    """A row of blobupload."""

    repository: int
    uuid: str
    engine: str
    size: int
    parts: list[str]


def _pieces(request: Request) -> Iterator[bytes]:
    while piece := request.body.read():
        yield piece


def _found(config: dict, repository: int, name: str) -> Upload:
    with services.transaction(config, "quay-registry") as cursor:
        cursor.execute(
            "select u.repository_id, u.uuid, l.name, u.byte_count, u.storage_metadata from blobupload u join imagestoragelocation l on l.id = u.location_id"
            " where u.repository_id = %s and u.uuid = %s",
            (repository, name),
        )
        row = cursor.fetchone()
    if row is None:
        raise Problem(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
    return Upload(*row[:4], json.loads(row[4]))


def _created(request: Request, path: str, digest: str) -> Reply:
    return Reply(201, headers={"Docker-Content-Digest": digest, "Location": f"{request.origin()}/v2/{path}/blobs/{digest}"})


def _state(request: Request, path: str, status: int, name: str, size: int) -> Reply:
    return Reply(status, headers={"Docker-Upload-UUID": name, "Range": f"0-{max(0, size - 1)}", "Location": f"{request.origin()}/v2/{path}/blobs/uploads/{name}"})


def _digest(request: Request) -> str:
    digest = request.one("digest") or ""
    if not DIGEST.fullmatch(digest):
        raise Problem(400, "DIGEST_INVALID", "there is no digest that is known here")
    return digest


def begin(request: Request, path: str, repository: int, other: int | None) -> Reply:
    """A blob of another repository, a blob in one piece, or an upload of several requests."""
    config = request.config
    mount = request.one("mount")
    if mount and other is not None:
        with services.transaction(config, "quay-registry") as cursor:
            blob = blobs.of_repository(cursor, other, mount)
            if blob is not None:
                blobs.link(cursor, repository, blob.id)
        if blob is not None:
            return _created(request, path, blob.digest)
    engine = settings.preferred_engines(config)[0]
    if request.one("digest") is not None:
        wanted = _digest(request)
        file, digest, size = blobs.receive(_pieces(request))
        with file:
            blobs.expect(wanted, digest)
            blobs.keep(config, repository, engine, file, digest, size)
        return _created(request, path, digest)
    name = str(uuid.uuid4())
    with services.transaction(config, "quay-registry") as cursor:
        cursor.execute("insert into blobupload (repository_id, uuid, location_id) values (%s, %s, %s)", (repository, name, blobs.location(cursor, engine)))
    return _state(request, path, 202, name, 0)


def _place(request: Request, upload: Upload) -> None:
    """A piece that says where it begins must begin where the last one ended."""
    given = request.headers.get("Content-Range")
    if given is None:
        return
    found = re.fullmatch(r"(?:bytes[ =])?([0-9]+)-([0-9]+)(?:/.*)?", given.strip())
    if found is None or int(found[1]) != upload.size:
        raise Problem(416, "BLOB_UPLOAD_INVALID", f"the upload has {upload.size} bytes", {"Range": f"0-{max(0, upload.size - 1)}"})


def _append(config: dict, upload: Upload, file, size: int, digest: str) -> Upload:
    """The piece into the store under a name of its own, then its name into the row, unless another request was faster."""
    part = f"uploads/{upload.uuid}/{len(upload.parts)}-{uuid.uuid4().hex[:8]}"
    s3.store(config, upload.engine).put_file(part, file, digest.removeprefix("sha256:"))
    after = upload._replace(size=upload.size + size, parts=[*upload.parts, part])
    with services.transaction(config, "quay-registry") as cursor:
        cursor.execute(
            "update blobupload set byte_count = %s, storage_metadata = %s where uuid = %s and storage_metadata = %s",
            (after.size, json.dumps(after.parts), upload.uuid, json.dumps(upload.parts)),
        )
        if cursor.rowcount != 1:
            raise Problem(416, "BLOB_UPLOAD_INVALID", "another request has gone on with this upload")
    return after


def go_on(request: Request, path: str, repository: int, name: str) -> Reply:
    """One more piece."""
    upload = _found(request.config, repository, name)
    _place(request, upload)
    file, digest, size = blobs.receive(_pieces(request))
    with file:
        if size:
            upload = _append(request.config, upload, file, size, digest)
    return _state(request, path, 202, name, upload.size)


def _content(config: dict, upload: Upload) -> Iterator[bytes]:
    store = s3.store(config, upload.engine)
    for part in upload.parts:
        yield from store.open(part)


def finish(request: Request, path: str, repository: int, name: str) -> Reply:
    """The last piece, which may be empty: the whole is looked at, stored, and only then acknowledged."""
    config = request.config
    wanted = _digest(request)
    upload = _found(config, repository, name)
    _place(request, upload)

    def everything() -> Iterator[bytes]:
        yield from _content(config, upload)
        yield from _pieces(request)

    file, digest, size = blobs.receive(everything())
    with file:
        if digest != wanted:
            cancel(config, upload)
        blobs.expect(wanted, digest)
        blobs.keep(config, repository, upload.engine, file, digest, size, upload.uuid)
    _forget(config, upload)
    return _created(request, path, digest)


def _forget(config: dict, upload: Upload) -> None:
    """The pieces away. One that stays takes room and harms nobody, so this fails nothing."""
    for part in upload.parts:
        try:
            s3.store(config, upload.engine).delete(part)
        except s3.StorageError as error:
            print(f"upload {upload.uuid}: {error}", file=sys.stderr, flush=True)


def cancel(config: dict, upload: Upload) -> None:
    """An upload that will not be finished."""
    with services.transaction(config, "quay-registry") as cursor:
        cursor.execute("delete from blobupload where uuid = %s", (upload.uuid,))
    _forget(config, upload)


def other(request: Request, path: str, repository: int, name: str) -> Reply:
    """How far an upload is, or its end."""
    upload = _found(request.config, repository, name)
    if request.method == "GET":
        return _state(request, path, 204, name, upload.size)
    cancel(request.config, upload)
    return Reply(204)
