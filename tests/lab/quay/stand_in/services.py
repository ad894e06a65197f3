"""The shared services as a node uses them: PostgreSQL, Redis, the object store. Each check does the real thing and raises if it fails."""

import contextlib
import secrets
import socket

import psycopg2
from psycopg2.extensions import make_dsn

from . import s3

TIMEOUT = 4


def connect(config: dict, name: str, database: str | None = None):
    """A session under a name of its own, each statement its own transaction."""
    options = {"application_name": name[:63], "connect_timeout": TIMEOUT}
    if database:
        options["dbname"] = database
    connection = psycopg2.connect(make_dsn(config["DB_URI"], **options))
    connection.autocommit = True
    return connection


@contextlib.contextmanager
def transaction(config: dict, name: str):
    """A cursor in a session of its own; what it did counts when the block has ended well, and then for good."""
    connection = connect(config, name)
    try:
        with transaction_of(connection) as cursor:
            yield cursor
    finally:
        connection.close()


@contextlib.contextmanager
def transaction_of(connection):
    """The same, in a session that lives on."""
    connection.autocommit = False
    with connection, connection.cursor() as cursor:
        cursor.execute("set local statement_timeout = '20s'")
        yield cursor


def check_database(config: dict) -> None:
    """Reads a table of the schema: a database without it is not healthy."""
    connection = connect(config, "quay-health")
    try:
        with connection.cursor() as cursor:
            cursor.execute("set statement_timeout = '4s'")
            cursor.execute("select id, name from teamrole limit 1")
            if cursor.fetchone() is None:
                raise RuntimeError("teamrole is empty")
    finally:
        connection.close()


def _redis_command(stream, *words: str) -> bytes:
    encoded = [word.encode() for word in words]
    stream.write(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded))
    stream.flush()
    return stream.readline(512)


def check_redis(options: dict) -> None:
    """AUTH, if there is a password, and PING."""
    address = (str(options["host"]), int(options.get("port", 6379)))
    with socket.create_connection(address, timeout=TIMEOUT) as connection, connection.makefile("rwb") as stream:
        password = options.get("password")
        if password and (answer := _redis_command(stream, "AUTH", str(password))) != b"+OK\r\n":
            raise RuntimeError(f"redis AUTH: {answer!r}")
        if (answer := _redis_command(stream, "PING")) != b"+PONG\r\n":
            raise RuntimeError(f"redis PING: {answer!r}")


def check_engine(config: dict, engine: str) -> None:
    """Writes and reads the `_verify` object of one engine."""
    store = s3.store(config, engine)
    body = secrets.token_hex(8).encode()
    store.put("_verify", body)
    # Another node may write between the two: what counts is that something of that form comes back.
    if len(store.get("_verify")) != len(body):
        raise s3.StorageError(f"engine {engine}: what was written does not come back")
