"""How many numbers a project has, kept while they come and go, and indexes for pages of them.

Revision: 0014, follows 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None

_LIVE = sa.text("deleted_at IS NULL")
_PAGES = "ix_phone_numbers_project_id_created_at_live"
_BY_NUMBER = "ix_phone_numbers_project_id_did_live"
_OLD_PAGES = "ix_phone_numbers_project_id_created_at"

# In the order of the projects, so that two statements never wait for each other.
_FUNCTIONS = (
    """
    CREATE FUNCTION count_phone_numbers_added() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO phone_number_counts AS counted (project_id, live)
        SELECT project_id, count(*) FROM added WHERE deleted_at IS NULL
        GROUP BY project_id ORDER BY project_id
        ON CONFLICT (project_id) DO UPDATE SET live = counted.live + EXCLUDED.live;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION count_phone_numbers_removed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO phone_number_counts AS counted (project_id, live)
        SELECT project_id, -count(*) FROM removed WHERE deleted_at IS NULL
        GROUP BY project_id ORDER BY project_id
        ON CONFLICT (project_id) DO UPDATE SET live = counted.live + EXCLUDED.live;
        RETURN NULL;
    END $$
    """,
    """
    CREATE FUNCTION count_phone_number_changed() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO phone_number_counts AS counted (project_id, live)
        SELECT project_id, sum(change) FROM (VALUES
            (OLD.project_id, CASE WHEN OLD.deleted_at IS NULL THEN -1 ELSE 0 END),
            (NEW.project_id, CASE WHEN NEW.deleted_at IS NULL THEN 1 ELSE 0 END)
        ) AS moved (project_id, change)
        GROUP BY project_id ORDER BY project_id
        ON CONFLICT (project_id) DO UPDATE SET live = counted.live + EXCLUDED.live;
        RETURN NULL;
    END $$
    """,
)
_TRIGGERS = (
    """
    CREATE TRIGGER count_added AFTER INSERT ON phone_numbers
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION count_phone_numbers_added()
    """,
    """
    CREATE TRIGGER count_removed AFTER DELETE ON phone_numbers
    REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION count_phone_numbers_removed()
    """,
    # By row: convergence changes thousands of numbers at once, none of them in this.
    """
    CREATE TRIGGER count_changed AFTER UPDATE OF deleted_at, project_id ON phone_numbers
    FOR EACH ROW
    WHEN ((OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL) OR OLD.project_id <> NEW.project_id)
    EXECUTE FUNCTION count_phone_number_changed()
    """,
)


def upgrade() -> None:
    """Count from now on, and begin with what is there."""
    with op.get_context().autocommit_block():
        for name, column in ((_PAGES, "created_at"), (_BY_NUMBER, "did")):
            # An earlier attempt may have left one that is not valid.
            op.drop_index(name, "phone_numbers", if_exists=True, postgresql_concurrently=True)
            op.create_index(
                name,
                "phone_numbers",
                ["project_id", column, "id"],
                postgresql_where=_LIVE,
                postgresql_concurrently=True,
            )
        op.drop_index(_OLD_PAGES, "phone_numbers", if_exists=True, postgresql_concurrently=True)
    op.create_table(
        "phone_number_counts",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("live", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_phone_number_counts_project_id")
        ),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_phone_number_counts")),
    )
    # Nobody may add a number between the count and the first trigger; reading goes on.
    op.execute("LOCK TABLE phone_numbers IN SHARE ROW EXCLUSIVE MODE")
    op.execute(
        """
        INSERT INTO phone_number_counts (project_id, live)
        SELECT project_id, count(*) FROM phone_numbers WHERE deleted_at IS NULL GROUP BY project_id
        """
    )
    for statement in (*_FUNCTIONS, *_TRIGGERS):
        op.execute(statement)


def downgrade() -> None:
    """Count whenever somebody asks."""
    for name in ("count_added", "count_removed", "count_changed"):
        op.execute(f"DROP TRIGGER {name} ON phone_numbers")
    for name in ("numbers_added", "numbers_removed", "number_changed"):
        op.execute(f"DROP FUNCTION count_phone_{name}()")
    op.drop_table("phone_number_counts")
    op.create_index(_OLD_PAGES, "phone_numbers", ["project_id", "created_at"])
    op.drop_index(_PAGES, "phone_numbers")
    op.drop_index(_BY_NUMBER, "phone_numbers")
