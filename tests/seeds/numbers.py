"""A tenant with carrier connections and numbers, written straight into Postgres."""

import uuid
from dataclasses import dataclass

from pydantic import SecretStr
from sqlalchemy import func, select, update

from dispatch.secrets.data_keys import data_key_for_writing
from dispatch.secrets.passwords import seal_password
from dispatch.store.engine import Database
from dispatch.store.tables import (
    CarrierConnectionRow,
    OrganizationRow,
    PhoneNumberRow,
    ProjectRow,
)
from telephony.e164 import E164
from tests.builders.installation_keys import KEYS


def did(n: int) -> E164:
    """Return the n-th of a row of numbers."""
    return E164(f"+1201{n:07d}")


@dataclass
class Tenant:
    """One project whose rows the tests write as the use cases do."""

    database: Database
    organization_id: uuid.UUID
    project_id: uuid.UUID

    async def add_connection(
        self, name: str = "carrier", auth_password: str | None = None, **fields: object
    ) -> uuid.UUID:
        connection_id = uuid.uuid4()
        async with self.database.transaction() as db:
            if auth_password is not None:
                data_key = await data_key_for_writing(db, KEYS, self.project_id)
                password = SecretStr(auth_password)
                fields["auth_password_sealed"] = seal_password(data_key, connection_id, password)
                fields["data_key_id"] = data_key.id
            db.add(
                CarrierConnectionRow(
                    id=connection_id,
                    organization_id=self.organization_id,
                    project_id=self.project_id,
                    name=name,
                    provider="custom",
                    **{"allowed_addresses": ["192.0.2.0/24"], **fields},
                )
            )
        return connection_id

    async def add_numbers(self, connection_id: uuid.UUID, *dids: E164) -> None:
        async with self.database.transaction() as db:
            db.add_all(
                PhoneNumberRow(
                    organization_id=self.organization_id,
                    project_id=self.project_id,
                    connection_id=connection_id,
                    did=number,
                )
                for number in dids
            )

    async def delete_number(self, number: E164) -> None:
        async with self.database.transaction() as db:
            await db.execute(
                update(PhoneNumberRow)
                .where(PhoneNumberRow.did == number)
                .values(deleted_at=func.now())
            )

    async def states(self) -> dict[E164, tuple[str, str | None]]:
        async with self.database.reading() as db:
            rows = await db.execute(
                select(
                    PhoneNumberRow.did, PhoneNumberRow.sync_state, PhoneNumberRow.sync_error
                ).where(PhoneNumberRow.deleted_at.is_(None))
            )
            return {number: (state, error) for number, state, error in rows}

    async def shards(self) -> dict[E164, int | None]:
        async with self.database.reading() as db:
            rows = await db.execute(select(PhoneNumberRow.did, PhoneNumberRow.shard))
            return {row.did: row.shard for row in rows}


async def seed_tenant(database: Database) -> Tenant:
    """Put an organisation with one project on record."""
    organization = OrganizationRow(id=uuid.uuid4(), name="Example")
    project = ProjectRow(id=uuid.uuid4(), organization_id=organization.id, name="Calls")
    async with database.transaction() as db:
        db.add(organization)
        await db.flush()
        db.add(project)
    return Tenant(database, organization.id, project.id)
