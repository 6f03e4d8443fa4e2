"""Every version of an agent, and an agent's voice among its models.

Revision: 0004, follows 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        UPDATE agents SET draft = (draft - 'speech') || jsonb_build_object(
            'models', jsonb_build_object('tts', jsonb_build_object(
                'provider', 'builtin',
                'model', 'espeak-ng',
                'voice', draft -> 'speech' -> 'voice',
                'params', jsonb_build_object(
                    'words_per_minute', draft -> 'speech' -> 'words_per_minute'))))
        WHERE draft ? 'speech'
        """
    )
    op.create_table(
        "agent_versions",
        sa.Column("agent_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("draft", postgresql.JSONB(), nullable=False),
        sa.Column("actor_kind", sa.String(16), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name=op.f("fk_agent_versions_agent_id")
        ),
        sa.PrimaryKeyConstraint("agent_id", "version", name=op.f("pk_agent_versions")),
    )
    # Of what was changed before, only the last state is known.
    op.execute(
        """
        INSERT INTO agent_versions
            (agent_id, version, draft, actor_kind, actor_id, actor_name, created_at)
        SELECT id, version, draft, 'system', 'system', 'Dialplane', updated_at FROM agents
        """
    )


def downgrade() -> None:
    op.drop_table("agent_versions")
    op.execute(
        """
        UPDATE agents SET draft = (draft - 'models') || jsonb_build_object(
            'speech', jsonb_build_object(
                'provider', 'builtin',
                'voice', draft -> 'models' -> 'tts' -> 'voice',
                'words_per_minute',
                coalesce(draft #> '{models,tts,params,words_per_minute}', '160'::jsonb)))
        WHERE draft #>> '{models,tts,provider}' = 'builtin'
        """
    )
