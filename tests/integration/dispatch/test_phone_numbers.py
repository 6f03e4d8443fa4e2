"""Numbers and connections on a real Postgres and Redis."""

import asyncio
import uuid

import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from dispatch.agent_profile import AgentDraft
from dispatch.errors import AgentNotVoiceReady, Conflict, InvalidField, NotFound
from dispatch.numbers import SyncState
from dispatch.paging import PageRequest
from dispatch.phone_numbers import PhoneNumbers
from dispatch.store.engine import Database
from dispatch.store.tables import CarrierConnectionRow, PhoneNumberRow

pytestmark = pytest.mark.integration

NUMBER = "+12015550100"


async def set_sync(database: Database, state: str, error: str | None = None) -> None:
    async with database.transaction() as db:
        await db.execute(update(PhoneNumberRow).values(sync_state=state, sync_error=error))


async def new_agent(use_cases, principal, **fields):
    return await use_cases.agents.create(
        principal.actor, principal, AgentDraft(name="Reception", **fields)
    )


class TestCreating:
    async def test_a_number_is_pending_and_already_routed(self, use_cases, owner, redis) -> None:
        agent = await new_agent(use_cases, owner)
        number = await use_cases.numbers.create(
            owner, provider="custom", number=" +1 (201) 555-0100 ", agent_id=agent.agent_id
        )
        assert (number.number, number.status) == (NUMBER, SyncState.PENDING)
        assert number.status_reason is not None
        route = await use_cases.routes.get_route(number.number)
        assert route is not None
        assert (route.number_id, route.agent_id) == (number.id, agent.agent_id)
        assert await redis.llen("dp:wake:convergence") == 1

    async def test_the_first_number_of_a_provider_brings_its_connection(
        self, use_cases, owner
    ) -> None:
        first, second = await asyncio.gather(
            use_cases.numbers.create(owner, provider="custom", number="+12015550100"),
            use_cases.numbers.create(owner, provider="custom", number="+12015550101"),
        )
        assert first.connection_id == second.connection_id
        connection = await use_cases.connections.get(owner, first.connection_id)
        assert connection.allowed_addresses == ("127.0.0.0/8",)

    async def test_without_default_addresses_a_connection_must_be_made_first(
        self, use_cases, owner, database
    ) -> None:
        strict = PhoneNumbers(database, use_cases.routes, use_cases.signals)
        with pytest.raises(InvalidField, match="create one first") as refused:
            await strict.create(owner, provider="custom", number=NUMBER)
        assert refused.value.field == "connection_id"
        connection = await use_cases.connections.create(
            owner, name="Main", provider="custom", allowed_addresses=["192.0.2.7"]
        )
        number = await strict.create(owner, provider="custom", number=NUMBER)
        assert number.connection_id == connection.id

    async def test_several_connections_of_a_provider_must_be_told_apart(
        self, use_cases, owner
    ) -> None:
        connections = [
            await use_cases.connections.create(
                owner, name=name, provider="custom", allowed_addresses=["192.0.2.7"]
            )
            for name in ("east", "west")
        ]
        with pytest.raises(InvalidField, match="several"):
            await use_cases.numbers.create(owner, provider="custom", number=NUMBER)
        number = await use_cases.numbers.create(
            owner, provider="custom", number=NUMBER, connection_id=connections[1].id
        )
        assert number.connection_id == connections[1].id

    async def test_the_provider_must_be_the_connections(self, use_cases, owner) -> None:
        connection = await use_cases.connections.create(
            owner, name="Main", provider="telnyx", allowed_addresses=["192.0.2.7"]
        )
        with pytest.raises(InvalidField, match="telnyx"):
            await use_cases.numbers.create(
                owner, provider="twilio", number=NUMBER, connection_id=connection.id
            )

    @pytest.mark.parametrize("text", ["", "2015550100", "+1201555", "+12015550100x", "tel:+1"])
    async def test_what_is_not_e164_is_refused(self, use_cases, owner, text) -> None:
        with pytest.raises(InvalidField) as refused:
            await use_cases.numbers.create(owner, provider="custom", number=text)
        assert refused.value.field == "number"
        assert (await use_cases.numbers.list(owner, PageRequest())).total == 0

    async def test_an_unknown_connection_is_not_found(self, use_cases, owner) -> None:
        with pytest.raises(NotFound, match="connection"):
            await use_cases.numbers.create(
                owner, provider="custom", number=NUMBER, connection_id=uuid.uuid4()
            )

    async def test_without_redis_the_number_is_kept_and_routed_later(
        self, use_cases, cut_off, owner
    ) -> None:
        number = await cut_off.numbers.create(owner, provider="custom", number=NUMBER)
        assert number.status is SyncState.PENDING
        await use_cases.projection.run_once()
        assert await use_cases.routes.get_route(number.number) is not None

    async def test_an_unknown_agent_leaves_nothing_behind(self, use_cases, owner) -> None:
        with pytest.raises(NotFound, match="Agent"):
            await use_cases.numbers.create(
                owner, provider="custom", number=NUMBER, agent_id=uuid.uuid4()
            )
        assert (await use_cases.connections.list(owner, PageRequest())).total == 0

    async def test_a_text_only_agent_is_refused(self, use_cases, owner) -> None:
        agent = await new_agent(use_cases, owner, voice_enabled=False)
        with pytest.raises(AgentNotVoiceReady):
            await use_cases.numbers.create(
                owner, provider="custom", number=NUMBER, agent_id=agent.agent_id
            )

    async def test_a_number_is_on_record_once_whosever_it_is(
        self, use_cases, owner, stranger
    ) -> None:
        await use_cases.numbers.create(owner, provider="custom", number=NUMBER)
        for who in (owner, stranger):
            with pytest.raises(Conflict):
                await use_cases.numbers.create(who, provider="custom", number=NUMBER)

    async def test_two_who_want_the_same_number_at_once_get_it_once(
        self, use_cases, owner, stranger
    ) -> None:
        outcomes = await asyncio.gather(
            *(
                use_cases.numbers.create(who, provider="custom", number=NUMBER)
                for who in (owner, stranger)
            ),
            return_exceptions=True,
        )
        assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 1

    async def test_a_deleted_number_may_come_back(self, use_cases, owner, stranger) -> None:
        await use_cases.numbers.create(owner, provider="custom", number=NUMBER)
        await use_cases.numbers.delete(owner, NUMBER)
        number = await use_cases.numbers.create(stranger, provider="custom", number=NUMBER)
        await use_cases.projection.run_once()
        route = await use_cases.routes.get_route(number.number)
        assert route is not None
        assert route.project_id == stranger.project_id


