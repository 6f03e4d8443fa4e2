"""Every table in Postgres.

Two families. *What is wanted* (tenants, keys, agents, numbers) is written by use cases and tied
together by foreign keys. *What happened* (calls, events, turns, ledger) is written from the event
stream and has none: there a foreign key could only turn a fact into an event that cannot be stored.

Rows that others refer to are never deleted, only marked with `deleted_at`.
"""

from dispatch.store.tables.access import AuditEntryRow, MemberRow
from dispatch.store.tables.accounts import ApiKeyRow, OrganizationRow, ProjectRow
from dispatch.store.tables.agents import AgentRow, AgentVersionRow
from dispatch.store.tables.base import Table
from dispatch.store.tables.calls import CallEventRow, CallRow, TranscriptTurnRow
from dispatch.store.tables.chat import ChatMessageRow, ChatTurnRow, ConversationRow
from dispatch.store.tables.knowledge import (
    EmbeddingUseRow,
    KnowledgeBaseRow,
    KnowledgeChunkRow,
    KnowledgeDocumentRow,
    KnowledgeFilePartRow,
    KnowledgeVectorRow,
)
from dispatch.store.tables.ledger import LedgerEntryRow
from dispatch.store.tables.numbers import (
    CarrierConnectionRow,
    PhoneNumberCountRow,
    PhoneNumberRow,
)
from dispatch.store.tables.outbound import OutboundCallRow
from dispatch.store.tables.rooms import RoomSessionRow, RoomSessionTurnRow
from dispatch.store.tables.secrets import DataKeyRow, SecretRow
from dispatch.store.tables.tools import ToolRow
from dispatch.store.tables.usage import NO_AGENT, OpenReservationRow, UsageDayRow, UsageEventRow

__all__ = [
    "NO_AGENT",
    "AgentRow",
    "AgentVersionRow",
    "ApiKeyRow",
    "AuditEntryRow",
    "CallEventRow",
    "CallRow",
    "CarrierConnectionRow",
    "ChatMessageRow",
    "ChatTurnRow",
    "ConversationRow",
    "DataKeyRow",
    "EmbeddingUseRow",
    "KnowledgeBaseRow",
    "KnowledgeChunkRow",
    "KnowledgeDocumentRow",
    "KnowledgeFilePartRow",
    "KnowledgeVectorRow",
    "LedgerEntryRow",
    "MemberRow",
    "OpenReservationRow",
    "OrganizationRow",
    "OutboundCallRow",
    "PhoneNumberCountRow",
    "PhoneNumberRow",
    "ProjectRow",
    "RoomSessionRow",
    "RoomSessionTurnRow",
    "SecretRow",
    "Table",
    "ToolRow",
    "TranscriptTurnRow",
    "UsageDayRow",
    "UsageEventRow",
]
