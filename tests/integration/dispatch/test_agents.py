"""Agents on a real Postgres and Redis."""

import asyncio
import uuid

import pytest

from dispatch.accounts import ADMINISTRATOR
from dispatch.agent_profile import AgentDraft
from dispatch.errors import Conflict, InvalidField, NotFound
from dispatch.paging import PageRequest

pytestmark = pytest.mark.integration


async def test_a_new_agent_is_stored_and_published(use_cases, owner) -> None:
    agent = await use_cases.agents.create(owner.actor, owner, AgentDraft(name="Reception"))
    assert (agent.version, agent.config_id) == (1, 1)
    assert agent.project_id == owner.project_id
    assert await use_cases.agents.get(owner, agent.agent_id) == agent
    assert await use_cases.routes.get_agent(agent.agent_id) == agent


async def test_a_change_makes_a_new_version_and_keeps_the_rest(use_cases, owner) -> None:
    agent = await use_cases.agents.create(
        owner.actor, owner, AgentDraft(name="Reception", greeting="Hi.")
    )
    changed = await use_cases.agents.update(
        owner.actor, owner, agent.agent_id, {"name": "Front desk"}
    )
    assert (changed.version, changed.name, changed.greeting) == (2, "Front desk", "Hi.")
    assert changed.updated_at > agent.updated_at
    assert changed.created_at == agent.created_at
    assert await use_cases.routes.get_agent(agent.agent_id) == changed


async def test_changes_at_once_are_all_kept(use_cases, owner) -> None:
    agent = await use_cases.agents.create(owner.actor, owner, AgentDraft(name="Reception"))
    await asyncio.gather(
        use_cases.agents.update(owner.actor, owner, agent.agent_id, {"greeting": "Good day."}),
        use_cases.agents.update(owner.actor, owner, agent.agent_id, {"goodbye": "Farewell."}),
        use_cases.agents.update(owner.actor, owner, agent.agent_id, {"max_duration_s": 60}),
    )
    last = await use_cases.agents.get(owner, agent.agent_id)
    assert (last.greeting, last.goodbye, last.max_duration_s) == ("Good day.", "Farewell.", 60)
    assert last.version == 4


async def test_every_version_is_kept_with_who_made_it(use_cases, owner) -> None:
    agent = await use_cases.agents.create(
        owner.actor, owner, AgentDraft(name="Reception", greeting="Hi.")
    )
    changed = await use_cases.agents.update(
        ADMINISTRATOR, owner, agent.agent_id, {"greeting": "Good day."}
    )
    page = await use_cases.agents.versions(owner, agent.agent_id, PageRequest())
    # Only what is published has a revision.
    kept = [made.model_copy(update={"revision": 0}) for made in (changed, agent)]
    assert [version.profile for version in page.items] == kept
    made_by = [(each.changed_by_kind, each.changed_by_name) for each in page.items]
    assert made_by == [("admin", ADMINISTRATOR.name), ("key", owner.name)]
    first = await use_cases.agents.version(owner, agent.agent_id, 1)
    assert first.profile == kept[1]
    with pytest.raises(NotFound):
        await use_cases.agents.version(owner, agent.agent_id, 3)


async def test_a_change_that_changes_nothing_makes_no_version(use_cases, owner) -> None:
    agent = await use_cases.agents.create(owner.actor, owner, AgentDraft(name="Reception"))
    same = await use_cases.agents.update(
        owner.actor, owner, agent.agent_id, {"name": "Reception", "is_active": True}
    )
    assert same == agent
    assert (await use_cases.agents.versions(owner, agent.agent_id, PageRequest())).total == 1


async def test_creating_again_with_the_same_id_returns_the_agent_that_is_there(
    use_cases, owner, stranger
) -> None:
    new_id, draft = uuid.uuid4(), AgentDraft(name="Reception")
    made = await asyncio.gather(
        *(use_cases.agents.create(owner.actor, owner, draft, new_id) for _ in range(3))
    )
    assert {(agent.agent_id, agent.version) for agent in made} == {(new_id, 1)}
    assert (await use_cases.agents.list(owner, PageRequest())).total == 1
    with pytest.raises(Conflict):
        await use_cases.agents.create(stranger.actor, stranger, draft, new_id)


