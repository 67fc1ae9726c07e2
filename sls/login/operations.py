"""Logging in: the password, then the device."""

import hashlib
import secrets
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef

from portal import audit, credentials, throttle
from portal.caller import Caller
from portal.errors import Refused
from portal.models import User
from portal.models.account import normalise_username
from sls import events
from sls.access import was_protected
from sls.catalog import DeviceKind
from sls.devices import challenges
from sls.devices.queries import answerable_grants
from sls.models import (
    AttemptState,
    DeviceGrant,
    GrantState,
    LoginAttempt,
    LoginPrompt,
    PromptState,
    Purpose,
)
from sls.models.device import ON_ACTIVE_DEVICE
from sls.prompts import operations as prompts
from sls.prompts.queries import approved, user_may_enter

from .rules import LoginRefusal


class Begun(NamedTuple):
    """
    A right password. `attempt` waits for the device, bound to the browser that holds `mark`; it is None
    for a user who has no device yet, who is in already.
    """

    user: User
    attempt: LoginAttempt | None
    mark: str
    has_choice: bool = False
    prompt: LoginPrompt | None = None


def digest(mark: str) -> str:
    """What the database keeps of a mark that only the browser's session holds."""
    return hashlib.sha256(f"login|{mark}".encode()).hexdigest()


def begin(
    *, username: str, password: str, by: Caller, now: datetime, known_browser: str = ""
) -> Begun:
    """
    Judge the password. `known_browser` is the mark of a browser this username has logged in with before;
    its failures are counted apart. Raises Refused, with one reason for every kind of wrong.
    """
    name = normalise_username(username)
    if known_browser:
        limits = [(throttle.PASSWORD_IN_KNOWN_BROWSER, known_browser)]
    else:
        limits = [
            (throttle.PASSWORD_OF_NAME, name),
            (throttle.PASSWORD_FROM_ADDRESS, throttle.network(by.address)),
        ]
    try:
        if throttle.spend(limits, now=now):
            raise Refused(LoginRefusal.INVALID_CREDENTIALS)
        user = credentials.check(name, password, now=now, limits=(throttle.SECOND_FACTOR_OF_USER,))
        if user is None:
            raise Refused(LoginRefusal.INVALID_CREDENTIALS)
        throttle.give_back(limits)
        return _begin(user, is_known_browser=bool(known_browser), by=by, now=now)
    except Refused as refused:
        # The history of a username shows what strangers tried; typed names that are nobody's are not kept.
        audit.record_refusal(
            event=events.LOGIN_BEGUN,
            by=by,
            subject=User.objects.filter(username=name).first(),
            at=now,
            refused=refused.code,
        )
        raise


@transaction.atomic(durable=True)
def _begin(user: User, *, is_known_browser: bool, by: Caller, now: datetime) -> Begun:
    grants = answerable_grants(user)
    if grants:
        return _ask(user, grants, is_known_browser=is_known_browser, by=by, now=now)
    if was_protected(user):
        raise Refused(LoginRefusal.DEVICE_REQUIRED)
    throttle.clear([(throttle.PASSWORD_OF_NAME, user.username)])
    audit.record(event=events.LOGIN_COMPLETED, by=by, subject=user, at=now, device="none")
    return Begun(user, None, "")


@transaction.atomic(durable=True)
def confirm(user: User, *, by: Caller, now: datetime) -> Begun:
    """Ask a logged-in user, who has got a device since, to prove it. Raises Refused."""
    grants = answerable_grants(user)
    if not grants:
        raise Refused(LoginRefusal.LOGIN_OVER)
    return _ask(user, grants, is_known_browser=True, by=by, now=now)


def _ask(
    user: User, grants: list[DeviceGrant], *, is_known_browser: bool, by: Caller, now: datetime
) -> Begun:
    mark = secrets.token_urlsafe(32)
    attempt = LoginAttempt(
        user=user,
        session=digest(mark),
        password_mark=user.get_session_auth_hash(),
        address=by.address,
        browser=by.browser,
        started_at=now,
        expires_at=now + settings.LOGIN_LIFE,
    )
    _challenge_first(attempt, grants, now=now)
    attempt.save(force_insert=True)
    # With several devices the phone is asked when it is chosen.
    prompt = None if len(grants) > 1 else _ask_phone(attempt, is_known_browser, now=now)
    audit.record(event=events.LOGIN_BEGUN, by=by, subject=user, at=now, login=str(attempt.pk))
    return Begun(user, attempt, mark, has_choice=len(grants) > 1, prompt=prompt)


def _ask_phone(
    attempt: LoginAttempt, is_known_browser: bool, *, now: datetime
) -> LoginPrompt | None:
    """Besides the challenge, for an IB Key; whichever is answered first ends the login."""
    assert attempt.grant is not None
    if attempt.grant.device.kind != DeviceKind.IB_KEY:
        return None
    if attempt.asked is not None:
        return attempt.asked if attempt.asked.state == PromptState.WAITING else None
    return prompts.issue(attempt, attempt.grant, is_known_browser=is_known_browser, now=now)


