"""
Messages while their workers, broker and gateways break (abuse-cases.md I 175 to 182): real workers, a real
broker, and an SMS gateway by HTTP on loopback, whose count is the truth.
"""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.gateway import Gateway
from tests.serving import START_SECONDS, Portal, user

pytestmark = pytest.mark.live
TAKEN = b"HTTP/1.1 201 X\r\nContent-Length: 13\r\n\r\n" + b'{"sid":"SM1"}'
WRITE = """
from datetime import timedelta
from django.db import transaction
from django.utils import timezone
from portal.models import Channel, Urgency, User
from portal.outbox.enqueue import enqueue, message
from portal.outbox.tasks import deliver
user = User.objects.get(username={username!r})
for fact in {facts!r}:
    with transaction.atomic():
        row = message(user=user, event={event!r}, fact=fact, now=timezone.now(), channel=Channel.SMS,
                      to="+447700900123", life=timedelta(seconds={life}), urgency=Urgency({urgency}),
                      code="204816", minutes=10)
        enqueue([row])
    for _ in range({hints}):
        deliver.apply_async([str(row.pk)], queue=Urgency(row.urgency).queue)
"""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def shop(gateway: Gateway) -> Iterator[Portal]:
    """A portal whose SMS go to the gateway; a code of long life, so that a lease may end within it."""
    url = f"twilio+http://AC1:t@127.0.0.1:{gateway.port}/?from=%2B15005550006"
    portal = Portal(
        "sqlite",
        processes=1,
        SMS_CHANNEL="portal.outbox.channels.sms",
        SMS_PROVIDERS=json.dumps({"main": url}),
    )
    yield portal
    portal.stop()


@pytest.fixture
def portal(shop: Portal, gateway: Gateway) -> Portal:
    shop.reset()
    with shop.connection() as connection:
        connection.execute("DELETE FROM portal_smsprovider")
    gateway.got.clear()
    gateway.answer = TAKEN
    return shop


def write(portal: Portal, *facts: str, hints: int = 1, **changes: object) -> None:
    values = {"event": "sms_code", "life": 600, "urgency": 1} | changes
    code = WRITE.format(
        username=user("owner")["username"], facts=list(facts), hints=hints, **values
    )
    done = portal.manage("shell", "-v", "0", "-c", code)
    assert done.returncode == 0, done.stderr


def wait_for(what: Callable[[], object], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


def states(portal: Portal) -> list[str]:
    rows = portal.sql("SELECT state FROM portal_outboxmessage ORDER BY created_at")
    return [state for (state,) in rows]


def tries(portal: Portal) -> list[tuple[object, ...]]:
    return portal.sql("SELECT number, outcome FROM portal_outboxattempt ORDER BY id")


def is_doubtful(portal: Portal) -> bool:
    return bool(portal.sql("SELECT maybe_twice FROM portal_outboxmessage")[0][0])


def end_the_lease(portal: Portal) -> None:
    """As if the minute had passed in which a dead worker's message is left alone."""
    portal.sql("UPDATE portal_outboxmessage SET next_try_at = created_at WHERE state = 'sending'")


def stop(pid: int) -> None:
    """
    Not one of its threads runs any more. The signal alone promises that only for the thread that takes it, and on
    a busy machine the others go on until that one has had its turn.
    """
    os.kill(pid, signal.SIGSTOP)
    stats = [task / "stat" for task in Path(f"/proc/{pid}/task").iterdir()]
    wait_for(lambda: all(stat.read_text().rpartition(") ")[2][0] == "T" for stat in stats))


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    for pid in pids:
        stop(pid)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def kill(portal: Portal, name: str = "worker") -> None:
    """Dead at once, and started again by the supervisor."""
    pid = portal.children()[name]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: portal.children().get(name, pid) != pid)
    portal.sql("DELETE FROM portal_heartbeat WHERE name LIKE ?", f"{name}@%")


def wait_for_work(portal: Portal, name: str = "worker") -> None:
    """Until the new worker has left its first mark: importing everything takes long on a busy machine."""
    mark = f"portal_heartbeat WHERE name LIKE '{name}@%'"
    wait_for(lambda: portal.count(mark), seconds=START_SECONDS)


def keys_of(gateway: Gateway) -> set[bytes]:
    lines = [line for raw in gateway.got for line in raw.split(b"\r\n")]
    return {line for line in lines if line.lower().startswith(b"idempotency-key")}


