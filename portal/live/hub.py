"""
One subscription per process, and the bells of those who wait in it.

A bell means "read the row again" and nothing else. Everybody's rings when the broker comes and when it goes:
something may have been said in between.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from .publish import CHANNEL

log = logging.getLogger(__name__)

SILENCE = (
    3.0  # seconds without a word, then the broker is asked; as long again, then it is given up
)
PAUSE = 0.5  # seconds before the next try


class Hub:
    """Lives in one event loop. Starts with the first who waits."""

    def __init__(self) -> None:
        self.is_up = False
        self._bells: dict[str, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None

    def count(self, topic: str) -> int:
        return len(self._bells.get(topic, ()))

    @contextmanager
    def waiting(self, topic: str) -> Iterator[asyncio.Event]:
        """A bell that rings for `topic`. Read the row after this, not before."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="live hub")
        bell = asyncio.Event()
        self._bells.setdefault(topic, set()).add(bell)
        try:
            yield bell
        finally:
            bells = self._bells[topic]
            bells.discard(bell)
            if not bells:
                del self._bells[topic]

    def ring(self, topic: str) -> None:
        for bell in self._bells.get(topic, ()):
            bell.set()

    def ring_all(self) -> None:
        for bells in self._bells.values():
            for bell in bells:
                bell.set()

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError) as error:
                if self.is_up:
                    log.warning("broker is away (%s); browsers ask", type(error).__name__)
            finally:
                if self.is_up:  # not at each try to find it again: then they ask at their own pace
                    self.is_up = False
                    self.ring_all()
            await asyncio.sleep(PAUSE)

    async def _listen(self) -> None:
        broker = redis.asyncio.Redis.from_url(
            settings.REDIS_URL,
            protocol=2,
            decode_responses=True,
            socket_connect_timeout=SILENCE,
            socket_timeout=SILENCE,
            retry=Retry(NoBackoff(), 0),  # reconnecting is for _run, which rings the bells
        )
        subscription = broker.pubsub()
        try:
            await subscription.psubscribe(CHANNEL + "*")
            asked = False
            while True:
                heard = await subscription.get_message(timeout=SILENCE)
                if heard is not None:
                    asked = False
                    self._hear(heard)
                elif asked:  # frozen, or the network swallows everything
                    raise TimeoutError
                else:
                    asked = True
                    await subscription.ping()
        finally:
            with suppress(RedisError, OSError):
                await subscription.aclose()  # type: ignore[no-untyped-call]
                await broker.aclose()

    def _hear(self, heard: dict[str, Any]) -> None:
        if heard["type"] == "psubscribe":
            self.is_up = True
            self.ring_all()
        elif heard["type"] == "pmessage":
            self.ring(heard["channel"].removeprefix(CHANNEL))
