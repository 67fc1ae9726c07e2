"""A Redis client that asks once and does not wait long, for questions about the broker itself."""

import os
from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

PATIENCE = 1.0  # seconds


def broker() -> redis.Redis:
    """One for each process: connections do not survive a fork."""
    return _broker(settings.REDIS_URL, os.getpid())


@cache
def _broker(url: str, pid: int) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        retry=Retry(NoBackoff(), 1),  # a connection that the broker has closed since
    )


def answers() -> bool:
    try:
        return bool(broker().ping())
    except redis.RedisError:
        return False
