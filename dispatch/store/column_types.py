"""Column types that carry a unit or a rule with them."""

from datetime import UTC, datetime
from typing import Annotated

from sqlalchemy import BigInteger, DateTime, Dialect, String, TypeDecorator
from sqlalchemy.orm import mapped_column

from telephony.e164 import E164


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware on the way in, in UTC on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse a naive time, whose instant would depend on the server's time zone."""
        if value is not None and value.tzinfo is None:
            raise ValueError("A time without a zone cannot be stored.")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the instant in UTC."""
        return None if value is None else value.astimezone(UTC)


class E164Text(TypeDecorator[E164]):
    """A number that was parsed before it came here; read back as what it is."""

    impl = String(16)
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: Dialect) -> E164 | None:  # noqa: ARG002
        """Return the stored text as the type it was stored from."""
        return None if value is None else E164(value)


Microcredits = Annotated[int, mapped_column(BigInteger)]
"""An amount of money: 1 credit is 1,000,000 micro-credits."""
