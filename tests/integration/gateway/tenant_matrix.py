"""Which requests name something of a tenant, taken from the published description.

Every operation falls into a class here: it has parts of its path, parameters or fields that name
things, or it stands in `NAMES_NOTHING`. One that does neither is a gap, and a test fails.
"""

import copy
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.integration.gateway.everything import DOCUMENT, Everything

OPEN: Final = {"GET /healthz", "GET /readyz", "POST /webhooks/livekit"}
"""Operations that ask for no credential of a tenant."""

NAMES_NOTHING: Final = {
    "GET /v1/phone-numbers",
    "POST /v1/byoc/trunks/refresh-all",
    "GET /v1/voice/voices",
    "GET /v1/voice/models",
    "GET /v1/voice/providers",
    "GET /v1/chat/models",
    "GET /v2/chat/agents",
    "GET /v1/chat/agents",
    "GET /api/v1/phone-numbers",
    "POST /v1/chat/tools",
    "GET /v1/chat/tools",
    "POST /v1/chat/api-keys",
    "GET /v1/chat/api-keys",
    "GET /v1/chat/subscriptions/usage/current",
    "GET /api/v1/agents",
    "GET /api/v1/rooms",
    "GET /api/v1/usage",
    "GET /api/v1/quota",
    "POST /admin/v1/organizations",
    "GET /admin/v1/organizations",
    "GET /v1/agents",
    "GET /v1/credits",
    "POST /v1/carrier-connections",
    "GET /v1/carrier-connections",
    "POST /v1/knowledge-bases",
    "GET /v1/knowledge-bases",
    "GET /v1/secrets",
    "POST /v1/tools",
    "GET /v1/tools",
    "GET /v1/usage",
    "GET /v1/quota",
}
"""Lists, reports and creations in the caller's own project."""

OWN_NAMES: Final = {
    ("PUT /v1/secrets/{provider}", "path"): "Providers are named anew in each project.",
    ("PUT /admin/v1/projects/{project_id}/secrets/{provider}", "{provider}"): "As above.",
    ("POST /api/v1/token", "room"): "A room's name is put behind the project's own prefix.",
    ("POST /api/v1/sessions", "room_name"): "A room's name is put behind the project's prefix.",
    ("POST /v2/chat/agents", "subAgents"): "Kept word for word; nobody looks them up.",
    ("POST /v1/chat/agents", "subAgents"): "Kept word for word; nobody looks them up.",
    ("PATCH /v2/chat/agents/{agent_id}", "subAgents"): "Kept word for word.",
    ("PATCH /v1/chat/agents/{agent_id}", "subAgents"): "Kept word for word.",
}
"""Names that mean something of the caller's own, or nothing, whoever else uses them."""

TOLD: Final = {
    ("POST /v1/phone-numbers", "number"),
    ("POST /v1/byoc/phone-numbers", "phoneNumber"),
    ("POST /v1/chat/phone-numbers", "number"),
    ("POST /v1/chat/phone-numbers/map-agent", "phoneNumber"),
}
"""A number rings in one project of the installation: whoever creates it learns that it is taken."""

_ACCOUNT: Final = {
    "terminationUri": "shop.pstn.twilio.com",
    "sipUsername": "shop",
    "sipPassword": "secure_password_here",
}

_BODIES: Final[dict[str, Any]] = {
    "PUT /v1/byoc/phone-numbers/{phone_number}": {
        "terminationUri": "another-trunk.pstn.twilio.com"
    },
}
"""Bodies where the example does not suit a tenant's things."""

_QUERIES: Final = {
    "GET /v1/chat/analytics/calls/stats": {"startDate": "2026-01-01", "endDate": "2026-12-31"},
}
"""What a query must have."""

_NO_NAMES: Final = {
    "externalId",
    "fallbackNumber",
    "modelId",
    "operationId",
    "sttModelId",
    "toNumber",
    "to_number",
    "stsModelId",
    "to_phone_number",
    "ttsModelId",
    "ttsVoiceId",
}
"""They end as if they named a thing of a tenant, and name a model, a voice or the caller's own."""

_NO_NAMES_INSIDE: Final = {"voiceParams.functionToolsConfig.transferCallConfig.phoneNumber"}
"""Whom an agent may call, which is nobody's here."""

