"""Who pays for vectors: of documents by what was noted, of questions when they are asked."""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dispatch.billing.items import UsageItem
from dispatch.errors import BalanceUnknown, StoreUnavailable
from dispatch.store.engine import Database
from dispatch.store.repositories import embedding_uses
from dispatch.store.repositories.embedding_uses import EmbeddingUse
from dispatch.usage.usage import Payer, Usage, UsageSource

logger = logging.getLogger(__name__)

_BATCH: Final = 100


@dataclass(frozen=True, slots=True)
class EmbeddingsCharged:
    """What a run did."""

    charged: int
    """Requests for vectors that are charged now."""


class EmbeddingCharges:
    """Charges embeddings as operations of their own. Nothing is set aside for them.

    Ingestion notes what vectors took in the transaction that stores them, so a crash loses neither
    or both; the loop `embeddings` charges each note by its id, however often it has to try.

    Args:
        database: Where the notes are.
        usage: Charges.
    """

    def __init__(self, database: Database, usage: Usage) -> None:
        self._database = database
        self._usage = usage

    async def run_once(self) -> EmbeddingsCharged:
        """Charge what documents took.

        Raises:
            StoreUnavailable: Not all of it could be charged; the next run goes on.
        """
        async with self._database.reading() as db:
            due = await embedding_uses.list_uses(db, _BATCH)
        failure: BalanceUnknown | None = None
        charged = 0
        for use in due:
            payer = Payer(use.organization_id, use.project_id)
            try:
                # Dead from here to the deletion, the next run charges again by the same id.
                await self._usage.charge(payer, use.operation_id, UsageSource.KNOWLEDGE, [use.item])
            except BalanceUnknown as exc:
                # The others' are known.
                failure = exc
                continue
            async with self._database.transaction() as db:
                await embedding_uses.delete_use(db, use.operation_id)
            charged += 1
        if failure is not None:
            raise failure
        return EmbeddingsCharged(charged)

    async def charge_question(
        self, payer: Payer, source: UsageSource, used: Sequence[UsageItem]
    ) -> None:
        """Charge the vectors of a question; nothing happens when there were none.

        Who asked has the answer by then, and a Redis that is away must not take it back: then it
        is noted and charged by the loop, as the project's and no longer as the agent's. The id is
        the same, for the charge may have been made and only its answer lost.

        Args:
            payer: Who pays, and whose agent asked.
            source: Where it was asked.
            used: What it took.
        """
        for item in used:
            operation_id = uuid.uuid4()
            try:
                await self._usage.charge(payer, operation_id, source, [item])
            except StoreUnavailable:
                use = EmbeddingUse(operation_id, payer.organization_id, payer.project_id, item)
                await self._note(use)

    async def _note(self, use: EmbeddingUse) -> None:
        try:
            async with self._database.transaction() as db:
                await embedding_uses.insert_use(db, use)
        except StoreUnavailable:
            logger.warning(
                "The vectors of a question could not be charged.",
                extra={"organization_id": str(use.organization_id)},
            )
