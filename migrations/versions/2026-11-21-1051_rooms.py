"""Sessions of rooms without a call.

Revision: 0009, follows 0008
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "room_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("room_name", sa.String(length=256), nullable=False),
        sa.Column("agent_config_id", sa.Integer(), nullable=True),
        sa.Column("caller_identity", sa.String(length=256), nullable=True),
        sa.Column("session_type", sa.String(length=16), nullable=False),
        sa.Column("metadata", postgresql.JSONB(), nullable=False),
        sa.Column(
            "started_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration_s", sa.Integer(), nullable=True),
        sa.Column("summary", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "session_type IN ('voice', 'sip')", name=op.f("ck_room_sessions_session_type")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_room_sessions_project_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_room_sessions")),
    )
    op.create_index(
        "uq_room_sessions_room_name_active",
        "room_sessions",
        ["room_name"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_room_sessions_project_id_room_name",
        "room_sessions",
        ["project_id", "room_name", "started_at"],
    )
    op.create_table(
        "room_session_turns",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("speaker", sa.String(length=16), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=True),
        sa.Column("is_final", sa.Boolean(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["room_sessions.id"], name=op.f("fk_room_session_turns_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_room_session_turns")),
    )
    op.create_index("ix_room_session_turns_session_id", "room_session_turns", ["session_id"])


def downgrade() -> None:
    op.drop_table("room_session_turns")
    op.drop_table("room_sessions")
