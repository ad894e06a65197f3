"""Blobs: what is stored, in which engines, and what a repository has of it."""

import hashlib
import sys
import tempfile
import uuid
from typing import BinaryIO, Iterator, NamedTuple

from . import s3, services, settings
from .messages import Problem


class Blob(NamedTuple):
    """A row of imagestorage, with the engines that have the blob."""

    id: int
    uuid: str
    digest: str
    size: int
    engines: tuple[str, ...]


def key(digest: str) -> str:
    """Where a blob is in a store."""
    value = digest.removeprefix("sha256:")
    return f"sha256/{value[:2]}/{value}"


def location(cursor, engine: str) -> int:
    """The number of an engine in the database."""
    cursor.execute("insert into imagestoragelocation (name) values (%s) on conflict do nothing", (engine,))
    cursor.execute("select id from imagestoragelocation where name = %s", (engine,))
    return cursor.fetchone()[0]


_COLUMNS = (
    "select s.id, s.uuid, s.content_checksum, s.image_size, coalesce(array_agg(l.name::text) filter (where l.id is not null), '{}') from imagestorage s"
    " left join imagestorageplacement p on p.storage_id = s.id left join imagestoragelocation l on l.id = p.location_id"
)


def _found(cursor) -> Blob | None:
    row = cursor.fetchone()
    return Blob(*row[:4], tuple(row[4])) if row else None


def by_digest(cursor, digest: str) -> Blob | None:
    """Whoever has it."""
    cursor.execute(f"{_COLUMNS} where s.content_checksum = %s group by s.id", (digest,))
    return _found(cursor)


def by_uuid(cursor, name: str) -> Blob | None:
    """As the queue names it."""
    cursor.execute(f"{_COLUMNS} where s.uuid = %s group by s.id", (name,))
    return _found(cursor)


def of_repository(cursor, repository: int, digest: str) -> Blob | None:
    """A blob that was uploaded to this repository, or mounted."""
    cursor.execute(f"{_COLUMNS} join uploadedblob u on u.blob_id = s.id where u.repository_id = %s and s.content_checksum = %s group by s.id", (repository, digest))
    return _found(cursor)


def place(cursor, storage: int, engine: str) -> None:
    """That engine has it."""
    cursor.execute("insert into imagestorageplacement (storage_id, location_id) values (%s, %s) on conflict do nothing", (storage, location(cursor, engine)))


def link(cursor, repository: int, storage: int) -> None:
    """That repository has it."""
    cursor.execute("insert into uploadedblob (repository_id, blob_id) values (%s, %s) on conflict do nothing", (repository, storage))


def receive(pieces: Iterator[bytes]) -> tuple[BinaryIO, str, int]:
    """A temporary file with all of it, its digest and its size."""
    file = tempfile.TemporaryFile()
    digest, size = hashlib.sha256(), 0
    try:
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            file.write(piece)
    except BaseException:
        file.close()
        raise
    return file, f"sha256:{digest.hexdigest()}", size


def keep(config: dict, repository: int, engine: str, file: BinaryIO, digest: str, size: int, upload: str | None = None) -> None:
    """First the object, then the rows; only then is it told to anybody."""
    with services.transaction(config, "quay-registry") as cursor:
        known = by_digest(cursor, digest)
    store = s3.store(config, engine)
    if known is None or engine not in known.engines or not _there(store, digest, size):
        store.put_file(key(digest), file, digest.removeprefix("sha256:"))
    with services.transaction(config, "quay-registry") as cursor:
        cursor.execute(
            "insert into imagestorage (uuid, content_checksum, image_size) values (%s, %s, %s) on conflict (content_checksum) do nothing",
            (str(uuid.uuid4()), digest, size),
        )
        storage = by_digest(cursor, digest).id
        place(cursor, storage, engine)
        link(cursor, repository, storage)
        if upload is not None:
            cursor.execute("delete from blobupload where uuid = %s", (upload,))


def _there(store: s3.Store, digest: str, size: int) -> bool:
    """The database may be older than the store, or newer: a push must mend what is missing."""
    try:
        return store.size(key(digest)) == size
    except s3.NotStored:
        return False


def source(config: dict, blob: Blob) -> s3.Store:
    """The first preferred engine that has it; one that has it, if no preferred one does. There is no way around one that is down."""
    for engine in (*settings.preferred_engines(config), *sorted(blob.engines)):
        if engine in blob.engines:
            return s3.store(config, engine)
    raise s3.NotStored(f"no engine has {blob.digest}")


def content(config: dict, blob: Blob) -> Iterator[bytes]:
    """All of it, piece by piece."""
    store = source(config, blob)
    print(f"blob {blob.digest} from {store.name}", file=sys.stderr, flush=True)
    return store.open(key(blob.digest))


def expect(digest: str | None, found: str) -> None:
    """What came is what was announced."""
    if digest != found:
        raise Problem(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
