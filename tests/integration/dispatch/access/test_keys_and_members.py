"""Keys and members on record, and who is told of their changes."""

import asyncio
import uuid

import pytest
from pydantic import SecretStr

from dispatch.access.audit import AuditFilter
from dispatch.access.keys import KeyDraft
from dispatch.access.reach import Reach
from dispatch.accounts import ADMINISTRATOR, Actor, Scope
from dispatch.errors import Conflict, InvalidField, NotAllowed, NotFound
from dispatch.paging import PageRequest
from tests.builders.tenants import new_key, new_project, principal_of

pytestmark = pytest.mark.integration

ANN = Actor("user", "user_1", "Ann")
SEED = b"s" * 32


async def audited(use_cases, **wanted) -> list[tuple[str, dict | None, dict | None]]:
    """Return action, before and after of the entries, the first one first."""
    page = await use_cases.audit_log.list(AuditFilter(**wanted), PageRequest(limit=100))
    return [(each.action, each.before, each.after) for each in reversed(page.items)]


class TestKeys:
    async def test_the_same_id_and_seed_make_the_same_key_once(self, use_cases) -> None:
        project = await new_project(use_cases)
        new_id = uuid.uuid4()
        made = [
            await use_cases.keys.create(
                ADMINISTRATOR, project.id, KeyDraft("till"), new_id=new_id, seed=SEED
            )
            for _ in range(2)
        ]
        assert made[0] == made[1]
        assert (await use_cases.keys.list(project.id, PageRequest())).total == 1
        assert len(await audited(use_cases, target_type="key")) == 1

    async def test_an_id_that_is_taken_is_refused(self, use_cases) -> None:
        project = await new_project(use_cases)
        made = await new_key(use_cases, project)
        with pytest.raises(Conflict):
            await use_cases.keys.create(
                ADMINISTRATOR, project.id, KeyDraft("till"), new_id=made.key.id, seed=SEED
            )

    async def test_a_change_of_scopes_counts_from_the_next_request_on(self, use_cases) -> None:
        made = await new_key(use_cases, await new_project(use_cases))
        before = await principal_of(use_cases, made.clear_text)
        await use_cases.keys.update(
            ANN, made.key.id, {"scopes": frozenset({Scope.CALLS_READ}), "name": "new"}
        )
        after = await principal_of(use_cases, made.clear_text)
        assert before is not None
        assert after is not None
        assert Scope.AGENTS_WRITE in before.scopes
        assert (after.scopes, after.name) == ({Scope.CALLS_READ}, "new")

    async def test_a_change_is_on_record_with_who_made_it(self, use_cases) -> None:
        made = await new_key(use_cases, await new_project(use_cases))
        await use_cases.keys.update(ANN, made.key.id, {"name": "new"})
        await use_cases.keys.update(ANN, made.key.id, {"name": "new"})
        changes = await audited(use_cases, actor_id="user_1", target_id=str(made.key.id))
        assert changes == [("key.updated", {"name": "till"}, {"name": "new"})]

    async def test_no_entry_holds_the_key(self, use_cases) -> None:
        made = await new_key(use_cases, await new_project(use_cases))
        await use_cases.keys.revoke(ANN, made.key.id, reason="leaked")
        await use_cases.keys.delete(ANN, made.key.id, reason="gone")
        entries = await audited(use_cases, target_id=str(made.key.id))
        assert [entry[0] for entry in entries] == ["key.created", "key.revoked", "key.deleted"]
        assert entries[1][2] == {"revoked": True, "reason": "leaked"}
        assert made.clear_text not in str(entries)

    async def test_what_is_out_of_reach_is_not_there(self, use_cases) -> None:
        made = await new_key(use_cases, await new_project(use_cases))
        other = await new_project(use_cases)
        for reach in (Reach(other.organization_id), Reach(other.organization_id, other.id)):
            with pytest.raises(NotFound):
                await use_cases.keys.get(made.key.id, reach=reach)
            with pytest.raises(NotFound):
                await use_cases.keys.update(ANN, made.key.id, {"name": "x"}, reach=reach)
            with pytest.raises(NotFound):
                await use_cases.keys.revoke(ANN, made.key.id, reach=reach)
            with pytest.raises(NotFound):
                await use_cases.keys.delete(ANN, made.key.id, reach=reach)
            with pytest.raises(NotFound):
                await use_cases.keys.list(made.key.project_id, PageRequest(), reach=reach)
            with pytest.raises(NotFound):
                await use_cases.keys.create(
                    ANN, made.key.project_id, KeyDraft("x"), new_id=uuid.uuid4(), reach=reach
                )
        assert await principal_of(use_cases, made.clear_text) is not None

    async def test_a_deleted_key_is_neither_listed_nor_accepted(self, use_cases) -> None:
        made = await new_key(use_cases, await new_project(use_cases))
        assert await principal_of(use_cases, made.clear_text) is not None
        await use_cases.keys.delete(ANN, made.key.id)
        assert await principal_of(use_cases, made.clear_text) is None
        assert (await use_cases.keys.list(made.key.project_id, PageRequest())).total == 0
        with pytest.raises(NotFound):
            await use_cases.keys.get(made.key.id)

    async def test_a_key_is_not_given_more_than_its_giver_has(self, use_cases) -> None:
        made = await new_key(use_cases, await new_project(use_cases))
        mine = frozenset({Scope.KEYS_WRITE, Scope.CALLS_READ})
        with pytest.raises(NotAllowed):
            await use_cases.keys.create(
                ANN, made.key.project_id, KeyDraft("x"), new_id=uuid.uuid4(), granting=mine
            )
        with pytest.raises(NotAllowed):
            await use_cases.keys.update(
                ANN,
                made.key.id,
                {"scopes": made.key.scopes | {Scope.SECRETS_READ}},
                granting=mine,
            )
        # What the key has already it may keep.
        await use_cases.keys.update(ANN, made.key.id, {"name": "new"}, granting=mine)

    async def test_what_a_key_begins_with_cannot_be_changed(self, use_cases) -> None:
        made = await new_key(use_cases, await new_project(use_cases))
        with pytest.raises(InvalidField, match="prefix"):
            await use_cases.keys.update(ANN, made.key.id, {"prefix": "tk"})

    async def test_limits_of_a_keys_own_count_at_once(self, use_cases) -> None:
        made = await new_key(use_cases, await new_project(use_cases))
        before = await use_cases.authentication.identify(made.clear_text, "voxai")
        await use_cases.keys.set_limits(ADMINISTRATOR, made.key.id, {"voxai": 7})
        after = await use_cases.authentication.identify(made.clear_text, "voxai")
        assert (before.rate.limit, after.rate.limit) == (1_000, 7)


