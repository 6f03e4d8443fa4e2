"""Health and readiness."""

import pytest

from dispatch import workers
from dispatch.store import loop_signals, redis_keys
from dispatch.store.loop_signals import LoopSignals
from dispatch.store.redis_client import RedisClient
from dispatch.workers import WorkerPresence
from gateway import readiness
from gateway.readiness import LOOPS
from tests.integration.gateway.serving import Gateway

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers late, on a machine that is busy, answers; what was there still is."""
    monkeypatch.setattr(readiness, "CHECK_TIMEOUT_S", 60.0)
    monkeypatch.setattr(loop_signals, "BEAT_TTL_S", 600)
    monkeypatch.setattr(workers, "PRESENCE_TTL_S", 600)


async def beat_all(redis: RedisClient) -> None:
    for loop in LOOPS:
        await LoopSignals(redis).beat(loop, ok=True, detail="")


async def test_lives_without_any_store(gateway_without_redis: Gateway):
    answer = await gateway_without_redis.http.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_is_ready_when_everything_is_there(gateway: Gateway, redis: RedisClient):
    await beat_all(redis)
    await WorkerPresence(redis).report("one", 5, 30)
    await WorkerPresence(redis).report("two", 0, 25)
    answer = await gateway.http.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "checks": {
            "redis": {"ok": True, "detail": "answers"},
            "postgres": {"ok": True, "detail": "answers"},
            "livekit": {"ok": True, "detail": "answers"},
            "dispatch": {"ok": True, "detail": f"{len(LOOPS)} loops run"},
            "workers": {"ok": True, "detail": "2 workers, 50 free"},
        },
    }


async def test_reports_events_that_were_rejected(gateway: Gateway, redis: RedisClient):
    await beat_all(redis)
    await redis.xadd(redis_keys.EVENTS_REJECTED, {"why": "DataError"})
    dispatch = (await gateway.http.get("/readyz")).json()["checks"]["dispatch"]
    assert dispatch == {
        "ok": True,
        "detail": f"{len(LOOPS)} loops run; 1 events rejected, see {redis_keys.EVENTS_REJECTED}",
    }


async def test_is_not_ready_without_dispatch_and_workers(gateway: Gateway):
    answer = await gateway.http.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "not_ready")
    checks = answer.json()["checks"]
    assert checks["workers"] == {"ok": False, "detail": "0 workers, 0 free"}
    assert checks["dispatch"]["detail"].startswith("convergence does not run")


async def test_is_not_ready_when_every_worker_is_busy(gateway: Gateway, redis: RedisClient):
    await beat_all(redis)
    await WorkerPresence(redis).report("one", 25, 25)
    answer = await gateway.http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["workers"] == {"ok": False, "detail": "1 worker, 0 free"}


async def test_repeats_what_is_in_a_loops_way(gateway: Gateway, redis: RedisClient):
    await beat_all(redis)
    await LoopSignals(redis).beat("drain", ok=False, detail="Postgres did not answer.")
    checks = (await gateway.http.get("/readyz")).json()["checks"]
    assert checks["dispatch"] == {"ok": False, "detail": "drain: Postgres did not answer."}


async def test_says_that_livekit_is_down(gateway: Gateway):
    gateway.rooms.unreachable = True
    answer = await gateway.http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["livekit"]["ok"] is False


async def test_says_that_redis_is_down(gateway_without_redis: Gateway):
    answer = await gateway_without_redis.http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["redis"]["ok"] is False
    assert answer.json()["checks"]["postgres"]["ok"] is True


async def test_says_that_postgres_is_down(gateway_without_postgres: Gateway):
    answer = await gateway_without_postgres.http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["postgres"]["ok"] is False
    assert answer.json()["checks"]["redis"]["ok"] is True
