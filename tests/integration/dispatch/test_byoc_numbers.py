"""Numbers registered together with their carrier's account, down to LiveKit and the keys."""

from collections.abc import Sequence

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from dispatch.accounts import Principal
from dispatch.byoc_numbers import ByocNumbers, SipAccount
from dispatch.numbers import SyncState
from dispatch.paging import PageRequest
from dispatch.provisioning import Provisioning
from dispatch.routes import Routes
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.secrets.data_keys import data_key_for_writing
from dispatch.secrets.envelope import KEY_BYTES, KeyRing
from dispatch.secrets.passwords import termination_purpose_of
from dispatch.secrets.rotation import Rotation
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient
from dispatch.store.tables import AuditEntryRow, CarrierConnectionRow
from telephony.e164 import E164
from tests.builders.installation_keys import KEYS
from tests.builders.live_calls import settings
from tests.fakes.livekit_sip import FakeTrunks
from tests.integration.dispatch.conftest import UseCases

pytestmark = pytest.mark.integration

TWILIO = SipAccount("myaccount.pstn.twilio.com", "myaccount", SecretStr("password"))
TELNYX = SipAccount("sip.telnyx.com", "other", SecretStr("password"))
FIRST, SECOND = E164("+12015550100"), E164("+12015550101")


@pytest.fixture
def byoc(database: Database, use_cases: UseCases) -> ByocNumbers:
    return ByocNumbers(database, KEYS, use_cases.numbers, ["192.0.2.0/24"])


def numbers_of(livekit: FakeTrunks) -> list[set[str]]:
    """Return the numbers of each trunk."""
    return sorted(
        ({*each.trunk.numbers} for each in livekit.trunks.values() if each.trunk), key=min
    )


async def test_a_number_that_moves_to_another_account_moves_to_its_trunk(
    byoc: ByocNumbers, owner: Principal, database: Database
):
    livekit = FakeTrunks()
    provisioning = Provisioning(database, livekit, settings(), KEYS)
    moving = await byoc.register(owner, FIRST, TWILIO)
    await byoc.register(owner, SECOND, TWILIO)
    await provisioning.run_once()
    assert numbers_of(livekit) == [{FIRST, SECOND}]

    await byoc.change(owner, moving.number.id, TELNYX)
    await provisioning.run_once()

    assert numbers_of(livekit) == [{FIRST}, {SECOND}]
    listed = await byoc.list(owner, PageRequest())
    assert {each.number.number: each.termination_uri for each in listed.items} == {
        FIRST: "sip.telnyx.com",
        SECOND: "myaccount.pstn.twilio.com",
    }
    assert {each.number.status for each in listed.items} <= {SyncState.ACTIVE, SyncState.PENDING}


async def test_a_new_account_is_written_down_once(
    byoc: ByocNumbers, owner: Principal, database: Database
):
    await byoc.register(owner, FIRST, TWILIO)
    async with database.reading() as db:
        created = select(func.count()).where(AuditEntryRow.action == "carrier_connection.created")
        assert await db.scalar(created) == 1


@pytest.mark.parametrize(
    ("uri", "provider"),
    [
        ("myaccount.pstn.twilio.com", "twilio"),
        ("SIP.Telnyx.com:5060", "telnyx"),
        ("sip:phone.plivo.com", "plivo"),
        ("sip.nexmo.com", "vonage"),
        ("nottwilio.com", "custom"),
    ],
)
async def test_the_carrier_is_told_by_its_host(
    byoc: ByocNumbers, owner: Principal, uri: str, provider: str
):
    registered = await byoc.register(owner, FIRST, SipAccount(uri))
    assert registered.number.provider == provider


async def test_a_rotation_takes_the_password_along(
    byoc: ByocNumbers, owner: Principal, database: Database, redis: RedisClient
):
    await byoc.register(owner, FIRST, TWILIO)
    newer = KeyRing({"newer": b"n" * KEY_BYTES, "tests": b"\0" * KEY_BYTES})
    await Rotation(database, CallSecrets(redis, newer), Routes(redis), newer).run()
    async with database.transaction() as db:
        data_key = await data_key_for_writing(db, newer, owner.project_id)
        rows: Sequence[CarrierConnectionRow] = (
            await db.scalars(select(CarrierConnectionRow))
        ).all()
    [connection] = rows
    assert connection.data_key_id == data_key.id
    assert connection.termination_password_sealed is not None
    opened = data_key.open(
        termination_purpose_of(connection.id), connection.termination_password_sealed
    )
    assert opened == b"password"
