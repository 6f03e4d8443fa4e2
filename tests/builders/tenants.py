"""Customers of an installation, made through the use cases."""

import uuid
from typing import Any, Protocol

from dispatch.access.authentication import Authentication
from dispatch.access.keys import KeyDraft, Keys, NewKey
from dispatch.accounts import ADMINISTRATOR, Principal, Project
from dispatch.tenants import Tenants


class Access(Protocol):
    """The use cases that tell who may do what."""

    @property
    def tenants(self) -> Tenants: ...

    @property
    def keys(self) -> Keys: ...

    @property
    def authentication(self) -> Authentication: ...


async def new_project(access: Access, name: str = "Acme") -> Project:
    """Create an organisation with one project."""
    organization = await access.tenants.create_organization(
        ADMINISTRATOR, name, new_id=uuid.uuid4()
    )
    return await access.tenants.create_project(
        ADMINISTRATOR, organization.id, f"{name}'s project", new_id=uuid.uuid4()
    )


async def new_key(access: Access, project: Project, **draft: Any) -> NewKey:
    """Create a key of a project."""
    wanted = KeyDraft(**({"name": "till"} | draft))
    return await access.keys.create(ADMINISTRATOR, project.id, wanted, new_id=uuid.uuid4())


async def principal_of(access: Access, key: str) -> Principal | None:
    """Return who a key belongs to."""
    caller = await access.authentication.identify(key, "native")
    return None if caller is None else caller.principal


async def new_principal(access: Access, name: str) -> Principal:
    """Create a customer with one project and one key, and return who holds the key."""
    made = await new_key(access, await new_project(access, name), name="first key")
    principal = await principal_of(access, made.clear_text)
    assert principal is not None
    return principal
