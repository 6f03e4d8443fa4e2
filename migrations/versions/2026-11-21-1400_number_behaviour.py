"""How numbers behave: opening hours, callers, fallback.

Revision: 0011, follows 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let numbers have a behaviour."""
    op.add_column("phone_numbers", sa.Column("behaviour", postgresql.JSONB(), nullable=True))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("phone_numbers", "behaviour")
