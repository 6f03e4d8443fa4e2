"""What a key may be like."""

from datetime import UTC, datetime, timedelta

import pytest

from dispatch.access.key_drafts import KeyDraft, checked_draft, refuse_more_than
from dispatch.accounts import DEFAULT_SCOPES, EVERY_SCOPE, ROLE_SCOPES, WIDGET_SCOPES, Scope
from dispatch.errors import InvalidField, NotAllowed

pytestmark = pytest.mark.unit


def test_a_key_may_do_everything_but_read_secrets_unless_told_otherwise():
    assert checked_draft(KeyDraft("till")).granted == EVERY_SCOPE - {Scope.SECRETS_READ}


def test_a_widget_key_gets_no_more_than_its_kind_may():
    widget = checked_draft(KeyDraft("page", kind="widget", allowed_origins=("Example.com",)))
    assert (widget.prefix, widget.granted) == ("tk", WIDGET_SCOPES)
    assert widget.allowed_origins == ("example.com",)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "widget"}, "allowed_origins"),
        (
            {
                "kind": "widget",
                "allowed_origins": ("a.com",),
                "scopes": frozenset({Scope.AGENTS_READ}),
            },
            "scopes",
        ),
        ({"metadata": {"x": "y" * 5_000}}, "metadata"),
        ({"description": "x" * 501}, "description"),
        ({"expires_at": datetime.now(UTC) - timedelta(seconds=1)}, "expires_at"),
    ],
)
def test_a_draft_that_cannot_be_names_the_field(fields, field):
    with pytest.raises(InvalidField) as refused:
        checked_draft(KeyDraft(**({"name": "till"} | fields)))
    assert refused.value.field == field


def test_a_key_that_has_expired_can_still_be_renamed():
    before = KeyDraft("till", expires_at=datetime.now(UTC) - timedelta(days=1))
    after = checked_draft(KeyDraft("old till", expires_at=before.expires_at), before)
    assert after.name == "old till"


def test_nobody_gives_a_key_more_than_they_have():
    with pytest.raises(NotAllowed, match="secrets:read"):
        refuse_more_than(DEFAULT_SCOPES, EVERY_SCOPE)
    refuse_more_than(None, EVERY_SCOPE)
    refuse_more_than(DEFAULT_SCOPES, DEFAULT_SCOPES)


def test_each_role_may_more_than_the_one_below_it():
    owner, admin, operator, viewer = (
        ROLE_SCOPES[role] for role in ("owner", "admin", "operator", "viewer")
    )
    assert viewer < operator < admin < owner == EVERY_SCOPE
    assert not any(scope.endswith(":write") for scope in viewer)
    assert Scope.KEYS_WRITE not in operator
    assert Scope.SECRETS_READ not in admin
