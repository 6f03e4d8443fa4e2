"""What would happen if somebody rang this number now, step by step."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from dispatch.accounts import Principal
from dispatch.agent_profile import AgentProfile
from dispatch.balances import Balances
from dispatch.behaviour_sentences import describe_callers, describe_hours, for_any_caller
from dispatch.billing.items import KeySource
from dispatch.billing.rates import TimeRates
from dispatch.calls import REFUSAL_SENTENCES, RefusalReason
from dispatch.errors import NotFound, StoreUnavailable
from dispatch.number_behaviour import Action, CallPlan, NumberBehaviour, decide
from dispatch.numbers import PhoneNumber
from dispatch.paging import PageRequest
from dispatch.routes import Route, Routes
from dispatch.secrets.call_secrets import kept_names
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.lease_counts import LeaseCount, count_leases
from dispatch.store.redis_client import RedisClient
from dispatch.store.repositories.phone_numbers import list_numbers
from dispatch.wall_clock import WallClock, wall_clock
from dispatch.workers import WorkerPresence, WorkerReport
from telephony.calls import CallKind
from telephony.convergence import comparable
from telephony.e164 import E164
from telephony.errors import VendorError
from telephony.ports import TrunkRegistry
from telephony.trunks import ObservedRule, ObservedTrunk

_NO_REDIS: Final = "Redis does not answer, so no call can be admitted."


@dataclass(frozen=True, slots=True)
class ExplainStep:
    """One condition of an answered call."""

    name: str
    """`number`, `trunk`, `rule`, `route`, `agent`, `hours`, `callers`, `credit`, `capacity` or
    `workers`."""
    passed: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """All conditions, in the order in which a call meets them."""

    number: E164
    steps: tuple[ExplainStep, ...]

    @property
    def would_be_answered(self) -> bool:
        """Whether every condition holds."""
        return all(step.passed for step in self.steps)

    @property
    def sentence(self) -> str:
        """The first condition that fails, or that all is well."""
        failed = next((step for step in self.steps if not step.passed), None)
        return failed.sentence if failed else "A call to this number would be answered."


@dataclass(frozen=True, slots=True)
class _LiveKitView:
    """What LiveKit holds, or why that is not known."""

    trunks: tuple[ObservedTrunk, ...] = ()
    rules: tuple[ObservedRule, ...] = ()
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class _LiveView:
    """What Redis holds, or that it is not there."""

    reachable: bool
    route: Route | None = None
    plan: CallPlan | None = None
    """What the number's behaviour makes of a call now."""
    agent: AgentProfile | None = None
    missing_secrets: frozenset[str] = frozenset()
    """Names of the API keys that the agent's models need and the project does not keep."""
    balance_microcredits: int | None = None
    leases: LeaseCount = field(default_factory=lambda: LeaseCount(0, 0, 0))
    workers: tuple[WorkerReport, ...] = ()


