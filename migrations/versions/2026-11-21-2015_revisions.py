"""A revision for every row that Redis has a copy of, so that no older copy replaces a newer one.

Revision: 0015, follows 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_TABLES = ("agents", "carrier_connections", "data_keys", "phone_numbers")
_NEXT = sa.text("nextval('revisions')")


def upgrade() -> None:
    """Number the rows as they are now, and each change of one from now on."""
    # By the clock, in microseconds: a sequence made anew goes on above whatever the last one gave,
    # which Redis may still remember. Far below 2^53, up to which Lua counts exactly.
    clock = sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
    first: int = op.get_bind().execute(clock).scalar_one()
    op.execute(f"CREATE SEQUENCE revisions AS bigint START WITH {first + 1}")
    # Waits for the row like the update itself, so what the sequence gives grows with the commits.
    op.execute(
        """
        CREATE FUNCTION give_next_revision() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.revision := nextval('revisions');
            RETURN NEW;
        END $$
        """
    )
    for table in _TABLES:
        # With a constant no row is written; only those that come are counted one by one.
        column = sa.Column(
            "revision", sa.BigInteger(), nullable=False, server_default=sa.text(str(first))
        )
        op.add_column(table, column)
        op.alter_column(table, "revision", server_default=_NEXT)
        # Whatever changes what is published sets updated_at, by which the projection finds it.
        op.execute(
            f"CREATE TRIGGER give_next_revision BEFORE UPDATE OF updated_at ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION give_next_revision()"
        )


def downgrade() -> None:
    """Forget which change of a row was the later one."""
    for table in _TABLES:
        op.execute(f"DROP TRIGGER give_next_revision ON {table}")
        op.drop_column(table, "revision")
    op.execute("DROP FUNCTION give_next_revision()")
    op.execute("DROP SEQUENCE revisions")