class TestOrganizations:
    async def test_a_plan_counts_from_the_next_request_on(self, use_cases) -> None:
        project = await new_project(use_cases)
        made = await new_key(use_cases, project)
        await use_cases.authentication.identify(made.clear_text, "agntix")
        await use_cases.tenants.change_organization(
            ADMINISTRATOR, project.organization_id, {"plan": "free"}
        )
        caller = await use_cases.authentication.identify(made.clear_text, "agntix")
        assert caller.rate.limit == 100

    async def test_two_organisations_cannot_be_one_to_the_identity_provider(
        self, use_cases
    ) -> None:
        first, second = await new_project(use_cases), await new_project(use_cases)
        await use_cases.tenants.change_organization(
            ADMINISTRATOR, first.organization_id, {"external_id": "org_1"}
        )
        with pytest.raises(Conflict):
            await use_cases.tenants.change_organization(
                ADMINISTRATOR, second.organization_id, {"external_id": "org_1"}
            )
        with pytest.raises(Conflict):
            await use_cases.tenants.create_organization(
                ADMINISTRATOR, "Third", new_id=uuid.uuid4(), external_id="org_1"
            )

    async def test_a_repeated_creation_finds_what_it_made(self, use_cases) -> None:
        new_id = uuid.uuid4()
        made = [
            await use_cases.tenants.create_organization(ADMINISTRATOR, "Acme", new_id=new_id)
            for _ in range(2)
        ]
        assert made[0] == made[1]
        assert [entry[0] for entry in await audited(use_cases)] == ["organization.created"]


class TestMembers:
    async def member(self, use_cases, organization_id, role="viewer", **fields):
        given = {"subject": "user_7", "name": "Bo", "new_id": uuid.uuid4()} | fields
        return await use_cases.members.add(ANN, organization_id, role=role, **given)

    async def test_a_member_is_added_changed_and_removed_on_record(self, use_cases) -> None:
        organization_id = (await new_project(use_cases)).organization_id
        bo = await self.member(use_cases, organization_id)
        await use_cases.members.change_role(ANN, organization_id, bo.id, "operator")
        assert (await use_cases.members.list(organization_id, PageRequest())).items[
            0
        ].role == "operator"
        await use_cases.members.remove(ANN, organization_id, bo.id)
        assert (await use_cases.members.list(organization_id, PageRequest())).total == 0
        assert [entry[0] for entry in await audited(use_cases, actor_id="user_1")] == [
            "member.added",
            "member.role_changed",
            "member.removed",
        ]

    async def test_nobody_is_a_member_twice(self, use_cases) -> None:
        organization_id = (await new_project(use_cases)).organization_id
        await self.member(use_cases, organization_id, subject="Bo@Example.com")
        with pytest.raises(Conflict):
            await self.member(use_cases, organization_id, subject="bo@example.com")

    async def test_only_an_owner_makes_and_unmakes_owners(self, use_cases) -> None:
        organization_id = (await new_project(use_cases)).organization_id
        owner = await self.member(use_cases, organization_id, "owner")
        viewer = await self.member(use_cases, organization_id, subject="user_8")
        with pytest.raises(NotAllowed):
            await self.member(
                use_cases, organization_id, "owner", subject="user_9", as_role="admin"
            )
        with pytest.raises(NotAllowed):
            await use_cases.members.change_role(
                ANN, organization_id, viewer.id, "owner", as_role="admin"
            )
        with pytest.raises(NotAllowed):
            await use_cases.members.change_role(
                ANN, organization_id, owner.id, "viewer", as_role="admin"
            )
        with pytest.raises(NotAllowed):
            await use_cases.members.remove(ANN, organization_id, owner.id, as_role="admin")
        await use_cases.members.change_role(
            ANN, organization_id, viewer.id, "owner", as_role="owner"
        )

    async def test_a_member_of_another_organisation_is_not_there(self, use_cases) -> None:
        mine = (await new_project(use_cases)).organization_id
        other = (await new_project(use_cases)).organization_id
        bo = await self.member(use_cases, mine)
        with pytest.raises(NotFound):
            await use_cases.members.change_role(ANN, other, bo.id, "owner")
        with pytest.raises(NotFound):
            await use_cases.members.remove(ANN, other, bo.id)


