"""
Messages: claimed, delivered to a channel that does nothing, and closed, beside a bare Celery task with one select
and one durable update; how soon they start; and what the enqueuing request pays.

One worker, with the options that `manage.py serve` gives it, does both in turn: its queue is filled while it is
stopped, and the clock runs from the moment it goes on until the last row is closed.
"""

import os
import secrets
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import redis
from django.db import connection, transaction
from django.utils import timezone

from bench import people
from bench.options import Options
from bench.report import Row, at_least, at_most
from bench.stage import ROOT, Stage

WORKER = ["--pool=threads", "-c", "4", "--without-gossip", "--without-mingle"]
QUEUES = "urgent,normal,bulk"
JOBS = 2000  # in one round
STARTS = 300
NUMBER = "+447700900123"


def run(where: Stage, options: Options) -> list[Row]:
    from bench import jobs

    with connection.schema_editor() as editor:
        editor.create_model(jobs.Job)
    people.holders("message", 1)
    with worker(where) as (pid, broker):
        _warm_up(pid, broker)
        rows = [_rates(kind, pid, broker, options) for kind in ("email", "sms", "push")]
        return [*rows, *_starts(broker), _cost()]


@contextmanager
def worker(where: Stage) -> Iterator[tuple[int, "redis.Redis[Any]"]]:
    environment = os.environ | where.product
    environment |= {f"{channel}_CHANNEL": "bench.swallow" for channel in ("EMAIL", "SMS", "PUSH")}
    environment["LIMITS"] = ",".join(
        f"sms_sent{scope}=1000000" for scope in ("", "_to_user", "_to_number", "_to_country")
    )
    command = [sys.executable, "-m", "celery", "-A", "bench.jobs", "worker", *WORKER]
    process = subprocess.Popen(
        [*command, "-Q", QUEUES, "--loglevel=ERROR"], env=environment, cwd=ROOT
    )
    try:
        yield process.pid, redis.Redis.from_url(where.product["REDIS_URL"])
    finally:
        process.terminate()
        process.wait()


def _warm_up(pid: int, broker: "redis.Redis[Any]") -> None:
    """Every thread has its connection, every statement is prepared, every template is loaded."""
    for kind in ("email", "sms", "push"):
        _messages(kind, pid, broker, 200)
    _bare(pid, broker, 200)


def _rates(kind: str, pid: int, broker: "redis.Redis[Any]", options: Options) -> Row:
    ours, floor = [], []
    for _round in range(options.rounds):
        ours.append(_messages(kind, pid, broker, JOBS))
        floor.append(_bare(pid, broker, JOBS))
    name = f"{kind}: claimed, delivered, closed (floor: bare task)"
    # An SMS also spends four budgets, two of them rows that all messages share: told, not judged.
    return at_least(name, ours, floor, None if kind == "sms" else 0.80)


def _messages(kind: str, pid: int, broker: "redis.Redis[Any]", count: int) -> float:
    from portal.models import MessageState, OutboxMessage
    from portal.outbox import tasks

    rows = [_message(kind, timezone.now()) for _ in range(count)]
    OutboxMessage.objects.bulk_create(rows)
    waiting = OutboxMessage.objects.filter(
        state__in=(MessageState.QUEUED, MessageState.SENDING), next_try_at__isnull=False
    )

    def publish() -> None:
        for row in rows:
            tasks.deliver.apply_async([str(row.pk)], queue="normal")

    took = _timed(pid, broker, publish, lambda: not waiting.exists())
    sent = OutboxMessage.objects.filter(pk__in=[row.pk for row in rows], state="sent").count()
    assert sent == count, f"{sent} of {count}"
    return count / took


def _bare(pid: int, broker: "redis.Redis[Any]", count: int) -> float:
    from bench.jobs import Job, select_and_update

    rows = Job.objects.bulk_create([Job() for _ in range(count)])

    def publish() -> None:
        for row in rows:
            select_and_update.apply_async([row.pk], queue="normal")

    took = _timed(pid, broker, publish, lambda: not Job.objects.filter(state="queued").exists())
    Job.objects.all().delete()
    return count / took


