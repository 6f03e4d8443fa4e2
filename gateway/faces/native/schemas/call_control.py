"""Bodies of commands to calls that are going on."""

import uuid
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StringConstraints

from dispatch.blanks import NOT_BLANK, STRIPPED
from dispatch.commands import CommandName, CommandResult
from dispatch.transfer_policy import TransferMode
from gateway.schemas.base import Answer, RequestBody
from telephony.dtmf import MOST_KEYS, check_keys

Spoken = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000),
    Field(json_schema_extra=NOT_BLANK),
    STRIPPED,
]


class TransferCommand(RequestBody):
    """Pass the call to somebody."""

    model_config = RequestBody.model_config | ConfigDict(
        json_schema_extra={"examples": [{"to": "+12015550155", "mode": "warm"}]}
    )

    to: str | None = Field(
        default=None,
        max_length=400,
        description="A number or `sip:` address that the agent may pass calls to; without it the"
        " agent's own targets are tried, in order.",
    )
    mode: TransferMode | None = Field(
        default=None, description="As the agent's profile says when it is not given."
    )
    summary: str = Field(
        default="", max_length=2_000, description="What a person is told before they take the call."
    )


class DtmfCommand(RequestBody):
    """Press keys towards the caller."""

    model_config = RequestBody.model_config | ConfigDict(
        json_schema_extra={"examples": [{"keys": "1w42#"}]}
    )

    keys: Annotated[str, StringConstraints(max_length=2_000), AfterValidator(check_keys)] = Field(
        json_schema_extra={"pattern": rf"^[w, -]*([0-9A-Da-d*#][w, -]*){{1,{MOST_KEYS}}}$"},
        description="`0-9`, `*`, `#`, `A-D`; `w` waits half a second, `,` two seconds.",
    )
    sensitive: StrictBool = Field(
        default=False, description="Whether the record shall say only how many keys there were."
    )


class SayCommand(RequestBody):
    """Say something to the caller."""

    model_config = RequestBody.model_config | ConfigDict(
        json_schema_extra={"examples": [{"text": "Your order has just been shipped."}]}
    )

    text: Spoken = Field(description="Spoken word for word, in the agent's voice.")


class WhisperCommand(RequestBody):
    """Tell the agent something that the caller does not hear."""

    model_config = RequestBody.model_config | ConfigDict(
        json_schema_extra={"examples": [{"text": "Offer free delivery."}]}
    )

    text: Spoken = Field(description="What the agent's model shall know or do from now on.")


class EndCommand(RequestBody):
    """End the call."""

    model_config = RequestBody.model_config | ConfigDict(
        json_schema_extra={"examples": [{"say": "Thank you for calling. Goodbye."}]}
    )

    say: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1_000)] = Field(
        default="", description="Said first; nothing when empty."
    )


class CommandAnswer(Answer):
    """What became of a command."""

    command_id: uuid.UUID = Field(description="Found in the call's event `command`, too.")
    call_id: uuid.UUID
    command: CommandName
    outcome: str = Field(
        description="`done`; of a transfer `accepted`, `busy`, `no_answer`, `refused`, `timed_out`,"
        " `failed`, `declined`, `hung_up` or `not_accepted`. Whenever nobody took the call the"
        " caller is back with the agent.",
        examples=["done"],
    )
    sentence: str = Field(examples=["The caller is on hold."])
    target: str | None = Field(
        default=None, description="Of a transfer: who has the call, or was tried last."
    )
    sip_code: int | None = Field(default=None, description="Of a transfer, where there was one.")

    @classmethod
    def of_result(
        cls, call_id: uuid.UUID, command_id: uuid.UUID, name: CommandName, result: CommandResult
    ) -> Self:
        """Return the answer for a command that was carried out."""
        return cls(
            command_id=command_id,
            call_id=call_id,
            command=name,
            outcome=result.outcome,
            sentence=result.sentence,
            target=result.details.get("target"),
            sip_code=result.details.get("sip_code"),
        )
