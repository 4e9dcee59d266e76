"""One run of a comparison, in a process of its own: `python -m league.studies.compare.side_run FOLDER`.

Its config comes by the standard input, as one line of JSON. When that input ends, because whoever started it stops or
has died, the run ends after its round. It says by lines of JSON how far it is: `{"steps": 1000}`, or `{"error": "…"}`.
"""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

from league.config.load import from_dict
from league.errors import LeagueError
from league.events import Event, RoundFinished
from league.orchestrator import League
from league.run.budget import RoundDropped


def main(folder: Path) -> None:
    """Train the run in `folder` to its budget."""
    try:
        config = from_dict(json.loads(sys.stdin.readline()))
        with League(config, folder, [_tell]) as league:
            threading.Thread(target=_stop_with_starter, args=(league,), daemon=True).start()
            league.run()
    except LeagueError as error:
        _say({"error": str(error)})


def _tell(event: Event) -> None:
    if isinstance(event, RoundFinished):
        _say({"steps": event.steps})


def _say(value: dict[str, object]) -> None:
    # Whoever started it may be gone: the run then ends as it should, by the end of its input.
    try:
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()
    except OSError:
        return


def _stop_with_starter(league: League) -> None:
    sys.stdin.read()
    try:
        league.interrupt()
    except RoundDropped:
        # In this thread it would drop nothing; the run itself looks at the request and drops the round later.
        return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