def _timed(
    pid: int,
    broker: "redis.Redis[Any]",
    publish: Callable[[], None],
    is_done: Callable[[], bool],
) -> float:
    os.kill(pid, signal.SIGSTOP)
    try:
        publish()
        connection.close()
    finally:
        began = time.perf_counter()
        os.kill(pid, signal.SIGCONT)
    deadline = time.monotonic() + 120
    while broker.llen("normal") or not is_done():
        assert time.monotonic() < deadline, "the worker does not finish"
        time.sleep(0.01)
    return time.perf_counter() - began


def _message(kind: str, now: datetime) -> Any:
    from portal.models import Channel, User
    from portal.outbox.enqueue import message

    user = User.objects.filter(username="message-0").get()
    fact = secrets.token_hex(8)
    match kind:
        case "email":
            words = {"number": "•••123"}
            return message(user=user, event="sms_started", fact=fact, now=now, **words)
        case "sms":
            return message(
                user=user,
                event="sms_code",
                fact=fact,
                now=now,
                channel=Channel.SMS,
                to=NUMBER,
                code="204816",
                minutes=10,
            )
    return message(
        user=user,
        event="login_prompt",
        fact=fact,
        now=now,
        channel=Channel.PUSH,
        to=_subscription(),
        id=fact,
    )


def _subscription() -> str:
    import json

    keys = {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    }
    return json.dumps({"endpoint": "https://fcm.googleapis.com/x", "keys": keys})


def _starts(broker: "redis.Redis[Any]") -> list[Row]:
    """From the commit of the message to the first line of its delivery; the floor has no commit."""
    from bench.jobs import nothing
    from portal.models import OutboxAttempt
    from portal.outbox.enqueue import enqueue

    ours = []
    broker.delete("bench:nothing")
    for _ in range(STARTS):
        row = _message("email", timezone.now())
        committed: list[datetime] = []
        with transaction.atomic():
            transaction.on_commit(lambda at=committed: at.append(timezone.now()))
            enqueue([row])
        attempt = _until(lambda row=row: OutboxAttempt.objects.filter(message=row).first())
        ours.append((attempt.started_at - committed[0]).total_seconds())
        seen = int(broker.llen("bench:nothing"))
        nothing.apply_async([time.time()], queue="normal")
        _until(lambda seen=seen: broker.llen("bench:nothing") > seen)
    bare = [float(told) for told in broker.lrange("bench:nothing", 0, -1)]
    ratio = _p95(ours) / _p95(bare)
    return [
        Row(
            "enqueued to started, p50 / p95",
            f"{1000 * statistics.median(ours):.1f} / {1000 * _p95(ours):.1f} ms",
            f"{1000 * statistics.median(bare):.1f} / {1000 * _p95(bare):.1f} ms",
            ratio,
            "p95 <= 2.00 times",
            ratio <= 2,
        )
    ]


def _until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 10
    while not (found := look()):
        assert time.monotonic() < deadline, "nothing has come"
        time.sleep(0.002)
    return found


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]


def _cost() -> Row:
    """What stands between the request and its commit, and the hint after it; the commit itself it pays anyway."""
    from portal.models import User
    from portal.outbox.enqueue import enqueue, message

    user = User.objects.get(username="message-0")
    costs = []
    for _ in range(STARTS):
        now, fact = timezone.now(), secrets.token_hex(8)
        with transaction.atomic():
            began = time.perf_counter()
            enqueue([message(user=user, event="sms_started", fact=fact, now=now, number="•••123")])
            costs.append(time.perf_counter() - began)
            hooks, connection.run_on_commit = connection.run_on_commit, []
        began = time.perf_counter()
        for _sids, hook, _robust in hooks:
            hook()
        costs[-1] += time.perf_counter() - began
        time.sleep(0.002)
    cost = statistics.median(costs)
    return at_most("what the enqueuing request pays, median", 1000 * cost, 1, " ms", 2)
