"""What a tool may be: a schema that is cheap to check, a request that can be made."""

import time
from typing import Any

import pytest
from pydantic import ValidationError

from dispatch.tool_definition import ToolDraft, fill_secrets
from dispatch.tool_parameters import check_parameters, complaints_about

pytestmark = pytest.mark.unit

URL = "https://crm.example.com/orders"


def draft(**http: Any) -> ToolDraft:
    return ToolDraft.model_validate({"name": "look_up", "http": {"url": URL, **http}})


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


class TestTheRequest:
    @pytest.mark.parametrize(
        "url",
        [
            "crm.example.com",
            "//crm.example.com/",
            "ftp://crm.example.com/",
            "file:///etc/passwd",
            "https://",
            "https:///orders",
            "https://user@crm.example.com/",
            "https://user:password@crm.example.com/",
            "https://crm.example.com/#part",
            "https://crm.example.com/a b",
            "https://crm.example.com/ä",
            "https://crm.example.com:99999/",
            "https://0177.0.0.1/",
            "https://[::1/",
            "https://crm.example.com/\r\nHost: evil",
            "",
        ],
    )
    def test_has_a_plain_absolute_url(self, url: str) -> None:
        with pytest.raises(ValidationError):
            draft(url=url)

    @pytest.mark.parametrize(
        "headers",
        [
            {"Host": "x"},
            {"content-length": "1"},
            {"Transfer-Encoding": "chunked"},
            {"Bad Name": "x"},
            {"": "x"},
            {"A": "x\r\nB: y"},
            {"A": "ü"},
            {"A": "{{secret:crm}}"},
            {"A": "{{secret:CRM.api_key}}"},
            {"A": "{{ secret:crm.api_key }}"},
            {"A": "{{name}}"},
            {"A": "1", "a": "2"},
            {f"H{n}": "x" for n in range(31)},
        ],
    )
    def test_has_headers_that_can_be_sent(self, headers: dict[str, str]) -> None:
        with pytest.raises(ValidationError):
            draft(headers=headers)

    def test_knows_the_secrets_it_needs(self) -> None:
        tool = draft(headers={"A": "Bearer {{secret:crm.api_key}}", "B": "{{secret:a.b}}"})

        assert list(tool.http.secrets) == [("crm", "api_key"), ("a", "b")]

    def test_is_filled_with_secrets_once(self) -> None:
        secrets = {("crm", "key"): "{{secret:crm.other}}", ("crm", "other"): "no"}

        assert fill_secrets("Bearer {{secret:crm.key}}", secrets) == "Bearer {{secret:crm.other}}"

    @pytest.mark.parametrize(
        ("http", "may_repeat"),
        [
            ({"method": "GET"}, True),
            ({"method": "POST"}, False),
            ({"method": "PUT"}, False),
            ({"method": "POST", "is_idempotent": True}, True),
        ],
    )
    def test_is_repeated_where_that_is_safe(
        self, http: dict[str, Any], *, may_repeat: bool
    ) -> None:
        assert draft(**http).http.may_repeat is may_repeat


class TestTheParameters:
    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({}, '"type": "object"'),
            ({"type": ["object", "null"]}, '"type": "object"'),
            ({"type": "object", "anyOf": [{}]}, "anyOf may not stand at the top"),
            ({"type": "object", "$ref": "#/$defs/a"}, "may not stand at the top"),
            ({"type": "object", "required": "order"}, "not a JSON Schema"),
            (schema(a={"type": "strin"}), "not a JSON Schema"),
            (schema(a={"$ref": "https://evil.example/schema"}), "must stay in the schema"),
            (schema(a={"$ref": "#/$defs/none"}), "refers to nothing"),
            (schema(a={"$ref": "#/properties/a"}), "refers to itself"),
            (
                {
                    **schema(a={"$ref": "#/$defs/b"}),
                    "$defs": {"b": {"items": {"$ref": "#/$defs/b"}}},
                },
                "refers to itself",
            ),
            (schema(a={"$dynamicRef": "#x"}), r"\$dynamicRef has no use"),
            (schema(a={"pattern": "(?=a)b"}), "bounded time"),
            (schema(a={"pattern": r"(a)\1"}), "bounded time"),
            (schema(a={"pattern": "("}), "bounded time"),
            ({"type": "object", "patternProperties": {"a": {}}}, "patternProperties"),
            (schema(a={"description": "x" * 40_000}), "32768 bytes"),
            (schema(**{f"p{n}": {"type": "string"} for n in range(500)}), "500 parts"),
        ],
    )
    def test_are_refused_with_what_to_change(
        self, parameters: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            check_parameters(parameters)

    def test_nested_too_deeply_are_refused(self) -> None:
        nested: dict[str, Any] = {}
        for _ in range(500):
            nested = {"items": nested}

        with pytest.raises(ValueError, match="32 levels deep"):
            check_parameters(schema(a=nested))

    def test_that_grow_with_every_reference_are_refused(self) -> None:
        definitions: dict[str, Any] = {"d0": {"type": "string"}}
        for level in range(1, 20):
            reference = {"$ref": f"#/$defs/d{level - 1}"}
            definitions[f"d{level}"] = {"anyOf": [reference, reference]}
        bomb = {**schema(a={"$ref": "#/$defs/d19"}), "$defs": definitions}

        with pytest.raises(ValueError, match=r"500 parts|32 levels"):
            check_parameters(bomb)

    def test_may_share_definitions(self) -> None:
        parameters = {
            **schema(a={"$ref": "#/$defs/name"}, b={"$ref": "#/$defs/name"}),
            "$defs": {"name": {"type": "string", "minLength": 1}},
        }
        check_parameters(parameters)

        assert complaints_about(parameters, {"a": "x", "b": ""}) != ()
        assert complaints_about(parameters, {"a": "x", "b": "y"}) == ()

    def test_may_have_properties_named_like_keywords(self) -> None:
        check_parameters(schema(pattern={"type": "string"}, type={"type": "string"}))


class TestArguments:
    def test_that_do_not_fit_are_told_by_name(self) -> None:
        parameters = schema(order={"type": "string"}, count={"type": "integer"})

        assert complaints_about(parameters, {"order": 5, "count": "x"}) == (
            "count: 'x' is not of type 'integer'",
            "order: 5 is not of type 'string'",
        )

    def test_that_are_long_are_refused(self) -> None:
        [complaint] = complaints_about(schema(), {"a": "x" * 20_000})

        assert complaint == "The arguments take more than 16384 bytes."

    def test_that_cannot_be_json_are_refused(self) -> None:
        for value in ({1, 2}, float("nan"), float("inf")):
            assert complaints_about(schema(), {"a": value}) == ("The arguments are not JSON.",)

    def test_are_quoted_in_short(self) -> None:
        [complaint] = complaints_about(schema(a={"type": "integer"}), {"a": "x" * 5_000})

        assert len(complaint) < 310

    def test_are_matched_in_time_that_grows_with_their_length_only(self) -> None:
        parameters = schema(a={"type": "string", "pattern": "^(a+)+$"})
        check_parameters(parameters)
        began_s = time.monotonic()

        assert complaints_about(parameters, {"a": "a" * 10_000 + "!"}) != ()
        # Python's own regular expressions would need longer than the universe is old.
        assert time.monotonic() - began_s < 30
