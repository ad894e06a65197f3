"""`config-tool validate`: the fields and the services behind them, group by group, as a table."""

import argparse
import sys
from pathlib import Path

from . import fields, services, settings


def _database(config: dict, directory: Path) -> None:
    connection = services.connect(config, "quay-config-tool")
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1 from pg_extension where extname = 'pg_trgm'")
            if cursor.fetchone() is None:
                raise settings.ConfigError("the extension pg_trgm is missing")
    finally:
        connection.close()


def _redis(config: dict, directory: Path) -> None:
    for name in ("BUILDLOGS_REDIS", "USER_EVENTS_REDIS"):
        if not isinstance(config[name], dict) or not config[name].get("host"):
            raise settings.ConfigError(f"{name}.host: required")
        services.check_redis(config[name])


def _storage(config: dict, directory: Path) -> None:
    fields.engines(config)
    for engine in config["DISTRIBUTED_STORAGE_CONFIG"]:
        services.check_engine(config, engine)


GROUPS = (
    ("RequiredFields", fields.required), ("FieldTypes", fields.types), ("HostSettings", fields.hosting), ("Database", _database), ("Redis", _redis),
    ("DistributedStorage", _storage), ("RepoMirror", fields.mirroring), ("SecurityScanner", fields.scanner), ("Optional", fields.optional),
)


def findings(config: dict, directory: Path) -> list[tuple[str, str]]:
    """Every group with its error, which is empty if there is none."""
    found = []
    for name, check in GROUPS:
        try:
            check(config, directory)
            found.append((name, ""))
        except Exception as error:  # whatever is wrong with a group is what the table is for
            found.append((name, " ".join(str(error).split()) or type(error).__name__))
    return found


def table(rows: list[tuple[str, str]]) -> str:
    """As the real tool draws it."""
    width = [max(len(text) for text in column) for column in zip(("Field Group", "Error"), *((name, error or "-") for name, error in rows))]
    rule = f"+{'-' * (width[0] + 2)}+{'-' * (width[1] + 2)}+--------+"
    lines = [rule, f"| {'Field Group':{width[0]}} | {'Error':{width[1]}} | Status |", rule]
    lines += [f"| {name:{width[0]}} | {error or '-':{width[1]}} | {'🔴' if error else '🟢'}     |" for name, error in rows]
    return "\n".join([*lines, rule])


def main() -> int:
    """0 if every group is well, else 1."""
    parser = argparse.ArgumentParser(prog="config-tool")
    commands = parser.add_subparsers(required=True)
    validate = commands.add_parser("validate")
    validate.add_argument("-c", "--configPath", dest="directory", type=Path, required=True)
    validate.add_argument("-m", "--mode", choices=("online", "offline", "setup", "testing"), default="online")
    directory = parser.parse_args().directory
    try:
        rows = findings(settings.load(directory), directory)
    except settings.ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    print(table(rows))
    return 1 if any(error for _, error in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
