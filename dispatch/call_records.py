"""Calls on record: who called, what was said, what it cost."""

import uuid
from dataclasses import replace

from dispatch.accounts import Principal
from dispatch.call_history import CallDetails, CallFilters, CallRecord, CallStats
from dispatch.errors import InvalidField, NotFound
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import Database
from dispatch.store.repositories import calls
from telephony.e164 import parse_e164
from telephony.errors import InvalidNumber

__all__ = ["CallDetails", "CallFilters", "CallRecord", "CallRecords", "CallStats"]


class CallRecords:
    """A project's calls, as far as their events have been written down."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self, principal: Principal, page: PageRequest, filters: CallFilters | None = None
    ) -> Page[CallRecord]:
        """Return a page of the project's calls, newest first.

        Raises:
            InvalidField: A time carries no time zone.
        """
        filters = _normalised(filters or CallFilters())
        async with self._database.reading() as db:
            return await calls.list_calls(db, principal.project_id, filters, page)

    async def stats(self, principal: Principal, filters: CallFilters) -> CallStats:
        """Return the sums of some of the project's calls.

        Raises:
            InvalidField: A time carries no time zone.
        """
        filters = _normalised(filters)
        async with self._database.reading() as db:
            return await calls.sum_calls(db, principal.project_id, filters)

    async def get(self, principal: Principal, call_id: uuid.UUID) -> CallDetails:
        """Return a call with its transcript, events and ledger entries.

        Raises:
            NotFound: The project has no such call.
        """
        async with self._database.reading() as db:
            details = await calls.find_call(db, principal.project_id, call_id)
        if details is None:
            raise NotFound("call", call_id)
        return details


def _normalised(filters: CallFilters) -> CallFilters:
    """Return the filters with a number in the form in which numbers are stored."""
    for field, at in (("from", filters.started_from), ("to", filters.started_to)):
        if at is not None and at.tzinfo is None:
            raise InvalidField(field, f"{field} must carry its time zone.")
    if filters.number is None:
        return filters
    try:
        return replace(filters, number=parse_e164(filters.number))
    except InvalidNumber:
        # Carriers also send callers that are no numbers; those are found by their own text.
        return filters
