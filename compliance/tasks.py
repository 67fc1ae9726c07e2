"""Celery jobs of the compliance desk."""

from functools import partial

from celery import shared_task

from portal import steps
from portal.clock import shared_now

from .review import deadlines


@shared_task(expires=240)
def watch_deadlines() -> None:
    """Give back forgotten claims; tell the leads of what is overdue, and give them what nobody works on."""
    now = shared_now()
    jobs = (deadlines.release_forgotten, deadlines.escalate, deadlines.assign_overdue)
    steps.take(partial(job, now=now) for job in jobs)


@shared_task(expires=3600)
def send_digest() -> None:
    deadlines.send_digest(now=shared_now())
