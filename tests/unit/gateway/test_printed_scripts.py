"""The scripts that our documentation prints are scripts that an agent may have."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.faces.native.schemas.agents import AgentBody

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```json\n(.+?)^```$", re.MULTILINE | re.DOTALL)


def printed() -> list[Any]:
    """Return what the pages print of agents and of steps, as test cases named by their page."""
    return [
        pytest.param(json.loads(block), id=f"{page.stem}-{number}")
        for page in sorted((ROOT / "docs").rglob("*.md"))
        for number, block in enumerate(BLOCK.findall(page.read_text()))
    ]


@pytest.mark.parametrize("example", printed())
def test_an_agent_may_have_what_is_printed(example: dict[str, Any]):
    agent = example if "script" in example else {"script": {"steps": [example]}}
    body = AgentBody.model_validate({"name": "Printed", **agent})
    assert body.script.steps
