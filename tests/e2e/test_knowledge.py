"""A caller hears what stands in an uploaded document, and hears so when it cannot be looked up."""

from typing import Any

import pytest

from dispatch.knowledge.answering import UNAVAILABLE
from stack.conversation import Caller, Press
from stack.demo_agent import AGENT
from stack.supervisor import Stack
from tests.builders.documents import pdf
from tests.e2e.conftest import Dial, Office
from tests.e2e.talking import has_told, is_part, understood
from tests.e2e.waiting import PATIENCE_S, said, until

pytestmark = pytest.mark.e2e

PAUSE_S = 2.5
ANSWER = "The gallery on the second floor is closed on Mondays."
HANDBOOK = pdf("The shop was founded in eighteen ninety.", ANSWER)


async def knowing_agent(office: Office) -> dict[str, Any]:
    """Create an agent whose first key looks something up in a PDF."""
    base = await office.api.post("/v1/knowledge-bases", {"name": "Handbook"})
    path = f"/v1/knowledge-bases/{base['id']}/documents"
    document = await office.api.send("POST", path, files={"file": ("handbook.pdf", HANDBOOK)})

    async def read() -> dict[str, Any] | None:
        now: dict[str, Any] = await office.api.get(f"{path}/{document['id']}")
        return now if now["status"] in {"ready", "failed"} else None

    assert (await until(read))["detail"] is None
    step = {"keys": ["1"], "action": {"search_knowledge": {"query": "when is the gallery closed"}}}
    return await office.agent(knowledgeBaseIds=[base["id"]], script={"steps": [step]})


async def test_a_caller_hears_the_document_and_the_call_goes_on_when_postgres_is_away(
    stack: Stack, office: Office, dial: Dial
) -> None:
    number = await office.number((await knowing_agent(office))["id"])
    async with dial(number) as call:
        caller = Caller(call, [AGENT["greeting"], ANSWER, UNAVAILABLE], lambda _line: None)
        await caller.listen()
        await has_told(office, number, AGENT["greeting"])
        await caller.act(Press("1"))
        await caller.listen()
        await has_told(office, number, ANSWER)
        await stack.stop("postgres")
        pressed_s = await caller.act(Press("1"))
        await call.wait_for_audio(timeout_s=PATIENCE_S, since_s=pressed_s)
        await caller.listen()
        # No record tells now that it is over, and a pause is no end.
        await call.wait_for_quiet(quiet_s=PAUSE_S, timeout_s=PATIENCE_S)
        await call.hang_up()
    await stack.start("postgres")

    async def find() -> dict[str, Any] | None:
        return next((one for one in await office.calls(number) if one["state"] == "ended"), None)

    record = await until(find)
    # The words that were spoken; how well they are understood is `builtin` recognition's matter.
    assert said(record) == [
        ("agent", AGENT["greeting"]),
        ("caller", "[key 1]"),
        ("agent", ANSWER),
        ("caller", "[key 1]"),
        ("agent", UNAVAILABLE),
    ]
    assert is_part(understood(caller.conversation), [AGENT["greeting"], ANSWER, UNAVAILABLE])
