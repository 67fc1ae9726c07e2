"""
Telling waiting browsers to look again.

The row is the truth and this is only speed: what is lost is seen at the next reading, some seconds later.
So it never fails, and a thread of its own does the talking: a frozen broker costs the request nothing.
"""

import logging
import threading

import redis
from django.conf import settings
from django.db import transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

from .tokens import token

__all__ = ["CHANNEL", "address", "look_again", "token"]

log = logging.getLogger(__name__)

CHANNEL = "live:"  # and the topic
SECONDS = 1.0  # to wait for a broker
WAITING_TOPICS = 1000


def look_again(topic: str) -> None:
    """After the commit, wake the browsers that wait for `topic`; at once when there is no transaction."""
    transaction.on_commit(lambda: _teller.tell(topic), robust=True)


def address(signed: str) -> str:
    """Where a browser with this token waits."""
    return f"/events/{signed}"


class _Teller:
    """Publishes topics from a daemon thread, started at the first one in each process."""

    def __init__(self) -> None:
        self._topics: dict[str, None] = {}  # in order, each once
        self._something = threading.Condition()
        self._thread: threading.Thread | None = None

    def tell(self, topic: str) -> None:
        with self._something:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="live", daemon=True)
                self._thread.start()
            if len(self._topics) < WAITING_TOPICS:  # else the broker is away, and browsers ask
                self._topics[topic] = None
                self._something.notify()

    def _next(self) -> str:
        with self._something:
            while not self._topics:
                self._something.wait()
            topic = next(iter(self._topics))
            del self._topics[topic]
            return topic

    def _run(self) -> None:
        broker = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=SECONDS,
            socket_connect_timeout=SECONDS,
            retry=Retry(NoBackoff(), 1),  # a connection that the broker has closed since
        )
        while True:
            topic = self._next()
            try:
                broker.publish(CHANNEL + topic, "")
            except Exception as error:
                log.warning("broker does not answer (%s); browsers will ask", type(error).__name__)


_teller = _Teller()
