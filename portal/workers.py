"""What workers and beat do besides their tasks: the same logs as the web, request ids, counts, heartbeats."""

import logging
import socket
import time
from typing import Any

from celery import signals

from portal.logs import request_id

log = logging.getLogger(__name__)

_last_mark = 0.0
_begun: dict[str, float] = {}


@signals.setup_logging.connect
def _log_as_the_web_does(**signal: Any) -> None:
    from django.conf import settings
    from django.utils.log import configure_logging

    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
    logging.captureWarnings(True)


# --- Requests and tasks ------------------------------------------------------------------------------


@signals.before_task_publish.connect
def _send_request_id(headers: dict[str, Any] | None = None, **signal: Any) -> None:
    if headers is not None:
        headers["request_id"] = request_id.get()


@signals.task_prerun.connect
def _begin(task_id: str, task: Any, **signal: Any) -> None:
    """Lines of a task carry the id of the request it is for; of the task itself when it is for none."""
    _leave_dead_connections()
    sent = getattr(task.request, "request_id", None) or "-"
    request_id.set(task_id if sent == "-" else sent)
    _begun[task_id] = time.perf_counter()


def _leave_dead_connections() -> None:
    """Celery keeps a connection for a thousand tasks: one that the database has closed must not fail them all."""
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:  # a task called like a function is part of something
            connection.close_if_unusable_or_obsolete()


@signals.task_postrun.connect
def _end(task_id: str, task: Any, state: str | None = None, **signal: Any) -> None:
    from portal.metrics.counts import counts

    seconds = time.perf_counter() - _begun.pop(task_id, time.perf_counter())
    counts.add("tasks", task.name, state or "UNKNOWN")
    counts.took("task_time", task.name, seconds=seconds)
    request_id.set("-")


@signals.worker_process_shutdown.connect
def _flush(**signal: Any) -> None:
    from portal.metrics.counts import counts

    counts.flush()


# --- Heartbeats --------------------------------------------------------------------------------------


@signals.heartbeat_sent.connect
def _worker_is_at_work(sender: Any, **signal: Any) -> None:
    """From the worker's main loop, every two seconds."""
    _mark("worker", sender.eventer.hostname)


@signals.worker_shutdown.connect
def _worker_stops(sender: Any, **signal: Any) -> None:
    """At the end, and not inside the signal's handler, which may have interrupted a mark."""
    _forget("worker", sender.hostname)


@signals.beat_init.connect
def _beat_begins(**signal: Any) -> None:
    """A beat that cannot publish is not at work, so what it publishes is its mark."""
    signals.after_task_publish.connect(_beat_is_at_work, weak=False)


def _beat_is_at_work(**signal: Any) -> None:
    _mark("beat", socket.gethostname())


def _mark(kind: str, name: str) -> None:
    global _last_mark
    from django.db import connection

    from portal import clock, heartbeats

    if time.monotonic() - _last_mark < heartbeats.EVERY.total_seconds():
        return
    _last_mark = time.monotonic()
    try:
        heartbeats.mark(kind=kind, name=name, now=clock.shared_now())
    except Exception as error:  # a mark is missed; work goes on
        log.warning("no heartbeat can be left (%s)", type(error).__name__)
    finally:
        connection.close()  # pool processes are forked from this one


def _forget(kind: str, name: str) -> None:
    from django.db import connection

    from portal import heartbeats

    try:
        heartbeats.forget(kind=kind, name=name)
    except Exception as error:
        log.warning("the heartbeat stays (%s)", type(error).__name__)
    finally:
        connection.close()
