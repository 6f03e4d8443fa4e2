"""What a tool's answer says."""

import httpx
import pytest

from dispatch.tools.results import result_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{ "open": true }', '{"open":true}'),
        (b"Open until five.", "Open until five."),
        (b"[" * 300 + b"]" * 300, "[" * 300 + "]" * 300),
    ],
    ids=["JSON", "words", "nested deep"],
)
def test_an_answer_is_told_in_few_characters_whatever_it_is(body: bytes, text: str) -> None:
    answer = httpx.Response(200, headers={"content-type": "application/json"}, content=body)
    assert result_of(answer, body).text == text
