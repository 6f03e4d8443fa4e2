"""Where the arguments of a tool go in its request."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from dispatch.tool_definition import HttpRequest, ToolDraft
from dispatch.tools.requests import UnfitCall, first_request

pytestmark = pytest.mark.unit

ORDERS = "https://crm.example.com/orders"


def sent(arguments: dict[str, Any], **http: Any) -> tuple[str, Any]:
    request = HttpRequest.model_validate({"url": ORDERS, **http})
    outgoing = first_request(request, arguments, {})
    content = None if outgoing.content is None else json.loads(outgoing.content)
    return str(outgoing.url), content


@pytest.mark.parametrize("placeholder", ["{{id}}", "{id}"])
def test_an_argument_that_the_url_names_goes_there_and_nowhere_else(placeholder: str):
    url = f"{ORDERS}/{placeholder}/lines"
    assert sent({"id": 7, "page": 2}, url=url, method="GET") == (f"{ORDERS}/7/lines?page=2", None)
    assert sent({"id": 7, "note": "x"}, url=url) == (f"{ORDERS}/7/lines", {"note": "x"})


def test_an_argument_stays_one_piece_of_the_url():
    url, _ = sent({"id": "../admin?all=1#x/ü"}, url=f"{ORDERS}/{{{{id}}}}/lines", method="GET")
    assert url == f"{ORDERS}/..%2Fadmin%3Fall%3D1%23x%2F%C3%BC/lines"


@pytest.mark.parametrize("value", [None, "", ".", "..", ["7"], {"id": 7}])
def test_an_argument_that_would_lead_elsewhere_is_refused(value: Any):
    with pytest.raises(UnfitCall, match="The argument id cannot stand in the tool's URL"):
        sent({"id": value}, url=f"{ORDERS}/{{{{id}}}}/lines")


def test_a_body_takes_arguments_as_they_are_and_leaves_out_what_is_missing():
    body = {
        "subject": "{{subject}}",
        "priority": "{{priority}}",
        "lines": [{"amount": "{{amount}}"}, "{{missing}}"],
        "text": "About {{subject}}: {{amount}}",
        "source": "phone",
    }
    _, content = sent({"subject": "Late {{amount}}", "amount": 3}, body=body)
    assert content == {
        "subject": "Late {{amount}}",
        "lines": [{"amount": 3}],
        "text": "About Late {{amount}}: 3",
        "source": "phone",
    }


def test_a_url_may_name_only_what_the_model_is_asked_for():
    tool = {"name": "order_status", "http": {"url": f"{ORDERS}/{{{{id}}}}"}}
    with pytest.raises(ValidationError, match="id is no property of the parameters"):
        ToolDraft.model_validate(tool)
    parameters = {"type": "object", "properties": {"id": {"type": "string"}}}
    assert ToolDraft.model_validate(tool | {"parameters": parameters}).http.url.endswith("{{id}}")


@pytest.mark.parametrize(
    "url", ["https://{{id}}/", "https://{id}.example.com", "https://a.example:{{id}}/"]
)
def test_arguments_do_not_choose_the_host(url: str):
    with pytest.raises(ValidationError):
        HttpRequest.model_validate({"url": url})
