"""
Counting what happens, over all processes: docs/adr/0015-counters-in-redis.md.

A count is a few dictionary increments in the process where it happens. A thread adds the increments to one
hash in Redis every few seconds, so whichever process is asked for `/metrics` answers for all. Nothing but
metrics depends on it: without Redis the increments wait, and when Redis is emptied the counters begin anew,
as Prometheus expects of counters.
"""

import atexit
import json
import logging
import os
import threading
from bisect import bisect_left
from collections import Counter

import redis
from django.conf import settings

from portal.broker import broker

log = logging.getLogger(__name__)

HASH = "portal:metrics"
EVERY = 5.0  # seconds
BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds; then no bound

Key = tuple[str, ...]  # what is counted, and the values of its labels


class Counts:
    """The increments of this process that Redis has not got yet."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """A forked process starts at nothing: the increments are its parent's."""
        self._waiting: Counter[Key] = Counter()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, what: str, *labels: str, number: int = 1) -> None:
        if not settings.METRICS_TOKEN:
            return
        with self._lock:
            self._waiting[(what, *labels)] += number
            self._start()

    def took(self, what: str, *labels: str, seconds: float) -> None:
        """Into the histogram `what`: the bucket, and the sum in microseconds."""
        if not settings.METRICS_TOKEN:
            return
        bucket = str(bisect_left(BOUNDS, seconds))
        with self._lock:
            self._waiting[(what, *labels, bucket)] += 1
            self._waiting[(f"{what}_sum", *labels)] += int(seconds * 1_000_000)
            self._start()

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            threading.Event().wait(EVERY)
            self.flush()

    def flush(self) -> bool:
        """Give Redis what it has not got; False when it does not answer, and then nothing is lost."""
        with self._lock:
            sent, self._waiting = self._waiting, Counter()
        if not sent:
            return True
        try:
            with broker().pipeline(transaction=True) as pipeline:
                for key, number in sent.items():
                    pipeline.hincrby(HASH, json.dumps(key), number)
                pipeline.execute()
        except redis.RedisError as error:
            log.debug("Redis does not answer (%s); the counts wait", type(error).__name__)
            with self._lock:
                self._waiting.update(sent)
            return False
        return True


def totals() -> dict[Key, int]:
    """What all processes have counted. Raises RedisError."""
    found: dict[bytes, bytes] = broker().hgetall(HASH)  # type: ignore[assignment]
    return {tuple(json.loads(key)): int(number) for key, number in found.items()}


counts = Counts()
os.register_at_fork(after_in_child=counts.forget)
atexit.register(counts.flush)
