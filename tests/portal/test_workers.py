"""What workers and beat do besides their tasks: request ids, counts and heartbeats."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection
from django.utils import timezone

from portal import heartbeats, workers
from portal.logs import request_id
from portal.models import Heartbeat
from tests.conftest import NOW
from tests.counting import counting

ID = "0b8e2f6e-3a9b-4a47-9f5a-3f6b1a7f0001"


@pytest.fixture(autouse=True)
def _afresh(db, monkeypatch):
    monkeypatch.setattr(workers, "_last_mark", -1000.0)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test's transaction is in it
    before = request_id.set("-")
    yield
    request_id.reset(before)


def task(**headers):
    return SimpleNamespace(request=SimpleNamespace(**headers), name="a.task")


def test_a_task_is_sent_with_the_id_of_the_request_and_runs_under_it():
    headers: dict[str, str] = {}
    request_id.set(ID)
    workers._send_request_id(headers=headers)
    request_id.set("-")
    workers._begin("t1", task(**headers))
    assert request_id.get() == ID
    workers._end("t1", task(), "SUCCESS")
    assert request_id.get() == "-"


@pytest.mark.parametrize("headers", [{}, {"request_id": "-"}])
def test_a_task_for_no_request_runs_under_its_own_id(headers):
    workers._begin("t2", task(**headers))
    assert request_id.get() == "t2"


def test_a_worker_leaves_one_row_however_often_it_is_seen(db, monkeypatch):
    heart = SimpleNamespace(eventer=SimpleNamespace(hostname="celery@a"))
    workers._worker_is_at_work(sender=heart)
    first = Heartbeat.objects.get().seen_at
    with counting() as count:
        workers._worker_is_at_work(sender=heart)
    assert count.sql == 0  # every two seconds, but a mark every twenty
    monkeypatch.setattr(workers, "_last_mark", -1000.0)
    workers._worker_is_at_work(sender=heart)
    assert Heartbeat.objects.get().seen_at > first


def test_a_worker_that_stops_takes_its_row_along(db):
    heartbeats.mark(kind="worker", name="celery@a", now=NOW)
    heartbeats.mark(kind="worker", name="celery@b", now=NOW)
    workers._worker_stops(sender=SimpleNamespace(hostname="celery@a"))
    assert [beat.name for beat in Heartbeat.objects.all()] == ["celery@b"]


def test_beat_forgets_who_is_long_gone(db):
    heartbeats.mark(kind="worker", name="gone", now=NOW - timedelta(hours=2))
    heartbeats.mark(kind="beat", name="here", now=NOW)
    assert [beat.name for beat in Heartbeat.objects.all()] == ["here"]


def test_a_database_that_is_away_does_not_end_the_worker(db, monkeypatch, caplog):
    def broken(**mark):
        raise OSError("away")

    monkeypatch.setattr(heartbeats, "mark", broken)
    workers._worker_is_at_work(sender=SimpleNamespace(eventer=SimpleNamespace(hostname="a")))
    assert "no heartbeat" in caplog.text


def test_a_probe_of_the_container_finds_a_file(db, settings, tmp_path):
    settings.HEARTBEAT_FOLDER = str(tmp_path)
    heartbeats.mark(kind="worker", name="a", now=timezone.now())
    assert (tmp_path / "worker.alive").exists()


def test_staff_see_who_is_at_work(log_in, on_stage):
    heartbeats.mark(kind="worker", name="celery@here", now=timezone.now())
    heartbeats.mark(kind="beat", name="gone", now=timezone.now() - heartbeats.STALE * 2)
    html = log_in("administrator").get("/admin/portal/heartbeat/").content.decode()
    assert "celery@here" in html
    assert html.count('alt="True"') == html.count('alt="False"') == 1
    assert log_in("owner").get("/admin/portal/heartbeat/").status_code == 302
