"""The reference pages and the Postman collection."""

from typing import Any

import pytest

from gateway.faces import FACES
from tests.integration.gateway.serving import Gateway

pytestmark = pytest.mark.integration


def requests_of(collection: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a collection's requests by method and address."""
    return {
        f"{item['request']['method']} {item['request']['url']['raw']}": item["request"]
        for folder in collection["item"]
        for item in folder["item"]
    }


@pytest.mark.parametrize("face", [face.name for face in FACES])
async def test_each_api_has_a_page_and_a_description_of_its_own(gateway: Gateway, face: str):
    page = await gateway.http.get(f"/docs/{face}")
    description = (await gateway.http.get(f"/openapi/{face}.json")).json()
    owned = next(each for each in FACES if each.name == face).paths
    assert f"/openapi/{face}.json" in page.text
    assert description["paths"]
    assert all(owned.match(path) for path in description["paths"])


async def test_the_bare_address_leads_to_the_reference(gateway: Gateway):
    answer = await gateway.http.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")


async def test_no_page_loads_anything_from_elsewhere(gateway: Gateway):
    for path in ("/docs", "/docs/api", "/docs/voxai"):
        page = (await gateway.http.get(path)).text
        assert "http://" not in page
        assert "https://" not in page


async def test_a_description_holds_only_what_it_refers_to(gateway: Gateway):
    description = (await gateway.http.get("/openapi/voxai.json")).json()
    assert "TokenBody" in description["components"]["schemas"]
    assert "VoiceSessionBody" not in description["components"]["schemas"]


async def test_a_page_asks_only_for_the_keys_its_api_takes(gateway: Gateway):
    asked = {
        face.name: set(
            (await gateway.http.get(f"/openapi/{face.name}.json")).json()["components"][
                "securitySchemes"
            ]
        )
        for face in FACES
    }
    assert "SessionToken" in asked["talkifai"]
    assert asked["voxai"] == {"ApiKey"}


async def test_voxais_page_links_to_its_collection(gateway: Gateway):
    info = (await gateway.http.get("/openapi/voxai.json")).json()["info"]
    assert info["description"].startswith("[Download for Postman](/docs/api/postman)")
    other = (await gateway.http.get("/openapi/agntix.json")).json()["info"]
    assert "Postman" not in other["description"]


async def test_there_is_no_page_of_an_unknown_api(gateway: Gateway):
    assert (await gateway.http.get("/docs/nothing")).status_code == 404


async def test_the_collection_is_filled_with_the_callers_address_and_key(gateway: Gateway):
    tenant = await gateway.tenant()
    collection = (await tenant.http.get("/docs/api/postman")).json()
    assert collection["info"]["name"] == "Voxai API"
    assert collection["info"]["schema"].endswith("/v2.1.0/collection.json")
    assert {each["key"]: each["value"] for each in collection["variable"]} == {
        "baseUrl": "http://test",
        "apiKey": tenant.key,
    }
    assert collection["auth"]["type"] == "apikey"
    assert [folder["name"] for folder in collection["item"]][:2] == ["Tokens", "Agents"]


async def test_the_collection_asks_as_the_api_wants_to_be_asked(gateway: Gateway):
    collection = (await gateway.http.get("/docs/api/postman")).json()
    requests = requests_of(collection)
    token = requests["POST {{baseUrl}}/api/v1/token"]
    assert token["body"]["mode"] == "raw"
    assert '"room": "my-room"' in token["body"]["raw"]
    assert token["url"]["path"] == ["api", "v1", "token"]
    who = requests["GET {{baseUrl}}/api/v1/rooms/:room_name/participants"]
    (variable,) = who["url"]["variable"]
    assert (variable["key"], variable["value"]) == ("room_name", "my-room")


async def test_the_collection_of_a_stranger_says_where_the_key_goes(gateway: Gateway):
    collection = (await gateway.http.get("/docs/api/postman")).json()
    assert collection["variable"][1] == {
        "key": "apiKey",
        "value": "YOUR_API_KEY",
        "type": "string",
    }
