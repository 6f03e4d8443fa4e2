"""Secrets under envelope encryption, and HTTP tools.

Carriers' passwords, until now in clear, are sealed on the way up and opened again on the way down;
an installation that has any needs `DIALPLANE_SECRETS_KEYS` for that. The format of sealed values is
written down here as it was on this day, because history imports nothing.

Revision: 0005, follows 0004
"""

import base64
import os
import uuid

import sqlalchemy as sa
from alembic import op
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")
_VERSION = b"\x01"


def upgrade() -> None:
    op.create_table(
        "data_keys",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.String(40), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_data_keys_project_id")
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_data_keys")),
    )
    op.create_index("ix_data_keys_updated_at", "data_keys", ["updated_at"])
    op.create_index("ix_data_keys_key_id", "data_keys", ["key_id"])
    op.create_table(
        "secrets",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(40), nullable=False),
        sa.Column("data_key_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_secrets_project_id")
        ),
        sa.PrimaryKeyConstraint("project_id", "provider", name=op.f("pk_secrets")),
    )
    op.create_table(
        "tools",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("draft", JSONB(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_tools_organization_id")
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_tools_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tools")),
    )
    op.create_index(
        "uq_tools_project_id_name_live",
        "tools",
        ["project_id", "name"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_index("ix_tools_project_id_created_at", "tools", ["project_id", "created_at"])
    op.add_column("carrier_connections", sa.Column("auth_password_sealed", sa.LargeBinary()))
    op.add_column("carrier_connections", sa.Column("data_key_id", sa.Uuid()))
    _seal_passwords(op.get_bind())
    op.drop_column("carrier_connections", "auth_password")


def downgrade() -> None:
    op.add_column("carrier_connections", sa.Column("auth_password", sa.String(255)))
    _open_passwords(op.get_bind())
    op.drop_column("carrier_connections", "data_key_id")
    op.drop_column("carrier_connections", "auth_password_sealed")
    op.drop_table("tools")
    op.drop_table("secrets")
    op.drop_table("data_keys")


def _seal_passwords(connection: sa.Connection) -> None:
    clear = connection.execute(
        sa.text(
            "SELECT id, project_id, auth_password FROM carrier_connections"
            " WHERE auth_password IS NOT NULL ORDER BY project_id"
        )
    ).all()
    data_keys: dict[uuid.UUID, tuple[uuid.UUID, AESGCM]] = {}
    for connection_id, project_id, password in clear:
        if project_id not in data_keys:
            data_keys[project_id] = _new_data_key(connection, project_id)
        data_key_id, cipher = data_keys[project_id]
        sealed = _seal(cipher, password.encode(), _password_context(project_id, connection_id))
        connection.execute(
            sa.text(
                "UPDATE carrier_connections SET auth_password_sealed = :sealed,"
                " data_key_id = :data_key_id WHERE id = :id"
            ),
            {"sealed": sealed, "data_key_id": data_key_id, "id": connection_id},
        )


def _open_passwords(connection: sa.Connection) -> None:
    sealed = connection.execute(
        sa.text(
            "SELECT c.id, c.project_id, c.auth_password_sealed, k.id, k.key_id, k.wrapped"
            " FROM carrier_connections c JOIN data_keys k USING (project_id)"
            " WHERE c.auth_password_sealed IS NOT NULL"
        )
    ).all()
    for connection_id, project_id, password, data_key_id, key_id, wrapped in sealed:
        key = _open(
            AESGCM(_installation_keys()[key_id]),
            wrapped,
            _wrapping_context(project_id, data_key_id, key_id),
        )
        clear = _open(AESGCM(key), password, _password_context(project_id, connection_id))
        connection.execute(
            sa.text("UPDATE carrier_connections SET auth_password = :clear WHERE id = :id"),
            {"clear": clear.decode(), "id": connection_id},
        )


def _new_data_key(connection: sa.Connection, project_id: uuid.UUID) -> tuple[uuid.UUID, AESGCM]:
    keys = _installation_keys()
    key_id = next(iter(keys))
    key, data_key_id = os.urandom(32), uuid.uuid4()
    wrapped = _seal(AESGCM(keys[key_id]), key, _wrapping_context(project_id, data_key_id, key_id))
    connection.execute(
        sa.text(
            "INSERT INTO data_keys (project_id, id, key_id, wrapped)"
            " VALUES (:project_id, :id, :key_id, :wrapped)"
        ),
        {"project_id": project_id, "id": data_key_id, "key_id": key_id, "wrapped": wrapped},
    )
    return data_key_id, AESGCM(key)


def _installation_keys() -> dict[str, bytes]:
    text = os.environ.get("DIALPLANE_SECRETS_KEYS", "")
    if not text:
        raise SystemExit(
            "Carriers' passwords are on record: set DIALPLANE_SECRETS_KEYS to migrate them."
        )
    pairs = (entry.strip().partition(":") for entry in text.split(","))
    return {key_id: base64.b64decode(encoded, validate=True) for key_id, _, encoded in pairs}


def _wrapping_context(project_id: uuid.UUID, data_key_id: uuid.UUID, key_id: str) -> bytes:
    return f"dialplane/data-key/{project_id}/{data_key_id}/{key_id}".encode()


def _password_context(project_id: uuid.UUID, connection_id: uuid.UUID) -> bytes:
    return f"dialplane/value/{project_id}/carrier-connection/{connection_id}".encode()


def _seal(cipher: AESGCM, plain: bytes, context: bytes) -> bytes:
    nonce = os.urandom(12)
    return _VERSION + nonce + cipher.encrypt(nonce, plain, _VERSION + context)


def _open(cipher: AESGCM, sealed: bytes, context: bytes) -> bytes:
    return cipher.decrypt(sealed[1:13], sealed[13:], _VERSION + context)
