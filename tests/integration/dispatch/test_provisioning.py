"""Numbers on record become trunks and rules, and their record says so."""

from collections import Counter

import pytest

from dispatch.errors import SecretUnreadable
from dispatch.provisioning import Provisioning
from dispatch.secrets.envelope import KEY_BYTES, KeyRing
from dispatch.store.engine import Database
from telephony.errors import VendorRejected, VendorUnavailable
from telephony.trunks import InboundTrunk
from tests.builders.installation_keys import KEYS
from tests.builders.live_calls import settings as dispatch_settings
from tests.fakes.livekit_sip import FakeTrunks
from tests.seeds.numbers import Tenant, did, seed_tenant

pytestmark = pytest.mark.integration

SETTINGS = dispatch_settings()


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    return await seed_tenant(database)


@pytest.fixture
def livekit() -> FakeTrunks:
    return FakeTrunks()


@pytest.fixture
def provisioning(database: Database, livekit: FakeTrunks) -> Provisioning:
    return Provisioning(database, livekit, SETTINGS, KEYS)


def only_trunk(livekit: FakeTrunks) -> InboundTrunk:
    (observed,) = livekit.trunks.values()
    assert observed.trunk
    return observed.trunk


class TestChanges:
    async def test_without_the_key_of_a_password_nothing_is_changed(
        self, database: Database, tenant: Tenant, livekit: FakeTrunks, provisioning: Provisioning
    ) -> None:
        connection_id = await tenant.add_connection(auth_username="u", auth_password="p")
        await tenant.add_numbers(connection_id, did(1))
        await provisioning.run_once()
        before = dict(livekit.trunks)
        other_keys = KeyRing({"another": b"a" * KEY_BYTES})

        with pytest.raises(SecretUnreadable, match="tests is missing"):
            await Provisioning(database, livekit, SETTINGS, other_keys).run_once()

        assert livekit.trunks == before

    async def test_a_new_number_becomes_a_trunk_and_a_rule(
        self, tenant: Tenant, livekit: FakeTrunks, provisioning: Provisioning
    ) -> None:
        connection_id = await tenant.add_connection(auth_username="u", auth_password="p")
        await tenant.add_numbers(connection_id, did(1))

        report = await provisioning.run_once()

        trunk = only_trunk(livekit)
        assert trunk.numbers == {did(1)}
        assert trunk.allowed_addresses == {"192.0.2.0/24"}
        assert (trunk.auth_username, trunk.auth_password) == ("u", "p")
        (rule,) = livekit.rules.values()
        assert rule.trunk_ids == set(livekit.trunks)
        assert rule.rule
        assert (rule.rule.worker_name, rule.rule.room_prefix) == ("dialplane", "call")
        assert await tenant.states() == {did(1): ("active", None)}
        assert (report.changes, report.sentence) == (2, "LiveKit holds 1 of 1 numbers.")

    async def test_a_second_pass_changes_nothing(
        self, tenant: Tenant, livekit: FakeTrunks, provisioning: Provisioning
    ) -> None:
        await tenant.add_numbers(await tenant.add_connection(), did(1), did(2))
        await provisioning.run_once()
        livekit.calls.clear()

        report = await provisioning.run_once()

        assert (report.changes, livekit.calls) == (0, [])

    async def test_the_last_number_takes_its_trunk_and_rule_along(
        self, tenant: Tenant, livekit: FakeTrunks, provisioning: Provisioning
    ) -> None:
        await tenant.add_numbers(await tenant.add_connection(), did(1))
        await provisioning.run_once()

        await tenant.delete_number(did(1))
        await provisioning.run_once()

        assert (livekit.trunks, livekit.rules) == ({}, {})

    async def test_repairs_what_somebody_changed_in_livekit(
        self, tenant: Tenant, livekit: FakeTrunks, provisioning: Provisioning
    ) -> None:
        await tenant.add_numbers(await tenant.add_connection(), did(1))
        await provisioning.run_once()
        ((trunk_id, trunk), (rule_id, rule)) = (
            *livekit.trunks.items(),
            *livekit.rules.items(),
        )
        livekit.edit_trunk(trunk_id, ringing_timeout_s=180.0, auth_password="x")
        livekit.edit_rule(rule_id, worker_name="somebody else's")

        await provisioning.run_once()

        assert livekit.trunks == {trunk_id: trunk}
        assert livekit.rules == {rule_id: rule}

    async def test_rebuilds_all_in_one_pass_after_livekit_lost_everything(
        self, tenant: Tenant, livekit: FakeTrunks, provisioning: Provisioning
    ) -> None:
        for n in range(2):
            await tenant.add_numbers(await tenant.add_connection(f"c{n}"), did(n), did(10 + n))
        await provisioning.run_once()
        before = {trunk.trunk for trunk in livekit.trunks.values()}

        livekit.lose_everything()
        await provisioning.run_once()

        assert {trunk.trunk for trunk in livekit.trunks.values()} == before
        assert {rule.trunk_ids for rule in livekit.rules.values()} == {
            frozenset({trunk_id}) for trunk_id in livekit.trunks
        }

    async def test_adopts_what_another_process_made(
        self, tenant: Tenant, database: Database, livekit: FakeTrunks, provisioning: Provisioning
    ) -> None:
        await tenant.add_numbers(await tenant.add_connection(), did(1))
        await provisioning.run_once()
        livekit.calls.clear()

        await Provisioning(database, livekit, SETTINGS, KEYS).run_once()

        assert livekit.calls == []


