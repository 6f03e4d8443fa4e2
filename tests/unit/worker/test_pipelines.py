"""From an agent's profile to the models of its call."""

from typing import Any, cast

import pytest
from livekit.agents.llm import ChatContext, FunctionCall, FunctionCallOutput

from tests.builders.live_calls import Tenant
from worker.pipelines import build_models

pytestmark = pytest.mark.unit

NO_VENDORS = cast("Any", None)


async def test_the_replies_of_a_script_name_what_the_call_brought_and_the_agents_own() -> None:
    script = {"steps": [{"phrases": ["hello"], "reply": "{{firm}} for {{name}}, {{nobody}}."}]}
    profile = Tenant().agent(script=script, variables={"firm": "Ours", "name": "somebody"})

    models = await build_models(profile, {"name": "Ada"}, NO_VENDORS)

    conversation = ChatContext.empty()
    conversation.add_message(role="user", content="hello")
    assert models.pipeline is not None
    answer = await models.pipeline.llm.chat(chat_ctx=conversation).collect()
    assert answer.text == "Ours for Ada, {{nobody}}."


async def test_and_so_do_its_words_after_a_tool() -> None:
    script = {"steps": [{"keys": ["1"], "action": {"end_call": {}}, "then": "So long, {{name}}."}]}
    models = await build_models(Tenant().agent(script=script), {"name": "Ada"}, NO_VENDORS)

    conversation = ChatContext.empty()
    conversation.add_message(role="user", content="[key 1]")
    conversation.items.append(FunctionCall(call_id="1", name="end_call", arguments="{}"))
    conversation.items.append(
        FunctionCallOutput(call_id="1", name="end_call", output="{}", is_error=False)
    )
    assert models.pipeline is not None
    answer = await models.pipeline.llm.chat(chat_ctx=conversation).collect()
    assert answer.text == "So long, Ada."
