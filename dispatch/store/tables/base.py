"""What all tables share: names of constraints, and types of columns."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, MetaData, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dispatch.store.column_types import E164Text, UtcDateTime
from telephony.e164 import E164


class Table(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        E164: E164Text,
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
    }


class Published:
    """A row that calls read a copy of in Redis."""

    revision: Mapped[int] = mapped_column(BigInteger, server_default=text("nextval('revisions')"))
    """Grows with every commit that sets `updated_at`, by a trigger: whatever changes the copy must
    set it. Of two copies the one with the greater revision is the later one."""
