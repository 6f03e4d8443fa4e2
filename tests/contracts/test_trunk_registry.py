"""What convergence relies on in LiveKit's table of trunks and rules."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from livekit import api

from stack.ports import free_port
from telephony.adapters.livekit_client import LiveKitClient
from telephony.adapters.livekit_sip import LiveKitTrunks
from telephony.e164 import E164
from telephony.errors import TrunkConflict, VendorNotFound, VendorUnavailable
from telephony.ports import TrunkRegistry
from telephony.trunks import DispatchRule, InboundTrunk, TrunkOwner
from tests.fakes.livekit_sip import FakeTrunks
from tests.servers.livekit_server import LiveKitServer

N1, N2, N3 = (E164(f"+1201555010{n}") for n in range(3))
OWNER = TrunkOwner("dialplane", "a-connection", 0)
TRUNK = InboundTrunk(
    OWNER,
    "carrier / 0",
    frozenset({N1, N2}),
    allowed_addresses=frozenset({"192.0.2.0/24", "198.51.100.7"}),
    auth_username="carrier",
    auth_password="secret",
)
OTHER = InboundTrunk(TrunkOwner("dialplane", "a-connection", 1), "carrier / 1", frozenset({N3}))


@dataclass
class Edge:
    """A registry and the means to play others who use the same LiveKit."""

    registry: TrunkRegistry
    fake: FakeTrunks | None
    client: LiveKitClient | None

    async def add_foreign_trunk(self, *numbers: str) -> str:
        if self.fake:
            return self.fake.add_foreign_trunk("theirs", *numbers)
        assert self.client
        trunk = api.SIPInboundTrunkInfo(name="theirs", numbers=numbers)
        request = api.CreateSIPInboundTrunkRequest(trunk=trunk)
        made = await self.client.once("test", lambda lk: lk.sip.create_inbound_trunk(request))
        return made.sip_trunk_id


@pytest.fixture
async def livekit(request: pytest.FixtureRequest, edge: str) -> AsyncIterator[Edge]:
    if edge == "fake":
        fake = FakeTrunks()
        yield Edge(fake, fake, None)
        return
    server: LiveKitServer = request.getfixturevalue("livekit_server")
    async with LiveKitClient(server.settings) as client:
        yield Edge(await emptied(client), None, client)


async def emptied(client: LiveKitClient) -> LiveKitTrunks:
    """Return the registry of a LiveKit without what other tests left in it."""
    registry = LiveKitTrunks(client)
    for trunk in await registry.list_inbound_trunks():
        await registry.delete_trunk(trunk.livekit_trunk_id)
    for rule in await registry.list_dispatch_rules():
        await registry.delete_dispatch_rule(rule.livekit_rule_id)
    return registry


def rule(*trunk_ids: str, connection: str = "a-connection") -> DispatchRule:
    owner = TrunkOwner("dialplane", connection, -1)
    return DispatchRule(owner, "carrier", frozenset(trunk_ids), "call", "dialplane")


class TestTrunks:
    async def test_lists_what_was_created_word_for_word(self, livekit: Edge) -> None:
        trunk_id = await livekit.registry.create_inbound_trunk(TRUNK)

        (observed,) = await livekit.registry.list_inbound_trunks()

        assert observed.livekit_trunk_id == trunk_id
        assert observed.owner == OWNER
        assert observed.trunk == TRUNK
        assert observed.numbers == {N1, N2}

    async def test_replaces_every_field(self, livekit: Edge) -> None:
        trunk_id = await livekit.registry.create_inbound_trunk(TRUNK)
        changed = InboundTrunk(OWNER, "renamed", frozenset({N3}), ringing_timeout_s=12.5)

        await livekit.registry.replace_inbound_trunk(trunk_id, changed)

        (observed,) = await livekit.registry.list_inbound_trunks()
        assert observed.livekit_trunk_id == trunk_id
        assert observed.trunk == changed

    async def test_deletes_and_deletes_again(self, livekit: Edge) -> None:
        trunk_id = await livekit.registry.create_inbound_trunk(TRUNK)

        await livekit.registry.delete_trunk(trunk_id)
        await livekit.registry.delete_trunk(trunk_id)

        assert await livekit.registry.list_inbound_trunks() == []

    async def test_refuses_a_number_on_a_second_trunk(self, livekit: Edge) -> None:
        await livekit.registry.create_inbound_trunk(TRUNK)

        with pytest.raises(TrunkConflict):
            await livekit.registry.create_inbound_trunk(replace(OTHER, numbers=frozenset({N1})))

        assert len(await livekit.registry.list_inbound_trunks()) == 1

    async def test_refuses_to_move_a_number_that_another_trunk_still_holds(
        self, livekit: Edge
    ) -> None:
        await livekit.registry.create_inbound_trunk(TRUNK)
        other_id = await livekit.registry.create_inbound_trunk(OTHER)

        with pytest.raises(TrunkConflict):
            await livekit.registry.replace_inbound_trunk(
                other_id, replace(OTHER, numbers=frozenset({N1, N3}))
            )

    async def test_does_not_know_a_trunk_that_is_gone(self, livekit: Edge) -> None:
        with pytest.raises(VendorNotFound):
            await livekit.registry.replace_inbound_trunk("ST_unknown", TRUNK)

    async def test_shows_others_trunks_as_not_ours(self, livekit: Edge) -> None:
        trunk_id = await livekit.add_foreign_trunk("12015550109")

        (observed,) = await livekit.registry.list_inbound_trunks()

        assert (observed.livekit_trunk_id, observed.name) == (trunk_id, "theirs")
        assert (observed.owner, observed.trunk) == (None, None)
        assert observed.numbers == {"12015550109"}

    async def test_never_makes_a_catch_all(self, livekit: Edge) -> None:
        with pytest.raises(ValueError, match="catch every call"):
            await livekit.registry.create_inbound_trunk(replace(TRUNK, numbers=frozenset()))
        with pytest.raises(ValueError, match="catch every call"):
            await livekit.registry.create_dispatch_rule(rule())


class TestRules:
    async def test_lists_what_was_created_word_for_word(self, livekit: Edge) -> None:
        trunk_id = await livekit.registry.create_inbound_trunk(TRUNK)
        rule_id = await livekit.registry.create_dispatch_rule(rule(trunk_id))

        (observed,) = await livekit.registry.list_dispatch_rules()

        assert observed.livekit_rule_id == rule_id
        assert observed.rule == rule(trunk_id)
        assert observed.trunk_ids == {trunk_id}

    async def test_replaces_the_trunks_of_a_rule(self, livekit: Edge) -> None:
        first = await livekit.registry.create_inbound_trunk(TRUNK)
        second = await livekit.registry.create_inbound_trunk(OTHER)
        rule_id = await livekit.registry.create_dispatch_rule(rule(first))
        changed = replace(rule(second), worker_name="other")

        await livekit.registry.replace_dispatch_rule(rule_id, changed)

        (observed,) = await livekit.registry.list_dispatch_rules()
        assert observed.rule == changed

    async def test_refuses_a_trunk_in_a_second_rule(self, livekit: Edge) -> None:
        trunk_id = await livekit.registry.create_inbound_trunk(TRUNK)
        await livekit.registry.create_dispatch_rule(rule(trunk_id))

        with pytest.raises(TrunkConflict):
            await livekit.registry.create_dispatch_rule(rule(trunk_id, connection="other"))

    async def test_deletes_and_deletes_again(self, livekit: Edge) -> None:
        trunk_id = await livekit.registry.create_inbound_trunk(TRUNK)
        rule_id = await livekit.registry.create_dispatch_rule(rule(trunk_id))

        await livekit.registry.delete_dispatch_rule(rule_id)
        await livekit.registry.delete_dispatch_rule(rule_id)

        assert await livekit.registry.list_dispatch_rules() == []

    async def test_does_not_know_a_rule_that_is_gone(self, livekit: Edge) -> None:
        with pytest.raises(VendorNotFound):
            await livekit.registry.replace_dispatch_rule("SDR_unknown", rule("ST_1"))


async def unreachable(edge: str, server: LiveKitServer | None) -> AsyncIterator[TrunkRegistry]:
    if server is None:
        yield FakeTrunks(fails_after=0)
        return
    settings = server.settings.model_copy(update={"livekit_url": f"ws://127.0.0.1:{free_port()}"})
    async with LiveKitClient(settings) as client:
        yield LiveKitTrunks(client)


async def test_says_when_livekit_is_not_there(request: pytest.FixtureRequest, edge: str) -> None:
    server = request.getfixturevalue("livekit_server") if edge == "real" else None

    async for registry in unreachable(edge, server):
        with pytest.raises(VendorUnavailable):
            await registry.list_inbound_trunks()
        with pytest.raises(VendorUnavailable):
            await registry.create_inbound_trunk(TRUNK)


@pytest.mark.integration
async def test_notices_a_change_that_our_words_cannot_say(livekit_server: LiveKitServer) -> None:
    async with LiveKitClient(livekit_server.settings) as client:
        registry = await emptied(client)
        trunk_id = await registry.create_inbound_trunk(replace(TRUNK, numbers=frozenset({N3})))
        await client.once(
            "test",
            lambda lk: lk.sip.update_inbound_trunk_fields(trunk_id, allowed_numbers=["+1201"]),
        )

        found = {t.livekit_trunk_id: t for t in await registry.list_inbound_trunks()}

        assert found[trunk_id].owner == OWNER
        assert found[trunk_id].trunk is None
