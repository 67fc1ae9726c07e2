"""
Asking a phone whether a login is its holder's: one prompt for a login, one live prompt for a user.

A push message and an event say only "look"; the row is the truth. What the phone sends has been proven by
`sls.phone` before it comes here.
"""

import secrets
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models import F

from portal import audit, throttle
from portal.caller import Caller
from portal.clock import TOLERANCE
from portal.errors import Refused
from portal.live.publish import look_again
from portal.models import Channel, User
from portal.outbox.enqueue import enqueue, message
from sls import events
from sls.models import (
    AttemptState,
    DeviceGrant,
    LoginAttempt,
    LoginPrompt,
    Phone,
    PhoneUser,
    PromptReport,
    PromptState,
)

from . import queries
from .rules import LEAST_NUMBER, NUMBERS, RESEND, PromptRefusal, Risk, asks_number


def topic_of_login(attempt: LoginAttempt) -> str:
    return f"login:{attempt.pk}"


def topic_of_phone(phone: Phone) -> str:
    return f"phone:{phone.pk}"


def issue(
    attempt: LoginAttempt, grant: DeviceGrant, *, is_known_browser: bool, now: datetime
) -> LoginPrompt | None:
    """
    Ask the phone behind an IB Key, in the transaction of the login. None when there is nobody to ask: no
    active phone, seamless authentication is off, prompts are paused after a report, or the budget is used up.
    Then the challenge remains. Older prompts of the user end, as older logins do.
    """
    found = queries.phone_of(grant, address=attempt.address, now=now)
    if found is None:
        return None
    before = LoginPrompt.objects.filter(attempt=attempt).first()
    if before is not None:  # the phone was chosen once more: one prompt for a login
        return before if before.state == PromptState.WAITING and before.expires_at > now else None
    close_for([attempt.user])
    if not found.is_seamless or found.is_paused:  # type: ignore[attr-defined]
        return None
    recent: int = found.recent  # type: ignore[attr-defined]
    if recent >= throttle.PROMPTS_OF_USER.size:
        _tell_of_many(attempt, now=now)
        return None
    prompt = _new(attempt, found, is_known_browser=is_known_browser, recent=recent, now=now)
    try:
        with transaction.atomic():
            prompt.save(force_insert=True)
    except IntegrityError:  # another login of this user at the same moment: the other one asks
        return None
    _push(prompt, now=now)
    return prompt


def _new(
    attempt: LoginAttempt, found: PhoneUser, *, is_known_browser: bool, recent: int, now: datetime
) -> LoginPrompt:
    risk = Risk(
        is_known_browser=is_known_browser,
        is_known_address=found.is_known_address,  # type: ignore[attr-defined]
        had_failures=found.had_failures,  # type: ignore[attr-defined]
        had_prompts=recent > 0,
    )
    is_asked = asks_number(risk, settings.NUMBER_MATCHING)
    return LoginPrompt(
        attempt=attempt,
        user=attempt.user,
        phone=found.phone,
        phone_user=found,
        number=str(LEAST_NUMBER + secrets.randbelow(NUMBERS)) if is_asked else "",
        is_known_browser=is_known_browser,
        created_at=now,
        sent_at=now,
        expires_at=min(now + settings.PROMPT_LIFE, attempt.expires_at),
    )


def _tell_of_many(attempt: LoginAttempt, *, now: datetime) -> None:
    """Once a window: somebody has the password, or the client's browser goes round in circles."""
    user = attempt.user
    if not throttle.spend([(throttle.PROMPT_NOTICES_OF_USER, user.username)], now=now):
        enqueue([message(user=user, event="prompts_used_up", fact=str(attempt.pk), now=now)])


def _push(prompt: LoginPrompt, *, now: datetime) -> None:
    subscription = prompt.phone.open_subscription()
    if subscription:
        pushed = message(
            user=prompt.user,
            event="login_prompt",
            fact=f"{prompt.pk}:{prompt.sent}",
            now=now,
            channel=Channel.PUSH,
            to=subscription,
            life=prompt.expires_at - now,
            id=str(prompt.pk),
        )
        enqueue([pushed])
    look_again(topic_of_phone(prompt.phone))


def close_for(users: Iterable[User]) -> int:
    """End what waits for `users`, in the caller's transaction."""
    waiting = LoginPrompt.objects.filter(user__in=list(users), state=PromptState.WAITING)
    return waiting.update(state=PromptState.CANCELLED)


