"""Brings a database to the newest schema."""

import os
from pathlib import Path

from alembic import command
from alembic.config import Config

HISTORY = Path(__file__).resolve().parents[2] / "migrations"
"""The one history. It lies beside the packages, in a checkout as in an image."""


def alembic_config(database_url: str) -> Config:
    """Return an Alembic configuration for this database, independent of the working directory."""
    config = Config()
    config.set_main_option("script_location", os.fspath(HISTORY))
    config.set_main_option("path_separator", "os")
    config.attributes["database_url"] = database_url
    return config


def upgrade_to_head(database_url: str) -> None:
    """Apply every migration that is missing; does nothing on a database that is up to date.

    Blocking, for a process that does nothing else. Safe when several run at once.

    Args:
        database_url: SQLAlchemy URL, `postgresql+psycopg://…`.
    """
    command.upgrade(alembic_config(database_url), "head")
