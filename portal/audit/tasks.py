"""The Celery jobs of the audit chain."""

import logging

from celery import shared_task

from portal.caller import SYSTEM
from portal.clock import shared_now

from . import anchors, operations

log = logging.getLogger(__name__)


@shared_task(expires=50)
def anchor() -> None:
    """
    Twice at once or late does no harm: the file's lock decides, and its last line says what is anchored.
    """
    try:
        anchors.write(now=shared_now())
    except anchors.AnchorError as error:
        log.critical("no audit anchor is written: %s. %s", error, error.cure)
    except OSError as error:
        log.critical("no audit anchor is written: %s. Look at AUDIT_ANCHOR and its rights.", error)


# Acknowledged at once: a walk may take longer than the broker waits before it hands a job to the next worker.
@shared_task(acks_late=False, expires=3600, soft_time_limit=3500, time_limit=3600)
def verify() -> None:
    verified = operations.verify(by=SYSTEM, now=shared_now())
    if verified.wrong:
        log.critical("the audit chain does not hold: %s", "; ".join(verified.wrong))