def close_on(phone: Phone) -> int:
    """End what waits on a phone that is frozen or retired, in the caller's transaction."""
    waiting = LoginPrompt.objects.filter(phone=phone, state=PromptState.WAITING)
    return waiting.update(state=PromptState.CANCELLED)


def resend(prompt: LoginPrompt, *, by: Caller, now: datetime) -> None:
    """The same prompt once more, with the same end. Raises Refused."""
    with audit.refusals(event=events.PROMPT_RESENT, by=by, subject=prompt.user, at=now):
        _resend(prompt, by=by, now=now)


@transaction.atomic(durable=True)
def _resend(prompt: LoginPrompt, *, by: Caller, now: datetime) -> None:
    live = LoginPrompt.objects.filter(
        queries.attempt_is_pending(now),
        queries.PHONE_IS_ACTIVE,
        pk=prompt.pk,
        state=PromptState.WAITING,
        expires_at__gt=now,
    )
    due = live.filter(sent=prompt.sent, sent_at__lte=now - RESEND)
    if not due.update(sent_at=now, sent=prompt.sent + 1):
        is_live = live.exists()
        raise Refused(PromptRefusal.TOO_SOON if is_live else PromptRefusal.PROMPT_OVER)
    prompt.sent += 1
    _push(prompt, now=now)
    audit.record(
        event=events.PROMPT_RESENT, by=by, subject=prompt.user, at=now, login=_login(prompt)
    )


def find(phone: Phone, prompt_id: uuid.UUID, *, attempt: str, username: str) -> LoginPrompt:
    """The prompt that the phone was shown. Raises Refused when it is another's, or was shown otherwise."""
    prompt = (
        LoginPrompt.objects.filter(pk=prompt_id, phone=phone)
        .select_related("attempt", "user__entity", "phone", "phone_user")
        .first()
    )
    if prompt is None or str(prompt.attempt_id) != attempt or prompt.user.username != username:
        raise Refused(PromptRefusal.UNKNOWN_PROMPT)
    return prompt


def approve(prompt: LoginPrompt, *, number: str, evidence: str, by: Caller, now: datetime) -> None:
    """
    The holder of the phone says yes. Counts once, and only while the login waits and user, password, phone
    and device are in order. Raises Refused.
    """
    facts = _facts(prompt)
    with audit.refusals(event=events.PROMPT_APPROVED, by=by, subject=prompt.user, at=now, **facts):
        _check_number(prompt, number, now=now)
        _approve(prompt, evidence, by=by, now=now)
    look_again(topic_of_login(prompt.attempt))


def _check_number(prompt: LoginPrompt, number: str, *, now: datetime) -> None:
    """Spends a try before the number is compared; with the last one the prompt ends."""
    if number == prompt.number == "":
        return
    pair = (throttle.NUMBER_OF_PROMPT, str(prompt.pk))
    if throttle.spend([pair], now=now):
        raise Refused(PromptRefusal.PROMPT_OVER)
    if prompt.number and secrets.compare_digest(number.encode(), prompt.number.encode()):
        return
    left = throttle.left(pair, now=now)
    if not left:
        with transaction.atomic(durable=True):
            LoginPrompt.objects.filter(pk=prompt.pk, state=PromptState.WAITING).update(
                state=PromptState.CANCELLED
            )
    raise Refused(PromptRefusal.WRONG_NUMBER, tries_left=left)


@transaction.atomic(durable=True)
def _approve(prompt: LoginPrompt, evidence: str, *, by: Caller, now: datetime) -> None:
    if prompt.user.get_session_auth_hash() != prompt.attempt.password_mark:
        raise Refused(PromptRefusal.PROMPT_OVER)
    in_order = LoginPrompt.objects.filter(
        queries.attempt_is_pending(now),
        queries.user_may_enter(prompt.user, is_known_browser=prompt.is_known_browser, now=now),
        queries.PHONE_IS_ACTIVE,
        queries.PHONE_USER_IS_ACTIVE,
        queries.grant_of_phone_user_is_active(),
        created_at__lte=now + TOLERANCE,  # by a clock that is ahead it would live for longer
    )
    _claim(prompt, in_order, PromptState.APPROVED, decided_at=now, evidence=evidence, now=now)
    audit.record(event=events.PROMPT_APPROVED, by=by, subject=prompt.user, at=now, **_facts(prompt))