_AFTER_HOURS: Final = {"afterHours": {"action": "agent"}}
_INSIDE: Final[dict[str, Any]] = {"afterHours.agentId": _AFTER_HOURS}
"""What goes with a field inside another one, where it cannot stand alone."""

_NAMES: Final = re.compile(r"(?:^from|id|ids|number|numbers|room|room_name|agents)$", re.IGNORECASE)

METHODS: Final = {"get", "put", "post", "patch", "delete"}


@dataclass(frozen=True)
class Operation:
    """A method of a path, with what it takes."""

    method: str
    path: str
    parameters: tuple[str, ...]
    """Names in the path."""
    inside: tuple[str, ...]
    """Fields inside others that name things, such as `config.toolIds`."""
    fields: tuple[str, ...]
    """Fields of the body that name things."""
    query: tuple[str, ...]
    """Parameters of the query that name things."""
    example: Any
    """A body, or None."""
    takes_files: bool

    @property
    def label(self) -> str:
        """How it is called in tables and messages."""
        return f"{self.method.upper()} {self.path}"

    @property
    def is_admins(self) -> bool:
        """Whether it belongs to the administration."""
        return self.path.startswith("/admin/")

    @property
    def is_a_chats(self) -> bool:
        """Whether a chat session's token opens it, and no key."""
        return self.path.startswith("/v1/chat/sessions/")

    def places(self) -> Iterator[str]:
        """Yield where it names things: `path`, one `{part}` of it, a field or a parameter."""
        if self.parameters:
            yield "path"
        parts = [name for name in self.parameters if name != "version"]
        if len(parts) > 1:
            yield from (f"{{{name}}}" for name in parts)
        yield from self.query
        yield from self.fields
        yield from self.inside


@dataclass(frozen=True)
class Request:
    """A request of a matrix."""

    method: str
    url: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    takes_files: bool = False

    def arguments(self) -> dict[str, Any]:
        """Return what `httpx` sends."""
        content = {"files": DOCUMENT} if self.takes_files else {}
        if self.body is not None and not self.takes_files:
            content = {"json": self.body}
        return {"method": self.method.upper(), "url": self.url, "params": self.query, **content}


def operations_of(description: dict[str, Any]) -> list[Operation]:
    """Return every operation of an OpenAPI description."""
    return [
        _operation(description["components"]["schemas"], method, path, told)
        for path, methods in description["paths"].items()
        for method, told in methods.items()
        if method in METHODS
    ]


def request_of(operation: Operation, own: Everything, place: str, theirs: Everything) -> Request:
    """Return a request that names the caller's own things, but somebody else's in one place."""
    things = theirs if place == "path" else own
    named = things.in_path(operation.method, operation.path)
    if place.startswith("{"):
        part = place.strip("{}")
        named[part] = theirs.in_path(operation.method, operation.path)[part]
    url = operation.path
    for name in operation.parameters:
        url = url.replace(f"{{{name}}}", named[name])
    query = dict(_QUERIES.get(operation.label, {}))
    if place in operation.query:
        query[place] = str(_values(operation, theirs)[place])
    body = copy.deepcopy(_BODIES.get(operation.label, operation.example))
    if isinstance(body, dict):
        body.update(
            {name: value for name, value in _values(operation, own).items() if name in body}
        )
        if place in operation.fields:
            body[place] = _values(operation, theirs)[place]
        if place in operation.inside:
            body = _with_inside(body, place, _values(operation, theirs))
    return Request(operation.method, url, query, body, operation.takes_files)


