"""The API for Quay, signed by the key that both have, and the health for operators."""

import base64
import binascii
import hashlib
import hmac
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2

from . import database, indexer

LEEWAY = 60
REPORTS = "/indexer/api/v1/index_report"
MATCHES = "/matcher/api/v1/vulnerability_report/"
READY = threading.Event()


def _part(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def allowed(header: str, key: bytes, issuers: list[str]) -> bool:
    """Whether a token is signed with the key, by one of the names, for now."""
    try:
        kind, token = header.split(" ", 1)
        head, body, signature = token.split(".")
        claims = json.loads(_part(body))
        right = hmac.new(key, f"{head}.{body}".encode(), hashlib.sha256).digest()
        return (
            kind.lower() == "bearer"
            and json.loads(_part(head)).get("alg") == "HS256"
            and hmac.compare_digest(right, _part(signature))
            and claims.get("iss") in issuers
            and float(claims.get("nbf", 0)) - LEEWAY <= time.time() <= float(claims["exp"]) + LEEWAY
        )
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        return False


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server_version = "clair"
    sys_version = ""
    timeout = 30

    def answer(self, status: int, body: object) -> None:
        """JSON, whatever it is."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def error(self, status: int, code: str, text: str) -> None:
        """As the real one says it."""
        self.answer(status, {"code": code, "message": text})

    def log_message(self, format: str, *arguments) -> None:
        print(json.dumps({"level": "info", "component": "http", "remote": self.client_address[0], "message": format % arguments}), flush=True)


class Introspection(Handler):
    """Is it there, is it ready?"""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path == "/healthz":
            self.answer(200, {})
        elif path == "/readyz":
            self.answer(200 if READY.is_set() else 503, {})
        else:
            self.error(404, "not-found", "no such page")

    do_HEAD = do_GET


class Api(Handler):
    """`server.config` is the configuration."""

    def _refused(self) -> bool:
        config = self.server.config
        if not config["key"] or allowed(self.headers.get("Authorization", ""), config["key"], config["issuers"]):
            return False
        self.close_connection = True
        self.error(401, "unauthorized", "authorization required")
        return True

    def _safely(self, function) -> None:
        try:
            function()
        except psycopg2.Error as error:
            print(json.dumps({"level": "error", "message": f"database: {error}".strip()}), file=sys.stderr, flush=True)
            self.error(500, "internal-error", "the database does not answer")

    def do_GET(self) -> None:
        if not self._refused():
            self._safely(self._get)

    def do_POST(self) -> None:
        if not self._refused():
            self._safely(self._post)

    def _get(self) -> None:
        path = self.path.split("?")[0]
        if path == "/indexer/api/v1/index_state":
            self.answer(200, {"state": "lab"})
            return
        for prefix in (f"{REPORTS}/", MATCHES):
            if path.startswith(prefix):
                report = database.read(self.server.config["connstrings"]["indexer"], path.removeprefix(prefix))
                if report is None or (prefix == MATCHES and not report["success"]):
                    self.error(404, "not-found", "no such manifest was indexed")
                elif prefix == MATCHES:
                    # There are no updaters here: nothing is known to be wrong.
                    self.answer(200, {name: report[name] for name in ("manifest_hash", "packages", "distributions", "environments")} | {"vulnerabilities": {}, "package_vulnerabilities": {}})
                else:
                    self.answer(200, report)
                return
        self.error(404, "not-found", "no such page")

    def _post(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 4 << 20))
        if self.path.split("?")[0] != REPORTS:
            self.error(404, "not-found", "no such page")
            return
        try:
            manifest, layers = indexer.checked(json.loads(body))
        except ValueError as error:
            self.error(400, "bad-request", str(error))
            return
        try:
            report = indexer.index(manifest, layers)
        except indexer.Unreadable as error:
            report = indexer.failed(manifest, str(error))
        database.write(self.server.config["connstrings"]["indexer"], report)
        print(json.dumps({"level": "info", "component": "indexer", "manifest": manifest, "state": report["state"], "packages": len(report["packages"]), "error": report["err"]}), flush=True)
        if report["success"]:
            self.answer(201, report)
        else:
            self.error(500, "index-error", report["err"])


def serve(address: tuple[str, int], handler: type[Handler], config: dict) -> ThreadingHTTPServer:
    """In a thread of its own."""
    server = ThreadingHTTPServer(address, handler)
    server.daemon_threads = True
    server.config = config
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
