"""Every key Dialplane keeps in Redis: its name, type, life, writer and readers.

| key | type | lives | written by | read by |
|---|---|---|---|---|
| `dp:route:{did}` | string, JSON `Route`, with the number's behaviour if it has one | while the number exists | number use cases, projection | admit script, explain |
| `dp:agent:{agent_id}` | hash: profile (JSON `AgentProfile`), ready, needed_secrets, version, name, organization_id, project_id | while the agent exists | agent use cases, projection | admit, open scripts, explain |
| `dp:revision:{copy}` | string, the revision of the row that a copy (`route:{did}`, `agent:{agent_id}`, `secrets:…`, `trunk:…`) was last made of, or withdrawn with | 1 h after that | publish, withdraw scripts | the same |
| `dp:latest-revision` | string, the greatest of all these | forever | publish, withdraw scripts | projection |
| `dp:secrets:{project_id}` | string, JSON `ProjectSecrets`: sealed values and the wrapped key that opens them | while the project has secrets | secrets use cases, rotation, projection | worker, chat, tools |
| `dp:credential:{digest}` | hash: owner (JSON `Credential`), organization_id, version, and by API whom its requests are counted for and how many a minute are allowed | 60 s | authentication | authenticate script |
| `dp:access:{organization_id}` | string, the organisation's access version: what was read before it is not believed | 1 h after the last change | use cases of keys, members and limits | authenticate script |
| `dp:rate:{subject}` | hash: n, from, and requests by quarter second | 60 s after the last request | authenticate, take scripts | the same |
| `dp:idempotency:{digest}` | hash: fingerprint, state, owner, until_ms, answer (encrypted) | 24 h | claim, extend, settle scripts | the same |
| `dp:balance:{org_id}` | string, integer micro-credits free to reserve | forever | scripts: top up, admit, beat, end; rebuilt by projection | the same, explain |
| `dp:operation:{operation_id}` | string `1` | 30 days | top-up script | top-up script (applies once) |
| `dp:reservation:{operation_id}` | hash: state, organization_id, project_id, agent_id, source, price_version, reserved, attempt, cost, uncollected | while open, then 1 day | reserve, charge scripts | the same |
| `dp:reservations` | sorted set operation_id by lapse ms | while open | reserve, charge scripts | reaper |
| `dp:session:{room_name}` | hash: the fields of `VoiceSession`, of several agents' those of the first or of one that talks; of an outbound call its tenant, agent, metadata and placed (JSON `PlacedCall`) | 1 day | open, begin-outbound, admit scripts | admit script, worker, reaper |
| `dp:seat:{seat}:{room_name}` | as above, of one of several agents in the room | | | |
| `dp:call:{call_id}` | hash, see below | while live, then 1 h | call scripts | call scripts, reaper |
| `dp:calls:ringing` | sorted set call_id by registered-at ms | while ringing | ring, admit, end scripts | reaper, unanswered calls |
| `dp:calls:live` | sorted set call_id by lease expiry ms: the installation's slots | while admitted | admit, beat, forsake, end scripts | admit, open scripts, reaper |
| `dp:leases:organization:{org_id}` | sorted set call_id by lease expiry ms | while admitted | admit, beat, forsake, end scripts | admit, open scripts |
| `dp:leases:number:{did}` | as above | | | |
| `dp:trunk:{connection_id}` | string, JSON `CarrierTrunk`: where calls to a carrier go, its password sealed | while the connection has a termination | outbound use case, projection | worker |
| `dp:outbound:pace:{connection_id or org_id}` | list of the ms at which its last outbound calls were begun, newest first | 2 s after the last | begin-outbound script | the same |
| `dp:outbound:live:{connection_id or org_id}` | set of its outbound calls that are not over, and some that are | 1 day after the last was begun | begin-outbound script | the same |
| `dp:events` | stream: call_id, seq, type, at_ms, data | until written to Postgres | call scripts | event drain (group `record`) |
| `dp:events:rejected` | stream: the event and why Postgres refused it | until an operator deletes it | event drain | /readyz, operators |
| `dp:workers` | sorted set worker_id by expiry ms | 15 s after the last beat | worker | explain, /readyz, unanswered calls |
| `dp:worker:{worker_id}` | hash: active_calls, max_calls | 15 s | worker | explain, /readyz, unanswered calls |
| `dp:dispatch:beat:{loop}` | string, JSON `{at_ms, ok, detail}` | 30 s | each dispatch loop | /readyz, number status |
| `dp:wake:{loop}` | list, at most one element | until taken | whoever wants a loop to run now | that loop (BLPOP) |
| `dp:command:{command_id}` | hash: call_id, name, arguments (sealed, until it is begun), state (queued, running, withdrawn, done, refused, failed, over), answer (JSON `CommandResult`) | 1 day | queue, take, finish, look scripts | gateway, worker |
| `dp:commands:{lane}:{call_id}` | list of command_id; lanes: ordered, urgent | until taken, at most 1 day | queue script | the call's worker |
| `dp:chat:lease:{conversation_id}` | string, the holder's token | 15 s after it was last extended | chat turns | chat turns |

Fields of a call: state, kind, did, room_name, seat (of one of several agents in the room), seq (of its last event), seq_run (the run of Redis that gave it), ringing_at_ms,
organization_id, project_id, admitted_at_ms, answered_at_ms, seen_at_ms (last sign of its worker),
job_id (the job that was admitted), agent_id, keys (whose: own, platform), price_version, profile and metadata (as admitted), plan (JSON `CallPlan`, empty for a number without a behaviour), price (a minute), block, funded (at admission), reserved (by
now), usage (JSON `PricedUsage`), usage_cost, usage_total (of all quantities), low_at_ms, last_entry_id, refusal_reason, cancelled (1 when it was), ended_at_ms, billed_s, cost, refunded, uncollected. Money is in
micro-credits.

Nothing else may be written. All keys carry the prefix, because LiveKit shares the server.
"""
# ruff: noqa: E501 - the rows of a table cannot be broken.

