"""What dispatch can refuse or fail to do. No HTTP here: `gateway.problems` maps these.

DispatchError
├── NotFound              no such thing for this tenant (another tenant's is not there either)
├── InvalidField          a value is wrong; names the field and says what is allowed
├── Conflict              the request contradicts what exists
│   ├── KeyReused         this idempotency key came with another request
│   ├── StillRunning      the request with this idempotency key is not answered yet
│   ├── CallNotLive       nobody talks in the call: it is over, or still rings
│   └── NoWayOut          no carrier, or host, takes a call that was to be placed
├── CommandFailed         a command to a call was begun and could not be carried out
├── CommandUnanswered     what became of a command to a call was not heard in time
├── DocumentTooLarge      an uploaded file is longer than is taken
├── NotAllowed            the caller is known, but may not do this
├── RateLimited           the caller asked too often
├── InsufficientCredits   the balance does not cover the first block of a call
├── QuotaExceeded         the plan allows no more of a resource
├── AgentNotVoiceReady    the agent cannot hold a voice call
├── AgentNotChatReady     the agent cannot hold a chat
├── ModelUnavailable      the agent's model cannot be asked
├── CapacityReached       every slot the tenant (or the installation) may use is taken
├── StoreUnavailable      Postgres or Redis could not be reached
│   └── BalanceUnknown    one organisation's balance is being rebuilt
├── SecretUnreadable      a secret on record does not open with the configured keys
└── RoomUnavailable       LiveKit did not create the room
"""


class DispatchError(Exception):
    """Base of every error raised by `dispatch`; its text may be shown to the user."""


class NotFound(DispatchError):
    """There is no such thing for this tenant.

    Args:
        kind: What was looked for, for example `agent`.
        key: The id as it was given.
    """

    def __init__(self, kind: str, key: object) -> None:
        super().__init__(f"{kind[:1].upper()}{kind[1:]} not found.")
        self.kind = kind
        self.key = key


class InvalidField(DispatchError):
    """A field's value is not allowed.

    Args:
        field: The field's name in dotted form, as `dispatch` knows it (snake case).
        message: What is wrong and what is allowed, as a sentence.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class Conflict(DispatchError):
    """The request contradicts what exists."""


class DocumentTooLarge(DispatchError):
    """An uploaded file is longer than is taken; the text says how long one may be."""


class KeyReused(Conflict):
    """This idempotency key came with another request before."""


class StillRunning(Conflict):
    """The request with this idempotency key is not answered yet.

    Args:
        retry_after_s: Whole seconds after which asking again helps.
    """

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("A request with this Idempotency-Key is still being worked on.")
        self.retry_after_s = retry_after_s


class CallNotLive(Conflict):
    """Nobody talks in the call: it is over, or still rings; the text says which."""


class NoWayOut(Conflict):
    """A call cannot be placed as it was to be; the text says what is missing, and no number."""


class CommandFailed(DispatchError):
    """A command to a call was begun and could not be carried out; the text says why."""


class CommandUnanswered(DispatchError):
    """What became of a command to a call was not heard in time; the text says what is known."""


class NotAllowed(DispatchError):
    """The caller is known, but may not do this."""


class RateLimited(DispatchError):
    """The caller asked too often.

    Args:
        limit: Requests allowed in any 60 s.
        retry_after_s: Whole seconds after which one more is allowed.
    """

    def __init__(self, limit: int, retry_after_s: int) -> None:
        super().__init__("Rate limit exceeded")
        self.limit = limit
        self.retry_after_s = retry_after_s


class InsufficientCredits(DispatchError):
    """The organisation's balance does not cover the first block of a call."""


class QuotaExceeded(DispatchError):
    """The organisation's plan allows no more of a resource.

    Args:
        resource: What it has enough of, as `phone_numbers`.
        limit: How much the plan allows.
        plan: The plan.
    """

    def __init__(self, resource: str, limit: int, plan: str) -> None:
        words = resource.replace("_", " ")
        super().__init__(f"The plan {plan} allows {limit} {words}.")
        self.resource = resource
        self.limit = limit
        self.plan = plan


class AgentNotVoiceReady(DispatchError):
    """The agent is inactive, text-only or not enabled for voice."""


class ModelKeyMissing(AgentNotVoiceReady):
    """The agent's models need a key that is not among the project's secrets."""


class AgentNotChatReady(DispatchError):
    """The agent cannot hold a chat."""


class AgentIsForCalls(AgentNotChatReady):
    """The agent is for voice, and only agents without voice were asked for."""


class ModelUnavailable(DispatchError):
    """The agent's model cannot be asked: no key is kept for it, or it is none for chats."""


class CapacityReached(DispatchError):
    """No free slot for another call."""


class StoreUnavailable(DispatchError):
    """Postgres or Redis could not be reached; nothing was changed."""


class BalanceUnknown(StoreUnavailable):
    """One organisation's balance is being rebuilt; nothing was changed. Others' are known."""


class SecretUnreadable(DispatchError):
    """A secret does not open: its key is not configured, or it was changed or moved."""


class RoomUnavailable(DispatchError):
    """LiveKit could not create the room for a voice session."""
