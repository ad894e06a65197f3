"""One process of Clair in combo mode: configuration, database, service."""

import json
import signal
import sys
import threading

import psycopg2

from . import config, database, web


def log(level: str, text: str) -> None:
    """One line, as JSON."""
    print(json.dumps({"level": level, "component": "main", "message": text}), file=sys.stderr, flush=True)


def main() -> int:
    """The exit status."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = config.load(config.path())
        web.serve(settings["introspection"], web.Introspection, settings)
        for part in config.PARTS:
            database.prepare(settings["connstrings"][part], part, settings["migrations"][part])
        web.serve(settings["listen"], web.Api, settings)
    except (config.ConfigError, database.DatabaseError, psycopg2.Error, OSError) as error:
        log("fatal", " ".join(str(error).split()))
        return 1
    web.READY.set()
    log("info", "ready")
    stop.wait()
    web.READY.clear()
    log("info", "stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