def _claim(
    prompt: LoginPrompt, rows: Any, state: PromptState, *, now: datetime, **columns: Any
) -> None:
    ours = rows.filter(pk=prompt.pk, state=PromptState.WAITING, expires_at__gt=now)
    if not ours.update(state=state, **columns):
        raise Refused(PromptRefusal.PROMPT_OVER)


def cancel(prompt: LoginPrompt, *, by: Caller, now: datetime) -> None:
    """ "This was me, but cancel", from the phone or from the waiting page: the prompt ends. Raises Refused."""
    with audit.refusals(
        event=events.PROMPT_CANCELLED, by=by, subject=prompt.user, at=now, **_facts(prompt)
    ):
        _cancel(prompt, by=by, now=now)
    look_again(topic_of_login(prompt.attempt))
    look_again(topic_of_phone(prompt.phone))


@transaction.atomic(durable=True)
def _cancel(prompt: LoginPrompt, *, by: Caller, now: datetime) -> None:
    _claim(prompt, LoginPrompt.objects, PromptState.CANCELLED, now=now)
    audit.record(
        event=events.PROMPT_CANCELLED, by=by, subject=prompt.user, at=now, **_facts(prompt)
    )


def deny(prompt: LoginPrompt, *, evidence: str, by: Caller, now: datetime) -> None:
    """
    "This was not me": the login ends, the password is good for nothing until its owner sets a new one, no more
    prompts until a full login by another way; the client is told by e-mail, and staff get a case. Raises Refused.
    """
    with audit.refusals(
        event=events.PROMPT_DENIED, by=by, subject=prompt.user, at=now, **_facts(prompt)
    ):
        _deny(prompt, evidence, by=by, now=now)
    look_again(topic_of_login(prompt.attempt))


@transaction.atomic(durable=True)
def _deny(prompt: LoginPrompt, evidence: str, *, by: Caller, now: datetime) -> None:
    _claim(
        prompt,
        LoginPrompt.objects,
        PromptState.DENIED,
        decided_at=now,
        evidence=evidence,
        now=now,
    )
    attempt, user = prompt.attempt, prompt.user
    waiting = LoginAttempt.objects.filter(pk=attempt.pk, state=AttemptState.PENDING)
    waiting.update(state=AttemptState.EXPIRED)
    # Somebody has the password: it is good for nothing any more, and neither is any browser that was known.
    as_read = User.objects.filter(pk=user.pk, password=user.password)
    as_read.update(password=make_password(None), browser_epoch=F("browser_epoch") + 1)
    PromptReport.objects.create(
        prompt=prompt,
        user=prompt.user,
        reported_at=now,
        address=attempt.address,
        browser=attempt.browser,
    )
    enqueue(
        [
            message(
                user=prompt.user,
                event="login_denied",
                fact=str(prompt.pk),
                now=now,
                address=attempt.address,
            )
        ]
    )
    audit.record(event=events.PROMPT_DENIED, by=by, subject=prompt.user, at=now, **_facts(prompt))


def handle_report(report: PromptReport, *, note: str, by: Caller, now: datetime) -> bool:
    """
    Staff close a case; False when it is closed already. Prompts stay paused until the client is in. Nobody
    closes a case of his own person (R12): raises Refused.
    """
    assert by.user is not None, "the page needs a login"
    facts = {"login": _login(report.prompt)}
    with audit.refusals(event=events.REPORT_HANDLED, by=by, subject=report.user, at=now, **facts):
        if by.user.entity.may_be_same_person_as(report.user.entity):
            raise Refused(PromptRefusal.OWN_PERSON)
        return _handle(report, note, by=by, now=now)


@transaction.atomic(durable=True)
def _handle(report: PromptReport, note: str, *, by: Caller, now: datetime) -> bool:
    still_open = PromptReport.objects.filter(pk=report.pk, handled_at__isnull=True)
    if not still_open.update(handled_by=by.user, handled_at=now, note=note):
        return False
    facts = {"login": _login(report.prompt), "note": note}
    audit.record(event=events.REPORT_HANDLED, by=by, subject=report.user, at=now, **facts)
    return True


@transaction.atomic(durable=True)
def close_expired(*, now: datetime) -> None:
    """Every reader compares times itself; this only tidies up."""
    LoginPrompt.objects.filter(state=PromptState.WAITING, expires_at__lte=now).update(
        state=PromptState.EXPIRED
    )


def _login(prompt: LoginPrompt) -> str:
    return str(prompt.attempt_id)


def _facts(prompt: LoginPrompt) -> dict[str, str]:
    return {"login": _login(prompt), "phone": str(prompt.phone_id)}
