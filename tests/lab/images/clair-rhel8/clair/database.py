"""What Clair keeps: one table of reports. The three parts may share a database, or have one each."""

import json
import re

import psycopg2

# Made by the part that it belongs to, if that is told to migrate. The extension comes first, as in the real one.
STATEMENTS = {
    "indexer": (
        'create extension if not exists "uuid-ossp"',
        "create table if not exists indexreport (id uuid primary key default uuid_generate_v4(), manifest_hash text not null unique,"
        " state text not null, report jsonb not null, changed timestamptz not null default now())",
    ),
    "matcher": ('create extension if not exists "uuid-ossp"', "create table if not exists update_operation (id uuid primary key default uuid_generate_v4(), updater text not null)"),
    "notifier": ('create extension if not exists "uuid-ossp"', "create table if not exists notification (id uuid primary key default uuid_generate_v4(), status text not null)"),
}
TABLES = {"indexer": "indexreport", "matcher": "update_operation", "notifier": "notification"}


class DatabaseError(Exception):
    """Clair must not start with this database."""


def connect(connstring: str, name: str):
    """A session; the options of the pool of the real one mean nothing to libpq."""
    text = re.sub(r"\bpool_\w+=\S+", "", connstring)
    connection = psycopg2.connect(text, application_name=f"clair/{name}", connect_timeout=5)
    connection.autocommit = True
    return connection


def prepare(connstring: str, part: str, migrate: bool) -> None:
    """Two that start together may both try to make a table; the lock lets one go first."""
    connection = connect(connstring, part)
    try:
        with connection.cursor() as cursor:
            if migrate:
                cursor.execute("select pg_advisory_lock(46)")
                for statement in STATEMENTS[part]:
                    cursor.execute(statement)
            cursor.execute("select 1 from pg_extension where extname = 'uuid-ossp'")
            if cursor.fetchone() is None:
                raise DatabaseError(f'{part}: the extension "uuid-ossp" is missing')
            cursor.execute("select to_regclass(%s)", (TABLES[part],))
            if cursor.fetchone()[0] is None:
                raise DatabaseError(f"{part}: the database has no schema, and migrations is off")
    finally:
        connection.close()


def write(connstring: str, report: dict) -> None:
    """The report of a manifest, in place of an earlier one."""
    connection = connect(connstring, "indexer")
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into indexreport (manifest_hash, state, report) values (%s, %s, %s)"
                " on conflict (manifest_hash) do update set state = excluded.state, report = excluded.report, changed = now()",
                (report["manifest_hash"], report["state"], json.dumps(report)),
            )
    finally:
        connection.close()


def read(connstring: str, manifest: str) -> dict | None:
    """The report of a manifest."""
    connection = connect(connstring, "indexer")
    try:
        with connection.cursor() as cursor:
            cursor.execute("select report from indexreport where manifest_hash = %s", (manifest,))
            row = cursor.fetchone()
            return row[0] if row else None
    finally:
        connection.close()
