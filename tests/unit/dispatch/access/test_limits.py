"""Whom requests are counted for, and how many are allowed."""

import pytest

from dispatch.access.limits import APIS, LIMITS, PLANS, checked_limits, window_of
from dispatch.errors import InvalidField

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("api", "plan", "subject", "per_minute"),
    [
        ("agntix", "free", "agntix:org", 100),
        ("agntix", "starter", "agntix:org", 600),
        ("agntix", "growth", "agntix:org", 3_000),
        ("talkifai", "free", "talkifai:key", 60),
        ("talkifai", "growth", "talkifai:key", 300),
        ("voxai", "free", "voxai:key", 60),
        ("voxai", "growth", "voxai:key", 300),
        ("voxai", "enterprise", "voxai:key", 1_000),
    ],
)
def test_each_plan_has_the_products_published_limit(api, plan, subject, per_minute):
    assert window_of(api, plan, ("org", {}), ("key", {})) == (subject, per_minute)


def test_every_api_has_a_limit_for_every_plan():
    assert set(LIMITS) == set(APIS)
    assert all(set(rule.per_minute) == set(PLANS) for rule in LIMITS.values())


def test_an_organisations_own_limit_counts_for_the_same_as_the_plans():
    own = {"voxai": 7, "agntix": 8}
    assert window_of("voxai", "free", ("org", own), ("key", {})) == ("voxai:key", 7)
    assert window_of("agntix", "free", ("org", own), ("key", {})) == ("agntix:org", 8)


def test_a_keys_own_limit_counts_the_key_alone():
    assert window_of("agntix", "free", ("org", {"agntix": 8}), ("key", {"agntix": 9})) == (
        "agntix:key",
        9,
    )


@pytest.mark.parametrize("limits", [{"admin": 1}, {"voxai": 0}, {"voxai": 10_000_001}])
def test_a_limit_out_of_range_is_refused(limits):
    with pytest.raises(InvalidField):
        checked_limits(limits)
