"""Who answers a call that no agent is to hold: it says a message, or passes the call on.

It is an agent cut down to its voice, so that the call is answered, metered and recorded like any.
"""

from datetime import UTC, datetime
from typing import Final

from dispatch.agent_profile import AgentProfile, GreetingMode, PipelineMode
from dispatch.models.choices import AgentModels
from dispatch.number_behaviour import CallPlan
from dispatch.numbers import Route
from dispatch.script import Script
from dispatch.transfer_policy import TransferMode, TransferPolicy

_LONGEST_CALL_S: Final = 14_400
_NAME: Final = "Attendant"


def attendant_of(agent: AgentProfile, plan: CallPlan, *, own_voice: bool = False) -> AgentProfile:
    """Return an agent that does nothing but what the plan says, in the agent's voice.

    Args:
        agent: Whose voice, language, hold music and way of transfer it takes over.
        plan: Whom it may pass the call to.
        own_voice: Speak with the voice that needs no vendor.
    """
    models = AgentModels() if own_voice else AgentModels(tts=agent.models.tts)
    targets = () if plan.transfer_to is None else (plan.transfer_to,)
    policy = agent.transfer.model_copy(
        update={"targets": targets, "allow": (), "mode": TransferMode.COLD}
    )
    return agent.model_copy(
        update={
            "voice_pipeline_mode": PipelineMode.PIPELINE,
            "models": models,
            "script": Script(),
            "greeting": "",
            "greeting_mode": GreetingMode.SAY,
            "tools_allowed": (),
            "tool_ids": (),
            "tools": (),
            "knowledge_base_ids": (),
            "transfer": policy,
        }
    )


def nobodys_attendant(route: Route) -> AgentProfile:
    """Return an attendant for a number whose agent cannot answer, or that has none.

    Its id is the number's. It connects calls here, since nobody says that the number's carrier
    takes a REFER.
    """
    at = datetime.now(UTC)
    return AgentProfile(
        agent_id=route.number_id,
        config_id=0,
        organization_id=route.organization_id,
        project_id=route.project_id,
        version=0,
        created_at=at,
        updated_at=at,
        name=_NAME,
        goodbye="",
        transfer=TransferPolicy(carrier_transfers=False),
        max_duration_s=_LONGEST_CALL_S,
    )
