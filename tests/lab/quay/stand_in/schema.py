"""The schema and its migrations: without a lock, statement by statement, as the real one migrates."""

import time
from typing import NamedTuple

from . import settings


class Revision(NamedTuple):
    """One step of the schema."""

    id: str
    title: str
    since: int  # the minor version of the first release with it
    statements: tuple[str, ...]


# What is pushed: blobs with the engines that have them, uploads that are not finished, manifests, tags.
CONTENT = (
    "create table imagestoragelocation (id serial primary key, name varchar(255) not null unique)",
    "create table imagestorage (id serial primary key, uuid varchar(255) not null unique, content_checksum varchar(255) not null unique, image_size bigint not null)",
    "create table imagestorageplacement (id serial primary key, storage_id integer not null references imagestorage (id),"
    " location_id integer not null references imagestoragelocation (id), unique (storage_id, location_id))",
    "create table blobupload (id serial primary key, repository_id integer not null references repository (id), uuid varchar(255) not null unique,"
    " location_id integer not null references imagestoragelocation (id), byte_count bigint not null default 0, storage_metadata text not null default '[]',"
    " created timestamp not null default (now() at time zone 'utc'))",
    "create table uploadedblob (repository_id integer not null references repository (id), blob_id integer not null references imagestorage (id),"
    " primary key (repository_id, blob_id))",
    "create table manifest (id serial primary key, repository_id integer not null references repository (id), digest varchar(255) not null,"
    " media_type varchar(255) not null, manifest_bytes text not null, unique (repository_id, digest))",
    "create table manifestblob (manifest_id integer not null references manifest (id) on delete cascade, blob_id integer not null references imagestorage (id),"
    " primary key (manifest_id, blob_id))",
    "create table manifestchild (manifest_id integer not null references manifest (id) on delete cascade,"
    " child_manifest_id integer not null references manifest (id) on delete cascade, primary key (manifest_id, child_manifest_id))",
    "create table tag (id serial primary key, repository_id integer not null references repository (id), name varchar(255) not null,"
    " manifest_id integer not null references manifest (id) on delete cascade, unique (repository_id, name))",
    "create table manifestsecuritystatus (manifest_id integer primary key references manifest (id) on delete cascade, index_status integer not null,"
    " error text not null default '', last_indexed timestamp not null default (now() at time zone 'utc'))",
    "create table repomirrorconfig (id serial primary key, repository_id integer not null unique references repository (id), external_reference varchar(511) not null,"
    " is_enabled boolean not null default true, sync_interval integer not null, sync_start_date timestamp not null default (now() at time zone 'utc'),"
    " sync_expiration_date timestamp, sync_status integer not null default 0)",
)

REVISIONS = (
    Revision(
        "c156deb8845d",
        "Reset our migrations with a required update",
        7,
        (
            "create table teamrole (id serial primary key, name varchar(255) not null unique)",
            "insert into teamrole (name) values ('admin'), ('creator'), ('member')",
            'create table "user" (id serial primary key, username varchar(255) not null unique, email varchar(255) not null, password_hash varchar(255) not null)',
            "create table oauthaccesstoken (id serial primary key, token_hash varchar(255) not null unique,"
            ' authorized_user_id integer not null references "user" (id))',
            'create table repository (id serial primary key, namespace_user_id integer references "user" (id), name varchar(255) not null, description text,'
            " is_public boolean not null default false, unique (namespace_user_id, name))",
            "create index repository_name_trgm on repository using gin (name gin_trgm_ops)",
            *CONTENT,
        ),
    ),
    Revision(
        "909d725887d3",
        "Add the work queue",
        7,
        (
            "create table queueitem (id serial primary key, queue_name varchar(1024) not null, body text not null,"
            " available_after timestamp not null default (now() at time zone 'utc'), available boolean not null default true,"
            " processing_expires timestamp, retries_remaining integer not null default 5, state_id varchar(255) not null default '' unique)",
            "create index queueitem_queue_name on queueitem (queue_name)",
        ),
    ),
    Revision(
        "88e64904d000",
        "Add a state to repositories",
        8,
        (
            "alter table repository add column state integer not null default 0",
            "create index repository_state on repository (state)",
        ),
    ),
    Revision(
        "d42c175b439a",
        "Add quotas of namespaces",
        8,
        (
            "create table namespacequota (id serial primary key, namespace_user_id integer not null, limit_bytes bigint not null)",
            'alter table "user" add column quota_bytes bigint',
            "create index namespacequota_namespace on namespacequota (namespace_user_id)",
        ),
    ),
)


class CommandError(Exception):
    """Named as alembic names it, because people look for that name in a log."""


CommandError.__module__ = "alembic.util.exc"


def known() -> list[Revision]:
    """The revisions that this image has."""
    return [revision for revision in REVISIONS if settings.version_at_least(revision.since)]


def head() -> str:
    """The newest revision of this image."""
    return known()[-1].id


def current(connection) -> str | None:
    """What the database says it has; nothing if it is empty."""
    with connection.cursor() as cursor:
        cursor.execute("select to_regclass('alembic_version')")
        if cursor.fetchone()[0] is None:
            return None
        cursor.execute("select version_num from alembic_version")
        row = cursor.fetchone()
        return row[0] if row else None


def position(revision: str | None) -> int:
    """How many of the known revisions are in a database of that revision."""
    if revision is None:
        return 0
    for index, item in enumerate(known()):
        if item.id == revision:
            return index + 1
    raise CommandError(f"Can't locate revision identified by '{revision}'")


def pending(connection, target: str) -> list[Revision]:
    """The revisions that lead from the database to the target (`head` or an id)."""
    start = position(current(connection))
    end = position(head() if target == "head" else target)
    if end < start:
        raise CommandError("a downgrade is not supported")
    return known()[start:end]


def upgrade(connection, revisions: list[Revision], seconds: float) -> None:
    """Each statement for itself, with time between them; the version number after the statements of its revision."""
    pause = seconds / max(1, sum(len(revision.statements) for revision in revisions))
    with connection.cursor() as cursor:
        cursor.execute("create table if not exists alembic_version (version_num varchar(32) not null primary key)")
        for revision in revisions:
            before = current(connection)
            print(f"INFO  [alembic.runtime.migration] Running upgrade {before or ''} -> {revision.id}, {revision.title}", flush=True)
            for statement in revision.statements:
                cursor.execute(statement)
                time.sleep(pause)
            if before is None:
                cursor.execute("insert into alembic_version (version_num) values (%s)", (revision.id,))
            else:
                cursor.execute("update alembic_version set version_num = %s where version_num = %s", (revision.id, before))


