"""Phone numbers: on record, on a carrier connection, and assigned to agents.

Creating and deleting changes what LiveKit must hold, so convergence is woken. Assigning does not:
the route in Redis decides which agent answers, from the next call on.
"""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import replace

from dispatch.access.number_changes import record_number
from dispatch.accounts import Principal
from dispatch.agent_profile import AgentProfile
from dispatch.billing.plans import Resource
from dispatch.carrier_connections import checked_provider, create_implied_connection
from dispatch.errors import AgentNotVoiceReady, Conflict, InvalidField, NotFound, StoreUnavailable
from dispatch.number_status import NumberStatuses
from dispatch.numbers import UNCHANGED, AgentChange, CarrierConnection, PhoneNumber, SyncState
from dispatch.paging import Order, Page, PageRequest
from dispatch.routes import Routes
from dispatch.store.engine import Database, WriteSession
from dispatch.store.loop_signals import LoopSignals
from dispatch.store.repositories import agents, carrier_connections, phone_numbers
from dispatch.store.repositories.quotas import require_room_for
from telephony.e164 import E164, parse_e164
from telephony.errors import InvalidNumber

__all__ = ["UNCHANGED", "AgentChange", "PhoneNumber", "PhoneNumbers"]

logger = logging.getLogger(__name__)

NOT_ROUTED = (
    "The change is saved, but Redis did not answer; calls follow it as soon as Redis is back."
)
"""What a number's owner is told when its route could not be written."""


