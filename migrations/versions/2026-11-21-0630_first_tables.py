"""First tables.

Revision: 0001, follows
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_tenants()
    create_agents()
    create_numbers()
    create_calls()
    create_ledger()


def create_tenants() -> None:
    op.create_table(
        "organizations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
    )
    op.create_table(
        "projects",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_projects_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
    )
    op.create_index(
        op.f("ix_projects_organization_id"), "projects", ["organization_id"], unique=False
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.String(length=8), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_api_keys_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_index(op.f("ix_api_keys_project_id"), "api_keys", ["project_id"], unique=False)


def create_agents() -> None:
    op.create_table(
        "agents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("config_id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("draft", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_agents_organization_id")
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_agents_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agents")),
        sa.UniqueConstraint("config_id", name=op.f("uq_agents_config_id")),
    )
    op.create_index(
        "ix_agents_project_id_created_at", "agents", ["project_id", "created_at"], unique=False
    )
    op.create_index("ix_agents_updated_at", "agents", ["updated_at"], unique=False)


def create_numbers() -> None:
    op.create_table(
        "carrier_connections",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("allowed_addresses", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("auth_username", sa.String(length=255), nullable=True),
        sa.Column("auth_password", sa.String(length=255), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["organizations.id"],
            name=op.f("fk_carrier_connections_organization_id"),
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_carrier_connections_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carrier_connections")),
    )
    op.create_index(
        op.f("ix_carrier_connections_project_id"),
        "carrier_connections",
        ["project_id"],
        unique=False,
    )
    op.create_table(
        "phone_numbers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("did", sa.String(length=16), nullable=False),
        sa.Column("inbound_agent_id", sa.Uuid(), nullable=True),
        sa.Column("outbound_agent_id", sa.Uuid(), nullable=True),
        sa.Column("sync_state", sa.String(length=16), server_default="pending", nullable=False),
        sa.Column("sync_error", sa.Text(), nullable=True),
        sa.Column("shard", sa.Integer(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "sync_state IN ('pending', 'active', 'conflict')",
            name=op.f("ck_phone_numbers_sync_state"),
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["carrier_connections.id"],
            name=op.f("fk_phone_numbers_connection_id"),
        ),
        sa.ForeignKeyConstraint(
            ["inbound_agent_id"], ["agents.id"], name=op.f("fk_phone_numbers_inbound_agent_id")
        ),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_phone_numbers_organization_id")
        ),
        sa.ForeignKeyConstraint(
            ["outbound_agent_id"], ["agents.id"], name=op.f("fk_phone_numbers_outbound_agent_id")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_phone_numbers_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phone_numbers")),
    )
    op.create_index(
        op.f("ix_phone_numbers_connection_id"), "phone_numbers", ["connection_id"], unique=False
    )
    op.create_index(
        op.f("ix_phone_numbers_inbound_agent_id"),
        "phone_numbers",
        ["inbound_agent_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_phone_numbers_outbound_agent_id"),
        "phone_numbers",
        ["outbound_agent_id"],
        unique=False,
    )
    op.create_index(
        "ix_phone_numbers_project_id_created_at",
        "phone_numbers",
        ["project_id", "created_at"],
        unique=False,
    )
    op.create_index("ix_phone_numbers_updated_at", "phone_numbers", ["updated_at"], unique=False)
    op.create_index(
        "uq_phone_numbers_did_live",
        "phone_numbers",
        ["did"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("project_id", sa.Uuid(), nullable=True),
        sa.Column("agent_id", sa.Uuid(), nullable=True),
        sa.Column("agent_version", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("direction", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("room_name", sa.Text(), nullable=False),
        sa.Column("called_number", sa.Text(), nullable=True),
        sa.Column("caller_number", sa.Text(), nullable=True),
        sa.Column("sip_call_id", sa.Text(), nullable=True),
        sa.Column("carrier_call_id", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("billed_s", sa.Integer(), nullable=True),
        sa.Column("cost_microcredits", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(length=32), nullable=True),
        sa.Column("end_reason", sa.String(length=64), nullable=True),
        sa.Column("refusal_reason", sa.String(length=64), nullable=True),
        sa.Column("sip_code", sa.Integer(), nullable=True),
        sa.Column(
            "metadata", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
    )
    op.create_index(
        "ix_calls_project_id_agent_id", "calls", ["project_id", "agent_id"], unique=False
    )
    op.create_index(
        "ix_calls_project_id_called_number", "calls", ["project_id", "called_number"], unique=False
    )
    op.create_index(
        "ix_calls_project_id_caller_number", "calls", ["project_id", "caller_number"], unique=False
    )
    op.create_index(
        "ix_calls_project_id_started_at", "calls", ["project_id", "started_at", "id"], unique=False
    )
    op.create_table(
        "call_events",
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("type", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "seq", name=op.f("pk_call_events")),
    )
    op.create_table(
        "transcript_turns",
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("speaker", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("interrupted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "seq", name=op.f("pk_transcript_turns")),
    )


def create_ledger() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("amount_microcredits", sa.BigInteger(), nullable=False),
        sa.Column("operation_id", sa.String(length=200), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('topup', 'reserve', 'extend', 'release', 'charge', 'adjust')",
            name=op.f("ck_ledger_entries_kind"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint("operation_id", name=op.f("uq_ledger_entries_operation_id")),
    )
    op.create_index(op.f("ix_ledger_entries_call_id"), "ledger_entries", ["call_id"], unique=False)
    op.create_index(
        "ix_ledger_entries_organization_id_position",
        "ledger_entries",
        ["organization_id", "position"],
        unique=False,
    )
    op.create_index(
        "ix_ledger_entries_applied_at",
        "ledger_entries",
        ["applied_at"],
        unique=False,
        postgresql_where=sa.text("kind IN ('topup', 'adjust')"),
    )


def downgrade() -> None:
    op.drop_table("ledger_entries")
    op.drop_table("transcript_turns")
    op.drop_table("call_events")
    op.drop_table("calls")
    op.drop_table("phone_numbers")
    op.drop_table("carrier_connections")
    op.drop_table("agents")
    op.drop_table("api_keys")
    op.drop_table("projects")
    op.drop_table("organizations")
