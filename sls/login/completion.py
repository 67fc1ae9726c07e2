"""The end of a login: by a response, or because the user's phone has approved it."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import BigIntegerField, CharField, DateTimeField, QuerySet, UUIDField

from portal import audit, throttle
from portal.caller import Caller
from portal.compiled import compiled_update
from portal.errors import Refused
from portal.outbox.enqueue import enqueue
from sls import events
from sls.devices import challenges
from sls.models import (
    AttemptState,
    DeviceGrant,
    GrantState,
    LoginAttempt,
    LoginPrompt,
    Preference,
    Purpose,
)
from sls.models.device import ON_ACTIVE_DEVICE
from sls.prompts.queries import approved, user_may_enter

from .operations import is_mark_of, new_browser, waiting
from .rules import LoginRefusal


def complete(
    attempt: LoginAttempt, *, response: str, by: Caller, now: datetime, known_browser: str = ""
) -> DeviceGrant:
    """
    Judge the response and end the attempt; the grant that verified it. A full success forgets the failures
    of the name and of the known browser. Raises Refused.
    """
    failures = [
        (throttle.PASSWORD_OF_NAME, attempt.user.username),
        (throttle.PASSWORD_IN_KNOWN_BROWSER, known_browser),
    ]
    with audit.refusals(
        event=events.LOGIN_COMPLETED, by=by, subject=attempt.user, at=now, login=str(attempt.pk)
    ):
        if attempt.challenge is None or attempt.grant is None:
            raise Refused(LoginRefusal.LOGIN_OVER)
        challenges.spend(attempt.challenge, users=[attempt.user], session=attempt.session, now=now)
        tells = not (is_mark_of(attempt.user, known_browser) or attempt.confirms)
        return _complete(attempt, response, failures, tells=tells, by=by, now=now)


@transaction.atomic(durable=True)
def _complete(
    attempt: LoginAttempt,
    response: str,
    failures: list[throttle.Pair],
    *,
    tells: bool,
    by: Caller,
    now: datetime,
) -> DeviceGrant:
    grant, challenge = attempt.grant, attempt.challenge
    assert grant is not None
    assert challenge is not None
    user = attempt.user
    if user.get_session_auth_hash() != attempt.password_mark:
        raise Refused(LoginRefusal.LOGIN_OVER)
    challenges.answer(
        challenge,
        response,
        users=[user],
        purpose=Purpose.LOGIN,
        session=attempt.session,
        now=now,
        also_clear=failures,
    )
    if not _end(pk=attempt.pk, password=user.password, now=now) or not _use(pk=grant.pk, now=now):
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
    )
    return grant


@compiled_update(pk=UUIDField(), password=CharField(), now=DateTimeField())
def _end(pk: Any, password: Any, now: Any) -> tuple[QuerySet[LoginAttempt], dict[str, Any]]:
    return waiting(pk, password, now), {"state": AttemptState.COMPLETED}


@compiled_update(pk=BigIntegerField(), now=DateTimeField())
def _use(pk: Any, now: Any) -> tuple[QuerySet[DeviceGrant], dict[str, Any]]:
    return DeviceGrant.objects.filter(pk=pk, state=GrantState.ACTIVE), {"last_used_at": now}


def prefer(attempt: LoginAttempt, grant: DeviceGrant) -> None:
    """Which device is asked for first from now on; only one may be."""
    if attempt.preference:
        DeviceGrant.objects.filter(user=attempt.user, is_preferred=True).update(is_preferred=False)
    if attempt.preference == Preference.THIS_FIRST:
        DeviceGrant.objects.filter(pk=grant.pk).update(is_preferred=True)


def complete_by_push(
    attempt: LoginAttempt,
    prompt: LoginPrompt,
    *,
    by: Caller,
    now: datetime,
    known_browser: str = "",
) -> DeviceGrant:
    """
    End an attempt that the phone has approved; the grant that verified it. As `complete`: once,
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
        return _complete_by_push(attempt, prompt, failures, tells=tells, by=by, now=now)


@transaction.atomic(durable=True)
def _complete_by_push(
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
