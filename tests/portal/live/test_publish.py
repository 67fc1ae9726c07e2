"""Telling browsers to look again: after the commit, and at no cost to whoever tells."""

import threading
import time

import pytest
import redis
from django.db import transaction

from portal.live import publish


@pytest.fixture
def told(monkeypatch) -> list[str]:
    topics: list[str] = []
    teller = publish._Teller()
    monkeypatch.setattr(teller, "tell", topics.append)
    monkeypatch.setattr(publish, "_teller", teller)
    return topics


@pytest.mark.django_db(transaction=True)
def test_browsers_are_told_after_the_commit_only(told):
    with transaction.atomic():
        publish.look_again("login:1")
        assert told == []
    assert told == ["login:1"]


@pytest.mark.django_db(transaction=True)
def test_a_change_that_was_rolled_back_is_not_told(told):
    with transaction.atomic():
        publish.look_again("login:1")
        transaction.set_rollback(True)
    assert told == []


@pytest.mark.django_db(transaction=True)
def test_without_a_transaction_browsers_are_told_at_once(told):
    publish.look_again("login:1")
    assert told == ["login:1"]


@pytest.mark.django_db(transaction=True)
def test_a_defect_of_telling_does_not_undo_what_was_committed(monkeypatch, caplog):
    def fail(topic):
        raise RuntimeError("a defect")

    monkeypatch.setattr(publish._teller, "tell", fail)
    with transaction.atomic():
        publish.look_again("login:1")
    assert "a defect" in caplog.text


def listen(url: str) -> redis.client.PubSub:
    subscription = redis.Redis.from_url(url).pubsub(ignore_subscribe_messages=True)
    subscription.psubscribe("live:*")
    subscription.get_message(timeout=1)
    return subscription


def hear(subscription) -> str:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if heard := subscription.get_message(timeout=1):
            return heard["channel"].decode()
    return ""


def test_a_topic_goes_to_the_broker_without_any_truth_in_it(valkey):
    subscription = listen(valkey.url)
    publish._Teller().tell("login:1")
    assert hear(subscription) == "live:login:1"
    subscription.connection_pool.disconnect()
    subscription.close()


def test_telling_goes_on_when_the_broker_was_started_anew(valkey):
    teller = publish._Teller()
    teller.tell("login:1")
    time.sleep(0.2)
    valkey.kill()
    valkey.start()
    subscription = listen(valkey.url)
    teller.tell("login:2")
    assert hear(subscription) == "live:login:2"
    subscription.connection_pool.disconnect()
    subscription.close()


def test_a_broker_that_is_away_is_survived_and_logged_without_the_topic(settings, caplog):
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    teller = publish._Teller()
    for number in range(2):
        teller.tell(f"login:secret-{number}")
        deadline = time.monotonic() + 5
        while caplog.text.count("browsers will ask") <= number:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert "secret" not in caplog.text
    assert teller._thread
    assert teller._thread.is_alive()


def test_a_frozen_broker_costs_who_tells_nothing(valkey):
    teller = publish._Teller()
    teller.tell("login:0")
    time.sleep(0.2)
    valkey.freeze()
    try:
        start = time.monotonic()
        for number in range(publish.WAITING_TOPICS + 50):
            teller.tell(f"login:{number}")
        assert time.monotonic() - start < 1
        assert len(teller._topics) <= publish.WAITING_TOPICS
    finally:
        valkey.thaw()


def test_a_topic_that_still_waits_is_told_once(monkeypatch):
    teller = publish._Teller()
    monkeypatch.setattr(teller, "_thread", threading.current_thread())
    for _ in range(3):
        teller.tell("login:1")
    teller.tell("login:2")
    assert [teller._next(), teller._next()] == ["login:1", "login:2"]
    assert not teller._topics