async def test_the_versions_of_another_customer_are_not_found(use_cases, owner, stranger) -> None:
    agent = await use_cases.agents.create(owner.actor, owner, AgentDraft(name="Reception"))
    for asked in (
        use_cases.agents.versions(stranger, agent.agent_id, PageRequest()),
        use_cases.agents.version(stranger, agent.agent_id, 1),
    ):
        with pytest.raises(NotFound):
            await asked


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"nme": "Desk"}, "nme"),
        ({"max_duration_s": "60"}, "max_duration_s"),
        ({"is_active": 1}, "is_active"),
        (
            {"name": "Desk", "models": {"tts": {"params": {"words_per_minute": 5}}}},
            "models.tts.params.words_per_minute",
        ),
        ({"voice_pipeline_mode": "sts"}, "models.realtime"),
        ({"voice_pipeline_mode": None}, "voice_pipeline_mode"),
        ({"max_duration_s": "soon"}, "max_duration_s"),
        ({"agent_id": str(uuid.uuid4())}, "agent_id"),
    ],
)
async def test_a_bad_change_names_the_field_and_changes_nothing(
    use_cases, owner, changes, field
) -> None:
    agent = await use_cases.agents.create(owner.actor, owner, AgentDraft(name="Reception"))
    with pytest.raises(InvalidField) as refused:
        await use_cases.agents.update(owner.actor, owner, agent.agent_id, changes)
    assert refused.value.field == field
    assert await use_cases.agents.get(owner, agent.agent_id) == agent


async def test_callers_are_passed_on_only_from_a_number_of_the_project(
    use_cases, owner, stranger
) -> None:
    await use_cases.numbers.create(stranger, provider="custom", number="+12015550100")
    theirs = AgentDraft(name="Desk", transfer={"from_number": "+12015550100"})
    with pytest.raises(InvalidField, match=r"no phone number \+12015550100") as refused:
        await use_cases.agents.create(owner.actor, owner, theirs)
    assert refused.value.field == "transfer.from_number"

    number = await use_cases.numbers.create(owner, provider="custom", number="+12015550101")
    agent = await use_cases.agents.create(owner.actor, owner, AgentDraft(name="Desk"))
    change = {"transfer": {"from_number": number.number}}
    changed = await use_cases.agents.update(owner.actor, owner, agent.agent_id, change)
    assert changed.transfer.from_number == number.number

    # A number that was deleted since does not make the agent unchangeable.
    await use_cases.numbers.delete(owner, number.number)
    renamed = await use_cases.agents.update(
        owner.actor, owner, agent.agent_id, {"name": "Front desk"}
    )
    assert renamed.transfer.from_number == number.number


async def test_deleting_an_agent_takes_it_off_its_numbers(use_cases, owner) -> None:
    agent = await use_cases.agents.create(owner.actor, owner, AgentDraft(name="Reception"))
    number = await use_cases.numbers.create(
        owner, provider="custom", number="+12015550100", agent_id=agent.agent_id
    )
    await use_cases.numbers.assign(owner, number.id, outbound_agent_id=agent.agent_id)
    await use_cases.agents.delete(owner.actor, owner, agent.agent_id)
    with pytest.raises(NotFound):
        await use_cases.agents.get(owner, agent.agent_id)
    assert (await use_cases.agents.list(owner, PageRequest())).items == ()
    left = await use_cases.numbers.get(owner, number.id)
    assert (left.inbound_agent_id, left.outbound_agent_id) == (None, None)
    route = await use_cases.routes.get_route(number.number)
    assert route is not None
    assert route.agent_id is None
    assert await use_cases.routes.get_agent(agent.agent_id) is None


async def test_an_agent_deleted_while_it_is_assigned_never_stays_on_the_number(
    use_cases, owner
) -> None:
    number = await use_cases.numbers.create(owner, provider="custom", number="+12015550100")
    for _ in range(10):
        agent = await use_cases.agents.create(owner.actor, owner, AgentDraft(name="Reception"))
        await asyncio.gather(
            use_cases.numbers.assign(owner, number.id, inbound_agent_id=agent.agent_id),
            use_cases.agents.delete(owner.actor, owner, agent.agent_id),
            return_exceptions=True,
        )
        assert (await use_cases.numbers.get(owner, number.id)).inbound_agent_id is None


async def test_an_agent_is_kept_when_redis_is_down(use_cases, cut_off, owner) -> None:
    agent = await cut_off.agents.create(owner.actor, owner, AgentDraft(name="Reception"))
    assert await use_cases.agents.get(owner, agent.agent_id) == agent
    await use_cases.projection.run_once()
    assert await use_cases.routes.get_agent(agent.agent_id) == agent


async def test_agents_are_listed_newest_first(use_cases, owner) -> None:
    for name in ("first", "second", "third"):
        await use_cases.agents.create(owner.actor, owner, AgentDraft(name=name))
    page = await use_cases.agents.list(owner, PageRequest(page=2, limit=2))
    assert [agent.name for agent in page.items] == ["first"]
    assert page.total == 3


@pytest.mark.parametrize(
    "script",
    [
        {"fallback_to_knowledge": True},
        {"steps": [{"phrases": ["prices"], "action": {"search_knowledge": {}}}]},
    ],
)
async def test_a_script_that_looks_things_up_needs_something_to_look_in(
    use_cases, owner, script
) -> None:
    draft = AgentDraft.model_validate({"name": "Reception", "script": script})
    with pytest.raises(InvalidField) as refused:
        await use_cases.agents.create(owner.actor, owner, draft, uuid.uuid4())
    assert refused.value.field == "knowledge_base_ids"
