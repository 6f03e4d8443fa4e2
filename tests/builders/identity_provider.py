"""An identity provider of the tests: keys, a key set, and tokens good and bad."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

ISSUER = "https://clerk.example.com"
AUDIENCE = "dialplane"
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def rsa_jwk(key_id: str, key: rsa.RSAPrivateKey = RSA_KEY) -> dict[str, Any]:
    """Return the public part of a key, as it stands in a key set."""
    jwk: dict[str, Any] = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return jwk | {"kid": key_id, "use": "sig", "alg": "RS256"}


def ec_jwk(key_id: str) -> dict[str, Any]:
    """Return the public part of the elliptic key."""
    jwk: dict[str, Any] = ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True)
    return jwk | {"kid": key_id, "use": "sig"}


def public_pem() -> bytes:
    """Return the public key as text, with which attackers sign as if it were a secret."""
    return RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def write_key_set(path: Path, *keys: dict[str, Any]) -> Path:
    """Write a key set into a file."""
    path.write_text(json.dumps({"keys": list(keys)}))
    return path


def claims(**changes: Any) -> dict[str, Any]:
    """Return what a good token says; None takes a claim away."""
    now = datetime.now(UTC)
    said = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user_1",
        "iat": now,
        "exp": now + timedelta(hours=1),
        "org_id": "org_1",
        "org_role": "org:admin",
        "name": "Ann",
    } | changes
    return {name: value for name, value in said.items() if value is not None}


def token(key: Any = RSA_KEY, algorithm: str = "RS256", key_id: str = "k1", **changes: Any) -> str:
    """Return a token; a good one when nothing is changed."""
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers={"kid": key_id})