class Explain:
    """Answers "if someone rang this number now" from what is really there, not from what should be.

    Args:
        database: Says whose the number is.
        redis: Holds what admission decides by.
        trunks: LiveKit's table of trunks and rules.
        settings: Prices and limits.
        clock: By which opening hours are judged; the settings' when None.
    """

    def __init__(
        self,
        database: Database,
        redis: RedisClient,
        trunks: TrunkRegistry,
        settings: DispatchSettings,
        clock: WallClock | None = None,
    ) -> None:
        self._clock = clock or wall_clock(settings.dialplane_clock_file)
        self._database = database
        self._redis = redis
        self._trunks = trunks
        self._settings = settings
        self._rates = TimeRates(settings)
        self._routes = Routes(redis)
        self._balances = Balances(redis)
        self._workers = WorkerPresence(redis)

    async def explain(self, principal: Principal, did: E164) -> Explanation:
        """Return every condition of an answered call and whether it holds.

        Raises:
            NotFound: The project has no such number.
            StoreUnavailable: Postgres did not answer.
        """
        async with self._database.reading() as db:
            found = await list_numbers(db, principal.project_id, PageRequest(), [did])
        if not found.items:
            raise NotFound("phone number", did)
        number = found.items[0]
        livekit, live = await asyncio.gather(self._ask_livekit(), self._ask_redis(number))
        trunk_step, trunk = self._judge_trunk(number, livekit)
        steps = (
            _passed("number", "The number is on record."),
            trunk_step,
            self._judge_rule(trunk, livekit),
            _judge_route(number, live),
            _judge_agent(live),
            self._judge_hours(number, live),
            _passed("callers", describe_callers(_behaviour_of(number, live))),
            self._judge_credit(live),
            self._judge_capacity(live),
            _judge_workers(live),
        )
        return Explanation(did, steps)

    async def _ask_livekit(self) -> _LiveKitView:
        try:
            trunks, rules = await asyncio.gather(
                self._trunks.list_inbound_trunks(), self._trunks.list_dispatch_rules()
            )
        except VendorError as exc:
            return _LiveKitView(failure=f"LiveKit did not answer: {exc.reason}.")
        return _LiveKitView(tuple(trunks), tuple(rules))

    async def _ask_redis(self, number: PhoneNumber) -> _LiveView:
        try:
            route, balance, leases, workers = await asyncio.gather(
                self._routes.get_route(number.number),
                self._balances.get(number.organization_id),
                count_leases(self._redis, number.organization_id, number.number),
                self._workers.list(),
            )
            plan = None if route is None else self._plan(route.behaviour)
            agent = await self._find_agent(route, plan)
            missing = await self._missing_secrets(agent)
        except StoreUnavailable:
            return _LiveView(reachable=False)
        return _LiveView(
            reachable=True,
            route=route,
            plan=plan,
            agent=agent,
            missing_secrets=missing,
            balance_microcredits=balance,
            leases=leases,
            workers=tuple(workers),
        )

    async def _find_agent(self, route: Route | None, plan: CallPlan | None) -> AgentProfile | None:
        agent_id = (plan and plan.agent_id) or (route and route.agent_id)
        return await self._routes.get_agent(agent_id) if agent_id else None

    def _plan(self, behaviour: NumberBehaviour | None) -> CallPlan:
        return decide(for_any_caller(behaviour or NumberBehaviour()), None, self._clock())

    def _judge_hours(self, number: PhoneNumber, live: _LiveView) -> ExplainStep:
        behaviour = _behaviour_of(number, live)
        plan = live.plan or self._plan(behaviour)
        sentence = describe_hours(behaviour.opening_hours, plan)
        return ExplainStep("hours", passed=plan.action is not Action.REFUSE, sentence=sentence)

    async def _missing_secrets(self, agent: AgentProfile | None) -> frozenset[str]:
        if agent is None or not agent.needed_secrets:
            return frozenset()
        return agent.needed_secrets - await kept_names(self._redis, agent.project_id)

    def _judge_trunk(
        self, number: PhoneNumber, livekit: _LiveKitView
    ) -> tuple[ExplainStep, ObservedTrunk | None]:
        if livekit.failure:
            return _failed("trunk", livekit.failure), None
        holders = [
            trunk
            for trunk in livekit.trunks
            if number.number in {comparable(held) for held in trunk.numbers}
        ]
        ours = [trunk for trunk in holders if self._is_ours(trunk)]
        if not holders:
            sentence = "No trunk in LiveKit holds the number."
        elif not ours:
            sentence = number.status_reason or "A trunk that is not ours holds the number."
        elif len(holders) > 1:
            sentence = "Two trunks in LiveKit hold the number, so it answers no call to it."
        else:
            return _passed("trunk", f"LiveKit's trunk {ours[0].name} holds it."), ours[0]
        return _failed("trunk", sentence), None

    def _judge_rule(self, trunk: ObservedTrunk | None, livekit: _LiveKitView) -> ExplainStep:
        if trunk is None:
            return _failed("rule", livekit.failure or "There is no trunk for a rule.")
        rule = next(
            (rule for rule in livekit.rules if trunk.livekit_trunk_id in rule.trunk_ids), None
        )
        if rule is None:
            sentence = "No dispatch rule in LiveKit names the number's trunk."
        elif not self._is_ours(rule) or rule.rule is None:
            sentence = "The dispatch rule of the number's trunk is not as we made it."
        elif rule.rule.worker_name != self._settings.dialplane_worker_name:
            sentence = "The dispatch rule of the number's trunk calls workers of another name."
        else:
            return _passed("rule", "A dispatch rule opens a room and calls a worker.")
        return _failed("rule", sentence)

    def _is_ours(self, thing: ObservedTrunk | ObservedRule) -> bool:
        owner = thing.owner
        return owner is not None and owner.installation == self._settings.dialplane_installation

    def _judge_credit(self, live: _LiveView) -> ExplainStep:
        table = self._rates.table(datetime.now(UTC))
        block = self._rates.rate(table, CallKind.SIP, KeySource.PLATFORM).block
        if not live.reachable:
            return _failed("credit", _NO_REDIS)
        if live.balance_microcredits is None:
            return _refused("credit", RefusalReason.BALANCE_UNKNOWN)
        if live.balance_microcredits < block:
            return _refused("credit", RefusalReason.INSUFFICIENT_CREDITS)
        return _passed("credit", "The organisation's balance covers a call.")

    def _judge_capacity(self, live: _LiveView) -> ExplainStep:
        if not live.reachable:
            return _failed("capacity", _NO_REDIS)
        if live.leases.number >= self._settings.max_calls_per_number:
            return _refused("capacity", RefusalReason.CAPACITY_NUMBER)
        if live.leases.organization >= self._settings.max_calls_per_organization:
            return _refused("capacity", RefusalReason.CAPACITY_ORGANIZATION)
        if live.leases.installation >= self._settings.max_calls:
            return _refused("capacity", RefusalReason.CAPACITY_INSTALLATION)
        return _passed("capacity", f"{live.leases.installation} calls are on now.")


