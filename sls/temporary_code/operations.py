"""
A Temporary Code, step by step: asked for by a maker, confirmed by a checker, read out by the maker.

Threat: one member of staff who lets himself or a friend into an account. So two natural persons are needed,
neither of whom is the client, the code does not exist before both agreed, and the client is told at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from portal import audit, steps, throttle
from portal.caller import SYSTEM, Caller
from portal.errors import Refused
from portal.models import OutboxMessage, User
from portal.outbox.enqueue import enqueue, message
from sls import events
from sls.devices import operations as devices
from sls.devices.rules import StockRefusal
from sls.models import CodeRequestState, IdentityCheck, SecurityDevice, TemporaryCodeRequest
from sls.models.temporary import OPEN_CODE_REQUESTS

from . import queries
from .rules import CodeRefusal


def request(
    *,
    username: str,
    identity_check: IdentityCheck,
    identity_note: str,
    reason: str,
    by: Caller,
    now: datetime,
) -> TemporaryCodeRequest:
    """The maker names the client, how he was identified and why he needs a code. Raises Refused."""
    client = queries.client(username)
    with audit.refusals(event=events.CODE_REQUESTED, by=by, subject=client, at=now):
        if client is None:
            raise Refused(CodeRefusal.CLIENT_UNKNOWN)
        wanted = TemporaryCodeRequest(
            user=client,
            identity_check=identity_check,
            identity_note=identity_note,
            reason=reason,
            made_by=by.user,
            made_at=now,
            expires_at=now + settings.CODE_REQUEST_LIFE,
        )
        _refuse_persons(wanted)
        if throttle.spend([(throttle.CODE_REQUESTS_BY_STAFF, by.username)], now=now):
            raise Refused(CodeRefusal.TOO_MANY_REQUESTS)
        close_expired(now=now)  # one open request at a time, and an overdue one is none
        try:
            return _request(wanted, by=by, now=now)
        except IntegrityError as error:
            raise Refused(CodeRefusal.ALREADY_ASKED) from error


@transaction.atomic(durable=True)
def _request(wanted: TemporaryCodeRequest, *, by: Caller, now: datetime) -> TemporaryCodeRequest:
    if queries.would_be_second_in_a_row(wanted.user):
        raise Refused(CodeRefusal.TWICE_IN_A_ROW)
    wanted.save(force_insert=True)
    audit.record(
        event=events.CODE_REQUESTED,
        by=by,
        subject=wanted.user,
        at=now,
        request=str(wanted.pk),
        check=wanted.identity_check,
    )
    return wanted


def confirm(asked: TemporaryCodeRequest, *, by: Caller, now: datetime) -> None:
    """A second member of staff agrees. Raises Refused."""
    with _recorded(asked, events.CODE_CONFIRMED, by=by, now=now):
        _decide(asked, CodeRequestState.CONFIRMED, events.CODE_CONFIRMED, by=by, now=now)


def decline(asked: TemporaryCodeRequest, *, by: Caller, now: datetime) -> None:
    """A second member of staff does not agree. Raises Refused."""
    with _recorded(asked, events.CODE_DECLINED, by=by, now=now):
        _decide(asked, CodeRequestState.DECLINED, events.CODE_DECLINED, by=by, now=now)


@transaction.atomic(durable=True)
def _decide(
    asked: TemporaryCodeRequest, state: CodeRequestState, event: str, *, by: Caller, now: datetime
) -> None:
    asked.decided_by = by.user
    _refuse_persons(asked)
    if state == CodeRequestState.CONFIRMED:
        _refuse_client(asked)
    waiting = TemporaryCodeRequest.objects.filter(
        pk=asked.pk, state=CodeRequestState.REQUESTED, expires_at__gt=now
    )
    if not waiting.update(state=state, decided_by=by.user, decided_at=now):
        raise Refused(CodeRefusal.REQUEST_OVER)
    audit.record(event=event, by=by, subject=asked.user, at=now, request=str(asked.pk))


def reveal(asked: TemporaryCodeRequest, *, by: Caller, now: datetime) -> str:
    """
    Draw the code and show it to the maker, this once: its life begins now. Raises Refused.

    Everything is looked at again, for the client may have logged in or been deactivated meanwhile.
    """
    with _recorded(asked, events.CODE_REVEALED, by=by, now=now):
        if by.user is None or asked.made_by_id != by.user.pk:
            raise Refused(CodeRefusal.NOT_THE_MAKER)
        return _reveal(asked, by=by, now=now)


@transaction.atomic(durable=True)
def _reveal(asked: TemporaryCodeRequest, *, by: Caller, now: datetime) -> str:
    # Locked, because a share that is decided meanwhile must see the code, or be seen.
    User.objects.locked().filter(pk=asked.user_id).first()
    _refuse_persons(asked)
    confirmed = TemporaryCodeRequest.objects.filter(
        pk=asked.pk, state=CodeRequestState.CONFIRMED, made_by=by.user, expires_at__gt=now
    )
    # Who reads the row as confirmed may still lose the claim below; this spares him a misleading reason.
    if not confirmed.exists():
        raise Refused(CodeRefusal.REQUEST_OVER)
    _refuse_client(asked)
    grant, code = devices.give_temporary_code(asked.user, now=now)
    revealed = CodeRequestState.REVEALED
    if not confirmed.update(state=revealed, revealed_at=now, device=grant.device):
        raise Refused(CodeRefusal.REQUEST_OVER)
    enqueue([_told(asked, grant.device, now=now)])
    audit.record(
        event=events.CODE_REVEALED,
        by=by,
        subject=asked.user,
        at=now,
        request=str(asked.pk),
        device=grant.device.serial_masked,
        confirmed_by=asked.decided_by.username if asked.decided_by else "",
    )
    return code


def _told(asked: TemporaryCodeRequest, device: SecurityDevice, *, now: datetime) -> OutboxMessage:
    assert device.full_access_until is not None
    assert device.expires_at is not None
    return message(
        user=asked.user,
        event="temporary_code_issued",
        fact=str(asked.pk),
        now=now,
        full_until=f"{device.full_access_until:%Y-%m-%d %H:%M}",
        expires_on=f"{device.expires_at:%Y-%m-%d %H:%M}",
    )


def _refuse_persons(asked: TemporaryCodeRequest) -> None:
    """
    R12: maker, checker and client are three natural persons, whatever their usernames; for a username of staff
    an administrator asks.
    """
    client, maker, checker = asked.user.entity, asked.made_by.entity, asked.decided_by
    if client.may_be_same_person_as(maker) or (
        checker and client.may_be_same_person_as(checker.entity)
    ):
        raise Refused(CodeRefusal.OWN_PERSON)
    if checker and maker.may_be_same_person_as(checker.entity):
        raise Refused(CodeRefusal.SAME_STAFF)
    if asked.user.is_staff and not asked.made_by.is_superuser:
        raise Refused(StockRefusal.STAFF_USERNAME)


def _refuse_client(asked: TemporaryCodeRequest) -> None:
    if not User.objects.filter(pk=asked.user_id, is_active=True).exists():
        raise Refused(CodeRefusal.CLIENT_UNKNOWN)
    if queries.would_be_second_in_a_row(asked.user):
        raise Refused(CodeRefusal.TWICE_IN_A_ROW)


@contextmanager
def _recorded(
    asked: TemporaryCodeRequest, event: str, *, by: Caller, now: datetime
) -> Iterator[None]:
    with audit.refusals(event=event, by=by, subject=asked.user, at=now, request=str(asked.pk)):
        yield


def close_expired(*, now: datetime) -> None:
    """Requests that nobody finished in time."""
    overdue = _overdue(now=now).select_related("user")
    steps.take(partial(_expire, asked, now=now) for asked in overdue)


@transaction.atomic(durable=True)
def _expire(asked: TemporaryCodeRequest, *, now: datetime) -> None:
    if _overdue(now=now).filter(pk=asked.pk).update(state=CodeRequestState.EXPIRED):
        audit.record(
            event=events.CODE_EXPIRED,
            by=SYSTEM,
            subject=asked.user,
            at=now,
            request=str(asked.pk),
        )


def _overdue(*, now: datetime) -> QuerySet[TemporaryCodeRequest]:
    return TemporaryCodeRequest.objects.filter(state__in=OPEN_CODE_REQUESTS, expires_at__lte=now)
