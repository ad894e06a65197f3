"""What a node answers over HTTP and HTTPS."""

import shutil
import ssl
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg2

from . import api, registry, s3, services, settings
from .messages import Body, Problem, Reply, Request, as_json, split


def _passes(check, *arguments) -> bool:
    try:
        check(*arguments)
        return True
    except Exception as error:  # a health check says no, whatever the reason; the reason is in the log
        print(f"health: {check.__name__}: {error}", file=sys.stderr, flush=True)
        return False


def _free(path: str) -> float:
    usage = shutil.disk_usage(path)
    return usage.free / usage.total


def instance(config: dict) -> dict[str, bool]:
    """This node alone."""
    return {
        "registry_gunicorn": True,
        "web_gunicorn": True,
        "service_key": not settings.never_healthy(),
        "disk_space": min(_free("/"), _free("/tmp")) > config.get("DISKSPACE_HEALTH_THRESHOLD", 0.01),
        "database": _passes(services.check_database, config),
        "auth": True,
    }


def endtoend(config: dict) -> dict[str, bool]:
    """The shared services, seen from this node: the first preferred engine only."""
    return {
        "database": _passes(services.check_database, config),
        "redis": not settings.never_healthy() and _passes(services.check_redis, config["BUILDLOGS_REDIS"]),
        "storage": _passes(services.check_engine, config, settings.preferred_engines(config)[0]),
        "auth": True,
    }


def warning(config: dict) -> dict[str, bool]:
    """True if there is room."""
    return {"disk_space_warning": min(_free("/"), _free("/tmp")) > config.get("DISKSPACE_HEALTH_WARNING_THRESHOLD", 0.1)}


HEALTH = {"/health": instance, "/health/instance": instance, "/health/endtoend": endtoend, "/status": endtoend, "/health/warning": warning}


class Handler(BaseHTTPRequestHandler):
    """One request. `server` carries the configuration and whether plain HTTP only redirects."""

    protocol_version = "HTTP/1.1"
    server_version = "nginx"
    sys_version = ""
    timeout = 30

    def _answer(self) -> None:
        body = None
        try:
            body = Body(self.rfile, self.headers.get("Content-Length"), self.headers.get("Transfer-Encoding"))
            path, query = split(self.path)
            request = Request(self.command, path, query, self.headers, body, self.server.config)
            reply = self._reply(request)
        except Problem as problem:
            text = str(problem)
            tree = {"errors": [{"code": problem.code, "message": text, "detail": {}}], "message": text}
            reply = as_json(problem.status, tree, problem.headers)
        # A body that nobody has read would be taken for the next request.
        self.close_connection = self.close_connection or body is None or not body.done
        self._send(reply)
        if body is not None and not body.done:
            self._linger(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def _linger(self, body: Body) -> None:
        """Takes some of what the client still sends: to close at once would take the reply away from it."""
        self.wfile.flush()
        self.connection.settimeout(2)
        try:
            for _ in range(64):
                if not body.read():
                    break
        except (OSError, Problem):
            pass

    def _reply(self, request: Request) -> Reply:
        config, path = request.config, request.path.rstrip("/") or "/"
        try:
            if self.server.redirects:
                host = self.headers.get("Host", config["SERVER_HOSTNAME"]).split(":")[0]
                return Reply(301, kind="text/html", headers={"Location": f"https://{host}{self.path}"})
            if path == "/v2" or path.startswith("/v2/"):
                return registry.answer(request)
            if path.startswith("/api/v1/"):
                return api.answer(request)
        except (psycopg2.Error, s3.StorageError) as error:
            print(f"web: {error}", file=sys.stderr, flush=True)
            raise Problem(503, "UNKNOWN", "a service behind this one does not answer") from error
        if path in HEALTH and request.method in ("GET", "HEAD"):
            found = HEALTH[path](config)
            status = 200 if all(found.values()) else 503
            return as_json(status, {"data": {"services": found}, "status_code": status})
        if path == "/" and request.method in ("GET", "HEAD"):
            return Reply(200, b"<!DOCTYPE html><title>Quay</title>\n", "text/html")
        return Reply(404, b"not found\n", "text/plain")

    def _send(self, reply: Reply) -> None:
        length = reply.length if reply.pieces is not None or reply.length else len(reply.body)
        self.send_response(reply.status)
        for name, value in {"Content-Type": reply.kind, "Content-Length": str(length), **reply.headers}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(reply.body)
        for piece in reply.pieces or ():
            self.wfile.write(piece)

    def log_message(self, format: str, *arguments) -> None:
        print(f"nginx stdout | {self.client_address[0]} {format % arguments}", flush=True)


class Server(ThreadingHTTPServer):
    """Each connection in its own thread, the TLS handshake too: a client that never speaks blocks nobody."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, config: dict, context: ssl.SSLContext | None = None, redirects: bool = False):
        super().__init__(("0.0.0.0", port), Handler)
        self.config = config
        self.context = context
        self.redirects = redirects

    def finish_request(self, request, client_address) -> None:
        if self.context is not None:
            request.settimeout(10)
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address) -> None:
        error = sys.exc_info()[1]
        print(f"nginx stderr | {client_address[0]}: {error}", file=sys.stderr, flush=True)
        # A client that goes away, or a store in the middle of a blob, is no fault of this program; anything else is.
        if not isinstance(error, (OSError, s3.StorageError)):
            traceback.print_exc()


def serve(config: dict, directory: Path = settings.STACK) -> list[Server]:
    """HTTPS as soon as there is a key; HTTP then only redirects."""
    servers = []
    if (directory / "ssl.key").exists():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "ssl.cert", directory / "ssl.key")
        servers.append(Server(8443, config, context))
    servers.append(Server(8080, config, redirects=bool(servers)))
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    return servers
