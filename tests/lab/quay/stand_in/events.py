"""The record that tests read: what this process did, and which other version ran at the same time."""

import sys
import threading

import psycopg2

from . import services, settings

# A database beside Quay's, so that a dump or a restore of Quay's does not change the record.
DATABASE = "lab"


class Events:
    """Writes events, and keeps the one session that says that this process lives."""

    def __init__(self, config: dict, mode: str):
        self.config = config
        self.mode = mode
        self.node = settings.node()
        self.name = f"quay/{settings.VERSION}/{self.node}/{mode}"
        self.recorded: bool | None = None
        self._session = None
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def write(self, event: str, detail: str = "") -> None:
        """Raises if it cannot be written: a process that leaves no trace must not run. Where nobody made the record, the log is one."""
        if self._recorded():
            connection = services.connect(self.config, "quay-event", DATABASE)
            try:
                with connection.cursor() as cursor:
                    cursor.execute(
                        "insert into lab_event (node, container, version, mode, event, detail) values (%s, %s, %s, %s, %s, %s)",
                        (self.node, settings.container(), settings.VERSION, self.mode, event, detail[:2000]),
                    )
            finally:
                connection.close()
        print(f"lab event: {event} {detail}", flush=True)

    def _recorded(self) -> bool:
        """Whether the server has the record; asked once."""
        if self.recorded is None:
            connection = services.connect(self.config, "quay-event")
            try:
                with connection.cursor() as cursor:
                    cursor.execute("select from pg_database where datname = %s", (DATABASE,))
                    self.recorded = cursor.fetchone() is not None
            finally:
                connection.close()
        return self.recorded

    def try_write(self, event: str, detail: str = "") -> None:
        """On the way out, when there may be no database any more."""
        try:
            self.write(event, detail)
        except psycopg2.Error as error:
            print(f"lab event {event} not written: {error}", file=sys.stderr, flush=True)

    def look(self) -> None:
        """Opens the session if it is gone, and writes each live session of another version once."""
        with self._lock:
            if self._session is None:
                self._session = services.connect(self.config, self.name)
            try:
                with self._session.cursor() as cursor:
                    cursor.execute("select application_name from pg_stat_activity where application_name like 'quay/%' and pid <> pg_backend_pid()")
                    others = {row[0] for row in cursor.fetchall()}
            except psycopg2.Error:
                self._session.close()
                self._session = None
                raise
        for other in sorted(others - self._seen):
            if other.split("/")[1] != settings.VERSION:
                self.write("overlap", f"{self.name} and {other}")
                self._seen.add(other)

    def watch(self, stopped: threading.Event) -> None:
        """Looks every second until the process stops; a database that is away is tried again."""
        while not stopped.wait(1):
            try:
                self.look()
            except psycopg2.Error as error:
                print(f"database: {error}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """The session goes last: until then this process counts as alive."""
        with self._lock:
            if self._session is not None:
                self._session.close()
                self._session = None
