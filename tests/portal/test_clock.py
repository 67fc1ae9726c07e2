"""Clocks apart (abuse-cases.md 190): workers go by the database's, and nothing that was written lives longer."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from portal import clock, heartbeats, workers
from portal.models import Heartbeat
from tests.counting import counting

HOURS = timedelta(hours=2)
SECOND = timedelta(seconds=1)
pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch):
    for name in ("_checked_at", "_began_at", "_ahead"):
        monkeypatch.setattr(clock, name, getattr(clock, name))
    monkeypatch.setattr(clock, "_checked_at", float("-inf"))


@pytest.fixture
def ours(monkeypatch):
    """Sets this process's clock, as somebody would who has the rights."""
    now, seconds = clock.timezone.now, clock.time.time

    def set_by(shift: timedelta) -> None:
        monkeypatch.setattr(clock.timezone, "now", lambda: now() + shift)
        monkeypatch.setattr(clock.time, "time", lambda: seconds() + shift.total_seconds())

    set_by.real = now
    return set_by


def test_clocks_that_agree_cost_one_statement_and_change_nothing(caplog):
    with counting() as count:
        times = [clock.shared_now() for _ in range(5)]
    assert count.sql == 1
    assert times == sorted(times)
    assert abs(timezone.now() - times[0]) < SECOND
    assert clock._ahead == timedelta(0)
    assert caplog.records == []


@pytest.mark.parametrize("shift", [HOURS, -HOURS])
def test_a_clock_that_is_off_is_corrected_and_told(ours, shift, caplog):
    ours(shift)
    assert abs(clock.shared_now() - ours.real()) < SECOND
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]


@pytest.mark.parametrize("shift", [HOURS, -HOURS])
def test_a_clock_that_steps_is_noticed_at_the_next_reading(ours, shift):
    clock.shared_now()
    ours(shift)
    assert abs(clock.shared_now() - ours.real()) < SECOND
    ours(timedelta(0))
    assert abs(clock.shared_now() - ours.real()) < SECOND


def test_a_worker_that_is_off_leaves_marks_by_the_shared_clock(ours, monkeypatch, caplog):
    monkeypatch.setattr(workers, "_last_mark", -1000.0)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's transaction is in it
    ours(HOURS)
    workers._mark("worker", "a")
    assert abs(Heartbeat.objects.get().seen_at - ours.real()) < SECOND
    assert heartbeats.STALE > SECOND
    assert "our clock is off" in caplog.text  # also when Celery drops every job as too old