def _with_inside(body: dict[str, Any], place: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return a body with this value in it, made of nothing else than it needs."""
    *around, name = place.split(".")
    inner: Any = {name: values[name]}
    for outer in reversed(around):
        inner = {outer.removesuffix("[]"): [inner] if outer.endswith("[]") else inner}
    for outer, needed in _INSIDE.get(place, {}).items():
        inner[outer] = needed | inner[outer]
    return body | inner


def nobodys(someones: Everything) -> Everything:
    """Return names like somebody's, of things that nobody has."""
    changed: dict[str, Any] = {}
    for name, value in vars(someones).items():
        if name in ("tenant", "version", "room_name") or name.endswith("_token"):
            continue
        changed[name] = _unlike(name, value)
    made = {name for name, told in Everything.__dataclass_fields__.items() if told.init}
    nobody = replace(someones, **{name: changed[name] for name in made & changed.keys()})
    for name in changed.keys() - made:
        setattr(nobody, name, changed[name])
    return nobody


def _unlike(name: str, value: Any) -> Any:
    digits = uuid.uuid4().hex
    made = {
        "phone_number": "+12015550199",
        "conversation_id": re.sub(r"[0-9a-f]{16}", digits[:16], str(value)),
        "full_room_name": re.sub(r"[0-9a-f]{32}", digits, str(value)),
        "provider": f"vendor-{digits[:8]}",
        "voice_session_id": f"vs_{digits[:12]}",
    }
    if isinstance(value, int):
        return 2_000_000_000
    return made.get(name, str(uuid.UUID(digits)))


def _values(operation: Operation, things: Everything) -> dict[str, Any]:
    """Return what fields and parameters name, by their names."""
    is_written = operation.path.endswith("/chat/sessions")
    agent_id = things.writer_id if is_written else things.agent_id
    return {
        "agent_id": agent_id,
        "agentId": agent_id,
        "inBoundAgentId": things.agent_id,
        "outBoundAgentId": things.agent_id,
        "inboundAgentId": things.agent_id,
        "outboundAgentId": things.agent_id,
        "phoneNumber": things.phone_number,
        "phoneNumbers": [things.phone_number],
        "number": things.phone_number,
        "from": things.phone_number,
        "fromNumber": things.phone_number,
        "from_number": things.phone_number,
        "phoneNumberId": things.number_id,
        "connectionId": things.carrier_connection_id,
        "knowledgeStoreId": things.knowledge_base_id,
        "knowledgeBaseIds": [things.knowledge_base_id],
        "knowledge_base_id": things.knowledge_base_number,
        "toolIds": [things.tool_id],
        "toolId": things.tool_id,
        "handoffAgentIds": [things.writer_id],
        "subAgents": [things.agent_id],
        "room": things.full_room_name,
        "room_name": things.full_room_name,
        "agent_config_id": things.config_id,
        "agent_config_ids": [things.config_id],
        "organizationId": things.organization_id,
        "projectId": things.project_id,
        "actorId": things.key_id,
        "targetId": things.agent_id,
    }


def _operation(schemas: dict[str, Any], method: str, path: str, told: dict[str, Any]) -> Operation:
    parameters = told.get("parameters", [])
    content = told.get("requestBody", {}).get("content", {})
    schema = _resolved(schemas, content.get("application/json", {}).get("schema", {}))
    return Operation(
        method=method,
        path=path,
        parameters=tuple(re.findall(r"{([^}]+)}", path)),
        inside=tuple(dict.fromkeys(_inside(schemas, schema))),
        fields=tuple(filter(_is_name, schema.get("properties", {}))),
        query=tuple(
            each["name"]
            for each in parameters
            # There, `from` is a moment.
            if each["in"] == "query" and each["name"] != "from" and _is_name(each["name"])
        ),
        example=next(iter(schema.get("examples", [])), None),
        takes_files="multipart/form-data" in content,
    )


def _inside(
    schemas: dict[str, Any],
    schema: dict[str, Any],
    at: str = "",
    seen: frozenset[str] = frozenset(),
) -> Iterator[str]:
    """Yield the places of fields inside others that name things."""
    if reference := schema.get("$ref"):
        if reference in seen:
            return
        seen |= {reference}
        schema = schemas[reference.rsplit("/", 1)[1]]
    for inner in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _inside(schemas, inner, at, seen)
    if "items" in schema:
        yield from _inside(schemas, schema["items"], f"{at}[]", seen)
    for name, inner in schema.get("properties", {}).items():
        place = f"{at}.{name}" if at else name
        if at and _is_name(name) and place not in _NO_NAMES_INSIDE:
            yield place
        yield from _inside(schemas, inner, place, seen)


def _resolved(schemas: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref") or next(
        (each["$ref"] for each in schema.get("anyOf", ()) if "$ref" in each), None
    )
    found: dict[str, Any] = schemas[reference.rsplit("/", 1)[1]] if reference else schema
    return found


def _is_name(name: str) -> bool:
    return _NAMES.search(name) is not None and name not in _NO_NAMES
