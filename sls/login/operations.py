"""Logging in: the password, then the device."""

import hashlib
import secrets
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import (
    Exists,
    OuterRef,
    QuerySet,
)

from portal import audit, credentials, steps, throttle
from portal.caller import Caller
from portal.compiled import insert
from portal.errors import Refused
from portal.models import OutboxMessage, User
from portal.models.account import normalise_username
from portal.outbox.enqueue import enqueue
from sls import events, notices
from sls.access import was_protected
from sls.catalog import DeviceKind
from sls.devices import challenges
from sls.devices.queries import answerable_grants
from sls.devices.rules import ProofRefusal
from sls.models import (
    AttemptState,
    DeviceGrant,
    LoginAttempt,
    LoginPrompt,
    Preference,
    Purpose,
)
from sls.prompts import operations as prompts

from . import queries
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
    is_known = bool(known_browser) and queries.is_known_browser(name, known_browser)
    if is_known:
        limits = [(throttle.PASSWORD_IN_KNOWN_BROWSER, known_browser)]
    else:
        limits = [
            (throttle.PASSWORD_OF_NAME, name),
            (throttle.PASSWORD_FROM_ADDRESS, throttle.network(by.address)),
        ]
    try:
        if refused_by := throttle.spend(limits, now=now):
            # Nothing is judged, so nothing counts.
            throttle.give_back(pair for pair in limits if pair[0].name not in refused_by)
            raise Refused(LoginRefusal.INVALID_CREDENTIALS)
        user = credentials.check(name, password, now=now, limits=(throttle.SECOND_FACTOR_OF_USER,))
        if user is None:
            raise Refused(LoginRefusal.INVALID_CREDENTIALS)
        try:
            return _begin(user, limits, is_new_browser=not is_known, by=by, now=now)
        except Exception:  # the password was right all the same, also when the database is busy
            throttle.give_back(limits)
            raise
    except Refused as refused:
        refused.wait = throttle.longest_wait(limits, now=now)
        # The history of a username shows what strangers tried; typed names that are nobody's are not kept.
        audit.record_refusal(
            event=events.LOGIN_BEGUN,
            by=by,
            subject=credentials.named(name),
            at=now,
            refused=refused.code,
        )
        raise


@transaction.atomic(durable=True)
def _begin(
    user: User, tries: list[throttle.Pair], *, is_new_browser: bool, by: Caller, now: datetime
) -> Begun:
    """The password was right: the `tries` spent on it are given back."""
    grants = answerable_grants(user, now=now)
    if grants:
        return _ask(user, grants, tries, is_new_browser=is_new_browser, by=by, now=now)
    if was_protected(user):
        raise Refused(LoginRefusal.DEVICE_REQUIRED)
    throttle.give_back(tries)
    throttle.clear([(throttle.PASSWORD_OF_NAME, user.username)])
    if is_new_browser:
        enqueue([new_browser(user, fact=secrets.token_hex(8), device=None, by=by, now=now)])
    audit.record(event=events.LOGIN_COMPLETED, by=by, subject=user, at=now, device="none")
    return Begun(user, None, "")


@transaction.atomic(durable=True)
def confirm(user: User, *, by: Caller, now: datetime) -> Begun:
    """Ask a logged-in user, who has got a device since, to prove it. Raises Refused."""
    grants = answerable_grants(user, now=now)
    if not grants:
        raise Refused(LoginRefusal.LOGIN_OVER)
    return _ask(user, grants, [], is_new_browser=False, confirms=True, by=by, now=now)


def _ask(
    user: User,
    grants: list[DeviceGrant],
    tries: list[throttle.Pair],
    *,
    is_new_browser: bool,
    by: Caller,
    now: datetime,
    confirms: bool = False,
) -> Begun:
    mark = secrets.token_urlsafe(32)
    attempt = LoginAttempt(
        user=user,
        session=digest(mark),
        password_mark=user.get_session_auth_hash(),
        confirms=confirms,
        address=by.address,
        browser=by.browser,
        started_at=now,
        expires_at=now + settings.LOGIN_LIFE,
    )
    _challenge_first(attempt, grants, now=now)
    insert(attempt)
    assert attempt.grant is not None
    has_choice = len(grants) > 1 and not attempt.grant.is_preferred
    prompt = None
    if not has_choice:  # else the phone is asked when it is chosen
        prompt = _ask_phone(attempt, is_known_browser=not is_new_browser, now=now)
    if tries:
        throttle.give_back(tries)
    audit.record(event=events.LOGIN_BEGUN, by=by, subject=user, at=now, login=str(attempt.pk))
    return Begun(user, attempt, mark, has_choice=has_choice, prompt=prompt)


