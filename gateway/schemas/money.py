"""Amounts, in whole micro-credits: 1 credit is 1,000,000."""

from pydantic import Field

from gateway.schemas.base import Answer


class BalanceAnswer(Answer):
    """What the key's organisation may still use."""

    balance_microcredits: int = Field(description="1 credit is 1,000,000.", examples=[5_000_000])
