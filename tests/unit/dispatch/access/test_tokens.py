"""Which tokens are believed."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from dispatch.access.key_set import KeySet
from dispatch.access.settings import AccessSettings
from dispatch.access.tokens import TokenVerifier
from dispatch.errors import StoreUnavailable
from tests.builders.identity_provider import (
    AUDIENCE,
    EC_KEY,
    ISSUER,
    OTHER_RSA_KEY,
    RSA_KEY,
    claims,
    ec_jwk,
    public_pem,
    rsa_jwk,
    token,
    write_key_set,
)

pytestmark = pytest.mark.unit

LONG_AGO = datetime.now(UTC) - timedelta(hours=1)
LATER = datetime.now(UTC) + timedelta(hours=1)


def verifier(path: Path, **settings: Any) -> TokenVerifier:
    write_key_set(path / "jwks.json", rsa_jwk("k1"), ec_jwk("e1"))
    given = {"jwt_issuer": ISSUER, "jwt_audience": AUDIENCE} | settings
    return TokenVerifier(AccessSettings(**given), KeySet(str(path / "jwks.json")))


def encoded(part: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(part, default=str).encode()).rstrip(b"=").decode()


def handmade(header: dict[str, Any], secret: bytes = b"") -> str:
    """Return a token that no library would make."""
    said = claims(iat=None, exp=int(LATER.timestamp()))
    signed = f"{encoded(header)}.{encoded(said)}"
    signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest() if secret else b""
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


async def test_a_good_token_says_who_came(tmp_path: Path):
    found = await verifier(tmp_path).verify(token())
    assert found is not None
    assert (found.issuer, found.subject, found.name) == (ISSUER, "user_1", "Ann")
    assert (found.organization, found.role) == ("org_1", "admin")
    assert found.expires_at > datetime.now(UTC)


async def test_an_elliptic_key_is_as_good(tmp_path: Path):
    signed = token(EC_KEY, "ES256", "e1")
    assert await verifier(tmp_path).verify(signed) is not None


ATTACKS = {
    "unsigned": handmade({"alg": "none", "kid": "k1"}),
    "unsigned, in capitals": handmade({"alg": "NONE", "kid": "k1"}),
    "signed with the public key as a secret": handmade({"alg": "HS256", "kid": "k1"}, public_pem()),
    "signed with a secret": handmade({"alg": "HS256", "kid": "k1"}, b"x" * 64),
    "another's key": token(OTHER_RSA_KEY),
    "another's key, brought along": jwt.encode(
        claims(),
        OTHER_RSA_KEY,
        algorithm="RS256",
        headers={"kid": "k1", "jwk": rsa_jwk("k1", OTHER_RSA_KEY)},
    ),
    "an RSA key's id on an elliptic signature": token(EC_KEY, "ES256", "k1"),
    "an elliptic key's id on an RSA signature": token(RSA_KEY, "RS256", "e1"),
    "an algorithm the key is not for": token(RSA_KEY, "RS512", "k1"),
    "unknown key id": token(key_id="k2"),
    "no key id": jwt.encode(claims(), RSA_KEY, algorithm="RS256"),
    "an unknown critical header": jwt.encode(
        claims(), RSA_KEY, algorithm="RS256", headers={"kid": "k1", "crit": ["x"], "x": 1}
    ),
    "wrong audience": token(aud="somebody-else"),
    "no audience": token(aud=None),
    "wrong issuer": token(iss="https://evil.example"),
    "no issuer": token(iss=None),
    "expired": token(exp=LONG_AGO),
    "never expires": token(exp=None),
    "expires at infinity": token(exp=float("inf")),
    "not valid yet": token(nbf=LATER),
    "issued in the future": token(iat=LATER),
    "nobody": token(sub=None),
    "nobody, in no letters": token(sub=""),
    "cut short": token()[:-4],
    "changed": token().replace(token().split(".")[1], encoded(claims(iat=None, exp=9e9))),
    "two parts": token().rsplit(".", 1)[0],
    "four parts": token() + ".x",
    "no base64": "é.é.é",
    "no JSON": "eA.eA.eA",
    "a list": f"{encoded([1])}.{encoded([1])}.x",
    "a key id that is no text": f"{encoded({'alg': 'RS256', 'kid': 1})}.{encoded({})}.x",
    "far too long": token(extra="x" * 9_000),
    "nothing": "",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
async def test_a_bad_token_is_not_believed(tmp_path: Path, attack: str):
    assert await verifier(tmp_path).verify(attack) is None


async def test_without_an_audience_in_the_settings_any_will_do(tmp_path: Path):
    lenient = verifier(tmp_path, jwt_audience=None)
    assert await lenient.verify(token(aud="whatever")) is not None
    assert await lenient.verify(token(aud=None)) is not None


async def test_a_party_that_is_not_listed_is_refused(tmp_path: Path):
    strict = verifier(tmp_path, jwt_authorized_parties=("https://app.example.com",))
    assert await strict.verify(token(azp="https://app.example.com")) is not None
    assert await strict.verify(token(azp="https://evil.example")) is None


async def test_clerks_newer_tokens_hold_the_organisation_in_an_object(tmp_path: Path):
    newer = token(org_id=None, org_role=None, o={"id": "org_9", "rol": "member", "slg": "acme"})
    found = await verifier(tmp_path).verify(newer)
    assert found is not None
    assert (found.organization, found.organization_name, found.role) == (
        "org_9",
        "acme",
        "operator",
    )


@pytest.mark.parametrize("role", ["org:owner_of_everything", None, "", {"x": 1}])
async def test_whoever_claims_no_role_of_ours_may_only_look(tmp_path: Path, role: Any):
    found = await verifier(tmp_path).verify(token(org_role=role))
    assert found is not None
    assert found.role == "viewer"


async def test_an_email_address_counts_only_when_it_was_verified(tmp_path: Path):
    checked = verifier(tmp_path)
    verified = await checked.verify(token(email="ann@example.com", email_verified=True))
    claimed = await checked.verify(token(email="ann@example.com"))
    assert verified is not None
    assert claimed is not None
    assert (verified.email, claimed.email) == ("ann@example.com", None)


async def test_a_provider_whose_keys_cannot_be_had_makes_no_token_wrong(tmp_path: Path):
    settings = AccessSettings(jwt_issuer=ISSUER)
    with pytest.raises(StoreUnavailable):
        await TokenVerifier(settings, KeySet(str(tmp_path / "gone.json"))).verify(token())


def test_keys_without_an_issuer_are_a_mistake_of_the_settings():
    with pytest.raises(ValueError, match="DIALPLANE_JWT_ISSUER"):
        TokenVerifier(AccessSettings(), KeySet("jwks.json"))
