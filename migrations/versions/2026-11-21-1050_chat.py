"""Chat conversations, their messages, what each answer took, and where calls to carriers go.

Revision: 0008, follows 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NOW = sa.text("now()")


def upgrade() -> None:
    op.add_column("carrier_connections", sa.Column("termination_uri", sa.String(255)))
    op.add_column("carrier_connections", sa.Column("termination_username", sa.String(255)))
    op.add_column("carrier_connections", sa.Column("termination_password_sealed", sa.LargeBinary()))
    op.create_table(
        "chat_conversations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("key_id", sa.Uuid(), nullable=True),
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.String(40), nullable=False),
        sa.Column("user_identifier", sa.Text(), nullable=True),
        sa.Column("platform", sa.String(16), nullable=False),
        sa.Column("metadata", postgresql.JSONB(), server_default="{}", nullable=False),
        sa.Column("agent", postgresql.JSONB(), nullable=False),
        sa.Column("message_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.Column(
            "last_active_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False
        ),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(16), nullable=True),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (closed_by IS NULL)",
            name=op.f("ck_chat_conversations_closed"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_conversations")),
        sa.UniqueConstraint("name", name=op.f("uq_chat_conversations_name")),
    )
    op.create_index(
        "ix_chat_conversations_project_id_created_at",
        "chat_conversations",
        ["project_id", "created_at", "id"],
    )
    op.create_index(
        "ix_chat_conversations_project_id_agent_id",
        "chat_conversations",
        ["project_id", "agent_id"],
    )
    op.create_index(
        "ix_chat_conversations_open",
        "chat_conversations",
        ["last_active_at"],
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "chat_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("tool_requests", postgresql.JSONB(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("failed", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("token_count", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.CheckConstraint(
            "role IN ('user', 'assistant', 'tool')", name=op.f("ck_chat_messages_role")
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["chat_conversations.id"],
            name=op.f("fk_chat_messages_conversation_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_messages")),
        sa.UniqueConstraint(
            "conversation_id", "position", name=op.f("uq_chat_messages_conversation_id_position")
        ),
    )
    op.create_table(
        "chat_turns",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("operation_id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(100), nullable=False),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("own_key", sa.Boolean(), nullable=False),
        sa.Column("input_tokens", sa.Integer(), nullable=False),
        sa.Column("cached_input_tokens", sa.Integer(), nullable=False),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column("end_session", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("cost_microcredits", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=_NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["chat_conversations.id"],
            name=op.f("fk_chat_turns_conversation_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_turns")),
        sa.UniqueConstraint("operation_id", name=op.f("uq_chat_turns_operation_id")),
    )
    op.create_index("ix_chat_turns_conversation_id", "chat_turns", ["conversation_id"])
    op.create_index(
        "ix_chat_turns_due",
        "chat_turns",
        ["conversation_id"],
        postgresql_where=sa.text("cost_microcredits IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("chat_turns")
    op.drop_table("chat_messages")
    op.drop_table("chat_conversations")
    op.drop_column("carrier_connections", "termination_password_sealed")
    op.drop_column("carrier_connections", "termination_username")
    op.drop_column("carrier_connections", "termination_uri")
