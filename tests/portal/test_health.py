"""Live and ready, and what they tell a stranger: abuse-cases.md H 170."""

import pytest
from django.db import DatabaseError
from django.test import Client

from portal import broker, health
from portal.models import Entity
from tests.portal.live.conftest import valkey  # noqa: F401


@pytest.fixture(autouse=True)
def _as_in_production(monkeypatch, settings):
    settings.READY_WITHOUT_BROKER = False
    monkeypatch.setattr(health, "_migrated", set())


def ready() -> tuple[int, dict[str, str]]:
    answer = Client().get("/health/ready/")
    return answer.status_code, answer.json()


OK, NOT = (200, {"status": "ok"}), (503, {"status": "unavailable"})


@pytest.mark.usefixtures("on_stage", "valkey")
def test_ready_when_everything_is_there():
    assert ready() == OK


@pytest.mark.usefixtures("on_stage")
def test_not_ready_without_a_broker_unless_pages_alone_will_do(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert ready() == NOT
    settings.READY_WITHOUT_BROKER = True
    assert ready() == OK
    assert Client().get("/health/live/").status_code == 200


@pytest.mark.usefixtures("on_stage")
def test_a_frozen_broker_holds_the_probe_for_seconds_only(valkey, settings, monkeypatch):  # noqa: F811
    monkeypatch.setattr(broker, "PATIENCE", 0.2)
    broker._broker.cache_clear()
    valkey.freeze()
    try:
        assert ready() == NOT
    finally:
        valkey.thaw()
        broker._broker.cache_clear()


@pytest.mark.usefixtures("on_stage", "valkey")
def test_not_ready_while_a_migration_is_missing(monkeypatch):
    monkeypatch.setattr(health, "unapplied", lambda: ["portal.0009_later"])
    assert ready() == NOT
    monkeypatch.setattr(health, "unapplied", list)
    assert ready() == OK


@pytest.mark.usefixtures("on_stage", "valkey")
def test_not_ready_with_a_wrong_sealing_key(settings):
    """160: red health, no fall-back."""
    settings.VAULT_KEYS = "d9:" + "0123456789abcdef" * 4
    assert ready() == NOT


@pytest.mark.usefixtures("on_stage", "valkey")
def test_not_ready_when_the_database_does_not_answer(monkeypatch):
    def broken(*args, **kwargs):
        raise DatabaseError("gone")

    monkeypatch.setattr(Entity.objects, "exclude", broken)
    assert ready() == NOT


def test_what_is_applied_is_asked_once(db, monkeypatch):
    asked = []
    monkeypatch.setattr(health, "unapplied", lambda: asked.append(1) or [])
    assert health.is_migrated()
    assert health.is_migrated()
    assert asked == [1]


def test_the_real_plan_of_a_migrated_database_is_empty(db):
    assert health.unapplied() == []
