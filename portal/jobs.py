"""Celery's queues, the most urgent first, and what beat starts when (UTC). docs/adr/0014 says why."""

from typing import Any

from celery.schedules import crontab
from kombu.entity import Exchange, Queue

QUEUES = ("urgent", "normal", "bulk")
TASK_QUEUES = [Queue(name, Exchange(name), routing_key=name) for name in QUEUES]  # type: ignore[no-untyped-call]

BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    **{
        f"sweep {queue}": {
            "task": "portal.outbox.tasks.sweep",
            "schedule": 5.0,
            "args": [urgency],
            "options": {"queue": queue},
        }
        for urgency, queue in enumerate(QUEUES)
    },
    "blank what is over": {"task": "portal.outbox.tasks.tidy", "schedule": 600.0},
    "close what has expired": {"task": "sls.tasks.close_expired", "schedule": 60.0},
    "anchor the audit chain": {"task": "portal.audit.tasks.anchor", "schedule": 60.0},
    "verify the audit chain": {
        "task": "portal.audit.tasks.verify",
        "schedule": crontab(hour=3, minute=17),
    },
    "watch the deadlines of cases": {"task": "compliance.tasks.watch_deadlines", "schedule": 300.0},
    "tell officers what waits": {
        "task": "compliance.tasks.send_digest",
        "schedule": crontab(hour=6, minute=0),
    },
}
