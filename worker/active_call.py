"""An admitted call, and how its conversation is put together."""

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dispatch.attendant import attendant_of
from dispatch.billing.pricing import PricedUsage, price_usage
from dispatch.calls import Admitted, Arrival
from dispatch.variables import Occasion, session_variables
from telephony.calls import CallKind
from worker.bootstrap import JobServices
from worker.conversation import Conversation
from worker.line import Line
from worker.metering import Meter
from worker.pipelines import VendorModels, WarmModels, build_agent_session, build_models
from worker.transcript import CallJournal
from worker.usage import CallUsage
from worker.vendors.account import ModelUnavailableError

if TYPE_CHECKING:
    from worker.vendors.vendors import Vendors

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ActiveCall:
    """An admitted call and the parts that hold it."""

    line: Line
    arrival: Arrival
    admitted: Admitted
    journal: CallJournal
    meter: Meter
    usage: CallUsage
    room_sid: str = ""
    """Which room the call is in, where its name may be another room's by the time it ends."""

    def priced_usage(self) -> PricedUsage:
        """Return all that the call used by now, at the prices it was admitted with."""
        return price_usage(self.usage.items(), self.admitted.prices)


def vendors_of(call: ActiveCall, services: JobServices) -> "Vendors":
    """Return where the models of a call's agent come from."""
    # A call without vendors' models pays nothing for them: the process that all jobs are forked
    # from has read the plugins, and only here they are asked for.
    from worker.vendors.vendors import Vendors  # noqa: PLC0415

    return Vendors(call.admitted.project_id, services.secrets, services.allowed_hosts)


async def able_to_talk(
    call: ActiveCall, warm: WarmModels, vendors: VendorModels
) -> tuple[ActiveCall, Conversation]:
    """Return the call and its conversation.

    When the agent's models are not to be had, it is an attendant's, who passes the call to the
    number's fallback.

    Raises:
        ModelUnavailableError: They are not, and there is no fallback.
    """
    try:
        return call, await _build_conversation(call, warm, vendors)
    except ModelUnavailableError as exc:
        plan = call.admitted.plan and call.admitted.plan.as_fallback()
        if plan is None:
            raise
        logger.warning("call goes to the fallback", extra={"service": exc.failure.service})
        call.journal.provider_failed(exc.failure)
    agent = attendant_of(call.admitted.agent, plan, own_voice=True)
    admitted = replace(call.admitted, agent=agent, plan=plan)
    call = replace(call, admitted=admitted, usage=CallUsage(agent.models))
    return call, await _build_conversation(call, warm, vendors)


async def _build_conversation(
    call: ActiveCall, warm: WarmModels, vendors: VendorModels
) -> Conversation:
    profile = call.admitted.agent
    variables = _variables_of(call)
    models = await build_models(profile, variables, vendors)
    session = build_agent_session(profile, models, warm)
    call.usage.watch(models, session)
    return Conversation(
        call.line,
        call.arrival,
        profile,
        session,
        models,
        variables,
        call.journal,
        call.meter,
    )


def _variables_of(call: ActiveCall) -> dict[str, str]:
    """Return what the call brings into the agent's texts: the client's values and the system's.

    Source: Agntix's `sessionVariables`; other keys of the metadata serve just the same.
    """
    arrival, metadata = call.arrival, dict(call.admitted.metadata)
    given = metadata.pop("sessionVariables", {})
    occasion = Occasion(
        at=datetime.now(UTC),
        session_id=str(arrival.call_id),
        platform="PHONE" if arrival.kind is CallKind.SIP else "WEB",
        direction=arrival.direction.value.upper(),
        customer_number=arrival.other_number or "",
        room_name=arrival.room_name,
    )
    own = given if isinstance(given, dict) else {}
    return session_variables({**metadata, **own}, occasion)
