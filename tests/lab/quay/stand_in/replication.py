"""Geo-replication: the queue, and the worker that copies blobs to where they should be."""

import json
import sys
import threading
import time
import uuid
from typing import NamedTuple

import psycopg2

from . import blobs, s3, services

QUEUE = "imagestoragereplication"
# A claim counts that long; after it another worker may try.
CLAIM = "20 minutes"


class Item(NamedTuple):
    """A row of the queue that this process has claimed."""

    id: int
    name: str
    body: str


def targets(config: dict, blob: blobs.Blob) -> list[str]:
    """The engines that lack it."""
    return [engine for engine in config.get("DISTRIBUTED_STORAGE_DEFAULT_LOCATIONS") or [] if engine not in blob.engines]


def ask(cursor, config: dict, namespace: str, blob: blobs.Blob) -> None:
    """In the transaction of the push: a manifest that is acknowledged is one whose blobs will be copied."""
    if not config.get("FEATURE_STORAGE_REPLICATION") or not targets(config, blob):
        return
    cursor.execute('select id from "user" where username = %s', (namespace,))
    body = json.dumps({"namespace_user_id": cursor.fetchone()[0], "storage_id": blob.uuid})
    cursor.execute("insert into queueitem (queue_name, body, state_id) values (%s, %s, %s)", (f"{QUEUE}/{namespace}/{blob.uuid}", body, str(uuid.uuid4())))


def claim(session) -> Item | None:
    """One item for this process. Who has changed the row in between has it."""
    with services.transaction_of(session) as cursor:
        cursor.execute(
            "select id, queue_name, body, state_id from queueitem where queue_name like %s and available_after <= now() at time zone 'utc'"
            " and (available or processing_expires <= now() at time zone 'utc') and retries_remaining > 0 order by random() limit 1",
            (f"{QUEUE}/%",),
        )
        row = cursor.fetchone()
        if row is None:
            return None
        cursor.execute(
            "update queueitem set available = false, processing_expires = now() at time zone 'utc' + %s::interval,"
            " retries_remaining = retries_remaining - 1, state_id = %s where id = %s and state_id = %s",
            (CLAIM, str(uuid.uuid4()), row[0], row[3]),
        )
        return Item(*row[:3]) if cursor.rowcount == 1 else None


def complete(config: dict, item: Item) -> None:
    """Done: away with it."""
    with services.transaction(config, "quay-replication") as cursor:
        cursor.execute("delete from queueitem where id = %s", (item.id,))


def incomplete(config: dict, item: Item) -> None:
    """Not done: it may be claimed again after a while, unless that was its last attempt."""
    with services.transaction(config, "quay-replication") as cursor:
        cursor.execute(
            "update queueitem set available = true, available_after = now() at time zone 'utc' + make_interval(secs => %s) where id = %s",
            (float(config.get("LAB_REPLICATION_RETRY_SECONDS", 300)), item.id),
        )


def copy(config: dict, item: Item) -> None:
    """The blob of an item to each engine that lacks it; a placement is written when the copy is there."""
    name = json.loads(item.body)["storage_id"]
    with services.transaction(config, "quay-replication") as cursor:
        blob = blobs.by_uuid(cursor, name)
    if blob is None:
        raise s3.NotStored(f"there is no storage {name}")
    time.sleep(float(config.get("LAB_REPLICATION_SECONDS", 0)))
    missing = targets(config, blob)
    if not missing:
        return
    file, digest, _ = blobs.receive(blobs.content(config, blob))
    with file:
        if digest != blob.digest:
            raise s3.StorageError(f"{blob.digest} comes back as {digest}")
        for engine in missing:
            s3.store(config, engine).put_file(blobs.key(digest), file, digest.removeprefix("sha256:"))
            with services.transaction(config, "quay-replication") as cursor:
                blobs.place(cursor, blob.id, engine)
            print(f"storagereplication: {digest} is in {engine}", flush=True)


def _attempt(config: dict, item: Item) -> None:
    try:
        copy(config, item)
        complete(config, item)
    except (s3.StorageError, ValueError, KeyError, OSError) as error:
        print(f"storagereplication: {item.name}: {error}", file=sys.stderr, flush=True)
        incomplete(config, item)


def work(config: dict, stop: threading.Event) -> None:
    """Until the process stops: item by item, and a look every second when there is none. One session lives as long as it can."""
    session = None
    while not stop.is_set():
        try:
            session = session or services.connect(config, "quay-replication")
            item = claim(session)
            if item is None:
                stop.wait(1)
            else:
                _attempt(config, item)
        except psycopg2.Error as error:
            print(f"storagereplication: database: {error}", file=sys.stderr, flush=True)
            if session is not None:
                session.close()
                session = None
            stop.wait(1)
    if session is not None:
        session.close()
