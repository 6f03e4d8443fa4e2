"""The agent passes the call to somebody, or lets the caller wait."""

import json
from typing import Any, Final, Protocol

from livekit.agents import RunContext, StopResponse, ToolError, function_tool
from livekit.agents.llm import RawFunctionTool

from dispatch.transfer_policy import TransferMode, TransferPolicy
from telephony.dialling_rules import TargetRefused
from telephony.errors import VendorError
from worker.call_errors import CallOver, NotNow

LONGEST_HOLD_S: Final = 600


class Outcome(Protocol):
    """What became of a transfer."""

    @property
    def code(self) -> str:
        """In one word."""
        ...

    @property
    def is_accepted(self) -> bool:
        """Whether somebody has the caller now."""
        ...

    @property
    def sentence(self) -> str:
        """For the caller."""
        ...


class Passes(Protocol):
    """The part of call control that these tools use."""

    async def transfer(
        self, to: str | None = None, mode: TransferMode | None = None, summary: str = ""
    ) -> Outcome:
        """Pass the call to somebody."""
        ...

    async def hold_for(self, seconds: float) -> bool:
        """Put the caller on hold, at most for so long; return whether they are back."""
        ...


def transfer_tools(control: Passes, policy: TransferPolicy) -> list[RawFunctionTool[..., Any]]:
    """Return `hold`, and `transfer_call` where there is anybody to pass calls to."""
    hold = hold_tool(control)
    return [hold, transfer_call_tool(control, policy)] if policy.patterns else [hold]


def transfer_call_tool(control: Passes, policy: TransferPolicy) -> RawFunctionTool[..., Any]:
    """Return the tool `transfer_call` of one call.

    What the agent says beside calling it is heard first. When somebody takes the call, the agent
    says nothing more; otherwise the tool's answer tells it what happened, and it goes on.

    Args:
        control: Passes calls on.
        policy: Whom to; anybody else is refused with a sentence.
    """

    @function_tool(raw_schema=_transfer_schema(policy))
    async def transfer_call(raw_arguments: dict[str, object], context: RunContext[Any]) -> str:
        context.disallow_interruptions()
        await context.wait_for_playout()
        mode = raw_arguments.get("mode")
        to = raw_arguments.get("to")
        try:
            outcome = await control.transfer(
                None if to is None else str(to),
                None if mode is None else TransferMode(str(mode)),
                str(raw_arguments.get("summary") or ""),
            )
        except (TargetRefused, NotNow) as exc:
            raise ToolError(exc.sentence) from exc
        except CallOver:
            raise StopResponse from None
        except ValueError as exc:
            raise ToolError("The mode is cold or warm.") from exc
        except VendorError as exc:
            raise ToolError("The call could not be passed on just now.") from exc
        if outcome.is_accepted:
            raise StopResponse
        return json.dumps({"outcome": outcome.code, "say": outcome.sentence})

    return transfer_call


def hold_tool(control: Passes) -> RawFunctionTool[..., Any]:
    """Return the tool `hold` of one call: music for some seconds, then the agent goes on."""

    @function_tool(raw_schema=_HOLD_SCHEMA)
    async def hold(raw_arguments: dict[str, object], context: RunContext[Any]) -> str:
        seconds = raw_arguments.get("seconds")
        if (
            not isinstance(seconds, int | float)
            or isinstance(seconds, bool)
            or not 1 <= seconds <= LONGEST_HOLD_S
        ):
            raise ToolError(f"seconds is a number from 1 to {LONGEST_HOLD_S}.")
        context.disallow_interruptions()
        await context.wait_for_playout()
        try:
            is_back = await control.hold_for(seconds)
        except NotNow as exc:
            raise ToolError(exc.sentence) from exc
        except CallOver:
            raise StopResponse from None
        except VendorError as exc:
            raise ToolError("The caller could not be put on hold just now.") from exc
        if not is_back:
            raise StopResponse
        return "The caller is back."

    return hold


def _transfer_schema(policy: TransferPolicy) -> dict[str, Any]:
    usual = " Leave it out for the usual ones." if policy.targets else ""
    whom = ", ".join(policy.patterns)
    return {
        "name": "transfer_call",
        "description": (
            "Pass the caller to a person. Say that you do so in the same turn. If nobody takes the"
            " call, the caller is back with you."
        ),
        "parameters": {
            "type": "object",
            "properties": {
                "to": {
                    "type": "string",
                    "description": f"Number or SIP address, one of: {whom}.{usual}",
                },
                "mode": {
                    "type": "string",
                    "enum": [mode.value for mode in TransferMode],
                    "description": (
                        "warm: the person is told what it is about and may decline. cold: at once."
                    ),
                },
                "summary": {
                    "type": "string",
                    "description": "What the person is told: who calls and why, in a sentence.",
                },
            },
            "required": [] if policy.targets else ["to"],
        },
    }


_HOLD_SCHEMA: Final[dict[str, Any]] = {
    "name": "hold",
    "description": (
        "Let the caller wait with music. Say so in the same turn. Afterwards you go on talking."
    ),
    "parameters": {
        "type": "object",
        "properties": {
            "seconds": {"type": "number", "description": f"How long, 1 to {LONGEST_HOLD_S}."}
        },
        "required": ["seconds"],
    },
}
