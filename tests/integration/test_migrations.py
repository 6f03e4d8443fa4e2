"""The history builds exactly the tables the code knows, and can be taken back."""

from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from dispatch.store.migrate import alembic_config, upgrade_to_head
from dispatch.store.tables import Table

pytestmark = pytest.mark.integration


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """URL of a database of its own, without tables."""
    name = sql.Identifier("migrations_under_test")
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        url = make_url(postgres_url).set(database="migrations_under_test")
        yield url.render_as_string(hide_password=False)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def table_names(url: str) -> set[str]:
    """Return the tables of the public schema."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        return {name for (name,) in connection.execute(query)}


def test_upgrading_builds_the_tables_the_code_knows(empty_database: str) -> None:
    upgrade_to_head(empty_database)
    engine = create_engine(empty_database, poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Table.metadata) == []


def test_downgrading_takes_every_table_away(empty_database: str) -> None:
    upgrade_to_head(empty_database)
    command.downgrade(alembic_config(empty_database), "base")
    assert table_names(empty_database) == {"alembic_version"}


def test_upgrading_again_changes_nothing(empty_database: str) -> None:
    upgrade_to_head(empty_database)
    before = table_names(empty_database)
    upgrade_to_head(empty_database)
    assert table_names(empty_database) == before
