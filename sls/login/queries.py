"""Reading logins: known browsers, and what was left unfinished."""

import uuid
from datetime import datetime

from django.db.models import Exists, F, OuterRef

from portal.models import User
from sls.models import AttemptState, LoginAttempt

AT_ONCE = 200


def is_known_browser(username: str, mark: str) -> bool:
    """Does the mark stand? Its first part is the epoch that the user's marks had when it was made."""
    epoch, _dot, _random = mark.partition(".")
    users = User.objects.filter(username=username)
    return epoch.isdecimal() and users.filter(browser_epoch=int(epoch[:9])).exists()


def unfinished(*, now: datetime) -> list[LoginAttempt]:
    """
    Logins that wait although their time is over, oldest first. `was_finished_anew`: before it was over the
    user logged in from the same address with the same browser, so that the earlier one was his too.
    """
    anew = LoginAttempt.objects.filter(
        user=OuterRef("user"),
        address=OuterRef("address"),
        browser=OuterRef("browser"),
        state=AttemptState.COMPLETED,
        started_at__gte=OuterRef("started_at"),
        started_at__lte=OuterRef("expires_at"),
    )
    stale = LoginAttempt.objects.filter(state=AttemptState.PENDING, expires_at__lte=now)
    rows = stale.select_related("user").annotate(was_finished_anew=Exists(anew))
    return list(rows.order_by(F("expires_at"))[:AT_ONCE])


def is_completed(attempt_id: uuid.UUID | str) -> bool:
    return LoginAttempt.objects.filter(pk=attempt_id, state=AttemptState.COMPLETED).exists()
