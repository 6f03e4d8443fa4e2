"""The same request is carried out once, however often it is sent.

A client sends an `Idempotency-Key` of its own making with a request that creates or spends, and
the same again when it got no answer. The first one claims the key; its answer is kept for a day and
given to every repetition. Three things can go wrong in between, and none does harm:

- The process dies after the write and before the answer. The claim lapses, the repetition is
  carried out again, with the same ids: what exists already is returned, not made twice.
- Redis loses the claim. As above.
- Somebody reads Redis. Answers hold tokens and keys, so they are encrypted under what only the
  client has: its credential and its idempotency key.
"""

import asyncio
import base64
import hashlib
import hmac
import logging
import math
import secrets
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from dispatch.errors import KeyReused, StillRunning, StoreUnavailable
from dispatch.store.request_claims import RequestClaims

logger = logging.getLogger(__name__)

LEASE: Final = timedelta(seconds=20)
"""A repetition waits this long after a crash. Work may take longer: its claim is extended."""
_LONGEST_ANSWER_BYTES: Final = 262_144
_NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True)
class RepeatableRequest:
    """A request that may come again."""

    tenant: str
    """Whose request: keys of different tenants have nothing to do with each other."""
    credential: str
    """What the client alone has and has again next time: its key, or for a user, whose token is
    another one by then, who it is."""
    key: str
    """The idempotency key."""
    content: bytes
    """Everything that makes it this request: method, path, query and body."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that is to be carried out now."""

    new_id: uuid.UUID
    """The id of what it creates: the same for every attempt."""
    seed: bytes
    """32 secret bytes for secrets that it creates: the same for every attempt."""
    digest: str
    owner: str
    cipher_key: bytes


class Idempotency:
    """Claims requests and keeps their answers.

    Args:
        claims: Where both are kept.
        pepper: Goes into everything that is derived here.
        lease: How long a claim stands that nobody extends.
    """

    def __init__(self, claims: RequestClaims, pepper: SecretStr, lease: timedelta = LEASE) -> None:
        self._claims = claims
        self._pepper = pepper.get_secret_value().encode()
        self._lease = lease

    async def begin(self, request: RepeatableRequest) -> Attempt | bytes:
        """Claim a request, or return the answer it was given before.

        Raises:
            KeyReused: The key came with another request.
            StillRunning: Another attempt is being worked on.
            StoreUnavailable: Redis did not answer; nothing was done.
        """
        # Under the pepper: of a body that holds a card number there are not so many to try.
        fingerprint = hmac.new(self._pepper, request.content, hashlib.sha256).hexdigest()
        attempt = Attempt(
            new_id=self._new_id(request, fingerprint),
            seed=self._derive("seed", request, fingerprint),
            digest=self._derive("place", request, credential="").hex(),
            owner=secrets.token_hex(8),
            cipher_key=self._derive("answer", request, fingerprint),
        )
        claim = await self._claims.claim(attempt.digest, fingerprint, attempt.owner, self._lease)
        match claim.kind:
            case "reused":
                raise KeyReused("This Idempotency-Key was used for another request.")
            case "running":
                raise StillRunning(max(1, math.ceil(claim.left_ms / 1_000)))
            case "answered":
                return _opened(claim.answer, attempt.cipher_key)
            case _:
                return attempt

    @asynccontextmanager
    async def held(self, attempt: Attempt) -> AsyncGenerator[None]:
        """Keep the claim from lapsing for the length of the block, however long it takes.

        A transfer is waited for longer than anybody wants to wait after a crash. A claim that is
        lost all the same (Redis forgot it) lets a repetition in, which finds the same ids.
        """
        at_work = True

        async def extend() -> None:
            while at_work:
                await asyncio.sleep(self._lease.total_seconds() / 3)
                with suppress(StoreUnavailable):
                    if not await self._claims.extend(attempt.digest, attempt.owner, self._lease):
                        return

        extending = asyncio.create_task(extend())
        try:
            yield
        finally:
            at_work = False
            extending.cancel()
            await asyncio.gather(extending, return_exceptions=True)

    async def keep(self, attempt: Attempt, answer: bytes) -> None:
        """Keep the answer for a day. When Redis does not answer, a repetition works it out anew."""
        if len(answer) > _LONGEST_ANSWER_BYTES:
            await self.give_up(attempt)
            return
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + AESGCM(attempt.cipher_key).encrypt(nonce, answer, None)
        await self._settle(attempt, base64.b64encode(sealed).decode())

    async def give_up(self, attempt: Attempt) -> None:
        """Let the next request with this key try again at once."""
        await self._settle(attempt, "")

    async def _settle(self, attempt: Attempt, answer: str) -> None:
        try:
            await self._claims.settle(attempt.digest, attempt.owner, answer)
        except StoreUnavailable:
            # The work is done; the claim lapses, and a repetition finds what was made.
            logger.warning("The answer to a repeatable request could not be kept.")

    def _new_id(self, request: RepeatableRequest, fingerprint: str) -> uuid.UUID:
        name = f"{request.tenant}\n{request.key}\n{fingerprint}"
        return uuid.uuid5(uuid.NAMESPACE_OID, name)

    def _derive(
        self,
        purpose: str,
        request: RepeatableRequest,
        fingerprint: str = "",
        credential: str | None = None,
    ) -> bytes:
        parts = (
            purpose,
            request.tenant,
            request.credential if credential is None else credential,
            request.key,
            fingerprint,
        )
        return hmac.new(self._pepper, "\n".join(parts).encode(), hashlib.sha256).digest()


def _opened(answer: str, cipher_key: bytes) -> bytes:
    sealed = base64.b64decode(answer)
    try:
        return AESGCM(cipher_key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None)
    except InvalidTag as exc:
        raise KeyReused("This Idempotency-Key was used with another credential.") from exc