def _ask_phone(
    attempt: LoginAttempt, *, is_known_browser: bool, now: datetime
) -> LoginPrompt | None:
    """Besides the challenge, for an IB Key; whichever is answered first ends the login."""
    grant = attempt.grant
    assert grant is not None
    if grant.device.kind != DeviceKind.IB_KEY:
        return None
    return prompts.issue(attempt, grant, is_known_browser=is_known_browser, now=now)


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
    attempt: LoginAttempt,
    *,
    grant_id: int,
    by: Caller,
    now: datetime,
    preference: Preference = Preference.UNCHANGED,
    known_browser: str = "",
) -> LoginPrompt | None:
    """
    Ask another of the user's devices, or the same one anew; the prompt, if it is a phone. `preference` waits
    for the login's completion: a password alone changes nothing. Raises Refused.
    """
    is_known = is_mark_of(attempt.user, known_browser)
    with audit.refusals(event=events.LOGIN_CHALLENGED, by=by, subject=attempt.user, at=now):
        return _choose(attempt, grant_id, preference, is_known_browser=is_known, by=by, now=now)


def is_mark_of(user: User, known_browser: str) -> bool:
    """Is it the mark of a browser that this user's login has not forgotten since?"""
    return known_browser.startswith(f"{user.browser_epoch}.")


def send_again(attempt: LoginAttempt, *, by: Caller, now: datetime) -> None:
    """Send another SMS code; the one before is dead then. Raises Refused when it is too soon."""
    with audit.refusals(event=events.LOGIN_CHALLENGED, by=by, subject=attempt.user, at=now):
        grant, challenge = attempt.grant, attempt.challenge
        if grant is None or challenge is None or grant.device.kind != DeviceKind.SMS:
            raise Refused(LoginRefusal.LOGIN_OVER)
        if challenge.issued_at > now - settings.SMS_RESEND:
            raise Refused(ProofRefusal.TOO_SOON)
        preference = Preference(attempt.preference)
        _choose(attempt, grant.pk, preference, is_known_browser=False, by=by, now=now)


@transaction.atomic(durable=True)
def _choose(
    attempt: LoginAttempt,
    grant_id: int,
    preference: Preference,
    *,
    is_known_browser: bool,
    by: Caller,
    now: datetime,
) -> LoginPrompt | None:
    offered = {grant.pk: grant for grant in answerable_grants(attempt.user, now=now)}
    if grant_id not in offered:
        raise Refused(LoginRefusal.LOGIN_OVER)
    _challenge(attempt, offered[grant_id], now=now)
    columns = {"grant": attempt.grant, "challenge": attempt.challenge, "preference": preference}
    _claim(attempt, now=now, **columns)
    prompt = _ask_phone(attempt, is_known_browser=is_known_browser, now=now)
    audit.record(
        event=events.LOGIN_CHALLENGED, by=by, subject=attempt.user, at=now, login=str(attempt.pk)
    )
    return prompt


def new_browser(
    user: User, *, fact: str, device: DeviceGrant | None, by: Caller, now: datetime
) -> OutboxMessage:
    return notices.new_browser(
        user,
        fact=fact,
        address=by.address,
        browser=by.browser,
        device=device.device.kind if device else "",
        now=now,
    )


def waiting(pk: Any, password: Any, now: Any) -> QuerySet[LoginAttempt]:
    """The attempt while it waits and its user is as he was read."""
    as_read = User.objects.filter(
        pk=OuterRef("user"), is_active=True, locked_at__isnull=True, password=password
    )
    return LoginAttempt.objects.filter(
        Exists(as_read), pk=pk, state=AttemptState.PENDING, expires_at__gt=now
    )


def _claim(attempt: LoginAttempt, *, now: datetime, **columns: object) -> None:
    if not waiting(attempt.pk, attempt.user.password, now).update(**columns):
        raise Refused(LoginRefusal.LOGIN_OVER)


def close_expired(*, now: datetime) -> None:
    """
    Close the logins nobody finished in time, and tell their users that the password was right (abuse-cases.md
    section 3, decision 3): some a day, and nothing when the login was begun anew and finished there.
    """
    steps.take(partial(_close, attempt, now=now) for attempt in queries.unfinished(now=now))


@transaction.atomic(durable=True)
def _close(attempt: LoginAttempt, *, now: datetime) -> None:
    ours = LoginAttempt.objects.filter(pk=attempt.pk, state=AttemptState.PENDING)
    if not ours.update(state=AttemptState.EXPIRED):
        return  # another process was here first
    is_news = not (attempt.confirms or attempt.was_finished_anew)  # type: ignore[attr-defined]
    is_news = is_news and now - attempt.started_at < throttle.DAY
    budget = [(throttle.UNFINISHED_NOTICES_OF_USER, attempt.user.username)]
    tells = is_news and not throttle.spend(budget, now=now)
    where = {"address": attempt.address, "browser": attempt.browser}
    if tells:
        notice = notices.unfinished_login(
            attempt.user, fact=str(attempt.pk), at=attempt.started_at, now=now, **where
        )
        enqueue([notice])
    if is_news:
        by = Caller(address=attempt.address)
        audit.record(
            event=events.LOGIN_UNFINISHED,
            by=by,
            subject=attempt.user,
            at=now,
            login=str(attempt.pk),
            told=tells,
        )


@transaction.atomic(durable=True)
def log_out(*, by: Caller, now: datetime) -> None:
    audit.record(event=events.LOGGED_OUT, by=by, subject=by.user, at=now)
