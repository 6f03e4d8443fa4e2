"""What chats cost: credit set aside before a model is asked, a charge once it has answered."""

import uuid

from dispatch.balances import Balances
from dispatch.billing.items import KeySource, Service, Unit, UsageItem
from dispatch.conversations import ChatTurn, Conversation
from dispatch.errors import InsufficientCredits
from dispatch.usage.usage import Payer, Usage


class ChatCharges:
    """Who pays for chats. Every method raises `StoreUnavailable` when that cannot be known.

    Args:
        usage: Sets credit aside and charges.
        balances: What organisations are free to spend.
        block_microcredits: What is set aside for one answer.
    """

    def __init__(self, usage: Usage, balances: Balances, block_microcredits: int) -> None:
        self._usage = usage
        self._balances = balances
        self._block_microcredits = block_microcredits

    async def require_credit(self, organization_id: uuid.UUID) -> None:
        """Return if the organisation could pay for a first answer now; nothing is set aside.

        Raises:
            InsufficientCredits: It could not, or its balance is unknown.
        """
        balance = await self._balances.get(organization_id)
        if balance is None:
            raise InsufficientCredits("The organisation's balance is being rebuilt; try again.")
        if balance < max(self._block_microcredits, 1):
            raise InsufficientCredits("The organisation's balance does not cover an answer.")

    async def reserve(self, conversation: Conversation, operation_id: uuid.UUID) -> None:
        """Set aside what an answer may cost.

        Raises:
            InsufficientCredits: The balance does not cover it, or is unknown.
        """
        payer = Payer(
            conversation.organization_id, conversation.project_id, conversation.agent.agent_id
        )
        await self._usage.reserve_chat(payer, operation_id)

    async def release(self, conversation: Conversation, operation_id: uuid.UUID) -> None:
        """Give back what was set aside for an answer that was not begun."""
        payer = Payer(
            conversation.organization_id, conversation.project_id, conversation.agent.agent_id
        )
        await self._usage.charge_chat(payer, operation_id, [])

    async def charge(self, turn: ChatTurn) -> int:
        """Charge an answer once and give back what was set aside beyond it; return micro-credits.

        An answer of which nothing came to be costs nothing.
        """
        payer = Payer(turn.organization_id, turn.project_id, turn.agent_id)
        charge = await self._usage.charge_chat(payer, turn.operation_id, _items_of(turn))
        return charge.cost_microcredits


def _items_of(turn: ChatTurn) -> list[UsageItem]:
    keys = KeySource.OWN if turn.own_key else KeySource.PLATFORM
    usage = turn.usage
    quantities = {
        Unit.INPUT_TOKENS: usage.input_tokens - usage.cached_input_tokens,
        Unit.CACHED_INPUT_TOKENS: usage.cached_input_tokens,
        Unit.OUTPUT_TOKENS: usage.output_tokens,
    }
    items = [
        UsageItem(Service.LLM, turn.provider, turn.model, unit, quantity, keys)
        for unit, quantity in quantities.items()
    ]
    if not usage.output_tokens:
        return items
    message = UsageItem(Service.CHAT, turn.provider, turn.model, Unit.MESSAGES, 1, keys)
    return [*items, message]
