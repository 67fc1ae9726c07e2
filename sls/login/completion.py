"""The end of a login that the user's phone has approved."""

from datetime import datetime

from django.db import transaction

from portal import audit, throttle
from portal.caller import Caller
from portal.errors import Refused
from portal.outbox.enqueue import enqueue
from sls import events
from sls.models import AttemptState, DeviceGrant, GrantState, LoginAttempt, LoginPrompt
from sls.models.device import ON_ACTIVE_DEVICE
from sls.prompts.queries import approved, user_may_enter

from .operations import is_mark_of, new_browser, prefer, waiting
from .rules import LoginRefusal


def complete_by_push(
    attempt: LoginAttempt,
    prompt: LoginPrompt,
    *,
    by: Caller,
    now: datetime,
    known_browser: str = "",
) -> DeviceGrant:
    """
    End an attempt that the phone has approved; the grant that verified it. As `operations.complete`: once,
    and only if everything is still in order. Raises Refused.
    """
    failures = [
        (throttle.SECOND_FACTOR_OF_USER, attempt.user.username),
        (throttle.PASSWORD_OF_NAME, attempt.user.username),
        (throttle.PASSWORD_IN_KNOWN_BROWSER, known_browser),
    ]
    tells = not (is_mark_of(attempt.user, known_browser) or attempt.confirms)
    with audit.refusals(
        event=events.LOGIN_COMPLETED, by=by, subject=attempt.user, at=now, login=str(attempt.pk)
    ):
        return _complete(attempt, prompt, failures, tells=tells, by=by, now=now)


@transaction.atomic(durable=True)
def _complete(
    attempt: LoginAttempt,
    prompt: LoginPrompt,
    failures: list[throttle.Pair],
    *,
    tells: bool,
    by: Caller,
    now: datetime,
) -> DeviceGrant:
    user, grant = attempt.user, prompt.phone_user.grant
    if user.get_session_auth_hash() != attempt.password_mark:
        raise Refused(LoginRefusal.LOGIN_OVER)
    may_enter = user_may_enter(user, is_known_browser=prompt.is_known_browser, now=now)
    in_order = waiting(attempt.pk, user.password, now).filter(approved(now), may_enter)
    throttle.clear(failures)  # first, as an answered challenge does: the same order of locks
    if not in_order.update(state=AttemptState.COMPLETED, grant=grant):
        raise Refused(LoginRefusal.LOGIN_OVER)
    still_good = DeviceGrant.objects.filter(
        ON_ACTIVE_DEVICE, pk=grant.pk, user=user, state=GrantState.ACTIVE
    )
    if not still_good.update(last_used_at=now):
        raise Refused(LoginRefusal.LOGIN_OVER)
    prefer(attempt, grant)
    if tells:
        enqueue([new_browser(user, fact=str(attempt.pk), device=grant, by=by, now=now)])
    audit.record(
        event=events.LOGIN_COMPLETED,
        by=by,
        subject=user,
        at=now,
        login=str(attempt.pk),
        device=grant.device.serial_masked,
        approved=True,
    )
    return grant