class TestAssigning:
    async def test_the_next_call_follows_and_livekit_is_not_involved(
        self, use_cases, owner, redis
    ) -> None:
        first, second = await new_agent(use_cases, owner), await new_agent(use_cases, owner)
        number = await use_cases.numbers.create(
            owner, provider="custom", number=NUMBER, agent_id=first.agent_id
        )
        await redis.delete("dp:wake:convergence")
        assigned = await use_cases.numbers.assign(
            owner, number.id, inbound_agent_id=second.agent_id
        )
        assert assigned.inbound_agent_id == second.agent_id
        route = await use_cases.routes.get_route(number.number)
        assert route is not None
        assert route.agent_id == second.agent_id
        assert not await redis.exists("dp:wake:convergence")

    async def test_what_is_not_named_stays_and_none_takes_away(self, use_cases, owner) -> None:
        agent = await new_agent(use_cases, owner)
        number = await use_cases.numbers.create(
            owner, provider="custom", number=NUMBER, agent_id=agent.agent_id
        )
        both = await use_cases.numbers.assign(owner, number.id, outbound_agent_id=agent.agent_id)
        assert (both.inbound_agent_id, both.outbound_agent_id) == (agent.agent_id, agent.agent_id)
        one = await use_cases.numbers.assign(owner, number.id, inbound_agent_id=None)
        assert (one.inbound_agent_id, one.outbound_agent_id) == (None, agent.agent_id)
        route = await use_cases.routes.get_route(number.number)
        assert route is not None
        assert route.agent_id is None

    async def test_an_unknown_number_is_not_found(self, use_cases, owner) -> None:
        with pytest.raises(NotFound, match="number"):
            await use_cases.numbers.assign(owner, uuid.uuid4(), inbound_agent_id=None)

    async def test_a_text_only_agent_changes_nothing(self, use_cases, owner) -> None:
        speaking = await new_agent(use_cases, owner)
        silent = await new_agent(use_cases, owner, voice_enabled=False)
        number = await use_cases.numbers.create(
            owner, provider="custom", number=NUMBER, agent_id=speaking.agent_id
        )
        with pytest.raises(AgentNotVoiceReady):
            await use_cases.numbers.assign(owner, number.id, inbound_agent_id=silent.agent_id)
        kept = await use_cases.numbers.get(owner, number.id)
        assert kept.inbound_agent_id == speaking.agent_id

    async def test_without_redis_the_assignment_is_kept_pending_and_follows_later(
        self, use_cases, cut_off, owner, database
    ) -> None:
        agent = await new_agent(use_cases, owner)
        number = await use_cases.numbers.create(owner, provider="custom", number=NUMBER)
        await set_sync(database, "active")
        assigned = await cut_off.numbers.assign(owner, number.id, inbound_agent_id=agent.agent_id)
        assert (assigned.status, assigned.inbound_agent_id) == (
            SyncState.PENDING,
            agent.agent_id,
        )
        assert "Redis" in (assigned.status_reason or "")
        await use_cases.projection.run_once()
        route = await use_cases.routes.get_route(number.number)
        assert route is not None
        assert route.agent_id == agent.agent_id


