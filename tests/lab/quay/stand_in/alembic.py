"""The `alembic` command, as far as an operator needs it: `heads` and `current`."""

import sys

from . import schema, services, settings


def main() -> int:
    """The exit status."""
    match sys.argv[1:]:
        case ["heads"]:
            print(f"{schema.head()} (head)")
        case ["current"]:
            connection = services.connect(settings.load(), "quay-alembic")
            revision = schema.current(connection)
            schema.position(revision)
            print("" if revision is None else f"{revision} (head)" if revision == schema.head() else revision)
        case _:
            print("usage: alembic heads | current", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
