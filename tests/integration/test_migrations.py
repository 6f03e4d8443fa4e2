"""The history builds exactly the tables the code knows, and can be taken back."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from dispatch.agent_profile import AgentDraft
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


def test_an_agents_voice_of_old_is_found_among_its_models(empty_database: str) -> None:
    command.upgrade(alembic_config(empty_database), "0003")
    draft = {"name": "Reception", "speech": {"voice": "en-gb", "words_per_minute": 140}}
    ids = [str(uuid.uuid4()) for _ in range(3)]
    with psycopg.connect(empty_database.replace("+psycopg", "")) as connection:
        connection.execute("INSERT INTO organizations (id, name) VALUES (%s, 'O')", ids[:1])
        connection.execute(
            "INSERT INTO projects (id, organization_id, name) VALUES (%s, %s, 'P')",
            [ids[1], ids[0]],
        )
        connection.execute(
            "INSERT INTO agents (id, organization_id, project_id, version, draft)"
            " VALUES (%s, %s, %s, 7, %s)",
            [ids[2], ids[0], ids[1], json.dumps(draft)],
        )
    command.upgrade(alembic_config(empty_database), "0004")
    [(version, kept)] = agent_versions(empty_database)
    models = AgentDraft.model_validate(kept).models
    assert version == 7
    assert (models.tts.voice, models.tts.words_per_minute) == ("en-gb", 140)
    command.downgrade(alembic_config(empty_database), "0003")
    with psycopg.connect(empty_database.replace("+psycopg", "")) as connection:
        row = connection.execute("SELECT draft -> 'speech' ->> 'voice' FROM agents").fetchone()
    assert row == ("en-gb",)


def test_rows_of_before_have_a_revision_and_every_commit_a_greater_one(
    empty_database: str,
) -> None:
    command.upgrade(alembic_config(empty_database), "0014")
    url = empty_database.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        add_agent(connection)
        seen = []
        for touch in ("updated_at = now()", "version = 2", "updated_at = now()"):
            command.upgrade(alembic_config(empty_database), "0015")
            seen.append(revision_of_agent(connection))
            connection.execute(f"UPDATE agents SET {touch}")
            seen.append(revision_of_agent(connection))
            command.downgrade(alembic_config(empty_database), "0014")
    before, touched, anew, still, again, last = seen
    assert 0 < before < touched < anew == still < again < last


def test_every_table_that_is_published_counts_its_revisions(empty_database: str) -> None:
    upgrade_to_head(empty_database)
    with psycopg.connect(empty_database.replace("+psycopg", "")) as connection:
        counted = connection.execute(
            "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'give_next_revision'"
        ).fetchall()
    tables = Table.metadata.sorted_tables
    published = {table.name for table in tables if "revision" in table.columns}
    assert {name for (name,) in counted} == published


def add_agent(connection: psycopg.Connection) -> None:
    """Put an agent on record, with the organisation and project that it needs."""
    organization_id, project_id, agent_id = (str(uuid.uuid4()) for _ in range(3))
    connection.execute("INSERT INTO organizations (id, name) VALUES (%s, 'O')", [organization_id])
    connection.execute(
        "INSERT INTO projects (id, organization_id, name) VALUES (%s, %s, 'P')",
        [project_id, organization_id],
    )
    connection.execute(
        "INSERT INTO agents (id, organization_id, project_id, version, draft)"
        " VALUES (%s, %s, %s, 1, '{}')",
        [agent_id, organization_id, project_id],
    )


def revision_of_agent(connection: psycopg.Connection) -> int:
    """Return the revision of the only agent."""
    row = connection.execute("SELECT revision FROM agents").fetchone()
    assert row is not None
    return int(row[0])


def agent_versions(url: str) -> list[tuple[int, Any]]:
    """Return the versions and drafts of all agents."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        return connection.execute("SELECT version, draft FROM agent_versions").fetchall()