class TestStatus:
    async def test_active_once_livekit_holds_it(self, use_cases, owner, database) -> None:
        number = await use_cases.numbers.create(owner, provider="custom", number=NUMBER)
        await set_sync(database, "active")
        await use_cases.signals.beat("convergence", ok=True, detail="1 trunk.")
        seen = await use_cases.numbers.get(owner, number.id)
        assert (seen.status, seen.status_reason) == (SyncState.ACTIVE, None)

    async def test_pending_while_livekit_cannot_be_reached(
        self, use_cases, owner, database
    ) -> None:
        number = await use_cases.numbers.create(owner, provider="custom", number=NUMBER)
        await set_sync(database, "active")
        await use_cases.signals.beat("convergence", ok=False, detail="LiveKit is unreachable.")
        for seen in (
            await use_cases.numbers.get(owner, number.id),
            (await use_cases.numbers.list(owner, PageRequest())).items[0],
            await use_cases.numbers.assign(owner, number.id, inbound_agent_id=None),
        ):
            assert seen.status is SyncState.PENDING
            assert (seen.status_reason or "").endswith("at the moment: LiveKit is unreachable.")

    async def test_a_conflict_says_with_what(self, use_cases, owner, database) -> None:
        number = await use_cases.numbers.create(owner, provider="custom", number=NUMBER)
        await set_sync(database, "conflict", "Trunk ST_1 claims the number.")
        seen = await use_cases.numbers.get(owner, number.id)
        assert seen.status is SyncState.CONFLICT
        assert seen.status_reason == "Trunk ST_1 claims the number."

    async def test_pending_without_redis(self, cut_off, use_cases, owner, database) -> None:
        number = await use_cases.numbers.create(owner, provider="custom", number=NUMBER)
        await set_sync(database, "active")
        seen = await cut_off.numbers.get(owner, number.id)
        assert seen.status is SyncState.PENDING
        assert "Redis" in (seen.status_reason or "")


class TestListingAndDeleting:
    async def test_pages_and_the_number_filter(self, use_cases, owner) -> None:
        for last in range(3):
            await use_cases.numbers.create(owner, provider="custom", number=f"+1201555010{last}")
        page = await use_cases.numbers.list(owner, PageRequest(page=1, limit=2))
        assert [number.number[-1] for number in page.items] == ["2", "1"]
        assert (page.total, page.total_pages) == (3, 2)
        one = await use_cases.numbers.list(owner, PageRequest(), numbers=["+1 201 555 0101"])
        assert [number.number for number in one.items] == ["+12015550101"]
        with pytest.raises(InvalidField):
            await use_cases.numbers.list(owner, PageRequest(), numbers=["0101"])

    async def test_a_deleted_number_is_not_routed(self, use_cases, owner, redis) -> None:
        number = await use_cases.numbers.create(owner, provider="custom", number=NUMBER)
        await redis.delete("dp:wake:convergence")
        deleted = await use_cases.numbers.delete(owner, "+1 201 555 0100")
        assert deleted.id == number.id
        assert await use_cases.routes.get_route(number.number) is None
        assert await redis.llen("dp:wake:convergence") == 1
        with pytest.raises(NotFound):
            await use_cases.numbers.get(owner, number.id)
        with pytest.raises(NotFound):
            await use_cases.numbers.delete(owner, NUMBER)


