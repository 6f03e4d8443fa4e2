"""The agent asks the caller for keys, or presses keys itself."""

import json
from collections.abc import Awaitable
from typing import Any, Final, Protocol

from livekit.agents import RunContext, StopResponse, ToolError, function_tool
from livekit.agents.llm import RawFunctionTool
from pydantic import ValidationError

from telephony.dtmf import MOST_KEYS, InvalidDtmf
from telephony.errors import VendorError
from worker.call_errors import CallOver, NotNow
from worker.gather import PARAMETERS, Gathered, GatherPlan
from worker.held_keys import HeldKeys, reference_to


class Gathers(Protocol):
    """Asks the caller for keys."""

    def __call__(self, plan: GatherPlan) -> Awaitable[Gathered]:
        """Ask, and return what was pressed."""
        ...


class Presses(Protocol):
    """The part of call control that presses keys."""

    async def press_keys(self, keys: str, *, sensitive: bool = False) -> None:
        """Press keys towards the caller."""
        ...


def gather_keys_tool(gather: Gathers, held: HeldKeys) -> RawFunctionTool[..., Any]:
    """Return the tool `gather_keys` of one call.

    It answers with the keys, or, when they are sensitive, with what stands for them.

    Args:
        gather: Asks the caller.
        held: Keeps the entry for other tools.
    """

    @function_tool(raw_schema=_GATHER_SCHEMA)
    async def gather_keys(raw_arguments: dict[str, object], context: RunContext[Any]) -> str:
        try:
            plan = GatherPlan.model_validate(raw_arguments)
        except ValidationError as exc:
            raise ToolError(_complaint(exc)) from exc
        context.disallow_interruptions()
        await context.wait_for_playout()
        try:
            gathered = await gather(plan)
        except NotNow as exc:
            raise ToolError(exc.sentence) from exc
        except CallOver:
            raise StopResponse from None
        count = len(gathered.digits)
        if count < plan.min_digits:
            raise ToolError(f"The caller pressed {count} keys; {plan.min_digits} are needed.")
        held.hold(plan.name, gathered.digits, sensitive=plan.sensitive)
        shown = reference_to(plan.name) if plan.sensitive else gathered.digits
        return json.dumps({"keys": shown, "count": count, "ended": gathered.ended})

    return gather_keys


def press_keys_tool(control: Presses, held: HeldKeys) -> RawFunctionTool[..., Any]:
    """Return the tool `press_keys` of one call: walks through somebody else's menu."""

    @function_tool(raw_schema=_PRESS_SCHEMA)
    async def press_keys(raw_arguments: dict[str, object], context: RunContext[Any]) -> str:
        asked = str(raw_arguments.get("keys") or "")
        keys = str(held.filled(asked))
        context.disallow_interruptions()
        await context.wait_for_playout()
        try:
            await control.press_keys(keys, sensitive=keys != asked)
        except InvalidDtmf as exc:
            raise ToolError(f"keys: {exc}.") from exc
        except NotNow as exc:
            raise ToolError(exc.sentence) from exc
        except CallOver:
            raise StopResponse from None
        except VendorError as exc:
            raise ToolError("The keys could not be pressed just now.") from exc
        return "The keys were pressed."

    return press_keys


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}." if place else f"{first['msg']}."


_GATHER_SCHEMA: Final[dict[str, Any]] = {
    "name": "gather_keys",
    "description": (
        "Ask the caller to press keys on the telephone, such as a customer number, and wait for"
        " them. Everything may be left out."
    ),
    "parameters": PARAMETERS,
}
_PRESS_SCHEMA: Final[dict[str, Any]] = {
    "name": "press_keys",
    "description": "Press keys on the telephone, such as to choose in a menu that you hear.",
    "parameters": {
        "type": "object",
        "properties": {
            "keys": {
                "type": "string",
                "description": (
                    f"1 to {MOST_KEYS} of 0-9, *, #, A-D; w waits half a second, a comma two."
                ),
            }
        },
        "required": ["keys"],
    },
}