class PhoneNumbers:
    """A project's numbers.

    Args:
        database: The record.
        routes: Where the call path looks numbers up.
        signals: Wakes convergence, and tells whether it reaches LiveKit.
        default_allowed_addresses: CIDR ranges for a connection created implicitly with a
            project's first number of a provider; empty refuses that.
    """

    def __init__(
        self,
        database: Database,
        routes: Routes,
        signals: LoopSignals,
        default_allowed_addresses: Sequence[str] = (),
    ) -> None:
        self._database = database
        self._routes = routes
        self._signals = signals
        self._statuses = NumberStatuses(signals)
        self._default_allowed_addresses = tuple(default_allowed_addresses)

    async def create(
        self,
        principal: Principal,
        *,
        provider: str,
        number: str,
        agent_id: uuid.UUID | None = None,
        outbound_agent_id: uuid.UUID | None = None,
        connection_id: uuid.UUID | None = None,
        new_id: uuid.UUID | None = None,
    ) -> PhoneNumber:
        """Put a number on record with its agents; it is `pending` until LiveKit holds it.

        Args:
            principal: On whose behalf.
            provider: Whose number it is, in one word: `twilio`, `telnyx`, `custom`.
            number: In E.164 form.
            agent_id: Agent that answers; None leaves the number unassigned.
            outbound_agent_id: Agent that calls from it.
            connection_id: Connection it comes in on; None takes the project's only one of the
                provider, or creates one when default addresses are configured.
            new_id: The number's id, a random one when None. When it is this number's already, that
                is returned.

        Raises:
            InvalidField: `number` is not E.164, `provider` is not the connection's, or the
                connection cannot be told.
            NotFound: The project has no such agent or connection.
            AgentNotVoiceReady: The agent is text-only.
            Conflict: The number is on record already, whosever it is.
        """
        did = _parse(number)
        new_id = new_id or uuid.uuid4()
        async with self._database.transaction() as db:
            for each in (agent_id, outbound_agent_id):
                if each is not None:
                    await require_voice_agent(db, principal, each)
            connection = await self._choose_connection(db, principal, provider, connection_id)
            created = await phone_numbers.insert_number(
                db,
                phone_numbers.NewNumber(
                    id=new_id,
                    organization_id=principal.organization_id,
                    project_id=principal.project_id,
                    connection_id=connection.id,
                    did=did,
                    inbound_agent_id=agent_id,
                    outbound_agent_id=outbound_agent_id,
                ),
            )
            if created is not None:
                await record_number(db, principal.actor, "number.created", None, created)
                await require_room_for(db, principal.organization_id, Resource.PHONE_NUMBERS)
            else:
                created = await phone_numbers.find_number(db, principal.project_id, new_id)
                if created is None or created.number != did:
                    raise Conflict("This number is on record already.")
        await self._publish(created)
        await self._wake_convergence()
        return await self._statuses.of(created)

    async def get(self, principal: Principal, number_id: uuid.UUID) -> PhoneNumber:
        """Return a number.

        Raises:
            NotFound: The project has no such number.
        """
        async with self._database.reading() as db:
            number = await phone_numbers.find_number(db, principal.project_id, number_id)
        if number is None:
            raise NotFound("phone number", number_id)
        return await self._statuses.of(number)

    async def list(
        self,
        principal: Principal,
        page: PageRequest,
        *,
        numbers: Sequence[str] | None = None,
        order: Order | None = None,
    ) -> Page[PhoneNumber]:
        """Return a page of the project's numbers, newest first unless in another order.

        Args:
            principal: On whose behalf.
            page: Which page.
            numbers: Only these, in E.164 form.
            order: By `created_at` or `number`.

        Raises:
            InvalidField: One of `numbers` is not E.164, or numbers cannot be put in this order.
        """
        dids = None if numbers is None else [_parse(number) for number in numbers]
        async with self._database.reading() as db:
            found = await phone_numbers.list_numbers(db, principal.project_id, page, dids, order)
        return replace(found, items=await self._statuses.of_all(found.items))

    async def assign(
        self,
        principal: Principal,
        number_id: uuid.UUID,
        *,
        inbound_agent_id: AgentChange = UNCHANGED,
        outbound_agent_id: AgentChange = UNCHANGED,
    ) -> PhoneNumber:
        """Say which agents answer a number and call from it; the next call follows.

        When Redis does not answer, the assignment is kept and the number is reported as pending.

        Raises:
            NotFound: The project has no such number or agent.
            AgentNotVoiceReady: An agent is text-only.
        """
        async with self._database.transaction() as db:
            for agent_id in (inbound_agent_id, outbound_agent_id):
                if isinstance(agent_id, uuid.UUID):
                    await require_voice_agent(db, principal, agent_id)
            before = await phone_numbers.find_number(
                db, principal.project_id, number_id, for_update=True
            )
            number = await phone_numbers.assign_agents(
                db,
                principal.project_id,
                number_id,
                inbound_agent_id=inbound_agent_id,
                outbound_agent_id=outbound_agent_id,
            )
            if number is None:
                raise NotFound("phone number", number_id)
            await record_number(db, principal.actor, "number.assigned", before, number)
        if not await self._publish(number):
            return replace(number, status=SyncState.PENDING, status_reason=NOT_ROUTED)
        return await self._statuses.of(number)

    async def move(
        self, principal: Principal, number_id: uuid.UUID, connection_id: uuid.UUID
    ) -> PhoneNumber:
        """Let a number come in on another of the project's connections.

        Raises:
            NotFound: The project has no such number or connection.
        """
        async with self._database.transaction() as db:
            connection = await carrier_connections.find_connection(
                db, principal.project_id, connection_id, for_share=True
            )
            if connection is None:
                raise NotFound("carrier connection", connection_id)
            before = await phone_numbers.find_number(
                db, principal.project_id, number_id, for_update=True
            )
            moved = await phone_numbers.move_number(
                db, principal.project_id, number_id, connection_id
            )
            if moved is None:
                raise NotFound("phone number", number_id)
            await record_number(db, principal.actor, "number.moved", before, moved)
        await self._publish(moved)
        await self._wake_convergence()
        return await self._statuses.of(moved)

    async def refresh(self) -> None:
        """Have LiveKit compared with the record now; it is compared every few seconds anyway."""
        await self._wake_convergence()

    async def delete(self, principal: Principal, number: str) -> PhoneNumber:
        """Take a number off the record and return it as it was; its calls stay on record.

        Args:
            principal: On whose behalf.
            number: The number itself, in E.164 form.

        Raises:
            InvalidField: `number` is not E.164.
            NotFound: The project has no such number.
        """
        did = _parse(number)
        async with self._database.transaction() as db:
            deleted = await phone_numbers.delete_number(db, principal.project_id, did)
            if deleted is None:
                raise NotFound("phone number", did)
            await record_number(db, principal.actor, "number.deleted", deleted, None)
        try:
            await self._routes.withdraw_route(did, deleted.revision)
        except StoreUnavailable:
            logger.warning(
                "A number is deleted but its route not withdrawn yet.",
                extra={"number_id": str(deleted.id)},
            )
        await self._wake_convergence()
        return deleted

    async def _choose_connection(
        self,
        db: WriteSession,
        principal: Principal,
        provider: str,
        connection_id: uuid.UUID | None,
    ) -> CarrierConnection:
        """Return the connection a new number comes in on."""
        if connection_id is not None:
            named = await carrier_connections.find_connection(
                db, principal.project_id, connection_id, for_share=True
            )
            if named is None:
                raise NotFound("carrier connection", connection_id)
            if named.provider != provider:
                raise InvalidField(
                    "provider", f"The carrier connection's provider is {named.provider}."
                )
            return named
        found = await carrier_connections.list_of_provider(db, principal.project_id, provider)
        if len(found) > 1:
            raise InvalidField(
                "connection_id",
                "The project has several carrier connections of this provider; name one.",
            )
        return found[0] if found else await self._create_connection(db, principal, provider)

    async def _create_connection(
        self, db: WriteSession, principal: Principal, provider: str
    ) -> CarrierConnection:
        if not self._default_allowed_addresses:
            raise InvalidField(
                "connection_id",
                "The project has no carrier connection of this provider; create one first.",
            )
        return await create_implied_connection(
            db,
            principal,
            provider=checked_provider(provider),
            name=provider,
            allowed_addresses=self._default_allowed_addresses,
        )

    async def _publish(self, number: PhoneNumber) -> bool:
        """Write the route; whether Redis took it."""
        return await publish_number(self._routes, number)

    async def _wake_convergence(self) -> None:
        try:
            await self._signals.wake("convergence")
        except StoreUnavailable:
            logger.warning("Convergence could not be woken; it runs at its next interval.")


async def publish_number(routes: Routes, number: PhoneNumber) -> bool:
    """Write a number's route; whether Redis took it. The projection repairs what it did not."""
    try:
        await routes.publish_route(number.number, number.route)
    except StoreUnavailable:
        logger.warning(
            "A number is saved but its route not published yet.",
            extra={"number_id": str(number.id)},
        )
        return False
    return True


def _parse(number: str) -> E164:
    try:
        return parse_e164(number)
    except InvalidNumber as exc:
        raise InvalidField("number", str(exc)) from exc


async def require_voice_agent(
    db: WriteSession, principal: Principal, agent_id: uuid.UUID
) -> AgentProfile:
    """Return an agent that can speak, and keep it from being deleted before the commit."""
    agent = await agents.find_agent(db, principal.project_id, agent_id, for_share=True)
    if agent is None:
        raise NotFound("agent", agent_id)
    if not agent.voice_enabled or agent.voice_pipeline_mode is None:
        raise AgentNotVoiceReady("The agent is text-only; it cannot be put on a number.")
    return agent