class TestConnections:
    async def test_the_password_is_sealed_and_never_given_back(
        self, use_cases, owner, database
    ) -> None:
        connection = await use_cases.connections.create(
            owner,
            name="Main",
            provider="twilio",
            auth_username="till",
            auth_password=SecretStr("correct horse"),
        )
        assert "correct horse" not in repr(connection)
        async with database.reading() as db:
            kept = await db.scalar(select(CarrierConnectionRow.auth_password_sealed))
        assert kept
        assert b"correct horse" not in kept

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({}, "allowed_addresses"),
            ({"name": " "}, "name"),
            ({"provider": "Twilio Inc."}, "provider"),
            ({"allowed_addresses": ["192.0.2.0/24", "nowhere"]}, "allowed_addresses.1"),
            ({"allowed_addresses": ["192.0.2.1/24"]}, "allowed_addresses.0"),
            ({"allowed_addresses": ["192.0.2.7"] * 201}, "allowed_addresses"),
            ({"auth_username": "till"}, "auth_password"),
            ({"auth_password": SecretStr("x")}, "auth_username"),
            ({"auth_username": "", "auth_password": SecretStr("x")}, "auth_username"),
        ],
    )
    async def test_refuses_what_nobody_could_call_in_on(
        self, use_cases, owner, fields, field
    ) -> None:
        with pytest.raises(InvalidField) as refused:
            await use_cases.connections.create(
                owner, **({"name": "Main", "provider": "twilio"} | fields)
            )
        assert refused.value.field == field

    async def test_a_connection_in_use_stays(self, use_cases, owner) -> None:
        number = await use_cases.numbers.create(owner, provider="custom", number=NUMBER)
        with pytest.raises(Conflict):
            await use_cases.connections.delete(owner, number.connection_id)
        await use_cases.numbers.delete(owner, NUMBER)
        await use_cases.connections.delete(owner, number.connection_id)
        with pytest.raises(NotFound):
            await use_cases.connections.get(owner, number.connection_id)
        assert (await use_cases.connections.list(owner, PageRequest())).items == ()


async def test_nothing_of_one_customer_is_there_for_another(use_cases, owner, stranger) -> None:
    agent = await new_agent(use_cases, owner)
    own_agent = await new_agent(use_cases, stranger)
    number = await use_cases.numbers.create(
        owner, provider="custom", number=NUMBER, agent_id=agent.agent_id
    )
    refused = [
        use_cases.agents.get(stranger, agent.agent_id),
        use_cases.agents.update(stranger.actor, stranger, agent.agent_id, {"name": "Mine"}),
        use_cases.agents.delete(stranger.actor, stranger, agent.agent_id),
        use_cases.numbers.get(stranger, number.id),
        use_cases.numbers.assign(stranger, number.id, inbound_agent_id=own_agent.agent_id),
        use_cases.numbers.assign(stranger, number.id, inbound_agent_id=None),
        use_cases.numbers.delete(stranger, NUMBER),
        use_cases.numbers.create(
            stranger, provider="custom", number="+12015550199", agent_id=agent.agent_id
        ),
        use_cases.numbers.create(
            stranger,
            provider="custom",
            number="+12015550199",
            connection_id=number.connection_id,
        ),
        use_cases.connections.get(stranger, number.connection_id),
        use_cases.connections.delete(stranger, number.connection_id),
    ]
    for attempt in refused:
        with pytest.raises(NotFound):
            await attempt
    page = PageRequest()
    assert (await use_cases.numbers.list(stranger, page)).total == 0
    assert (await use_cases.numbers.list(stranger, page, numbers=[NUMBER])).total == 0
    assert (await use_cases.connections.list(stranger, page)).total == 0
    assert [a.agent_id for a in (await use_cases.agents.list(stranger, page)).items] == [
        own_agent.agent_id
    ]
    assert (await use_cases.numbers.get(owner, number.id)).inbound_agent_id == agent.agent_id
