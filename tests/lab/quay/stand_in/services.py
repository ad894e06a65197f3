"""The shared services as a node uses them: PostgreSQL, Redis, the object store. Each check does the real thing and raises if it fails."""

import http.client
import secrets
import socket

import psycopg2
from psycopg2.extensions import make_dsn

TIMEOUT = 4


def connect(config: dict, name: str, database: str | None = None):
    """A session under a name of its own, each statement its own transaction."""
    options = {"application_name": name[:63], "connect_timeout": TIMEOUT}
    if database:
        options["dbname"] = database
    connection = psycopg2.connect(make_dsn(config["DB_URI"], **options))
    connection.autocommit = True
    return connection


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


def _object(options: dict, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(str(options["hostname"]), int(options.get("port", 80)), timeout=TIMEOUT)
    try:
        connection.request(method, path, body=body)
        answer = connection.getresponse()
        return answer.status, answer.read(4096)
    finally:
        connection.close()


def check_engine(config: dict, engine: str) -> None:
    """Writes and reads the `_verify` object of one engine."""
    kind, options = config["DISTRIBUTED_STORAGE_CONFIG"][engine]
    if kind != "RadosGWStorage":
        raise RuntimeError(f"engine {engine}: {kind} is not known here")
    root = str(options["storage_path"]).strip("/")
    path = f"/{options['bucket_name']}/{root}/_verify"
    body = secrets.token_hex(8).encode()
    status, _ = _object(options, "PUT", path, body)
    if status not in (200, 201, 204):
        raise RuntimeError(f"engine {engine}: write gives {status}")
    # Another node may write between the two: what counts is that something of that form comes back.
    status, read = _object(options, "GET", path)
    if status != 200 or len(read) != len(body):
        raise RuntimeError(f"engine {engine}: read gives {status}")