class TestShards:
    async def test_keeps_at_most_a_thousand_numbers_on_a_trunk_and_one_rule(
        self, tenant: Tenant, livekit: FakeTrunks, provisioning: Provisioning
    ) -> None:
        connection_id = await tenant.add_connection()
        await tenant.add_numbers(connection_id, *(did(n) for n in range(1_050)))

        await provisioning.run_once()

        assert sorted(len(trunk.numbers) for trunk in livekit.trunks.values()) == [50, 1_000]
        (rule,) = livekit.rules.values()
        assert rule.trunk_ids == set(livekit.trunks)

    async def test_a_number_keeps_its_shard_and_a_free_place_is_used_again(
        self, tenant: Tenant, livekit: FakeTrunks, provisioning: Provisioning
    ) -> None:
        connection_id = await tenant.add_connection()
        await tenant.add_numbers(connection_id, *(did(n) for n in range(1_001)))
        await provisioning.run_once()
        before = await tenant.shards()
        leaving = next(number for number, shard in before.items() if shard == 0)

        await tenant.delete_number(leaving)
        await tenant.add_numbers(connection_id, did(5_000))
        await provisioning.run_once()

        after = await tenant.shards()
        assert {number: after[number] for number in before} == before
        assert after[did(5_000)] == 0
        assert Counter(len(trunk.numbers) for trunk in livekit.trunks.values()) == {1_000: 1, 1: 1}


class TestConflicts:
    async def test_names_the_conflict_and_lets_the_other_numbers_through(
        self, tenant: Tenant, livekit: FakeTrunks, provisioning: Provisioning
    ) -> None:
        livekit.add_foreign_trunk("theirs", "12010000001")
        await tenant.add_numbers(await tenant.add_connection(), did(1), did(2))

        report = await provisioning.run_once()

        states = await tenant.states()
        assert states[did(2)] == ("active", None)
        state, sentence = states[did(1)]
        assert state == "conflict"
        assert sentence
        assert "theirs (ST_0001)" in sentence
        assert report.conflicts == 1

    async def test_a_conflict_that_went_away_is_forgotten(
        self, tenant: Tenant, livekit: FakeTrunks, provisioning: Provisioning
    ) -> None:
        trunk_id = livekit.add_foreign_trunk("theirs", did(1))
        await tenant.add_numbers(await tenant.add_connection(), did(1))
        await provisioning.run_once()

        await livekit.delete_trunk(trunk_id)
        await provisioning.run_once()

        assert await tenant.states() == {did(1): ("active", None)}

    async def test_one_refused_connection_does_not_hold_up_another(
        self, tenant: Tenant, database: Database
    ) -> None:
        class Picky(FakeTrunks):
            async def create_inbound_trunk(self, trunk: InboundTrunk) -> str:
                if "nonsense" in trunk.allowed_addresses:
                    raise VendorRejected("livekit", "create_inbound_trunk", "invalid address")
                return await super().create_inbound_trunk(trunk)

        bad = await tenant.add_connection("bad", allowed_addresses=["nonsense"])
        await tenant.add_numbers(bad, did(1))
        await tenant.add_numbers(await tenant.add_connection("good"), did(2))

        await Provisioning(database, Picky(), SETTINGS, KEYS).run_once()

        assert await tenant.states() == {
            did(1): ("conflict", "LiveKit refused it: invalid address"),
            did(2): ("active", None),
        }

    async def test_names_others_catch_alls(
        self, tenant: Tenant, livekit: FakeTrunks, provisioning: Provisioning
    ) -> None:
        livekit.add_foreign_trunk("anything")
        livekit.add_foreign_rule("any room")
        await tenant.add_numbers(await tenant.add_connection(), did(1))

        report = await provisioning.run_once()

        assert await tenant.states() == {did(1): ("active", None)}
        assert len(report.hazards) == 2
        assert "anything (ST_0001) has no numbers" in report.sentence


class TestOutages:
    async def test_numbers_keep_their_state_while_livekit_is_away(
        self, tenant: Tenant, livekit: FakeTrunks, provisioning: Provisioning
    ) -> None:
        connection_id = await tenant.add_connection()
        await tenant.add_numbers(connection_id, did(1))
        await provisioning.run_once()
        await tenant.add_numbers(connection_id, did(2))
        livekit.fails_after = 0

        with pytest.raises(VendorUnavailable):
            await provisioning.run_once()

        assert await tenant.states() == {did(1): ("active", None), did(2): ("pending", None)}

    @pytest.mark.parametrize("answered", range(2, 8))
    async def test_goes_on_after_an_interruption_anywhere(
        self, tenant: Tenant, livekit: FakeTrunks, provisioning: Provisioning, answered: int
    ) -> None:
        for n in range(4):
            await tenant.add_numbers(await tenant.add_connection(f"c{n}"), did(n))
        livekit.fails_after = answered
        with pytest.raises(VendorUnavailable):
            await provisioning.run_once()

        livekit.fails_after = None
        await provisioning.run_once()

        assert len(livekit.trunks) == len(livekit.rules) == 4
        assert set((await tenant.states()).values()) == {("active", None)}
        # Nothing that was made before the interruption was made again.
        assert Counter(livekit.calls)["create_inbound_trunk"] == 4
        assert Counter(livekit.calls)["create_dispatch_rule"] == 4