import uuid

EVENTS = "dp:events"
EVENTS_GROUP = "record"
EVENTS_REJECTED = "dp:events:rejected"
CALLS_RINGING = "dp:calls:ringing"
CALLS_LIVE = "dp:calls:live"
LATEST_REVISION = "dp:latest-revision"
RESERVATIONS = "dp:reservations"
WORKERS = "dp:workers"


def route(did: str) -> str:
    """Route of a dialled number."""
    return f"dp:route:{did}"


def agent(agent_id: uuid.UUID | str) -> str:
    """Snapshot of an agent's profile."""
    return f"dp:agent:{agent_id}"


def revision(copy: str) -> str:
    """How late the copy is that stands under another key."""
    return f"dp:revision:{copy.removeprefix('dp:')}"


def secrets(project_id: uuid.UUID | str) -> str:
    """What a project keeps secret, sealed."""
    return f"dp:secrets:{project_id}"


def credential(digest: str) -> str:
    """What a key or token stands for, by its hash."""
    return f"dp:credential:{digest}"


def access_version(organization_id: uuid.UUID | str) -> str:
    """How often an organisation's access was changed."""
    return f"dp:access:{organization_id}"


def rate(subject: str) -> str:
    """Requests of the last minute."""
    return f"dp:rate:{subject}"


def idempotency(digest: str) -> str:
    """A request with an idempotency key, and its answer."""
    return f"dp:idempotency:{digest}"


def balance(organization_id: uuid.UUID | str) -> str:
    """Credit free to reserve, in micro-credits."""
    return f"dp:balance:{organization_id}"


def operation(operation_id: str) -> str:
    """Marks a top-up as applied."""
    return f"dp:operation:{operation_id}"


def reservation(operation_id: uuid.UUID | str) -> str:
    """Credit set aside for an operation that is not a call."""
    return f"dp:reservation:{operation_id}"


def voice_session(room_name: str) -> str:
    """The web session that lives in a room; where several do, the first."""
    return f"dp:session:{room_name}"


def seat(seat: str, room_name: str) -> str:
    """One of several web sessions in a room. A seat is digits, so no two keys are the same."""
    return f"dp:seat:{seat}:{room_name}"


def call(call_id: uuid.UUID | str) -> str:
    """The live record of a call."""
    return f"dp:call:{call_id}"


def leases_organization(organization_id: uuid.UUID | str) -> str:
    """Slots an organisation uses."""
    return f"dp:leases:organization:{organization_id}"


def leases_number(did: str) -> str:
    """Slots a number uses."""
    return f"dp:leases:number:{did}"


def worker(worker_id: str) -> str:
    """One worker's own report."""
    return f"dp:worker:{worker_id}"


def dispatch_beat(loop: str) -> str:
    """Last sign of life of a dispatch loop."""
    return f"dp:dispatch:beat:{loop}"


def wake(loop: str) -> str:
    """Asks a dispatch loop to run now."""
    return f"dp:wake:{loop}"


def command(command_id: uuid.UUID | str) -> str:
    """A command to a live call, and its answer."""
    return f"dp:command:{command_id}"


def commands(lane: str, call_id: uuid.UUID | str) -> str:
    """Commands that a call's worker has not taken yet."""
    return f"dp:commands:{lane}:{call_id}"


def trunk(connection_id: uuid.UUID | str) -> str:
    """Where calls to a carrier go."""
    return f"dp:trunk:{connection_id}"


def outbound_pace(owner_id: uuid.UUID | str) -> str:
    """When a carrier connection's, or an organisation's, last outbound calls were begun."""
    return f"dp:outbound:pace:{owner_id}"


def outbound_live(owner_id: uuid.UUID | str) -> str:
    """Outbound calls of a carrier connection or an organisation."""
    return f"dp:outbound:live:{owner_id}"


def conversation_lease(conversation_id: uuid.UUID | str) -> str:
    """The right to answer in a conversation."""
    return f"dp:chat:lease:{conversation_id}"
