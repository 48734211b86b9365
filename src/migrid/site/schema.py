"""The tables of the user store, version by version."""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE users (
            client_id TEXT PRIMARY KEY,
            client_dir TEXT NOT NULL UNIQUE,
            alias TEXT NOT NULL UNIQUE,
            password_hash TEXT NOT NULL DEFAULT '',
            public_keys TEXT NOT NULL DEFAULT '',
            suspended INTEGER NOT NULL DEFAULT 0 CHECK (suspended IN (0, 1)),
            expire TEXT NOT NULL DEFAULT '',
            comment TEXT NOT NULL DEFAULT '',
            created TEXT NOT NULL,
            generation INTEGER NOT NULL
        ) WITHOUT ROWID""",
        "CREATE TABLE revisions (generation INTEGER PRIMARY KEY, token TEXT NOT NULL)",
        "INSERT INTO revisions VALUES (0, hex(randomblob(8)))",
        "CREATE INDEX users_by_generation ON users (generation)",
        "CREATE TABLE freed_aliases (alias TEXT PRIMARY KEY, generation INTEGER NOT NULL)",
    ),
    (
        "ALTER TABLE users ADD COLUMN login_methods TEXT NOT NULL DEFAULT ''",
        """CREATE TABLE credentials (
            client_id TEXT NOT NULL,
            service TEXT NOT NULL,
            password_hash TEXT NOT NULL DEFAULT '',
            public_keys TEXT NOT NULL DEFAULT '',
            enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
            PRIMARY KEY (client_id, service)
        ) WITHOUT ROWID""",
        """CREATE TABLE second_factors (
            client_id TEXT PRIMARY KEY,
            secret TEXT NOT NULL,
            confirmed INTEGER NOT NULL DEFAULT 0 CHECK (confirmed IN (0, 1)),
            last_step INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE external_identities (
            issuer TEXT NOT NULL,
            subject TEXT NOT NULL,
            client_id TEXT NOT NULL,
            PRIMARY KEY (issuer, subject)
        ) WITHOUT ROWID""",
        "CREATE INDEX external_identities_by_user ON external_identities (client_id)",
    ),
)
"""Step n makes schema version n out of version n - 1; steps are added, never changed."""
