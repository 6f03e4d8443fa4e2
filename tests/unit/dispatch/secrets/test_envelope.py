"""What was sealed opens for its project, its purpose and its keys, and for nothing else."""

import base64
import uuid
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.errors import SecretUnreadable
from dispatch.secrets.envelope import KEY_BYTES, KeyRing

pytestmark = pytest.mark.unit

OWNER, STRANGER = uuid.uuid4(), uuid.uuid4()
OLD, NEW = b"o" * KEY_BYTES, b"n" * KEY_BYTES
RING = KeyRing({"old": OLD})
DATA_KEY, WRAPPED = RING.new_data_key(OWNER)


@given(st.binary(max_size=300), st.text(max_size=40))
def test_a_value_comes_back_as_it_was(plain: bytes, purpose: str) -> None:
    sealed = DATA_KEY.seal(purpose, plain)

    assert RING.open_data_key(OWNER, WRAPPED).open(purpose, sealed) == plain
    assert len(sealed) == len(plain) + 1 + 12 + 16


def test_the_same_value_is_sealed_differently_each_time() -> None:
    assert DATA_KEY.seal("provider/openai", b"x") != DATA_KEY.seal("provider/openai", b"x")


@given(st.data())
def test_no_byte_can_be_changed_or_lost(data: st.DataObject) -> None:
    sealed = bytearray(DATA_KEY.seal("provider/openai", b"value"))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))

    with pytest.raises(SecretUnreadable):
        DATA_KEY.open("provider/openai", bytes(sealed))
    with pytest.raises(SecretUnreadable):
        DATA_KEY.open("provider/openai", bytes(sealed[:at]))


def test_a_value_opens_for_its_own_purpose_only() -> None:
    sealed = DATA_KEY.seal("provider/openai", b"value")

    with pytest.raises(SecretUnreadable):
        DATA_KEY.open("provider/deepgram", sealed)


def test_a_value_opens_with_its_own_projects_key_only() -> None:
    sealed = DATA_KEY.seal("provider/openai", b"value")
    other, _ = RING.new_data_key(STRANGER)

    with pytest.raises(SecretUnreadable):
        other.open("provider/openai", sealed)


def test_a_data_key_opens_for_its_own_project_only() -> None:
    with pytest.raises(SecretUnreadable):
        RING.open_data_key(STRANGER, WRAPPED)


def test_a_data_key_does_not_open_under_another_id() -> None:
    with pytest.raises(SecretUnreadable):
        RING.open_data_key(OWNER, replace(WRAPPED, id=uuid.uuid4()))


def test_the_first_key_wraps_and_all_open() -> None:
    both = KeyRing({"new": NEW, "old": OLD})

    assert both.new_data_key(OWNER)[1].key_id == "new"
    sealed = DATA_KEY.seal("p", b"value")
    assert both.open_data_key(OWNER, WRAPPED).open("p", sealed) == b"value"


def test_a_key_that_is_not_configured_is_named() -> None:
    with pytest.raises(SecretUnreadable, match="old is missing from DIALPLANE_SECRETS_KEYS"):
        KeyRing({"new": NEW}).open_data_key(OWNER, WRAPPED)


def test_keys_are_read_in_their_order() -> None:
    text = f"new:{base64.b64encode(NEW).decode()}, old:{base64.b64encode(OLD).decode()}"

    ring = KeyRing.parse(text)

    assert ring.first_id == "new"
    assert ring.open_data_key(OWNER, WRAPPED).id == DATA_KEY.id


SHORT = base64.b64encode(b"short").decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "each key is written id:base64"),
        ("nothing", "key nothing has 0 bytes"),
        (f"a:{SHORT}", "key a has 5 bytes instead of 32"),
        ("a:not base64!", "key a is not base64"),
        (f"a b:{SHORT}", "each key is written id:base64"),
        (f"a:{base64.b64encode(OLD).decode()},a:{SHORT}", "each id once"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_without_being_told(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        KeyRing.parse(text)
    assert SHORT not in str(refused.value)


def test_no_key_is_shown() -> None:
    shown = repr(RING) + repr(DATA_KEY)

    assert "oooo" not in shown
    assert "old" in shown
