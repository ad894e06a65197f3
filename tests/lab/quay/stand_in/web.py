"""What a node answers over HTTP and HTTPS."""

import json
import shutil
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from . import services, settings


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

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        config = self.server.config
        if self.server.redirects:
            host = self.headers.get("Host", config["SERVER_HOSTNAME"]).split(":")[0]
            self._answer(301, b"", "text/html", {"Location": f"https://{host}{self.path}"})
        elif (path.rstrip("/") or "/") in HEALTH:
            found = HEALTH[path.rstrip("/")](config)
            status = 200 if all(found.values()) else 503
            self._answer(status, json.dumps({"data": {"services": found}, "status_code": status}).encode(), "application/json")
        elif path in ("/v2", "/v2/"):
            realm = f'Bearer realm="{config["PREFERRED_URL_SCHEME"]}://{config["SERVER_HOSTNAME"]}/v2/auth",service="{config["SERVER_HOSTNAME"]}"'
            self._answer(401, b'{"errors":[{"code":"UNAUTHORIZED"}]}', "application/json", {"WWW-Authenticate": realm, "Docker-Distribution-API-Version": "registry/2.0"})
        elif path == "/":
            self._answer(200, b"<!DOCTYPE html><title>Quay</title>\n", "text/html")
        else:
            self._answer(404, b"not found\n", "text/plain")

    do_HEAD = do_GET

    def _answer(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

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
        print(f"nginx stderr | {client_address[0]}: {sys.exc_info()[1]}", file=sys.stderr, flush=True)


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
