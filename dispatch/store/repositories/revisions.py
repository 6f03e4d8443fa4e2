"""The sequence of revisions, of which every published row has one."""

from sqlalchemy import bindparam, text
from sqlalchemy.types import BigInteger

from dispatch.store.engine import ReadSession, WriteSession

_LAST = text("SELECT last_value FROM revisions").columns(last_value=BigInteger)
_CONTINUE = text("SELECT setval('revisions', :revision)").bindparams(
    bindparam("revision", type_=BigInteger)
)


async def last_revision(db: ReadSession) -> int:
    """Return the greatest revision that was drawn, as it is now and not when the block began."""
    return int((await db.execute(_LAST)).scalar_one())


async def continue_after(db: WriteSession, revision: int) -> None:
    """Draw greater ones than this from now on, whether or not the transaction is committed."""
    await db.execute(_CONTINUE, {"revision": revision})