def _challenge_first(attempt: LoginAttempt, grants: list[DeviceGrant], *, now: datetime) -> None:
    """Ask the first device that has a question left; a used-up card does not bar the others."""
    for grant in grants[:-1]:
        with suppress(Refused):
            return _challenge(attempt, grant, now=now)
    return _challenge(attempt, grants[-1], now=now)


def _challenge(attempt: LoginAttempt, grant: DeviceGrant, *, now: datetime) -> None:
    attempt.grant = grant
    attempt.challenge = challenges.issue(
        user=attempt.user,
        device=grant.device,
        purpose=Purpose.LOGIN,
        session=attempt.session,
        now=now,
    )


def choose(
    attempt: LoginAttempt, *, grant_id: int, by: Caller, now: datetime, known_browser: str = ""
) -> LoginPrompt | None:
    """Ask another of the user's devices, or the same one anew; the prompt of a phone. Raises Refused."""
    with audit.refusals(event=events.LOGIN_CHALLENGED, by=by, subject=attempt.user, at=now):
        return _choose(attempt, grant_id, bool(known_browser), by=by, now=now)


@transaction.atomic(durable=True)
def _choose(
    attempt: LoginAttempt, grant_id: int, is_known_browser: bool, *, by: Caller, now: datetime
) -> LoginPrompt | None:
    offered = {grant.pk: grant for grant in answerable_grants(attempt.user)}
    if grant_id not in offered:
        raise Refused(LoginRefusal.LOGIN_OVER)
    _challenge(attempt, offered[grant_id], now=now)
    _claim(attempt, now=now, grant=attempt.grant, challenge=attempt.challenge)
    prompt = _ask_phone(attempt, is_known_browser, now=now)
    audit.record(
        event=events.LOGIN_CHALLENGED, by=by, subject=attempt.user, at=now, login=str(attempt.pk)
    )
    return prompt


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
        return _complete(attempt, response, failures, by=by, now=now)


@transaction.atomic(durable=True)
def _complete(
    attempt: LoginAttempt,
    response: str,
    failures: list[throttle.Pair],
    *,
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
    _claim(attempt, now=now, state=AttemptState.COMPLETED)
    still_good = DeviceGrant.objects.filter(pk=grant.pk, state=GrantState.ACTIVE)
    if not still_good.update(last_used_at=now):
        raise Refused(LoginRefusal.LOGIN_OVER)
    audit.record(
        event=events.LOGIN_COMPLETED,
        by=by,
        subject=user,
        at=now,
        login=str(attempt.pk),
        device=grant.device.serial_masked,
    )
    return grant


def complete_by_push(
    attempt: LoginAttempt, *, by: Caller, now: datetime, known_browser: str = ""
) -> DeviceGrant:
    """
    End an attempt that the phone has approved; the grant that verified it. As `complete`: once, and only if
    everything is still in order. Raises Refused.
    """
    failures = [
        (throttle.SECOND_FACTOR_OF_USER, attempt.user.username),
        (throttle.PASSWORD_OF_NAME, attempt.user.username),
        (throttle.PASSWORD_IN_KNOWN_BROWSER, known_browser),
    ]
    with audit.refusals(
        event=events.LOGIN_COMPLETED, by=by, subject=attempt.user, at=now, login=str(attempt.pk)
    ):
        return _complete_by_push(attempt, failures, by=by, now=now)


@transaction.atomic(durable=True)
def _complete_by_push(
    attempt: LoginAttempt, failures: list[throttle.Pair], *, by: Caller, now: datetime
) -> DeviceGrant:
    prompt, user = attempt.asked, attempt.user
    if prompt is None or user.get_session_auth_hash() != attempt.password_mark:
        raise Refused(LoginRefusal.LOGIN_OVER)
    grant = prompt.phone_user.grant
    may_enter = user_may_enter(user, is_known_browser=prompt.is_known_browser, now=now)
    throttle.clear(failures)  # first, as an answered challenge does: the same order of locks
    _claim(attempt, approved(now), may_enter, now=now, state=AttemptState.COMPLETED, grant=grant)
    still_good = DeviceGrant.objects.filter(
        ON_ACTIVE_DEVICE, pk=grant.pk, user=user, state=GrantState.ACTIVE
    )
    if not still_good.update(last_used_at=now):
        raise Refused(LoginRefusal.LOGIN_OVER)
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


def _claim(attempt: LoginAttempt, *also: Exists, now: datetime, **columns: object) -> None:
    as_read = User.objects.filter(
        pk=OuterRef("user"), is_active=True, password=attempt.user.password
    )
    ours = LoginAttempt.objects.filter(
        Exists(as_read), *also, pk=attempt.pk, state=AttemptState.PENDING, expires_at__gt=now
    )
    if not ours.update(**columns):
        raise Refused(LoginRefusal.LOGIN_OVER)


@transaction.atomic(durable=True)
def log_out(*, by: Caller, now: datetime) -> None:
    audit.record(event=events.LOGGED_OUT, by=by, subject=by.user, at=now)