def _judge_route(number: PhoneNumber, live: _LiveView) -> ExplainStep:
    if not live.reachable:
        return _failed("route", _NO_REDIS)
    if live.route is None:
        return _failed("route", "The number's route is not in Redis yet.")
    if live.route.behaviour != number.behaviour:
        return _failed("route", "The number's route has a behaviour it had before.")
    if live.route.agent_id != number.inbound_agent_id:
        return _failed("route", "The number's route names an agent it had before.")
    if live.route.agent_id is None:
        return _without_agent("route", RefusalReason.NUMBER_UNASSIGNED, live)
    return _passed("route", "The number's route names its agent.")


def _judge_agent(live: _LiveView) -> ExplainStep:
    if not live.reachable:
        return _failed("agent", _NO_REDIS)
    if live.route is None:
        return _failed("agent", "There is no agent to answer.")
    if live.plan is not None and live.plan.is_attended:
        return _passed("agent", "No agent is needed at this time.")
    if live.agent is None and live.route.agent_id is None:
        return _without_agent("agent", RefusalReason.NUMBER_UNASSIGNED, live)
    if live.agent is None or not live.agent.is_voice_ready:
        return _without_agent("agent", RefusalReason.AGENT_UNAVAILABLE, live)
    return _judge_secrets(live.agent, live)


def _judge_secrets(agent: AgentProfile, live: _LiveView) -> ExplainStep:
    if live.missing_secrets:
        names = ", ".join(sorted(live.missing_secrets))
        reason = RefusalReason.PROVIDER_NOT_CONFIGURED
        return _without_agent("agent", reason, live, f" Missing: {names}.")
    return _passed("agent", f"The agent {agent.name} answers.")


def _without_agent(
    name: str, reason: RefusalReason, live: _LiveView, more: str = ""
) -> ExplainStep:
    """Say why no agent can take a call, and that somebody gets it all the same."""
    sentence = REFUSAL_SENTENCES[reason] + more
    plan = live.plan
    if plan is not None and plan.is_attended:
        return _passed(name, f"{sentence} None is needed at this time.")
    if plan is not None and plan.as_fallback() is not None:
        return _passed(name, f"{sentence} Calls are passed on to the fallback number.")
    return _failed(name, sentence)


def _behaviour_of(number: PhoneNumber, live: _LiveView) -> NumberBehaviour:
    found = number.behaviour if live.route is None else live.route.behaviour
    return found or NumberBehaviour()


def _judge_workers(live: _LiveView) -> ExplainStep:
    if not live.reachable:
        return _failed("workers", _NO_REDIS)
    if not live.workers:
        return _failed("workers", "No worker is running.")
    free = sum(worker.free_calls for worker in live.workers)
    if not free:
        return _failed("workers", "Every worker has as many calls as it can take.")
    return _passed("workers", f"Workers can take {free} more calls.")


def _passed(name: str, sentence: str) -> ExplainStep:
    return ExplainStep(name, passed=True, sentence=sentence)


def _failed(name: str, sentence: str) -> ExplainStep:
    return ExplainStep(name, passed=False, sentence=sentence)


def _refused(name: str, reason: RefusalReason) -> ExplainStep:
    """Say it in the words of the refusal that admission would give."""
    return _failed(name, REFUSAL_SENTENCES[reason])
