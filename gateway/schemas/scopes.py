"""How bodies write what a key may do."""

from typing import Annotated, Any

from pydantic import Field

from dispatch.accounts import Scope


def _may_repeat(schema: dict[str, Any]) -> None:
    # Nobody is refused for naming a scope twice.
    schema.pop("uniqueItems", None)


Scopes = Annotated[frozenset[Scope], Field(json_schema_extra=_may_repeat)]
"""What a key may do, in any order."""
