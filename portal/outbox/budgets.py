"""
What SMS may cost: per user, number, country and site. Spent once for each message, when it is handed over, so
that no feature can forget it; the features have limits of their own, which are used up earlier.
"""

import logging
from datetime import datetime

from portal import throttle, vault
from portal.models import OutboxMessage

log = logging.getLogger(__name__)


def over(row: OutboxMessage, number: str, *, now: datetime) -> str:
    """The limits that are used up, in words for the row; "" when the message may go."""
    budgets = [
        (throttle.SMS_SENT_TO_USER, str(row.user_id)),
        (throttle.SMS_SENT_TO_NUMBER, number_key(number)),
        (throttle.SMS_SENT_TO_COUNTRY, row.country),
        (throttle.SMS_SENT, "all"),
    ]
    used_up = throttle.spend(budgets, now=now)
    if used_up:
        words = f"{', '.join(sorted(used_up))} (country {row.country})"
        log.error("SMS over budget, message %s is not sent: %s", row.pk, words)
        return words
    return ""


def number_key(number: str) -> str:
    """A number is counted by its keyed fingerprint: elsewhere it is sealed, so it does not lie open here."""
    return vault.index(number, purpose="sms budget")
