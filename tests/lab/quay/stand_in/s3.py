"""An object store that speaks S3: path-style, each request signed by hand (version 4). A plain WebDAV server takes them too, and ignores the signature."""

import datetime
import hashlib
import hmac
import http.client
import ssl
import urllib.parse
from typing import BinaryIO, Iterator

from . import settings

TIMEOUT = 10
PIECE = 1 << 20
EMPTY = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
# Those that take a host, a key and a bucket, and speak S3 as a Ceph gateway does.
KINDS = ("RadosGWStorage", "RHOCSStorage", "IBMCloudStorage")


class StorageError(Exception):
    """The store did not do what it was asked for."""


class NotStored(StorageError):
    """There is no such object."""


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _query(pairs: dict[str, str]) -> str:
    return "&".join(f"{urllib.parse.quote(name, safe='-_.~')}={urllib.parse.quote(value, safe='-_.~')}" for name, value in sorted(pairs.items()))


class Store:
    """One engine of DISTRIBUTED_STORAGE_CONFIG."""

    def __init__(self, name: str, options: dict):
        self.name = name
        self.secure = options.get("is_secure") is True
        self.host = str(options["hostname"])
        self.port = int(options.get("port") or (443 if self.secure else 80))
        self.bucket = str(options["bucket_name"])
        self.root = str(options.get("storage_path", "")).strip("/")
        self.key = str(options["access_key"])
        self._secret = str(options["secret_key"])
        self.region = str(options.get("region_name") or "us-east-1")
        usual = 443 if self.secure else 80
        self.authority = self.host if self.port == usual else f"{self.host}:{self.port}"

    def path(self, key: str) -> str:
        """Where an object is: the bucket, the storage path, the key."""
        words = [self.bucket, *([self.root] if self.root else []), key]
        return "/" + urllib.parse.quote("/".join(words), safe="/-_.~")

    def _sign(self, day: str, text: str) -> str:
        key = f"AWS4{self._secret}".encode()
        for word in (day, self.region, "s3", "aws4_request"):
            key = _hmac(key, word)
        return _hmac(key, text).hex()

    def _scope(self, moment: datetime.datetime) -> tuple[str, str, str]:
        day = moment.strftime("%Y%m%d")
        return day, moment.strftime("%Y%m%dT%H%M%SZ"), f"{day}/{self.region}/s3/aws4_request"

    def headers(self, method: str, path: str, payload: str, moment: datetime.datetime | None = None) -> dict[str, str]:
        """What a request must say to be believed. `payload` is the SHA-256 of its body."""
        day, stamp, scope = self._scope(moment or datetime.datetime.now(datetime.timezone.utc))
        signed = {"host": self.authority, "x-amz-content-sha256": payload, "x-amz-date": stamp}
        names = ";".join(sorted(signed))
        canonical = "\n".join([method, path, "", *(f"{name}:{signed[name]}" for name in sorted(signed)), "", names, payload])
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        return {
            "Host": self.authority, "x-amz-content-sha256": payload, "x-amz-date": stamp,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, Signature={self._sign(day, text)}",
        }

    def address(self, key: str, seconds: int = 600, moment: datetime.datetime | None = None) -> str:
        """A URL that opens one object to whoever has it, for a while."""
        day, stamp, scope = self._scope(moment or datetime.datetime.now(datetime.timezone.utc))
        path = self.path(key)
        query = _query({
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": f"{self.key}/{scope}", "X-Amz-Date": stamp,
            "X-Amz-Expires": str(seconds), "X-Amz-SignedHeaders": "host",
        })
        canonical = "\n".join(["GET", path, query, f"host:{self.authority}", "", "host", UNSIGNED])
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        scheme = "https" if self.secure else "http"
        return f"{scheme}://{self.authority}{path}?{query}&X-Amz-Signature={self._sign(day, text)}"

    def _connect(self) -> http.client.HTTPConnection:
        if not self.secure:
            return http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT)
        context = ssl.create_default_context()
        for file in sorted((settings.STACK / "extra_ca_certs").glob("*")):
            context.load_verify_locations(file)
        return http.client.HTTPSConnection(self.host, self.port, timeout=TIMEOUT, context=context)

    def _ask(self, method: str, key: str, payload: str = EMPTY, body: bytes | BinaryIO | None = None, length: int = 0):
        """The open connection and the answer; the caller closes the connection."""
        connection = self._connect()
        path = self.path(key)
        try:
            headers = self.headers(method, path, payload)
            if method == "PUT":
                headers["Content-Length"] = str(length)
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise StorageError(f"engine {self.name}: {method}: {error or type(error).__name__}") from error
        if answer.status == 404:
            connection.close()
            raise NotStored(f"engine {self.name}: {method}: there is no {key}")
        if answer.status >= 300:
            connection.close()
            raise StorageError(f"engine {self.name}: {method} gives {answer.status}")
        return connection, answer

    def put(self, key: str, body: bytes) -> None:
        """Writes a small object."""
        self._ask("PUT", key, hashlib.sha256(body).hexdigest(), body, len(body))[0].close()

    def put_file(self, key: str, file: BinaryIO, payload: str) -> None:
        """Writes an object from a file, whose SHA-256 is known."""
        length = file.seek(0, 2)
        file.seek(0)
        self._ask("PUT", key, payload, file, length)[0].close()

    def size(self, key: str) -> int:
        """How big an object is; raises if there is none."""
        connection, answer = self._ask("HEAD", key)
        connection.close()
        return int(answer.getheader("Content-Length") or 0)

    def get(self, key: str) -> bytes:
        """A small object."""
        return b"".join(self.open(key))

    def open(self, key: str) -> Iterator[bytes]:
        """An object, piece by piece. It is known to be there when this returns."""
        connection, answer = self._ask("GET", key)
        return self._pieces(connection, answer)

    def _pieces(self, connection, answer) -> Iterator[bytes]:
        left = answer.length
        try:
            while piece := answer.read(PIECE):
                left = None if left is None else left - len(piece)
                yield piece
            if left:
                raise http.client.IncompleteRead(b"", left)
        except (OSError, http.client.HTTPException) as error:
            raise StorageError(f"engine {self.name}: GET: {error or type(error).__name__}") from error
        finally:
            connection.close()

    def delete(self, key: str) -> None:
        """Away with an object, whether it is there or not."""
        try:
            self._ask("DELETE", key)[0].close()
        except NotStored:
            pass


def store(config: dict, engine: str) -> Store:
    """The engine of that name."""
    if engine not in config["DISTRIBUTED_STORAGE_CONFIG"]:
        raise StorageError(f"there is no engine {engine}")
    kind, options = config["DISTRIBUTED_STORAGE_CONFIG"][engine]
    if kind not in KINDS:
        raise StorageError(f"engine {engine}: {kind} is not known here")
    return Store(engine, options)
