"""One process of Quay, from its start to its stop: validation, storage preference, migration, service."""

import os
import signal
import sys
import threading
import time
import traceback

import psycopg2

from . import mirror, replication, scanner, schema, services, settings, validate, web
from .events import Events


class Stopped(Exception):
    """SIGTERM before the service began."""


class Refused(Exception):
    """The process must not run; the reason is in the events already."""


STOP = threading.Event()
serving = False


def on_signal(number, frame) -> None:
    """As PID 1 a process has no default action: without this nothing but SIGKILL would end it."""
    STOP.set()
    if not serving:
        raise Stopped(signal.Signals(number).name)


def check(config: dict, events: Events) -> None:
    """What the init scripts look at before anything is touched."""
    if not os.environ.get("IGNORE_VALIDATION"):
        rows = validate.findings(config, settings.STACK)
        print(validate.table(rows), flush=True)
        bad = [f"{name}: {error}" for name, error in rows if error]
        if bad:
            events.try_write("refused", "configuration: " + "; ".join(bad))
            raise Refused("the configuration is not valid")
    if settings.preference_missing(config):
        text = "Missing storage preference: set QUAY_DISTRIBUTED_STORAGE_PREFERENCE when FEATURE_STORAGE_REPLICATION is on"
        events.write("refused", text)
        raise Refused(text)


def migrate(config: dict, events: Events, target: str) -> None:
    """No lock: two that start together both migrate, and the second one fails, as it does in life."""
    connection = services.connect(config, "quay-migration")
    try:
        try:
            revisions = schema.pending(connection, target)
        except schema.CommandError as error:
            events.write("refused", str(error))
            raise
        if not revisions:
            return
        before = schema.current(connection)
        events.write("migrate_begin", f"{before} -> {revisions[-1].id}")
        try:
            schema.upgrade(connection, revisions, float(config.get("LAB_MIGRATION_SECONDS", 2)))
        except BaseException as error:
            events.try_write("migrate_failed", f"{type(error).__name__}: {error}")
            raise
        events.write("migrate_end", f"{before} -> {revisions[-1].id}")
    finally:
        connection.close()


def begin(mode: str, config: dict, events: Events) -> list[threading.Thread]:
    """What this mode does beside the watch; those that are returned may end what they are at when the process stops."""
    work = []
    if mode.startswith("registry"):
        web.serve(config)
        if config.get("FEATURE_STORAGE_REPLICATION"):
            work.append(replication.work)
        if config.get("FEATURE_SECURITY_SCANNER"):
            work.append(scanner.work)
    elif config.get("FEATURE_REPO_MIRROR"):
        work.append(mirror.work)
    else:
        # The configuration is read once: it stays so until a restart, whatever is written there.
        print("repomirrorworker: FEATURE_REPO_MIRROR is off: nothing to do until a restart", flush=True)
        events.write("idle")
        return []
    events.write("ready")
    threads = [threading.Thread(target=function, args=(config, STOP), daemon=True) for function in work]
    for thread in threads:
        thread.start()
    return threads


def run(mode: str, arguments: list[str]) -> int:
    """The exit status of a process in that mode."""
    global serving
    config = settings.load()
    missing = [name for name in settings.REQUIRED if config.get(name) in (None, "", {})]
    if missing:
        raise settings.ConfigError("required fields are missing: " + ", ".join(missing))
    events = Events(config, mode)
    try:
        events.write("start")
        events.look()
        check(config, events)
        if mode == "migrate":
            migrate(config, events, arguments[0])
        elif not mode.endswith("-nomigrate"):
            migrate(config, events, "head")
        elif schema.pending(connection := services.connect(config, "quay-migration"), "head"):
            print("the schema is older than this version", file=sys.stderr, flush=True)
            connection.close()
        if mode != "migrate":
            threads = begin(mode, config, events)
            serving = True
            threading.Thread(target=events.watch, args=(STOP,), daemon=True).start()
            while not STOP.wait(1):
                pass
            time.sleep(1)  # requests under way end
            for thread in threads:
                thread.join(5)
        events.try_write("stop")
        return 0
    finally:
        events.close()


def main() -> int:
    """Failures end in a traceback, as they do in the logs of the real one."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    mode, *arguments = sys.argv[1:] or ["registry"]
    if mode == "migrate" and len(arguments) != 1:
        print("usage: migrate REVISION", file=sys.stderr)
        return 2
    try:
        return run(mode, arguments)
    except Stopped as signal_name:
        print(f"stopped by {signal_name}", file=sys.stderr, flush=True)
        return 143
    except (Refused, settings.ConfigError) as error:
        print(f"ERROR: {error}", file=sys.stderr, flush=True)
        return 1
    except (psycopg2.Error, schema.CommandError, OSError):
        traceback.print_exc()
        return 1


if __name__ == "__main__":
    sys.exit(main())