class TestAudit:
    async def test_a_change_that_fails_leaves_no_entry(self, use_cases) -> None:
        await use_cases.tenants.create_organization(
            ADMINISTRATOR, "One", new_id=uuid.uuid4(), external_id="x"
        )
        with pytest.raises(Conflict):
            await use_cases.tenants.create_organization(
                ADMINISTRATOR, "Two", new_id=uuid.uuid4(), external_id="x"
            )
        assert len(await audited(use_cases)) == 1

    async def test_entries_are_found_by_every_filter(self, use_cases) -> None:
        project = await new_project(use_cases)
        made = await new_key(use_cases, project)
        await new_key(use_cases, await new_project(use_cases))
        await use_cases.keys.revoke(ANN, made.key.id)
        page = await use_cases.audit_log.list(
            AuditFilter(organization_id=project.organization_id), PageRequest()
        )
        assert [entry.action for entry in page.items] == [
            "key.revoked",
            "key.created",
            "project.created",
            "organization.created",
        ]
        last = page.items[0]
        for wanted in (
            {"action": "key.revoked"},
            {"actor_id": "user_1"},
            {"since": last.at},
            {"target_type": "key", "target_id": str(made.key.id), "since": last.at},
            {"project_id": project.id, "action": "key.revoked"},
        ):
            found = await use_cases.audit_log.list(AuditFilter(**wanted), PageRequest())
            assert [entry.id for entry in found.items] == [last.id]
        before = await use_cases.audit_log.list(AuditFilter(until=last.at), PageRequest())
        assert last.id not in [entry.id for entry in before.items]

    async def test_a_number_and_a_connection_are_on_record_without_the_password(
        self, use_cases, owner
    ) -> None:
        connection = await use_cases.connections.create(
            owner,
            name="Main",
            provider="twilio",
            auth_username="till",
            auth_password=SecretStr("correct horse"),
        )
        number = await use_cases.numbers.create(
            owner, provider="twilio", number="+12015550100", connection_id=connection.id
        )
        await use_cases.numbers.assign(owner, number.id, inbound_agent_id=None)
        await use_cases.numbers.delete(owner, "+12015550100")
        entries = await audited(use_cases, project_id=owner.project_id, actor_id=str(owner.key_id))
        assert [entry[0] for entry in entries] == [
            "carrier_connection.created",
            "number.created",
            "number.deleted",
        ]
        assert "correct horse" not in str(entries)

    async def test_money_is_on_record_once_per_operation(self, use_cases, owner) -> None:
        for _ in range(2):
            await use_cases.credits.top_up(
                ANN, owner.organization_id, amount_microcredits=5, operation_id="one"
            )
        await use_cases.credits.adjust(
            ANN, owner.organization_id, amount_microcredits=-7, reason="mistake"
        )
        assert await audited(use_cases, actor_id="user_1") == [
            (
                "credits.topup",
                {"balance_microcredits": 0},
                {"balance_microcredits": 5, "amount_microcredits": 5, "reason": ""},
            ),
            (
                "credits.adjust",
                {"balance_microcredits": 5},
                {"balance_microcredits": -2, "amount_microcredits": -7, "reason": "mistake"},
            ),
        ]
        assert await use_cases.credits.balance(owner.organization_id) == -2

    async def test_the_balance_of_one_top_up_is_where_the_next_begins(
        self, use_cases, owner
    ) -> None:
        await asyncio.gather(
            *(
                use_cases.credits.top_up(ANN, owner.organization_id, amount_microcredits=amount)
                for amount in (1, 10, 100, 1_000)
            )
        )
        entries = await audited(use_cases, actor_id="user_1")
        balances = [
            (before["balance_microcredits"], after["balance_microcredits"])
            for _, before, after in entries
        ]
        begun, reached = zip(*sorted(balances), strict=True)
        assert begun == (0, *reached[:-1])
        assert reached[-1] == 1_111
