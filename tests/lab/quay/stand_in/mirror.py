"""The mirror worker: tags of another repository of the same registry, again and again. Its mirrors are the rows of repomirrorconfig."""

import threading

import psycopg2

from . import services

# What sync_status says.
NEVER, SYNCING, SUCCESS, FAIL = 0, 1, 2, -1


def _claim(config: dict):
    """One mirror that is due. Who has died over it loses it after ten minutes."""
    with services.transaction(config, "quay-mirror") as cursor:
        cursor.execute(
            "update repomirrorconfig set sync_status = %s, sync_expiration_date = now() at time zone 'utc' + interval '10 minutes' where id = ("
            " select id from repomirrorconfig where is_enabled and sync_start_date <= now() at time zone 'utc'"
            " and (sync_status <> %s or sync_expiration_date <= now() at time zone 'utc') order by sync_start_date limit 1 for update skip locked)"
            " returning id, repository_id, external_reference",
            (SYNCING, SYNCING),
        )
        return cursor.fetchone()


def _copy_manifest(cursor, manifest: int, target: int) -> int:
    """A manifest with all that it names, in another repository."""
    cursor.execute("insert into uploadedblob (repository_id, blob_id) select %s, blob_id from manifestblob where manifest_id = %s on conflict do nothing", (target, manifest))
    cursor.execute(
        "insert into manifest (repository_id, digest, media_type, manifest_bytes) select %s, digest, media_type, manifest_bytes from manifest where id = %s"
        " on conflict (repository_id, digest) do update set media_type = excluded.media_type returning id",
        (target, manifest),
    )
    copy = cursor.fetchone()[0]
    cursor.execute("insert into manifestblob (manifest_id, blob_id) select %s, blob_id from manifestblob where manifest_id = %s on conflict do nothing", (copy, manifest))
    cursor.execute("select child_manifest_id from manifestchild where manifest_id = %s", (manifest,))
    for (child,) in cursor.fetchall():
        cursor.execute("insert into manifestchild values (%s, %s) on conflict do nothing", (copy, _copy_manifest(cursor, child, target)))
    return copy


def _sync(config: dict, target: int, reference: str) -> int:
    """How many tags there are now: those of the other repository, and no others."""
    namespace, _, name = reference.partition("/")
    with services.transaction(config, "quay-mirror") as cursor:
        cursor.execute('select r.id from repository r join "user" u on u.id = r.namespace_user_id where u.username = %s and r.name = %s', (namespace, name))
        if (row := cursor.fetchone()) is None:
            raise LookupError(f"there is no repository {reference}")
        cursor.execute("select name, manifest_id from tag where repository_id = %s", row)
        tags = cursor.fetchall()
        for tag, manifest in tags:
            cursor.execute(
                "insert into tag (repository_id, name, manifest_id) values (%s, %s, %s) on conflict (repository_id, name) do update set manifest_id = excluded.manifest_id",
                (target, tag, _copy_manifest(cursor, manifest, target)),
            )
        cursor.execute("delete from tag where repository_id = %s and not name = any(%s)", (target, [tag for tag, _ in tags]))
        return len(tags)


def _end(config: dict, number: int, status: int) -> None:
    with services.transaction(config, "quay-mirror") as cursor:
        cursor.execute(
            "update repomirrorconfig set sync_status = %s, sync_expiration_date = null,"
            " sync_start_date = now() at time zone 'utc' + make_interval(secs => sync_interval) where id = %s",
            (status, number),
        )


def look(config: dict) -> int:
    """Every mirror that is due, once; how many there were."""
    count = 0
    while row := _claim(config):
        number, target, reference = row
        count += 1
        try:
            tags = _sync(config, target, reference)
            _end(config, number, SUCCESS)
            print(f"repomirrorworker: {reference}: {tags} tags are in step", flush=True)
        except LookupError as error:
            _end(config, number, FAIL)
            print(f"repomirrorworker: {error}", flush=True)
    return count


def work(config: dict, stop: threading.Event) -> None:
    """Until the process stops."""
    while not stop.is_set():
        try:
            print(f"repomirrorworker: {look(config)} mirrors were due", flush=True)
        except psycopg2.Error as error:
            print(f"repomirrorworker: database: {error}", flush=True)
        stop.wait(float(config.get("REPO_MIRROR_INTERVAL", 30)))
