"""Passwords that were kept in clear are sealed by the migration, and opened by taking it back."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from psycopg import sql
from sqlalchemy.engine import make_url

from dispatch.sealed import SealedPassword, WrappedKey
from dispatch.secrets.passwords import open_password
from dispatch.store.migrate import alembic_config
from tests.builders.installation_keys import KEYS, KEYS_TEXT

pytestmark = pytest.mark.integration

PASSWORD = "pässword-of-the-carrier"


@pytest.fixture
def database_before(postgres_url: str) -> Iterator[str]:
    """URL of a database of its own, as it was before secrets were sealed."""
    name = sql.Identifier("secrets_migration_under_test")
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        url = make_url(postgres_url).set(database="secrets_migration_under_test")
        text = url.render_as_string(hide_password=False)
        command.upgrade(alembic_config(text), "0004")
        yield text
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def opened(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def insert_connection(url: str, password: str | None) -> uuid.UUID:
    organization, project, connection = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    with opened(url) as db:
        db.execute("INSERT INTO organizations (id, name) VALUES (%s, 'O')", [organization])
        db.execute(
            "INSERT INTO projects (id, organization_id, name) VALUES (%s, %s, 'P')",
            [project, organization],
        )
        db.execute(
            "INSERT INTO carrier_connections (id, organization_id, project_id, name, provider,"
            " allowed_addresses, auth_username, auth_password)"
            " VALUES (%s, %s, %s, 'C', 'twilio', '{}', 'user', %s)",
            [connection, organization, project, password],
        )
    return connection


def test_a_clear_password_is_sealed_and_opens_with_the_installations_key(
    database_before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIALPLANE_SECRETS_KEYS", KEYS_TEXT)
    connection_id = insert_connection(database_before, PASSWORD)

    command.upgrade(alembic_config(database_before), "0005")

    with opened(database_before) as db:
        row = db.execute(
            "SELECT c.project_id, c.data_key_id, k.key_id, k.wrapped, c.auth_password_sealed"
            " FROM carrier_connections c JOIN data_keys k ON k.id = c.data_key_id WHERE c.id = %s",
            [connection_id],
        ).fetchone()
    assert row is not None
    project_id, data_key_id, key_id, wrapped, sealed = row
    password = SealedPassword(
        connection_id, project_id, WrappedKey(data_key_id, key_id, wrapped), sealed
    )
    assert open_password(KEYS, password).get_secret_value() == PASSWORD
    assert PASSWORD.encode() not in sealed


def test_taking_it_back_restores_the_password(
    database_before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIALPLANE_SECRETS_KEYS", KEYS_TEXT)
    connection_id = insert_connection(database_before, PASSWORD)
    command.upgrade(alembic_config(database_before), "0005")

    command.downgrade(alembic_config(database_before), "0004")

    with opened(database_before) as db:
        query = "SELECT auth_password FROM carrier_connections WHERE id = %s"
        assert db.execute(query, [connection_id]).fetchone() == (PASSWORD,)


def test_without_passwords_on_record_no_key_is_needed(
    database_before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIALPLANE_SECRETS_KEYS", raising=False)
    insert_connection(database_before, None)

    command.upgrade(alembic_config(database_before), "0005")

    with opened(database_before) as db:
        assert db.execute("SELECT count(*) FROM data_keys").fetchone() == (0,)


def test_with_passwords_on_record_a_missing_key_stops_the_migration(
    database_before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIALPLANE_SECRETS_KEYS", raising=False)
    insert_connection(database_before, PASSWORD)

    with pytest.raises(SystemExit, match="DIALPLANE_SECRETS_KEYS"):
        command.upgrade(alembic_config(database_before), "0005")
