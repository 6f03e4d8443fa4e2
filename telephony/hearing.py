"""Who hears whom in a room, as pure data: parties, the sounds they make, and named arrangements.

`Hearing` is a matrix: the pairs of a listener and a source that is heard, and whose keys go round.
Hold, consult, merge and the others are functions that return one; `changes` says how to get from
one to the next.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class Role(StrEnum):
    """What somebody in a room is there for."""

    CALLER = "caller"
    AGENT = "agent"
    HUMAN = "human"
    """Somebody the call was passed to."""
    MONITOR = "monitor"
    """Somebody of the office who listens, advises or takes over."""


class SourceKind(StrEnum):
    """What a sound is."""

    VOICE = "voice"
    MUSIC = "music"
    """Only an agent's: what somebody on hold hears."""


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """A sound somebody makes."""

    identity: str
    kind: SourceKind = SourceKind.VOICE


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody in a room, by the identity of the participant."""

    identity: str
    role: Role

    @property
    def voice(self) -> Source:
        """What this party says."""
        return Source(self.identity, SourceKind.VOICE)

    @property
    def music(self) -> Source:
        """What this party plays to those on hold."""
        return Source(self.identity, SourceKind.MUSIC)


@dataclass(frozen=True, slots=True)
class Hearing:
    """Who hears what: everything that is not a pair is silence."""

    pairs: frozenset[tuple[str, Source]] = frozenset()
    """Identity of a listener, and what it hears."""
    keys: frozenset[str] = frozenset()
    """Whose keys go round. There are no pairs of them: LiveKit hands the keys of one telephone to
    everybody in the room, other telephones included, or to nobody."""

    def hears(self, listener: str, source: Source) -> bool:
        """Whether somebody hears a source."""
        return (listener, source) in self.pairs

    def heard_by(self, listener: str) -> frozenset[Source]:
        """Return everything somebody hears."""
        return frozenset(source for one, source in self.pairs if one == listener)

    def adding(self, pairs: Iterable[tuple[str, Source]]) -> "Hearing":
        """Return the same with these pairs too."""
        return replace(self, pairs=self.pairs | frozenset(pairs))

    def without(self, identity: str) -> "Hearing":
        """Return the same when somebody has left: it hears nothing and is heard by nobody."""
        return Hearing(
            frozenset(pair for pair in self.pairs if identity not in (pair[0], pair[1].identity)),
            self.keys - {identity},
        )

    def passing_keys_of(self, parties: Iterable[Party]) -> "Hearing":
        """Return the same when the keys of these go round, too."""
        return replace(self, keys=self.keys | {party.identity for party in parties})


SILENCE = Hearing()
"""Nobody hears anything: how it is before anybody was placed."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change for one listener: begin or cease to hear some sources."""

    listener: str
    sources: tuple[Source, ...]
    begins: bool

    @property
    def undone(self) -> "Step":
        """The step that takes this one back."""
        return Step(self.listener, self.sources, not self.begins)

    @property
    def comes_first(self) -> bool:
        """Whether it is taken before the steps that do not."""
        return self.begins

    def apply(self, hearing: Hearing) -> Hearing:
        """Return the matrix after this step."""
        pairs = frozenset((self.listener, source) for source in self.sources)
        kept = hearing.pairs | pairs if self.begins else hearing.pairs - pairs
        return replace(hearing, pairs=kept)


@dataclass(frozen=True, slots=True)
class KeyStep:
    """One change for one telephone: its keys begin or cease to go round."""

    sender: str
    begins: bool

    @property
    def undone(self) -> "KeyStep":
        """The step that takes this one back."""
        return KeyStep(self.sender, not self.begins)

    @property
    def comes_first(self) -> bool:
        """Whether it is taken before the steps that do not."""
        return not self.begins

    def apply(self, hearing: Hearing) -> Hearing:
        """Return the matrix after this step."""
        keys = hearing.keys | {self.sender} if self.begins else hearing.keys - {self.sender}
        return replace(hearing, keys=keys)


