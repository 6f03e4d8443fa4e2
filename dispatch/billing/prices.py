"""Price tables: what one unit costs, by version.

A table is data (`prices.toml`, or the installation's own file). Versions are only ever added: a
call is priced to its end by the version that was in force when it was admitted.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    StringConstraints,
    ValidationError,
)

from dispatch.billing.items import UNITS_OF, KeySource, Service, Unit, UsageItem

ANY = "*"
"""A provider or model of a row that prices all those without a row of their own."""

_TIMED = (Service.TELEPHONY, Service.WEB)
_Units = Annotated[StrictInt, Field(ge=1, le=10**12)]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,40}$")]


class PriceTableInvalid(ValueError):
    """The file is not a price table; the text says which row is wrong and why."""


@dataclass(frozen=True, slots=True)
class Price:
    """So many micro-credits for so many units: exact, never a decimal fraction."""

    microcredits: int
    per: int

    def of(self, quantity: int) -> Fraction:
        """Return what a quantity costs, in micro-credits, before any rounding."""
        return Fraction(quantity * self.microcredits, self.per)

    def __str__(self) -> str:
        return f"{self.microcredits}/{self.per}"


class _Row(BaseModel):
    """Prices of one model (or of all, `*`) of one service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: Service
    provider: _Name
    model: _Name = ANY
    keys: KeySource = KeySource.PLATFORM
    per: _Units
    """How many units the amounts are for."""
    units: dict[Unit, Annotated[StrictInt, Field(ge=0, le=10**12)]] = Field(min_length=1)
    """Micro-credits for `per` units."""


class _Version(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: _Id
    effective_from: AwareDatetime
    price: list[_Row]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: list[_Version] = Field(min_length=1)


_Key = tuple[Service, str, str, Unit, KeySource]


@dataclass(frozen=True, slots=True)
class PriceTable:
    """One version of all prices. It has a price for every unit of every service."""

    version: str
    effective_from: datetime
    prices: Mapping[_Key, Price]

    def price_of(self, item: UsageItem) -> Price:
        """Return the price of an item's unit: its model's, its provider's or everybody's."""
        for provider, model in ((item.provider, item.model), (item.provider, ANY), (ANY, ANY)):
            price = self.prices.get((item.service, provider, model, item.unit, item.keys))
            if price is not None:
                return price
        raise AssertionError("A price table was read that does not price every unit.")

    def per_minute(self, service: Service, keys: KeySource) -> int:
        """Return the price of a minute on the line, in micro-credits."""
        return self.prices[service, ANY, ANY, Unit.SECONDS, keys].microcredits


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Every version of the prices, oldest first."""

    tables: tuple[PriceTable, ...]

    def in_force(self, at: datetime) -> PriceTable:
        """Return the version in force at a time; before the first one, the first."""
        begun = [table for table in self.tables if table.effective_from <= at]
        return begun[-1] if begun else self.tables[0]

    def version(self, version: str) -> PriceTable:
        """Return a version by its name.

        Raises:
            KeyError: There is none; versions must not be taken out of the file while calls or
                bills refer to them.
        """
        for table in self.tables:
            if table.version == version:
                return table
        raise KeyError(version)

    @staticmethod
    def load(path: Path | None = None) -> "PriceBook":
        """Return the installation's price book, or the one that comes with Dialplane.

        Raises:
            PriceTableInvalid: The file cannot be read or is not a price table; it is named.
        """
        return _load(path)


@cache
def _load(path: Path | None) -> PriceBook:
    source = files("dispatch.billing").joinpath("prices.toml") if path is None else path
    try:
        return parse_price_book(source.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise PriceTableInvalid(f"{source} cannot be read: {exc}") from exc
    except PriceTableInvalid as exc:
        raise PriceTableInvalid(f"{source}: {exc}") from exc


def parse_price_book(text: str) -> PriceBook:
    """Return the price book that a TOML text describes.

    Raises:
        PriceTableInvalid: It is no TOML, a row is wrong, twice there or missing, or two versions
            share a name or a date.
    """
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise PriceTableInvalid(str(exc)) from exc
    try:
        found = _File.model_validate(written)
    except ValidationError as exc:
        raise PriceTableInvalid(_sentence(exc, written)) from exc
    tables = tuple(
        sorted(
            (_to_table(version) for version in found.version),
            key=lambda table: table.effective_from,
        )
    )
    _check_unique("two versions are named", (table.version for table in tables))
    _check_unique("two versions begin at", (table.effective_from for table in tables))
    return PriceBook(tables)


def _sentence(error: ValidationError, written: Any) -> str:
    """Return the first thing that is wrong, and where, as people count the file's rows."""
    first = error.errors(include_url=False, include_input=False)[0]
    place: list[str] = []
    for part in first["loc"]:
        if isinstance(part, int):
            written = written[part]
            place[-1] += f" {part + 1}{_named(written)}"
        else:
            written = written.get(part) if isinstance(written, dict) else None
            place.append(part)
    return f"{', '.join(place)}: {first['msg']}"


def _named(written: Any) -> str:
    if not isinstance(written, dict):
        return ""
    names = ("id", "service", "provider", "model")
    found = " ".join(str(written[name]) for name in names if name in written)
    return f" ({found})" if found else ""


def _to_table(version: _Version) -> PriceTable:
    prices: dict[_Key, Price] = {}
    for row in version.price:
        for unit, microcredits in row.units.items():
            where = f"version {version.id}, {row.service} {row.provider} {row.model} {unit}"
            if unit not in UNITS_OF[row.service]:
                raise PriceTableInvalid(f"{where}: {row.service} is not counted in {unit}")
            if row.service in _TIMED and (row.per, row.provider, row.model) != (60, ANY, ANY):
                raise PriceTableInvalid(f"{where}: time is priced per 60 for provider and model *")
            key = (row.service, row.provider, row.model, unit, row.keys)
            if key in prices:
                raise PriceTableInvalid(f"{where}: priced twice")
            prices[key] = Price(microcredits, row.per)
    for service, units in UNITS_OF.items():
        for unit in units:
            for keys in KeySource:
                if (service, ANY, ANY, unit, keys) not in prices:
                    raise PriceTableInvalid(
                        f"version {version.id}: no price for provider * model * of "
                        f"{service} {unit} with {keys} keys"
                    )
    return PriceTable(version.id, version.effective_from.astimezone(UTC), prices)


def _check_unique(what: str, values: Iterable[Any]) -> None:
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise PriceTableInvalid(f"{what} {value}")
        seen.add(value)
