"""Digest access authentication: answering a challenge, making one, checking the answer.

`sipmessage` splits authentication parameters at every comma, also inside quotes, and so cannot
read `qop="auth,auth-int"`; the two helpers of the standard library used here can.

Source: RFC 7616 section 3.4 (computation), RFC 8760 (SHA-256 in SIP), RFC 2617 section 3.5.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.request import parse_http_list, parse_keqv_list


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name and its password."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a server asks of a client: one `WWW-Authenticate` or `Proxy-Authenticate` header."""

    realm: str
    nonce: str
    algorithm: str | None = None
    """As written by the server; None means MD5."""
    opaque: str | None = None
    qop: bool = True
    """Whether the server offers quality of protection `auth`."""
    is_stale: bool = False
    """The password was right, but the nonce is too old: try again with this one."""

    def to_header(self) -> str:
        """Return the header value."""
        text = f'Digest realm="{self.realm}", nonce="{self.nonce}"'
        if self.algorithm:
            text += f", algorithm={self.algorithm}"
        if self.opaque is not None:
            text += f', opaque="{self.opaque}"'
        if self.qop:
            text += ', qop="auth"'
        return text + (", stale=true" if self.is_stale else "")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# Strongest first: a server that offers several wants the best the client can do.
_HASHES: Final[Mapping[str, Callable[[str], str]]] = {"SHA-256": _sha256, "MD5": _md5}


def choose_challenge(headers: Sequence[str]) -> Challenge | None:
    """Return the strongest challenge that can be answered, or None.

    Args:
        headers: All values of the challenge header, one challenge each.
    """
    challenges = [found for value in headers if (found := find_challenge(value))]
    strength = list(_HASHES)
    return min(challenges, key=lambda c: strength.index(_algorithm(c.algorithm)), default=None)


def find_challenge(header: str) -> Challenge | None:
    """Read one challenge; None when it is malformed or needs something unknown."""
    parameters = _parameters(header)
    if not parameters or "realm" not in parameters or "nonce" not in parameters:
        return None
    offered = [word.strip().lower() for word in parameters.get("qop", "").split(",")]
    algorithm = parameters.get("algorithm")
    if _algorithm(algorithm) not in _HASHES or not {"auth", ""} & set(offered):
        return None
    return Challenge(
        realm=parameters["realm"],
        nonce=parameters["nonce"],
        algorithm=algorithm,
        opaque=parameters.get("opaque"),
        qop="auth" in offered,
        is_stale=parameters.get("stale", "").lower() == "true",
    )


def answer_challenge(
    challenge: Challenge,
    credentials: Credentials,
    *,
    method: str,
    uri: str,
    nonce_count: int = 1,
    cnonce: str | None = None,
) -> str:
    """Return the value of the `Authorization` or `Proxy-Authorization` header.

    Args:
        challenge: The server's challenge.
        credentials: Who is calling.
        method: Method of the request.
        uri: Request-URI exactly as in the request line.
        nonce_count: How often this nonce has been used, this time included.
        cnonce: The client's nonce; a random one when not given.
    """
    cnonce = cnonce or secrets.token_hex(8)
    count = f"{nonce_count:08x}" if challenge.qop else None
    response = _response(challenge, credentials, method, uri, count, cnonce)
    text = (
        f'Digest username="{_escape(credentials.username)}", realm="{_escape(challenge.realm)}", '
        f'nonce="{_escape(challenge.nonce)}", uri="{uri}", response="{response}"'
    )
    if challenge.algorithm:
        text += f", algorithm={challenge.algorithm}"
    if count:
        text += f', cnonce="{cnonce}", nc={count}, qop=auth'
    if challenge.opaque is not None:
        text += f', opaque="{_escape(challenge.opaque)}"'
    return text


def is_right_answer(
    header: str, challenge: Challenge, credentials: Credentials, *, method: str
) -> bool:
    """Say whether an authorization header answers the challenge with these credentials."""
    parameters = _parameters(header)
    if parameters is None or parameters.get("nonce") != challenge.nonce:
        return False
    if parameters.get("username") != credentials.username:
        return False
    count = parameters.get("nc") if "qop" in parameters else None
    expected = _response(
        challenge,
        credentials,
        method,
        parameters.get("uri", ""),
        count,
        parameters.get("cnonce", ""),
    )
    return hmac.compare_digest(expected.encode(), parameters.get("response", "").encode())


def _response(
    challenge: Challenge,
    credentials: Credentials,
    method: str,
    uri: str,
    count: str | None,
    cnonce: str,
) -> str:
    digest = _HASHES[_algorithm(challenge.algorithm)]
    secret = digest(f"{credentials.username}:{challenge.realm}:{credentials.password}")
    request = digest(f"{method}:{uri}")
    if count is None:
        return digest(f"{secret}:{challenge.nonce}:{request}")
    return digest(f"{secret}:{challenge.nonce}:{count}:{cnonce}:auth:{request}")


def _parameters(header: str) -> dict[str, str] | None:
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "digest":
        return None
    try:
        parsed = parse_keqv_list([item for item in parse_http_list(rest) if item])
    except (ValueError, IndexError):  # `name=` without a value is an IndexError there
        return None
    return {name.strip().lower(): value for name, value in parsed.items()}


def _algorithm(name: str | None) -> str:
    return (name or "MD5").upper()


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
