"""When the identity provider's keys are fetched, and which count."""

import asyncio
from pathlib import Path

import pytest

from dispatch.access.key_set import LIFE_S, REFETCH_AFTER_S, KeySet
from dispatch.errors import StoreUnavailable
from tests.builders.identity_provider import rsa_jwk, write_key_set

pytestmark = pytest.mark.unit


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


class Counted(KeySet):
    """Counts how often the source is read."""

    def __init__(self, path: Path, clock: Clock) -> None:
        super().__init__(str(path), clock)
        self.reads = 0

    async def _read(self) -> object:
        self.reads += 1
        await asyncio.sleep(0)
        return await super()._read()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_key_set(tmp_path / "jwks.json", rsa_jwk("old"))


async def test_keys_are_fetched_once_for_many_at_the_same_moment(path: Path, clock: Clock):
    keys = Counted(path, clock)
    found = await asyncio.gather(*(keys.find("old") for _ in range(20)))
    assert all(found)
    assert keys.reads == 1


async def test_a_key_that_is_new_is_fetched(path: Path, clock: Clock):
    keys = Counted(path, clock)
    await keys.find("old")
    write_key_set(path, rsa_jwk("old"), rsa_jwk("new"))
    clock.now_s += REFETCH_AFTER_S
    assert await keys.find("new") is not None
    assert keys.reads == 2


async def test_made_up_key_ids_make_nobody_fetch_more_often(path: Path, clock: Clock):
    keys = Counted(path, clock)
    for name in range(100):
        assert await keys.find(f"made-up-{name}") is None
    assert keys.reads == 1
    clock.now_s += REFETCH_AFTER_S
    await asyncio.gather(*(keys.find(f"made-up-{name}") for name in range(100)))
    assert keys.reads == 2


async def test_a_key_that_was_taken_back_goes_out_of_use(path: Path, clock: Clock):
    keys = Counted(path, clock)
    await keys.find("old")
    write_key_set(path, rsa_jwk("new"))
    clock.now_s += LIFE_S + 1
    assert await keys.find("old") is None


async def test_a_provider_that_is_gone_for_a_while_is_not_missed(path: Path, clock: Clock):
    keys = Counted(path, clock)
    await keys.find("old")
    await asyncio.to_thread(path.unlink)
    clock.now_s += LIFE_S + 1
    assert await keys.find("old") is not None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"keys": 1}', "no json"])
async def test_what_is_no_key_set_gives_no_keys(path: Path, clock: Clock, text: str):
    await asyncio.to_thread(path.write_text, text)
    with pytest.raises(StoreUnavailable):
        await Counted(path, clock).find("old")


async def test_secrets_and_keys_for_encryption_do_not_count(path: Path, clock: Clock):
    secret = {"kty": "oct", "kid": "secret", "k": "AAAA", "alg": "HS256"}
    for_encryption = rsa_jwk("encryption") | {"use": "enc"}
    broken = {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"}
    write_key_set(path, secret, for_encryption, broken, {"kty": "RSA"}, rsa_jwk("good"))
    keys = Counted(path, clock)
    names = ("secret", "encryption", "broken", "good")
    found = [name for name in names if await keys.find(name)]
    assert found == ["good"]
