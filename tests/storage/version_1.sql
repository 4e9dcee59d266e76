BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'league','m001_first','2026-11-22 19:24:49.106076+00:00');
CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        round INTEGER NOT NULL,
        kind TEXT NOT NULL,
        data TEXT NOT NULL
    ) STRICT;
CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE match_posts (
        match INTEGER NOT NULL REFERENCES matches (id),
        post INTEGER NOT NULL,
        side INTEGER NOT NULL,
        snapshot INTEGER NOT NULL REFERENCES snapshots (seq),
        score_sum REAL NOT NULL,
        score_sq REAL NOT NULL,
        forfeits INTEGER,
        PRIMARY KEY (match, post)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "match_posts" VALUES(1,0,0,2,1.0,1.0,NULL);
INSERT INTO "match_posts" VALUES(1,1,1,1,-1.0,1.0,NULL);
INSERT INTO "match_posts" VALUES(2,0,0,2,1.0,1.0,NULL);
INSERT INTO "match_posts" VALUES(2,1,1,1,-1.0,1.0,NULL);
CREATE TABLE matches (
        id INTEGER PRIMARY KEY,
        round INTEGER NOT NULL,
        games INTEGER NOT NULL,
        placements TEXT NOT NULL,
        episodes INTEGER NOT NULL,
        turns INTEGER NOT NULL,
        seed INTEGER NOT NULL,
        paired INTEGER NOT NULL CHECK (paired IN (0, 1)),
        others TEXT NOT NULL
    ) STRICT;
INSERT INTO "matches" VALUES(1,1,10,'{"0,1":10}',10,99,1,0,'[]');
INSERT INTO "matches" VALUES(2,1,20,'{"0,1":20}',20,99,1,0,'[]');
CREATE TABLE metrics (
        round INTEGER NOT NULL,
        learner TEXT NOT NULL,
        name TEXT NOT NULL,
        value REAL,
        PRIMARY KEY (round, learner, name)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "metrics" VALUES(1,'main','approx_kl',NULL);
INSERT INTO "metrics" VALUES(1,'main','entropy',1.5651757130517840455e-01);
CREATE TABLE provenance (id INTEGER PRIMARY KEY, data TEXT NOT NULL, seen_at REAL NOT NULL) STRICT;
INSERT INTO "provenance" VALUES(1,'{"cpu":"some"}',1.7953754891064443588e+09);
CREATE TABLE rating_kinds (kind TEXT PRIMARY KEY, upto INTEGER NOT NULL) STRICT;
INSERT INTO "rating_kinds" VALUES('elo',2);
CREATE TABLE ratings (
        kind TEXT NOT NULL REFERENCES rating_kinds (kind),
        snapshot INTEGER NOT NULL REFERENCES snapshots (seq),
        value REAL NOT NULL,
        low REAL NOT NULL,
        high REAL NOT NULL,
        games INTEGER NOT NULL,
        PRIMARY KEY (kind, snapshot)
    ) STRICT, WITHOUT ROWID;
INSERT INTO "ratings" VALUES('elo',2,1.0,-1.0,1.0,30);
CREATE TABLE rounds (
        round INTEGER PRIMARY KEY,
        steps INTEGER NOT NULL,
        checkpoint TEXT NOT NULL,
        learners TEXT NOT NULL,
        seconds REAL NOT NULL,
        phases TEXT NOT NULL,
        finished_at REAL NOT NULL
    ) STRICT;
INSERT INTO "rounds" VALUES(1,1,'dda5ebbef4cb6cab10db86329950165ac89ea45e4bcf121b84307612f494ad82','{"main":{"steps":1}}',5.99851273524726114061e-01,'{}',1.79537548911883234974e+09);
CREATE TABLE run (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        config TEXT NOT NULL,
        created_at REAL NOT NULL
    ) STRICT;
INSERT INTO "run" VALUES(1,'{"seed":1}',1.7953754891064443588e+09);
CREATE TABLE snapshots (
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
    ) STRICT;
INSERT INTO "snapshots" VALUES(1,'random','seat','random',0,0,0,'anchor',NULL,'{}',0.0);
INSERT INTO "snapshots" VALUES(2,'6746bb57c0b14feb72784f4d9bacd640d5cc1c20e02f1348c1b4f405c81dc64c','seat','main',1,1,1,'trained','random','{}',1.0);
CREATE TABLE training (
        id INTEGER PRIMARY KEY,
        learner TEXT NOT NULL,
        round INTEGER NOT NULL,
        opponent TEXT NOT NULL,
        episodes INTEGER NOT NULL,
        score REAL NOT NULL,
        return_mean REAL NOT NULL,
        UNIQUE (round, learner, opponent)
    ) STRICT;
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE TRIGGER snapshots_update BEFORE UPDATE ON snapshots BEGIN SELECT RAISE(ABORT, 'snapshots is append-only'); END;
CREATE TRIGGER snapshots_delete BEFORE DELETE ON snapshots BEGIN SELECT RAISE(ABORT, 'snapshots is append-only'); END;
CREATE TRIGGER matches_update BEFORE UPDATE ON matches BEGIN SELECT RAISE(ABORT, 'matches is append-only'); END;
CREATE TRIGGER matches_delete BEFORE DELETE ON matches BEGIN SELECT RAISE(ABORT, 'matches is append-only'); END;
CREATE TRIGGER match_posts_update BEFORE UPDATE ON match_posts BEGIN SELECT RAISE(ABORT, 'match_posts is append-only'); END;
CREATE TRIGGER match_posts_delete BEFORE DELETE ON match_posts BEGIN SELECT RAISE(ABORT, 'match_posts is append-only'); END;
COMMIT;
