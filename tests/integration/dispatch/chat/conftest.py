"""Chats over real stores, with a server that speaks OpenAI's protocol and one that is a tool."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from dispatch.access.audit import ADMINISTRATOR
from dispatch.accounts import Principal
from dispatch.agent_profile import AgentDraft
from dispatch.agents import Agents
from dispatch.balances import Balances
from dispatch.chat.agent_tools import AgentTools
from dispatch.chat.charging import ChatCharges
from dispatch.chat.events import ChatEvent
from dispatch.chat.models import ChatModels
from dispatch.chat.sessions import ChatSessions
from dispatch.chat.turns import ChatTurns, Turn
from dispatch.conversations import Conversation, Message
from dispatch.knowledge.charging import EmbeddingCharges
from dispatch.knowledge.embedding import Embedder
from dispatch.knowledge.search import KnowledgeSearch
from dispatch.routes import Routes
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.secrets.vault import Secrets
from dispatch.store.conversation_leases import ConversationLeases
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient
from dispatch.tools.addresses import AllowedHosts
from dispatch.tools.catalogue import Tools
from dispatch.tools.model_servers import model_server_client
from dispatch.tools.runner import HttpToolRunner
from dispatch.usage.usage import Usage
from tests.builders.installation_keys import KEYS
from tests.builders.live_calls import settings
from tests.builders.tenants import new_principal
from tests.integration.dispatch.conftest import UseCases
from tests.servers.openai_chat import KEY, OpenAIChatServer

CREDITS = 5_000_000

ALLOWED = AllowedHosts(["127.0.0.1"])


@dataclass
class ChatHouse:
    """The use cases of chats, one customer, and the server of their model."""

    owner: Principal
    sessions: ChatSessions
    turns: ChatTurns
    charges: ChatCharges
    agents: Agents
    tools: Tools
    secrets: Secrets
    balances: Balances
    database: Database
    redis: RedisClient
    server: OpenAIChatServer

    async def agent(self, **fields: Any) -> uuid.UUID:
        """Create a text agent whose model is the server's."""
        draft = {
            "name": "Support Agent",
            "voice_enabled": False,
            "system_prompt": "You help {{name}}.",
            "models": {
                "llm": {
                    "provider": "openai",
                    "model": "gpt-4.1",
                    "base_url": self.server.base_url,
                    "params": {"temperature": 0.5},
                }
            },
        }
        created = await self.agents.create(
            ADMINISTRATOR, self.owner, AgentDraft.model_validate(draft | fields)
        )
        return created.agent_id

    async def chat(self, agent_id: uuid.UUID | None = None, **fields: Any) -> Conversation:
        """Open a conversation."""
        agent_id = agent_id or await self.agent()
        opened, _ = await self.sessions.open(self.owner, agent_id, uuid.uuid4(), **fields)
        return opened

    async def begin(
        self, chat: Conversation, text: str = "Hello", turn_id: uuid.UUID | None = None
    ) -> Turn:
        """Send a message."""
        return await self.turns.begin(chat.id, text, turn_id or uuid.uuid4())

    async def say(
        self, chat: Conversation, text: str = "Hello", turn_id: uuid.UUID | None = None
    ) -> list[ChatEvent]:
        """Send a message and wait for the whole answer."""
        return await heard(await self.begin(chat, text, turn_id))

    async def messages(self, chat: Conversation) -> list[Message]:
        """What was said, without tools."""
        return list(await self.sessions.history(chat.id, offset=0, limit=100))

    async def spent(self) -> int:
        """What chats have cost the customer, in micro-credits."""
        return CREDITS - (await self.balances.get(self.owner.organization_id) or 0)


async def heard(turn: Turn) -> list[ChatEvent]:
    """Return all that happens in a turn."""
    async with asyncio.timeout(30):
        return [event async for event in turn.events()]


@pytest.fixture
def server() -> Iterator[OpenAIChatServer]:
    """A server that speaks OpenAI's protocol."""
    with OpenAIChatServer().running() as server:
        yield server


@pytest.fixture
def patience_s() -> float:
    """How long a message waits for the one before it."""
    return 10.0


@pytest.fixture
async def house(
    database: Database,
    redis: RedisClient,
    server: OpenAIChatServer,
    use_cases: UseCases,
    patience_s: float,
) -> AsyncIterator[ChatHouse]:
    """The use cases of chats, for a customer with credit and a key of their own."""
    balances, routes = Balances(redis), Routes(redis)
    owner = await new_principal(use_cases, "Owner")
    await redis.set(f"dp:balance:{owner.organization_id}", CREDITS)
    call_secrets = CallSecrets(redis, KEYS)
    secrets = Secrets(database, call_secrets, KEYS)
    await secrets.put(ADMINISTRATOR, owner.project_id, "openai", {"api_key": KEY})
    configured = settings()
    usage = Usage(database, redis, configured)
    charges = ChatCharges(usage, balances, configured.operation_block_microcredits)
    async with model_server_client(ALLOWED) as client:
        turns = ChatTurns(
            database,
            ConversationLeases(redis),
            charges,
            ChatModels(call_secrets, client),
            AgentTools(
                database,
                HttpToolRunner(ALLOWED),
                call_secrets,
                KnowledgeSearch(database, Embedder(call_secrets, client)),
                EmbeddingCharges(database, usage),
            ),
            patience_s=patience_s,
        )
        yield ChatHouse(
            owner=owner,
            sessions=ChatSessions(database, charges),
            turns=turns,
            charges=charges,
            agents=Agents(database, routes),
            tools=Tools(database, routes, ALLOWED),
            secrets=secrets,
            balances=balances,
            database=database,
            redis=redis,
            server=server,
        )
        server.gate.set()
        await turns.aclose()