def test_a_worker_killed_before_the_gateway_is_called_costs_nothing(portal, gateway):
    stop(portal.children()["worker"])
    write(portal, "1")
    kill(portal)
    wait_for_work(portal)
    wait_for(lambda: states(portal) == ["sent"], seconds=30)
    assert len(gateway.got) == 1
    assert not is_doubtful(portal)


def test_a_worker_killed_while_the_gateway_thinks_is_followed_by_another_and_the_row_says_so(
    portal, gateway
):
    gateway.answer = lambda connection: gateway.closed.wait(8)
    write(portal, "1")
    wait_for(lambda: gateway.got)
    gateway.answer = TAKEN
    kill(portal)
    assert states(portal) == ["sending"]
    end_the_lease(portal)
    wait_for_work(portal)
    wait_for(lambda: states(portal) == ["sent"], seconds=30)
    assert tries(portal) == [(1, "lost"), (2, "handed_over")]
    assert is_doubtful(portal)
    assert len(gateway.got) == 2
    assert len(keys_of(gateway)) == 1  # a gateway that knows keys takes it once


def test_a_worker_killed_after_the_gateway_took_it_is_marked_as_well(portal, gateway):
    worker = portal.children()["worker"]
    answered = threading.Event()

    def answer_to_the_dead(connection: object) -> None:
        stop(worker)
        connection.sendall(TAKEN)
        answered.set()

    gateway.answer = answer_to_the_dead
    write(portal, "1")
    assert answered.wait(20)
    gateway.answer = TAKEN
    kill(portal)
    assert states(portal) == ["sending"]
    end_the_lease(portal)
    wait_for_work(portal)
    wait_for(lambda: states(portal) == ["sent"], seconds=30)
    assert tries(portal) == [(1, "lost"), (2, "handed_over")]
    assert is_doubtful(portal)


def test_one_task_delivered_five_times_is_one_sms(portal, gateway):
    write(portal, "1", hints=5)
    wait_for(lambda: states(portal) == ["sent"])
    time.sleep(2)
    assert len(gateway.got) == 1
    assert tries(portal) == [(1, "handed_over")]


def test_poison_blocks_nobody(portal, gateway):
    write(portal, *(f"poison {n}" for n in range(8)), event="no_such_event")
    write(portal, "good")
    wait_for(lambda: states(portal) == ["failed"] * 8 + ["sent"])
    assert len(gateway.got) == 1


def test_with_beat_stopped_messages_go_and_lost_hints_are_found_when_it_is_back(portal, gateway):
    with stopped(portal.children()["beat"]):
        write(portal, "hinted")
        wait_for(lambda: states(portal) == ["sent"])
        write(portal, "unhinted", hints=0)
        time.sleep(1)
        # the shell's process has ended before its hint was given, or just after
        assert len(gateway.got) in (1, 2)
    wait_for(lambda: states(portal) == ["sent"] * 2, seconds=30)
    assert len(gateway.got) == 2


def test_a_message_past_its_life_is_never_sent(portal, gateway):
    workers = portal.children()["worker"], portal.children()["worker-urgent"]
    with stopped(*workers):
        write(portal, "1", life=2)
        time.sleep(2)
    wait_for(lambda: states(portal) == ["expired"])
    assert gateway.got == []
    assert tries(portal) == [(1, "expired")]


def test_a_frozen_and_then_emptied_broker_delays_and_doubles_nothing(portal, gateway):
    with stopped(portal.children()["worker"], portal.children()["worker-urgent"]):
        write(portal, "1", "2", "3")
    valkey = portal.children()["valkey"]
    with stopped(valkey):
        time.sleep(1)
    os.kill(valkey, signal.SIGKILL)
    wait_for(lambda: portal.children().get("valkey", valkey) != valkey)
    wait_for(lambda: states(portal) == ["sent"] * 3, seconds=60)
    assert len(gateway.got) == 3


def test_what_somebody_waits_for_does_not_wait_behind_a_slow_gateway(portal, gateway):
    gateway.answer = lambda connection: gateway.closed.wait(8)
    write(portal, *(f"digest {n}" for n in range(8)), urgency=2)
    wait_for(lambda: len(gateway.got) >= 4)  # every thread of the common worker is held up
    gateway.answer = TAKEN
    write(portal, "a code", urgency=0)
    began = time.monotonic()
    urgent = "SELECT state FROM portal_outboxmessage WHERE urgency = 0"
    wait_for(lambda: portal.sql(urgent) == [("sent",)], seconds=5)
    assert time.monotonic() - began < 3
    assert set(states(portal)) > {"sent"}
    wait_for(lambda: set(states(portal)) == {"sent"}, seconds=60)
