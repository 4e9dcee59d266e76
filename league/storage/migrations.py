"""The migrations that build the database's tables. A released migration is never edited; changes are new migrations.

Columns that hold times are named `*_at`, `seconds` or `phases`, and no other column is. All other columns are equal,
byte for byte, in a run that was killed and resumed and in one that never stopped.
"""

from __future__ import annotations

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

STEPS = Migrations("league")


def names() -> list[str]:
    """The migrations that this version knows, oldest first."""
    empty = Database(memory=True, execute_plugins=False)
    try:
        return [step.name for step in STEPS.pending(empty)]
    finally:
        empty.close()


@STEPS()
def m001_first(db: Database) -> None:
    """The run itself, its roster, its ledger, the training results, and one row per committed round."""
    for statement in _FIRST:
        db.execute(statement)
    for table in ("snapshots", "matches", "match_posts"):
        for verb in ("UPDATE", "DELETE"):
            db.execute(
                f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


@STEPS()
def m002_standings(db: Database) -> None:
    """Cached records, and the settings that the cached ratings were computed with."""
    for statement in _STANDINGS:
        db.execute(statement)


@STEPS()
def m003_seats(db: Database) -> None:
    """What each policy of a match scored at each seat, if its lineup does not tell (`MatchResult.seats`)."""
    db.execute(_SEATS)
    for verb in ("UPDATE", "DELETE"):
        db.execute(
            f"CREATE TRIGGER match_seats_{verb.lower()} BEFORE {verb} ON match_seats "
            "BEGIN SELECT RAISE(ABORT, 'match_seats is append-only'); END"
        )


@STEPS()
def m004_guests(db: Database) -> None:
    """The names of anchors that come from outside (`Snapshot.guest`)."""
    db.execute(_GUESTS)


_FIRST = (
    """CREATE TABLE run (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        config TEXT NOT NULL,
        created_at REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT""",
    """CREATE TABLE provenance (id INTEGER PRIMARY KEY, data TEXT NOT NULL, seen_at REAL NOT NULL) STRICT""",
    # A parent may be a snapshot of another run (population.init), hence no foreign key.
    """CREATE TABLE snapshots (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        role TEXT NOT NULL,
        learner TEXT NOT NULL,
        number INTEGER NOT NULL,
        round INTEGER NOT NULL,
        steps INTEGER NOT NULL,
        origin TEXT NOT NULL CHECK (origin IN ('initial', 'trained', 'anchor')),
        parent TEXT,
        hyperparameters TEXT NOT NULL,
        created_at REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE matches (
        id INTEGER PRIMARY KEY,
        round INTEGER NOT NULL,
        games INTEGER NOT NULL,
        placements TEXT NOT NULL,
        episodes INTEGER NOT NULL,
        turns INTEGER NOT NULL,
        seed INTEGER NOT NULL,
        paired INTEGER NOT NULL CHECK (paired IN (0, 1)),
        others TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE match_posts (
        match INTEGER NOT NULL REFERENCES matches (id),
        post INTEGER NOT NULL,
        side INTEGER NOT NULL,
        snapshot INTEGER NOT NULL REFERENCES snapshots (seq),
        score_sum REAL NOT NULL,
        score_sq REAL NOT NULL,
        forfeits INTEGER,
        PRIMARY KEY (match, post)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE training (
        id INTEGER PRIMARY KEY,
        learner TEXT NOT NULL,
        round INTEGER NOT NULL,
        opponent TEXT NOT NULL,
        episodes INTEGER NOT NULL,
        score REAL NOT NULL,
        return_mean REAL NOT NULL,
        UNIQUE (round, learner, opponent)
    ) STRICT""",
    """CREATE TABLE metrics (
        round INTEGER NOT NULL,
        learner TEXT NOT NULL,
        name TEXT NOT NULL,
        value REAL,
        PRIMARY KEY (round, learner, name)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        round INTEGER NOT NULL,
        kind TEXT NOT NULL,
        data TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE rounds (
        round INTEGER PRIMARY KEY,
        steps INTEGER NOT NULL,
        checkpoint TEXT NOT NULL,
        learners TEXT NOT NULL,
        seconds REAL NOT NULL,
        phases TEXT NOT NULL,
        finished_at REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE rating_kinds (kind TEXT PRIMARY KEY, upto INTEGER NOT NULL) STRICT""",
    """CREATE TABLE ratings (
        kind TEXT NOT NULL REFERENCES rating_kinds (kind),
        snapshot INTEGER NOT NULL REFERENCES snapshots (seq),
        value REAL NOT NULL,
        low REAL NOT NULL,
        high REAL NOT NULL,
        games INTEGER NOT NULL,
        PRIMARY KEY (kind, snapshot)
    ) STRICT, WITHOUT ROWID""",
)

_STANDINGS = (
    "ALTER TABLE rating_kinds ADD COLUMN settings TEXT NOT NULL DEFAULT ''",
    """CREATE TABLE records (
        snapshot INTEGER PRIMARY KEY REFERENCES snapshots (seq),
        wins INTEGER NOT NULL,
        draws INTEGER NOT NULL,
        losses INTEGER NOT NULL,
        score REAL NOT NULL
    ) STRICT""",
    """CREATE TABLE records_upto (id INTEGER PRIMARY KEY CHECK (id = 1), upto INTEGER NOT NULL) STRICT""",
)

_SEATS = """CREATE TABLE match_seats (
    match INTEGER NOT NULL,
    post INTEGER NOT NULL,
    seat INTEGER NOT NULL,
    episodes INTEGER NOT NULL,
    score_sum REAL NOT NULL,
    score_sq REAL NOT NULL,
    PRIMARY KEY (match, post, seat),
    FOREIGN KEY (match, post) REFERENCES match_posts (match, post)
) STRICT, WITHOUT ROWID"""

_GUESTS = """CREATE TABLE guests (
    snapshot INTEGER PRIMARY KEY REFERENCES snapshots (seq),
    name TEXT NOT NULL
) STRICT"""
