"""
Checking a caller: the desk puts a challenge to the client's device, reads it out, and types what is said.

Threats: staff who collect responses, or guess them, or shut a client out. So a response is good for nothing
else (its challenge has a purpose of its own and is bound to the browser that asked), one is judged for each
check, checks have limits of their own and touch none of the login's, and passing one changes nothing.
"""

import uuid
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction

from portal import audit, steps, throttle
from portal.caller import SYSTEM, Caller
from portal.errors import Refused
from portal.models import User
from sls import events
from sls.devices import challenges
from sls.devices.rules import ProofRefusal
from sls.models import CallerCheck, CheckState, Purpose, SecurityDevice

from . import queries
from .rules import CallerRefusal


def ask(
    user: User, *, device_id: uuid.UUID, ticket: str, reason: str, by: Caller, now: datetime
) -> CallerCheck:
    """Put a challenge to one of the client's devices, to be read out to the caller. Raises Refused."""
    assert by.user is not None
    with audit.refusals(
        event=events.CALLER_ASKED, by=by, subject=user, at=now, ticket=ticket, reason=reason
    ):
        _refuse_person(user, by.user)
        devices = {device.pk: device for device in queries.askable_devices(user, now=now)}
        if device_id not in devices:
            raise Refused(CallerRefusal.NO_DEVICE)
        limits = [
            (throttle.CALLER_CHECKS_BY_STAFF, by.username),
            (throttle.CALLER_CHECKS_OF_USER, user.username),
        ]
        if throttle.spend(limits, now=now):
            raise Refused(CallerRefusal.TOO_MANY_CHECKS)
        close_expired(now=now, of=user)  # one open check at a time, and an overdue one is none
        try:
            return _ask(user, devices[device_id], ticket, reason, by=by, now=now)
        except IntegrityError as error:
            raise Refused(CallerRefusal.CHECK_RUNNING) from error


@transaction.atomic(durable=True)
def _ask(
    user: User, device: SecurityDevice, ticket: str, reason: str, *, by: Caller, now: datetime
) -> CallerCheck:
    assert by.user is not None
    challenge = challenges.issue(
        user=user, device=device, purpose=Purpose.CALLER_CHECK, session=by.session, now=now
    )
    check = CallerCheck.objects.create(
        user=user,
        device=device,
        challenge=challenge,
        ticket=ticket,
        reason=reason,
        made_by=by.user,
        made_at=now,
        expires_at=challenge.expires_at,
    )
    _record(events.CALLER_ASKED, check, by=by, now=now, reason=reason)
    return check


def judge(check: CallerCheck, *, response: str, by: Caller, now: datetime) -> CheckState:
    """
    Judge what the caller said, once: PASSED or FAILED. Raises Refused when the check is not the caller's own
    or over, or when this client's caller has failed too often; then nothing was judged.
    """
    with audit.refusals(
        event=events.CALLER_PASSED, by=by, subject=check.user, at=now, check=str(check.pk)
    ):
        challenge, staff = check.challenge, _maker(check, by)
        if challenge is None or check.state != CheckState.WAITING or check.expires_at <= now:
            raise Refused(CallerRefusal.CHECK_OVER)
        if challenge.session != by.session:
            raise Refused(CallerRefusal.NOT_THE_MAKER)
        _refuse_person(check.user, staff)
        failures = [(throttle.CALLER_RESPONSES_OF_USER, check.user.username)]
        if throttle.spend(failures, now=now):
            raise Refused(CallerRefusal.TOO_MANY_CHECKS)
        _take_the_only_turn(check, now=now)
        challenges.spend(challenge, users=[], session=by.session, now=now)
        try:
            _pass(check, response, failures, by=by, now=now)
        except Refused as refused:
            if refused.reason is not ProofRefusal.INVALID_RESPONSE:
                raise Refused(CallerRefusal.CHECK_OVER) from refused
            _end(check, CheckState.FAILED, events.CALLER_FAILED, by=by, now=now)
            return CheckState.FAILED
        return CheckState.PASSED


def _take_the_only_turn(check: CallerCheck, *, now: datetime) -> None:
    """Of two responses sent at once one is judged. A check whose turn is taken ends; without a result, as NONE."""
    waiting = CallerCheck.objects.filter(pk=check.pk, state=CheckState.WAITING, expires_at__gt=now)
    if not waiting.update(expires_at=now):
        raise Refused(CallerRefusal.CHECK_OVER)


@transaction.atomic(durable=True)
def _pass(
    check: CallerCheck, response: str, failures: list[throttle.Pair], *, by: Caller, now: datetime
) -> None:
    assert check.challenge is not None
    challenges.answer(
        check.challenge,
        response,
        users=[],
        purpose=Purpose.CALLER_CHECK,
        session=by.session,
        now=now,
        also_clear=failures,
    )
    _claim(check, CheckState.PASSED, now=now)
    _record(events.CALLER_PASSED, check, by=by, now=now)


def give_up(check: CallerCheck, *, by: Caller, now: datetime) -> None:
    """The caller has no response: the result is NONE. Raises Refused."""
    with audit.refusals(
        event=events.CALLER_PASSED, by=by, subject=check.user, at=now, check=str(check.pk)
    ):
        _maker(check, by)
        _end(check, CheckState.NONE, events.CALLER_SILENT, by=by, now=now)


def close_expired(*, now: datetime, of: User | None = None) -> None:
    """Checks that nobody answered in time."""
    overdue = CallerCheck.objects.filter(state=CheckState.WAITING, expires_at__lte=now)
    if of is not None:
        overdue = overdue.filter(user=of)
    waiting = overdue.select_related("user", "device")
    steps.take(partial(_end_unanswered, check, now=now) for check in waiting)


def _end_unanswered(check: CallerCheck, *, now: datetime) -> None:
    with suppress(Refused):  # ended by somebody else meanwhile
        _end(check, CheckState.NONE, events.CALLER_SILENT, by=SYSTEM, now=now)


@transaction.atomic(durable=True)
def _end(check: CallerCheck, state: CheckState, event: str, *, by: Caller, now: datetime) -> None:
    _claim(check, state, now=now)
    _record(event, check, by=by, now=now)


def _claim(check: CallerCheck, state: CheckState, *, now: datetime) -> None:
    waiting = CallerCheck.objects.filter(pk=check.pk, state=CheckState.WAITING)
    if not waiting.update(state=state, ended_at=now):
        raise Refused(CallerRefusal.CHECK_OVER)


def _maker(check: CallerCheck, by: Caller) -> User:
    """The caller, who alone may end the check."""
    if by.user is None or check.made_by_id != by.user.pk:
        raise Refused(CallerRefusal.NOT_THE_MAKER)
    return by.user


def _refuse_person(user: User, staff: User) -> None:
    """R12: never oneself under another username; and staff are no callers."""
    if staff.entity.may_be_same_person_as(user.entity):
        raise Refused(CallerRefusal.OWN_PERSON)
    if user.is_staff or not user.is_active:
        raise Refused(CallerRefusal.NOT_A_CLIENT)


def _record(event: str, check: CallerCheck, *, by: Caller, now: datetime, **facts: Any) -> None:
    facts |= {
        "check": str(check.pk),
        "ticket": check.ticket,
        "device": check.device.serial_masked,
    }
    audit.record(event=event, by=by, subject=check.user, at=now, **facts)