def changes(before: Hearing, after: Hearing) -> tuple[Step | KeyStep, ...]:
    """Return the steps from one matrix to another, in the order to take them.

    First everybody begins to hear what is new, then ceases to hear what is over, so that nobody
    falls into silence on the way. Keys are the other way round: a lost one is pressed again, one
    that reached the wrong telephone is not taken back. Whatever is heard or goes round at any
    moment, `before` or `after` allows it.
    """
    return (
        *(KeyStep(one, begins=False) for one in sorted(before.keys - after.keys)),
        *_steps(after.pairs - before.pairs, begins=True),
        *_steps(before.pairs - after.pairs, begins=False),
        *(KeyStep(one, begins=True) for one in sorted(after.keys - before.keys)),
    )


def _steps(pairs: Iterable[tuple[str, Source]], *, begins: bool) -> list[Step]:
    by_listener: dict[str, list[Source]] = {}
    for listener, source in sorted(pairs):
        by_listener.setdefault(listener, []).append(source)
    return [Step(listener, tuple(sources), begins) for listener, sources in by_listener.items()]


def talk(parties: Sequence[Party]) -> Hearing:
    """The agent and the caller talk, and keys are the caller's; nobody else hears or is heard."""
    agents, callers = _of(parties, Role.AGENT), _of(parties, Role.CALLER)
    return _each_other(agents, callers).passing_keys_of(callers)


def hold(parties: Sequence[Party]) -> Hearing:
    """The caller hears music, and nobody hears the caller, nor gets a key."""
    music = [agent.music for agent in _of(parties, Role.AGENT)]
    return SILENCE.adding(
        (caller.identity, source) for caller in _of(parties, Role.CALLER) for source in music
    )


def consult(parties: Sequence[Party]) -> Hearing:
    """The caller is on hold, and the agent talks with the human, who may answer by a key.

    That key reaches the caller's telephone, too: livekit-sip hands on whatever goes round.
    """
    humans = _of(parties, Role.HUMAN)
    talking = _each_other(_of(parties, Role.AGENT), humans)
    return hold(parties).adding(talking.pairs).passing_keys_of(humans)


def merge(parties: Sequence[Party]) -> Hearing:
    """The caller and the humans talk with each other; the agent is silent and hears nothing.

    A key that one of them presses reaches no other telephone.
    """
    talking = [*_of(parties, Role.CALLER), *_of(parties, Role.HUMAN)]
    return _each_other(talking, talking)


def merge_with_keys(parties: Sequence[Party]) -> Hearing:
    """As `merge`, and a key that one presses reaches the others: one of them may be a menu."""
    talking = [*_of(parties, Role.CALLER), *_of(parties, Role.HUMAN)]
    return merge(parties).passing_keys_of(talking)


def listen(hearing: Hearing, parties: Sequence[Party], monitor: Party) -> Hearing:
    """A monitor hears every voice, and nobody hears the monitor."""
    others = [party for party in parties if party.role is not Role.MONITOR]
    return hearing.without(monitor.identity).adding(
        (monitor.identity, party.voice) for party in others
    )


def whisper(
    hearing: Hearing, parties: Sequence[Party], monitor: Party, listeners: Sequence[Party]
) -> Hearing:
    """A monitor hears every voice and is heard by some, but never by the caller.

    Raises:
        ValueError: The caller is among the listeners.
    """
    if any(listener.role is Role.CALLER for listener in listeners):
        raise ValueError("nobody whispers to the caller: that is barging in")
    return listen(hearing, parties, monitor).adding(
        (listener.identity, monitor.voice) for listener in listeners
    )


def barge(hearing: Hearing, parties: Sequence[Party], monitor: Party) -> Hearing:
    """A monitor hears every voice, and everybody hears the monitor."""
    others = [party for party in parties if party.role is not Role.MONITOR]
    return listen(hearing, parties, monitor).adding(
        (party.identity, monitor.voice) for party in others
    )


def take_over(parties: Sequence[Party], monitor: Party) -> Hearing:
    """A monitor talks with the caller in place of the agent and of every human."""
    return _each_other([monitor], _of(parties, Role.CALLER))


def give_back(parties: Sequence[Party], monitor: Party) -> Hearing:
    """The agent and the caller talk again; the monitor goes on listening."""
    return listen(talk(parties), parties, monitor)


def _of(parties: Sequence[Party], role: Role) -> list[Party]:
    return [party for party in parties if party.role is role]


def _each_other(some: Sequence[Party], others: Sequence[Party]) -> Hearing:
    both = [(one, other) for one in some for other in others if one != other]
    return SILENCE.adding(
        pair
        for one, other in both
        for pair in ((one.identity, other.voice), (other.identity, one.voice))
    )
