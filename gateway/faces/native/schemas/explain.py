"""What would happen to a call, step by step."""

from pydantic import Field

from gateway.schemas.base import Answer


class ExplainStepAnswer(Answer):
    """One condition of an answered call."""

    name: str = Field(examples=["credit"])
    passed: bool
    sentence: str = Field(examples=["The organisation's balance covers a call."])


class ExplainAnswer(Answer):
    """What would happen if somebody rang the number now."""

    number: str = Field(examples=["+12015550100"])
    would_be_answered: bool
    sentence: str = Field(description="The first failure, or that all is well.")
    steps: list[ExplainStepAnswer]
