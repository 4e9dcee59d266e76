"""The command line: how it starts and how it reports errors. The commands are declared in the `…_commands` files."""

from __future__ import annotations

import re
import sys

from cyclopts import CycloptsError

from league.cli import playing_commands, reading_commands, running_commands
from league.cli.options import app
from league.cli.output import flush, prepare
from league.errors import LeagueError, interrupts_as_raised

__all__ = ["app", "main", "playing_commands", "reading_commands", "running_commands"]


def main() -> None:
    """Run the command named in `sys.argv`. An error that a user can fix prints one message and exits with code 2."""
    prepare()
    try:
        try:
            with interrupts_as_raised():
                app(sys.argv[1:], exit_on_error=False, print_error=False)
        finally:
            flush()
    except CycloptsError as error:
        _fail(f"{error}\nSee `league --help`.")
    except LeagueError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        _fail(f"{error.filename or 'the system'}: {error.strerror or error}")
    except Exception as error:
        if (reason := _reason(error)) is None:
            raise
        _fail(reason)


def _reason(error: Exception) -> str | None:
    """A message for an exception that is not a LeagueError but that a user can fix; None for a bug in league."""
    from league.plugins import blame

    if isinstance(error, MemoryError) or re.search("can't allocate memory|out of memory", str(error)):
        return (
            f"not enough memory ({' '.join(str(error).split())}): use fewer algorithm.slots or "
            "algorithm.turns, smaller networks, or fewer --games"
        )
    return blame(error)


def _fail(message: str) -> None:
    from league.views.text import clean

    # Messages quote names from files, which must not contain terminal control characters.
    lines = [clean(line) for line in message.splitlines()]
    print("league:", "\n".join(lines), file=sys.stderr)
    sys.exit(2)
