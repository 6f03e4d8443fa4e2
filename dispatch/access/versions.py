"""How a change of access takes effect at once, in every process."""

import logging
import uuid

from dispatch.errors import StoreUnavailable
from dispatch.store.credential_cache import CredentialCache
from dispatch.store.engine import WriteSession
from dispatch.store.repositories import accounts

logger = logging.getLogger(__name__)


class AccessVersions:
    """Counts the changes of what an organisation's keys and members may do.

    The count is raised in the transaction of the change, and told to Redis after it. An answer
    that was read earlier carries an older count, and is not believed any more; so a lookup that
    overlaps the change cannot bring back what it took away.
    """

    def __init__(self, cache: CredentialCache) -> None:
        self._cache = cache

    async def raise_in(self, db: WriteSession, organization_id: uuid.UUID) -> int:
        """Count a change inside its transaction, and return the new count."""
        return await accounts.raise_access_version(db, organization_id)

    async def announce(self, organization_id: uuid.UUID, version: int) -> None:
        """Let every process know, after the transaction.

        Raises:
            StoreUnavailable: The change is on record, but Redis did not answer and may let the old
                state count for up to a minute more: send the request again.
        """
        await self._cache.outdate(organization_id, version)

    async def announce_later(self, organization_id: uuid.UUID, version: int) -> None:
        """As `announce`, where a minute's delay takes nothing from anybody."""
        try:
            await self.announce(organization_id, version)
        except StoreUnavailable:
            logger.warning(
                "A change of access takes effect within a minute; Redis did not answer.",
                extra={"organization_id": str(organization_id)},
            )
