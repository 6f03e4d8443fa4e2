"""The commands with curl that our own README and documentation print work, in the order printed."""

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dispatch.store.engine import Database
from dispatch.store.tables import CallRow
from tests.builders.documents import pdf
from tests.integration.gateway.following import in_shell, needs
from tests.integration.gateway.listening import listening
from tests.integration.gateway.serving import Gateway, Tenant

pytestmark = [pytest.mark.integration, needs("curl", "jq")]

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```sh\n(.+?)^```$", re.MULTILINE | re.DOTALL)


def pages() -> Iterator[str]:
    """Yield the pages that print such commands."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        if commands(page):
            yield str(page.relative_to(ROOT))


def commands(page: Path) -> str:
    """Return what a page prints for a shell, if it asks our API.

    What commands a call that is on (`$CALL_ID/say`) is left out: a worker would have to hold it.
    """
    blocks = BLOCK.findall(page.read_text())
    asking = [block for block in blocks if "curl" in block and "$DIALPLANE_URL" in block]
    return "\n".join(block for block in asking if "$CALL_ID/" not in block)


async def ended_call(database: Database, tenant: Tenant) -> str:
    """Put a call on record and return its id."""
    call_id = uuid.uuid4()
    async with database.transaction() as db:
        db.add(
            CallRow(
                id=call_id,
                organization_id=uuid.UUID(tenant.organization_id),
                project_id=uuid.UUID(tenant.project_id),
                agent_id=uuid.uuid4(),
                agent_version=1,
                kind="web",
                direction="inbound",
                state="ended",
                room_name="room",
                started_at=datetime(2026, 1, 1, 12, tzinfo=UTC),
            )
        )
    return str(call_id)


async def outbound_connection(tenant: Tenant, agent_id: str) -> str:
    """Give the tenant a number from which an agent can call, and return its carrier connection."""
    connection = await tenant.connection()
    number = await tenant.number()
    assigned = await tenant.http.patch(
        f"/v1/chat/phone-numbers/{number['id']}", json={"outBoundAgentId": agent_id}
    )
    assigned.raise_for_status()
    connection_id: str = connection["id"]
    return connection_id


@pytest.mark.parametrize("page", list(pages()))
async def test_a_pages_commands_work_as_printed(
    gateway: Gateway, database: Database, tmp_path: Path, page: str
):
    tenant = await gateway.tenant(credits_microcredits=5_000_000)
    agent = await tenant.agent(voiceEnabled="chat/sessions" not in commands(ROOT / page))
    (tmp_path / "handbook.pdf").write_bytes(pdf("We are open on Sundays."))
    async with listening(gateway.app) as address:
        own = {
            "DIALPLANE_URL": address,
            "DIALPLANE_API_KEY": tenant.key,
            "DIALPLANE_AGENT_ID": agent["id"],
            "AGENT_ID": agent["id"],
            "CALL_ID": await ended_call(database, tenant),
        }
        if "$CONNECTION_ID" in commands(ROOT / page):
            own["CONNECTION_ID"] = await outbound_connection(tenant, agent["id"])
        (tmp_path / "var").mkdir()
        (tmp_path / "var/stack.env").write_text("".join(f"{k}={v}\n" for k, v in own.items()))
        printed = await in_shell(commands(ROOT / page), tmp_path, **own)
    assert printed


@pytest.mark.parametrize("page", list(pages()))
def test_a_pages_commands_need_no_new_curl(page: str):
    # Debian 11 has 7.74; `--json` came with 7.82, `--url-query` with 7.87.
    newer = re.findall(r"--(?:json|url-query|fail-with-body|variable)\b", (ROOT / page).read_text())
    assert newer == []
