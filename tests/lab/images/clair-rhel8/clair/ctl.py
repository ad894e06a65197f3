"""The `clairctl` command, as far as an operator needs it here: `check-config`."""

import sys
from pathlib import Path

from . import config


def main() -> int:
    """The exit status."""
    match sys.argv[1:]:
        case ["check-config"]:
            file = config.path()
        case ["check-config", name] | ["-c" | "--config", name, "check-config"]:
            file = Path(name)
        case _:
            print("usage: clairctl check-config [FILE]", file=sys.stderr)
            return 2
    try:
        config.load(file)
    except config.ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
