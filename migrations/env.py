"""Runs the migrations on the database the caller names, else on that of DATABASE_URL.

Several processes may start at once, so one of them migrates while the others wait for its advisory
lock and then find nothing to do.
"""

import os
from typing import Literal

from alembic import context
from sqlalchemy import Connection, TypeDecorator, create_engine, text
from sqlalchemy.pool import NullPool

from dispatch.store.tables import Table

LOCK_TIMEOUT_MS = 4_000
"""A migration that waits for a table blocks everybody queueing behind it: give up and retry."""
STATEMENT_TIMEOUT_MS = 5_000
"""Longer work belongs in a data migration of small steps, outside this history."""
ADVISORY_LOCK = 4_243_001
"""Any number that nobody else locks in this database."""
ADVISORY_LOCK_TIMEOUT_MS = 60_000


def database_url() -> str:
    """Return the URL given by the caller, else the environment's."""
    given = context.config.attributes.get("database_url")
    return given or os.environ["DATABASE_URL"]


def render_item(kind: str, item: object, _: object) -> str | Literal[False]:
    """Write our column types as the plain types they are stored as: history imports nothing."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl!r}"
    return False


def run_migrations(connection: Connection) -> None:
    """Migrate under the advisory lock, each revision in a transaction of its own."""
    connection.execute(text(f"SET lock_timeout = {ADVISORY_LOCK_TIMEOUT_MS}"))
    connection.execute(text(f"SET statement_timeout = {ADVISORY_LOCK_TIMEOUT_MS}"))
    connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
    connection.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT_MS}"))
    connection.execute(text(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Table.metadata,
        transaction_per_migration=True,
        compare_server_default=True,
        render_item=render_item,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("Migrations run on a database only; there is no offline mode.")
# The advisory lock belongs to the connection and goes with it, however the process ends.
engine = create_engine(
    database_url(), poolclass=NullPool, connect_args={"options": "-c timezone=UTC"}
)
with engine.connect() as connection:
    run_migrations(connection)
