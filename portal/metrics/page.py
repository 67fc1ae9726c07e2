"""The answer to `/metrics`, in Prometheus' text format 0.0.4."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import redis
from django.db import DatabaseError
from django.db.models import Count, Min

from portal.broker import broker
from portal.celery import app
from portal.models import AuditEvent, Heartbeat, OutboxMessage
from portal.models.outbox import WAITING

from .counts import BOUNDS, Key, counts, totals

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Counted(NamedTuple):
    name: str
    labels: tuple[str, ...]
    words: str


COUNTERS = {
    "requests": Counted(
        "portal_requests_total", ("view", "method", "status"), "Answered requests."
    ),
    "decisions": Counted(
        "portal_decisions_total",
        ("event", "refused"),
        "Audited decisions by outcome; logins are the events sls.login.begun and sls.login.completed.",
    ),
    "tasks": Counted("portal_tasks_total", ("task", "state"), "Finished Celery tasks."),
    "messages": Counted(
        "portal_messages_total",
        ("channel", "state"),
        "Messages closed: handed over, set aside, expired.",
    ),
}
HISTOGRAMS = {
    "latency": Counted("portal_request_seconds", ("view",), "Time to answer a request."),
    "task_time": Counted("portal_task_seconds", ("task",), "Time a Celery task took."),
}

Sample = tuple[str, dict[str, str], float]


def page(*, now: datetime) -> str:
    """Everything there is to say; parts that cannot be read are left out, and `…_up` says so."""
    return "\n".join([*_counted(), *_from_database(now=now), *_from_broker(), ""])


def _counted() -> Iterator[str]:
    counts.flush()
    try:
        known = totals()
    except redis.RedisError:
        return
    for what, counter in COUNTERS.items():
        rows = ((counter.name, _labels(counter, k), n) for k, n in _of(known, what))
        yield from _family(counter.name, "counter", counter.words, rows)
    for what, histogram in HISTOGRAMS.items():
        yield from _family(
            histogram.name, "histogram", histogram.words, _buckets(histogram, what, known)
        )


def _of(known: dict[Key, int], what: str) -> list[tuple[Key, int]]:
    return sorted((key[1:], number) for key, number in known.items() if key[0] == what)


def _labels(counted: Counted, values: Key) -> dict[str, str]:
    return dict(zip(counted.labels, values, strict=False))


def _buckets(histogram: Counted, what: str, known: dict[Key, int]) -> Iterator[Sample]:
    """Prometheus' buckets are cumulative; ours are not."""
    sums = dict(_of(known, f"{what}_sum"))
    series: dict[Key, dict[str, int]] = {}
    for key, number in _of(known, what):
        series.setdefault(key[:-1], {})[key[-1]] = number
    for key, buckets in series.items():
        labels, seen = _labels(histogram, key), 0
        for place, bound in enumerate([*map(str, BOUNDS), "+Inf"]):
            seen += buckets.get(str(place), 0)
            yield f"{histogram.name}_bucket", {**labels, "le": bound}, seen
        yield f"{histogram.name}_sum", labels, sums.get(key, 0) / 1_000_000
        yield f"{histogram.name}_count", labels, seen


def _from_database(*, now: datetime) -> Iterator[str]:
    try:
        waiting = list(
            OutboxMessage.objects.filter(state__in=WAITING)
            .values_list("channel", "state")
            .annotate(Count("pk"), Min("created_at"))
            .order_by("channel", "state")
        )
        beats = list(Heartbeat.objects.order_by("kind", "name"))
        tail = AuditEvent.objects.order_by("-number").values_list("number", flat=True).first()
    except DatabaseError:
        yield from _gauge("portal_database_up", "Does the database answer?", {}, 0)
        return
    yield from _gauge("portal_database_up", "Does the database answer?", {}, 1)
    of_state = [({"channel": c, "state": s}, n, (now - since)) for c, s, n, since in waiting]
    yield from _family(
        "portal_messages_waiting",
        "gauge",
        "Messages not yet handed over.",
        (("portal_messages_waiting", labels, n) for labels, n, _age in of_state),
    )
    yield from _family(
        "portal_messages_oldest_seconds",
        "gauge",
        "Age of the oldest of them.",
        (
            ("portal_messages_oldest_seconds", labels, age.total_seconds())
            for labels, _n, age in of_state
        ),
    )
    yield from _family(
        "portal_heartbeat_age_seconds",
        "gauge",
        "Seconds since a worker or beat was seen.",
        (
            (
                "portal_heartbeat_age_seconds",
                {"kind": beat.kind, "name": beat.name},
                (now - beat.seen_at).total_seconds(),
            )
            for beat in beats
        ),
    )
    yield from _gauge("portal_audit_tail", "Number of the newest audit row.", {}, tail or 0)


def _from_broker() -> Iterator[str]:
    try:
        depths = {name: broker().llen(name) for name in sorted(app.amqp.queues)}
        unacknowledged = broker().hlen("unacked")
    except redis.RedisError:
        yield from _gauge("portal_broker_up", "Does the broker answer?", {}, 0)
        return
    yield from _gauge("portal_broker_up", "Does the broker answer?", {}, 1)
    yield from _family(
        "portal_queue_depth",
        "gauge",
        "Tasks that no worker has taken.",
        (("portal_queue_depth", {"queue": name}, float(n)) for name, n in depths.items()),  # type: ignore[arg-type]
    )
    words = "Tasks that a worker has taken and not finished."
    yield from _gauge("portal_tasks_unacknowledged", words, {}, float(unacknowledged))  # type: ignore[arg-type]


def _gauge(name: str, words: str, labels: dict[str, str], value: float) -> Iterator[str]:
    return _family(name, "gauge", words, [(name, labels, value)])


def _family(name: str, kind: str, words: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {words}"
    yield f"# TYPE {name} {kind}"
    for sample, labels, value in samples:
        inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{sample}{{{inside}}} {value:g}" if inside else f"{sample} {value:g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
