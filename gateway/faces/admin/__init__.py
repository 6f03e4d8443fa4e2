"""The administration of an installation: organisations, projects, keys, members, credits."""

import re
from typing import Final

from gateway.faces.admin.routes import (
    audit,
    keys,
    knowledge,
    ledger,
    members,
    organizations,
    secrets,
    tools,
)
from gateway.faces.face import Face
from gateway.faces.native.errors import native_body
from gateway.problems import problem_of

ADMIN: Final = Face(
    name="admin",
    paths=re.compile(r"/admin/"),
    routers=(
        organizations.router,
        keys.router,
        members.router,
        ledger.router,
        audit.router,
        knowledge.router,
        secrets.router,
        tools.router,
    ),
    problem_of=problem_of,
    body_of=native_body,
)
