"""Price tables as files: complete, versioned, and refused when they are not."""

import re
from datetime import UTC, datetime
from importlib.resources import files

import pytest

from dispatch.billing.items import KeySource, Service, Unit, UsageItem
from dispatch.billing.prices import PriceBook, PriceTableInvalid, parse_price_book

pytestmark = pytest.mark.unit

TEXT = files("dispatch.billing").joinpath("prices.toml").read_text("utf-8")


def next_version(text: str, *, version: str, effective_from: str) -> str:
    """The same prices again under another name and date."""
    return re.sub(
        r"id = .*\neffective_from = .*",
        f'id = "{version}"\neffective_from = {effective_from}',
        text,
    )


def test_a_minute_costs_what_it_always_did():
    table = PriceBook.load().tables[0]
    assert table.per_minute(Service.TELEPHONY, KeySource.PLATFORM) == 100_000
    assert table.per_minute(Service.WEB, KeySource.PLATFORM) == 50_000
    assert table.per_minute(Service.WEB, KeySource.OWN) == 20_000


@pytest.mark.parametrize(
    ("provider", "model", "price"),
    [
        ("openai", "gpt-4o-mini", "150000/1000000"),
        ("openai", "gpt-unheard-of", "2500000/1000000"),
        ("nobody", "x", "2500000/1000000"),
        ("builtin", "script", "0/1"),
    ],
)
def test_a_model_without_a_price_of_its_own_has_its_providers_or_everybodys(provider, model, price):
    item = UsageItem(Service.LLM, provider, model, Unit.INPUT_TOKENS, 1)
    assert str(PriceBook.load().tables[0].price_of(item)) == price


def test_every_price_of_a_vendor_says_where_it_was_read_or_that_it_was_not():
    rows = re.findall(
        r'^((?:# .*\n)*)\[\[version\.price\]\]\nservice = "(\w+)"\nprovider = "(deepgram|openai)"',
        TEXT,
        re.MULTILINE,
    )
    told = re.compile(r"^# (checked \d{4}-\d{2}-\d{2}: \S+\.\S+|unchecked)", re.MULTILINE)
    assert len(rows) >= 10
    assert [row for row in rows if not told.search(row[0])] == []


def test_a_version_is_in_force_from_its_date_on_and_the_first_before_that():
    later = next_version(TEXT, version="2027-01", effective_from="2027-01-01T00:00:00Z")
    book = parse_price_book(later + TEXT)

    def version_at(*date: int) -> str:
        return book.in_force(datetime(*date, tzinfo=UTC)).version

    assert version_at(2020, 1, 1) == "2026-11"
    assert version_at(2026, 12, 31) == "2026-11"
    assert version_at(2027, 1, 1) == "2027-01"
    assert book.version("2026-11").version == "2026-11"
    with pytest.raises(KeyError):
        book.version("2025-01")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: text + "[", "at end of document"),
        (lambda text: text + TEXT, "two versions are named 2026-11"),
        (
            lambda text: (
                text + next_version(text, version="b", effective_from="2026-01-01T00:00:00Z")
            ),
            "two versions begin at",
        ),
        (
            lambda text: text.replace("seconds = 50_000", "seconds = -1"),
            r"version 1 \(2026-11\), price 3 \(web \*\), units, seconds: .*than or equal to 0",
        ),
        (
            lambda text: text.replace("seconds = 50_000", "seconds = true"),
            "seconds: .*valid integer",
        ),
        (lambda text: text.replace("per = 1_000\n", 'per = "1"\n'), "per: .*valid integer"),
        (
            lambda text: text.replace('service = "web"', 'service = "wep"', 1),
            r"price 3 \(wep \*\), service: Input should be 'telephony'",
        ),
        (
            lambda text: text.replace("seconds = 50_000", "minutes = 1"),
            r"price 3 \(web \*\), units, minutes, \[key\]: Input should be 'seconds'",
        ),
        (
            lambda text: text.replace('provider = "*"', "", 1),
            r"price 1 \(telephony\), provider: Field required",
        ),
        (lambda _: "version = 1", "^version: Input should be a valid list"),
        (lambda _: "version = [1]", "^version 1: Input should be a valid dict"),
        (lambda text: text.replace('id = "2026-11"', ""), "^version 1, id: Field required"),
        (lambda text: text.replace("seconds = 50_000", "seconds = 0.5"), "valid integer"),
        (
            lambda text: text.replace("seconds = 50_000", "characters = 1"),
            "not counted in characters",
        ),
        (lambda text: text.replace("per = 60\n", "per = 1\n"), "time is priced per 60"),
        (
            lambda text: text.replace('model = "nova-2"', 'model = "nova-3"'),
            "stt deepgram nova-3 audio_ms: priced twice",
        ),
        (
            lambda text: text.replace(
                'service = "embedding"\nprovider = "*"\nkeys = "own"',
                'service = "embedding"\nprovider = "x"\nkeys = "own"',
            ),
            "no price for provider \\* model \\* of embedding input_tokens with own keys",
        ),
        (lambda text: text.replace("00:00:00Z", "00:00:00"), "timezone"),
        (lambda text: text.replace("per = 1_000\n", "per = 0\n"), "greater than or equal to 1"),
    ],
)
def test_a_file_that_is_no_price_table_says_what_is_wrong(change, complaint):
    with pytest.raises(PriceTableInvalid, match=complaint):
        parse_price_book(change(TEXT))


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "prices.toml"
    with pytest.raises(PriceTableInvalid, match=f"{path} cannot be read"):
        PriceBook.load(path)


def test_a_file_that_is_wrong_is_named(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text(TEXT.replace("seconds = 50_000", "seconds = -1"))
    with pytest.raises(PriceTableInvalid, match=rf"{path}: version 1 \(2026-11\), price 3"):
        PriceBook.load(path)
