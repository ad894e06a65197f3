"""Requests and replies, between the server and what answers."""

import base64
import binascii
import json
import re
import urllib.parse
from dataclasses import dataclass, field
from typing import Iterator

PIECE = 1 << 20
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Problem(Exception):
    """A request that is answered with an error, as registries say it."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers or {}


@dataclass
class Reply:
    """What is sent: `body`, or `length` bytes that come piece by piece."""

    status: int
    body: bytes = b""
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Iterator[bytes] | None = None
    length: int = 0


def as_json(status: int, tree: object, headers: dict[str, str] | None = None) -> Reply:
    """A reply in JSON."""
    return Reply(status, json.dumps(tree).encode(), headers=headers or {})


class Body:
    """The body of a request, of a known length or in chunks."""

    def __init__(self, stream, length: str | None, coding: str | None):
        self._stream = stream
        self._chunked = (coding or "").lower().endswith("chunked")
        if not self._chunked and not (length or "0").isdigit():
            raise Problem(400, "UNSUPPORTED", "the length of the body is no number")
        self._left = 0 if self._chunked else int(length or 0)
        self.done = not self._chunked and self._left == 0

    def _next_chunk(self) -> None:
        try:
            self._left = int(self._stream.readline(100).split(b";")[0], 16)
            if self._left < 0:
                raise ValueError
        except ValueError as error:
            raise Problem(400, "UNSUPPORTED", "a chunk of the body has no size") from error
        if self._left == 0:
            while self._stream.readline(1000).strip():
                pass
            self.done = True

    def read(self) -> bytes:
        """The next piece; empty at the end. A client that goes away in the middle is an error."""
        if self._chunked and not self.done and self._left == 0:
            self._next_chunk()
        if self.done:
            return b""
        piece = self._stream.read(min(self._left, PIECE))
        if not piece:
            raise ConnectionError("the client went away")
        self._left -= len(piece)
        if self._left == 0:
            if self._chunked:
                self._stream.readline(10)
            else:
                self.done = True
        return piece

    def all(self, limit: int) -> bytes:
        """All of a small body."""
        data = b""
        while piece := self.read():
            data += piece
            if len(data) > limit:
                raise Problem(413, "SIZE_INVALID", f"the body is larger than {limit} bytes")
        return data


@dataclass
class Request:
    """One request."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: object
    body: Body
    config: dict

    def one(self, name: str) -> str | None:
        """The first value of a part of the query."""
        values = self.query.get(name)
        return values[0] if values else None

    def tree(self) -> dict:
        """The body as a mapping in JSON."""
        try:
            tree = json.loads(self.body.all(1 << 16) or b"{}")
        except ValueError as error:
            raise Problem(400, "invalid_request", "the body is no JSON") from error
        if not isinstance(tree, dict):
            raise Problem(400, "invalid_request", "the body is no mapping")
        return tree

    def basic(self) -> tuple[str, str] | None:
        """Name and password, if the request has them."""
        kind, _, text = (self.headers.get("Authorization") or "").partition(" ")
        if kind.lower() != "basic":
            return None
        try:
            name, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ("", "")
        return (name, password) if colon else ("", "")

    def bearer(self) -> str | None:
        """The token, if the request has one."""
        kind, _, text = (self.headers.get("Authorization") or "").partition(" ")
        return text if kind.lower() == "bearer" else None

    def origin(self) -> str:
        """How clients call this registry."""
        return f"{self.config['PREFERRED_URL_SCHEME']}://{self.config['SERVER_HOSTNAME']}"


def split(target: str) -> tuple[str, dict[str, list[str]]]:
    """Path and query of a request line."""
    path, _, query = target.partition("?")
    return urllib.parse.unquote(path), urllib.parse.parse_qs(query, keep_blank_values=True)
