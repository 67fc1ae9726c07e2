"""`/metrics`: who may read it, what it says, and that several processes add up."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone

from portal import audit, heartbeats
from portal.apps import PortalConfig
from portal.caller import SYSTEM
from portal.metrics import counts as module
from portal.metrics.counts import counts
from portal.outbox import delivery
from portal.outbox.enqueue import enqueue, message
from tests.conftest import NOW, PLAYS, person
from tests.counting import counting
from tests.valkey import Valkey

TOKEN = "t" * 40
BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def valkey(settings) -> Iterator[Valkey]:
    with tempfile.TemporaryDirectory(prefix="v-", dir="/tmp") as folder:  # sockets need short paths
        server = Valkey(Path(folder))
        settings.REDIS_URL = server.url
        settings.METRICS_TOKEN = TOKEN
        counts.forget()
        yield server
        server.kill()
        counts.forget()


def samples() -> dict[str, float]:
    answer = Client().get("/metrics", headers=BEARER)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_without_a_token_in_the_settings_there_is_no_such_page(client, db):
    assert client.get("/metrics", headers=BEARER).status_code == 404
    assert not counts._waiting


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
def test_whoever_has_not_the_token_learns_nothing(client, db, settings, sent):
    settings.METRICS_TOKEN = TOKEN
    answer = client.get("/metrics", headers={"authorization": sent})
    assert (answer.status_code, answer.content) == (401, b"")


def test_a_weak_token_stops_the_start(settings):
    settings.METRICS_TOKEN = "short"
    with pytest.raises(ImproperlyConfigured, match="METRICS_TOKEN"):
        PortalConfig.create("portal").ready()


def test_requests_are_counted_by_view_method_and_status_with_their_time(client, db, valkey):
    for _ in range(3):
        client.get("/login/")
    client.get("/no/such/page/")
    client.generic("MADEUP", "/login/")
    found = samples()
    assert found['portal_requests_total{view="login",method="GET",status="200"}'] == 3
    assert found['portal_requests_total{view="none",method="GET",status="404"}'] == 1
    assert found['portal_requests_total{view="login",method="other",status="405"}'] == 1
    assert found['portal_request_seconds_bucket{view="login",le="+Inf"}'] == 4
    assert found['portal_request_seconds_count{view="login"}'] == 4
    assert 0 < found['portal_request_seconds_sum{view="login"}'] < 60


def test_buckets_are_cumulative(db, valkey):
    for seconds in (0.001, 0.02, 0.02, 99):
        counts.took("latency", "x", seconds=seconds)
    found = samples()
    assert [
        found[f'portal_request_seconds_bucket{{view="x",le="{bound}"}}']
        for bound in ("0.01", "0.025", "10.0", "+Inf")
    ] == [1, 3, 3, 4]


def test_logins_are_counted_by_outcome(
    on_stage, valkey, log_in, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        Client().post("/login/", {"username": PLAYS["owner"].username, "password": "wrong"})
        log_in("owner")
    found = samples()
    name = "portal_decisions_total"
    assert found[f'{name}{{event="sls.login.begun",refused="invalid_credentials"}}'] == 1
    assert found[f'{name}{{event="sls.login.completed",refused=""}}'] == 1


def test_messages_are_counted_by_state_and_age(on_stage, valkey, settings):
    now = timezone.now()
    old = now - timedelta(minutes=5)
    letters = [
        message(user=person("owner"), event="share_withdrawn", fact=str(n), now=old, a="b")
        for n in range(3)
    ]
    enqueue(letters)
    settings.MESSAGE_CHANNELS = {"email": "portal.outbox.channels.folder"}
    delivery.deliver(letters[0].pk, now=now)
    found = samples()
    waiting = {name: n for name, n in found.items() if name.startswith("portal_messages_waiting")}
    assert sum(waiting.values()) + found.get(
        'portal_messages_total{channel="email",state="sent"}', 0
    ) + found.get('portal_messages_total{channel="email",state="failed"}', 0) == len(letters)
    ages = [n for name, n in found.items() if name.startswith("portal_messages_oldest_seconds")]
    assert 290 < max(ages) < 330


def test_queue_depth_audit_tail_and_heartbeats_are_shown(db, valkey):
    import redis

    redis.Redis.from_url(valkey.url).lpush("celery", "{}", "{}")
    audit.record(event="test.done", by=SYSTEM, subject=None, at=NOW)
    heartbeats.mark(kind="worker", name='w"1', now=timezone.now() - timedelta(seconds=40))
    found = samples()
    assert found["portal_audit_tail"] == 1
    assert found["portal_database_up"] == found["portal_broker_up"] == 1
    assert any(name.startswith("portal_queue_depth{") for name in found)
    assert 39 < found['portal_heartbeat_age_seconds{kind="worker",name="w\\"1"}'] < 60


def test_without_a_broker_the_page_says_so_and_the_counts_wait(client, db, valkey):
    client.get("/login/")
    valkey.kill()
    found = samples()
    assert found["portal_broker_up"] == 0
    assert not any(name.startswith("portal_requests_total") for name in found)
    valkey.start()
    assert samples()['portal_requests_total{view="login",method="GET",status="200"}'] == 1


OTHER = """
import django, sys; django.setup()
from portal.metrics.counts import counts
counts.add("tasks", "x", "SUCCESS", number=int(sys.argv[1]))
import os
if os.fork() == 0:  # a pool process: its parent's counts are not its own
    counts.add("tasks", "x", "SUCCESS", number=100)
    os._exit(0 if counts.flush() else 1)
assert os.wait()[1] == 0
"""


def test_several_processes_add_up(db, valkey):
    import os

    environment = os.environ | {"METRICS_TOKEN": TOKEN, "REDIS_URL": valkey.url, "DEMO_MODE": "1"}
    environment["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    for number in ("1", "10"):
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", OTHER, number], env=environment, check=True
        )
    assert samples()['portal_tasks_total{task="x",state="SUCCESS"}'] == 211


def test_the_thread_hands_the_counts_over_by_itself(db, valkey, monkeypatch):
    monkeypatch.setattr(module, "EVERY", 0.05)
    counts.add("tasks", "x", "SUCCESS")
    deadline = time.monotonic() + 5
    while not module.totals():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_page_costs_three_statements_whatever_there_is(on_stage, valkey):
    with counting() as count:
        samples()
    assert count.sql == 3, str(count)


def test_counting_a_request_takes_microseconds(valkey):
    counts.add("requests", "login", "GET", "200")
    best = min(_time_of_a_thousand() for _ in range(10)) / 1000
    assert best < 30e-6  # some 2 µs; never a round trip


def _time_of_a_thousand() -> float:
    began = time.perf_counter()
    for _ in range(1000):
        counts.add("requests", "login", "GET", "200")
        counts.took("latency", "login", seconds=0.02)
    return time.perf_counter() - began
