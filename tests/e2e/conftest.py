"""The whole real stack, once for the test session, and what tests do with it.

The livekit servers are built once into the project's `var/bin`; everything else of a session has
a directory of its own, so tests run beside a stack that a developer has running.
"""

import json
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from stack.api_client import ApiClient, api_client
from stack.build import ensure_servers
from stack.conversation import dialled
from stack.demo import wait_until_active
from stack.demo_agent import AGENT
from stack.settings import StackSettings
from stack.supervisor import Stack, background_stack
from stack.tenant import CREDIT, Tenant, create_tenant, top_up
from telephony.softphone.call import PhoneCall

NUMBERS = (f"+1201555{last:04}" for last in count(2000))
"""Numbers no other test of the session uses."""

TENANTS = count(1)
MOST_CALLS = 3
"""So many are shown of a test that failed."""

Dial = Callable[..., AbstractAsyncContextManager[PhoneCall]]


@pytest.fixture(scope="session")
def session_stack() -> Iterator[Stack]:
    """The stack of this session; a test asks for `stack`."""
    bin_dir = ensure_servers(StackSettings().var, print)
    # Not below pytest's own directory, which pytest closes again to the user Postgres runs as.
    with (
        pytest.MonkeyPatch.context() as environment,
        tempfile.TemporaryDirectory(prefix="dialplane-e2e-") as directory,
    ):
        # Vendors' stand-ins and tools of tests are on this machine.
        environment.setenv("DIALPLANE_TOOL_ALLOWED_HOSTS", '["127.0.0.1"]')
        # Shorter than usual: a test waits until one is used up.
        environment.setenv("CREDIT_BLOCK", "PT25S")
        # Where tests of opening hours set the clock; without the file it is the real one.
        environment.setenv("DIALPLANE_CLOCK_FILE", f"{directory}/clock")
        with background_stack(Path(directory), bin_dir) as stack:
            yield stack


@pytest.fixture
async def stack(session_stack: Stack) -> AsyncIterator[Stack]:
    """The running stack; parts a test has stopped or killed are started again after it."""
    yield session_stack
    await session_stack.recover()


@dataclass(frozen=True)
class Office:
    """A fresh tenant and the means to use the API as it and as the admin."""

    tenant: Tenant
    api: ApiClient
    admin: ApiClient

    async def agent(self, **changes: Any) -> dict[str, Any]:
        """Create an agent: the demo's, with changes in camelCase."""
        return await self.api.post("/v1/agents", {**AGENT, **changes})

    async def number(self, agent_id: str | None = None, number: str | None = None) -> str:
        """Create a number, assign an agent, wait until it can be called and return it in E.164."""
        wanted = number or next(NUMBERS)
        made = await self.api.post(
            "/v1/chat/phone-numbers", {"provider": "sip", "number": wanted, "agentId": agent_id}
        )
        await wait_until_active(self.api, made["id"])
        return wanted

    async def credit(self, amount: int) -> None:
        """Add whole credits to the organisation."""
        await top_up(self.admin, self.tenant, amount * CREDIT)

    async def balance_microcredits(self) -> int:
        """Return what the organisation may still use."""
        balance: int = (await self.api.get("/v1/credits"))["balanceMicrocredits"]
        return balance

    async def calls(self, number: str) -> list[dict[str, Any]]:
        """Return the records of the calls to a number, newest first, with all details."""
        found = (await self.api.get("/v1/calls", number=number))["data"]
        return [await self.api.get(f"/v1/calls/{call['id']}") for call in found]


@pytest.fixture
async def admin(stack: Stack) -> AsyncIterator[ApiClient]:
    """The API with the admin key."""
    async with api_client(stack.gateway_url, stack.admin_key) as client:
        yield client


@pytest.fixture
async def penniless_office(stack: Stack, admin: ApiClient) -> AsyncIterator[Office]:
    """A fresh organisation, project and key without any credit."""
    tenant = await create_tenant(admin, f"Test {next(TENANTS)}", "Project")
    async with api_client(stack.gateway_url, tenant.api_key) as client:
        yield Office(tenant, client, admin)


@pytest.fixture
async def office(penniless_office: Office) -> Office:
    """A fresh organisation, project and key with ten credits."""
    await penniless_office.credit(10)
    return penniless_office


@pytest.fixture
async def dial(stack: Stack) -> AsyncIterator[Dial]:
    """Calls a number with the softphone: `async with dial(number) as call`; hung up at the end."""
    async with AsyncExitStack() as calls:

        @asynccontextmanager
        async def dial_number(
            number: str, *, from_number: str = "+12015550199", ring_timeout_s: float = 60.0
        ) -> AsyncIterator[PhoneCall]:
            yield await calls.enter_async_context(
                dialled(
                    stack.sip_address,
                    number,
                    from_number=from_number,
                    ring_timeout_s=ring_timeout_s,
                )
            )

        yield dial_number


def calls_so_far(stack: Stack, office: Office) -> str:
    """Return all that is on record of an office's last calls, or why there is nothing."""
    shown = []
    try:
        with httpx.Client(
            base_url=stack.gateway_url, headers={"x-api-key": office.tenant.api_key}, timeout=30
        ) as api:
            found = api.get("/v1/calls", params={"limit": MOST_CALLS}).raise_for_status()
            for call in reversed(found.json()["data"]):
                record = api.get(f"/v1/calls/{call['id']}").raise_for_status().json()
                shown += [
                    f"{name}: {json.dumps(value)}"
                    for name, value in record.items()
                    if not isinstance(value, list)
                ]
                for name in ("transcript", "legs", "ledger", "events"):
                    shown += [f"  {name}: {json.dumps(one)}" for one in record.get(name, [])]
    except (httpx.HTTPError, ValueError) as exc:
        shown.append(f"no more to be had: {exc!r}")
    return "\n".join(shown) or "none"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show the calls and the ends of the parts' logs under a test that failed."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, Stack):
        report.sections.append(("state of the stack", json.dumps(stack.state(), indent=2)))
        for name in ("gateway", "dispatch", "worker"):
            report.sections.append((f"{name}.log", stack.log_tail(name, lines=40)))
        # At the very end, which is what is read of a long report.
        office = item.funcargs.get("penniless_office")  # type: ignore[attr-defined]
        if isinstance(office, Office):
            report.sections.append(("calls", calls_so_far(stack, office)))
