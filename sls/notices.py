"""What a user is told of logins: from where, with which browser and device, and what to do if it was not he."""

from datetime import datetime
from typing import Any

from django.conf import settings

from portal.models import OutboxMessage, User
from portal.outbox.enqueue import message
from sls import links


def new_browser(
    user: User, *, fact: str, address: str, browser: str, device: str, now: datetime
) -> OutboxMessage:
    """A login was completed in a browser that this username had not used before."""
    return _of_login(user, "new_browser", fact, address, browser, at=now, now=now, device=device)


def unfinished_login(
    user: User, *, fact: str, address: str, browser: str, at: datetime, now: datetime
) -> OutboxMessage:
    """Somebody had the right password, and the device never answered."""
    return _of_login(user, "unfinished_login", fact, address, browser, at=at, now=now)


def _of_login(
    user: User,
    event: str,
    fact: str,
    address: str,
    browser: str,
    *,
    at: datetime,
    now: datetime,
    **words: Any,
) -> OutboxMessage:
    link = links.token(user, links.Errand.NOT_ME, life=settings.NOT_ME_LIFE, now=now)
    return message(
        user=user,
        event=event,
        fact=fact,
        now=now,
        at=at.isoformat(),
        address=address,
        browser=browser,
        not_me_token=link,
        **words,
    )
