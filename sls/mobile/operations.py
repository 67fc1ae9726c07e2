"""
Mobile numbers: added, verified by a code, used for SMS codes at the login (KB1131).

Threat: whoever knows the password brings a number of his own. So a number is added only with the permanent
device of its person, if there is one, and SMS codes never come back beside a permanent device.
"""

from datetime import datetime

from django.conf import settings
from django.db import transaction

from portal import audit, throttle
from portal.caller import Caller
from portal.errors import Refused
from portal.models import PhoneNumber, User
from portal.outbox.enqueue import enqueue, message
from sls import events
from sls.catalog import DeviceKind
from sls.devices import challenges, making
from sls.devices import operations as devices
from sls.devices.rules import ProofRefusal
from sls.models import DeviceGrant, DeviceState, NumberCheck, NumberCheckState, Purpose
from sls.models import SecurityDevice as Device
from sls.numbers import masked

from . import queries
from .rules import NumberRefusal


def add(e164: str, *, proven_with: DeviceGrant | None, by: Caller, now: datetime) -> PhoneNumber:
    """
    Put a number on record for the caller's person, not verified yet. `proven_with` is the grant the session
    has proven. A number that is there already is left as it is. Raises Refused.
    """
    assert by.user is not None
    facts = {"number": masked(e164)}
    with audit.refusals(event=events.NUMBER_ADDED, by=by, subject=by.user, at=now, **facts):
        if throttle.spend([(throttle.NEW_NUMBERS_OF_USER, by.username)], now=now):
            raise Refused(NumberRefusal.TOO_MANY_NUMBERS)
        return _add(by.user, e164, proven_with, by=by, now=now)


@transaction.atomic(durable=True)
def _add(
    user: User, e164: str, proven_with: DeviceGrant | None, *, by: Caller, now: datetime
) -> PhoneNumber:
    is_permanent = proven_with is not None and proven_with.device.traits.is_permanent
    if queries.person_has_permanent_device(user) and not is_permanent:
        raise Refused(NumberRefusal.PERMANENT_FIRST)
    number, is_new = PhoneNumber.objects.get_or_create(entity=user.entity, e164=e164)
    if is_new:
        # The number is shared by all usernames of the person, so each of them is told.
        enqueue(
            message(
                user=told,
                event="number_added",
                fact=str(number.pk),
                now=now,
                number=masked(e164),
                by=user.username,
            )
            for told in User.objects.filter(entity=user.entity, is_active=True).order_by("pk")
        )
    audit.record(
        event=events.NUMBER_ADDED, by=by, subject=user, at=now, number=masked(e164), new=is_new
    )
    return number


def send_code(number: PhoneNumber, *, by: Caller, now: datetime) -> NumberCheck:
    """Send a code to a number of the caller's person. An earlier one is dead then. Raises Refused."""
    assert by.user is not None
    facts = {"number": masked(number.e164)}
    with audit.refusals(event=events.NUMBER_ASKED, by=by, subject=by.user, at=now, **facts):
        if number.entity_id != by.user.entity_id:
            raise Refused(NumberRefusal.CHECK_OVER)
        return _send_code(by.user, number, by=by, now=now)


@transaction.atomic(durable=True)
def _send_code(user: User, number: PhoneNumber, *, by: Caller, now: datetime) -> NumberCheck:
    if not User.objects.locked().filter(pk=user.pk, is_active=True).exists():
        raise Refused(NumberRefusal.CHECK_OVER)
    check = queries.open_check(user)
    if check is None or check.number_id != number.pk:
        check = _new_check(user, number, now=now)
    elif check.challenge and check.challenge.issued_at > now - settings.SMS_RESEND:
        raise Refused(ProofRefusal.TOO_SOON)
    check.challenge = challenges.issue(
        user=user, device=check.device, purpose=Purpose.ACTIVATE, session=by.session, now=now
    )
    check.sent_at = now
    check.save()
    audit.record(event=events.NUMBER_ASKED, by=by, subject=user, at=now, number=masked(number.e164))
    return check


def _new_check(user: User, number: PhoneNumber, *, now: datetime) -> NumberCheck:
    open_ones = NumberCheck.objects.filter(user=user, state=NumberCheckState.SENT)
    replaced = list(open_ones.values_list("device", flat=True))
    open_ones.update(state=NumberCheckState.REPLACED)
    Device.objects.filter(pk__in=replaced).update(state=DeviceState.REVOKED)
    device = making.new_sms(number=number.e164, now=now)
    device.save(force_insert=True)
    return NumberCheck.objects.create(user=user, number=number, device=device, sent_at=now)


def verify(check: NumberCheck, *, response: str, by: Caller, now: datetime) -> None:
    """Judge the code that came by SMS; the number is verified then. Raises Refused."""
    facts = {"number": masked(check.number.e164)}
    with audit.refusals(event=events.NUMBER_VERIFIED, by=by, subject=by.user, at=now, **facts):
        if by.user is None or check.challenge is None or check.user_id != by.user.pk:
            raise Refused(NumberRefusal.CHECK_OVER)
        challenges.spend(check.challenge, users=[by.user], session=by.session, now=now)
        _verify(by.user, check, response, by=by, now=now)


@transaction.atomic(durable=True)
def _verify(user: User, check: NumberCheck, response: str, *, by: Caller, now: datetime) -> None:
    assert check.challenge is not None
    challenges.answer(
        check.challenge,
        response,
        users=[user],
        purpose=Purpose.ACTIVATE,
        session=by.session,
        now=now,
    )
    ours = NumberCheck.objects.filter(
        pk=check.pk, state=NumberCheckState.SENT, challenge=check.challenge
    )
    if not ours.update(state=NumberCheckState.VERIFIED, verified_at=now):
        raise Refused(NumberRefusal.CHECK_OVER)
    PhoneNumber.objects.filter(pk=check.number_id).update(verified_at=now)
    audit.record(
        event=events.NUMBER_VERIFIED,
        by=by,
        subject=user,
        at=now,
        number=masked(check.number.e164),
    )


def use_for_login(number: PhoneNumber, *, by: Caller, now: datetime) -> DeviceGrant:
    """SMS codes to a verified number become the caller's device, for want of a permanent one."""
    assert by.user is not None
    facts = {"number": masked(number.e164)}
    with audit.refusals(event=events.SMS_STARTED, by=by, subject=by.user, at=now, **facts):
        return _use_for_login(by.user, number, by=by, now=now)


@transaction.atomic(durable=True)
def _use_for_login(user: User, number: PhoneNumber, *, by: Caller, now: datetime) -> DeviceGrant:
    # Locked, because a permanent device that is handed over or shared meanwhile must be seen.
    if not User.objects.locked().filter(pk=user.pk, is_active=True).exists():
        raise Refused(NumberRefusal.CHECK_OVER)
    if queries.has_permanent_device(user):
        raise Refused(NumberRefusal.PERMANENT_ACTIVE)
    check = queries.good_check(user, number)
    if check is None:
        raise Refused(NumberRefusal.NOT_VERIFIED)
    used = DeviceGrant.objects.filter(user=user, device=check.device)
    if used.exists():
        raise Refused(NumberRefusal.CHECK_OVER)
    devices.retire(user, [DeviceKind.SMS], now=now)
    grant = devices.activate(check.device, user, now=now)
    shown = masked(number.e164)
    fact = str(check.device_id)
    enqueue([message(user=user, event="sms_started", fact=fact, now=now, number=shown)])
    audit.record(event=events.SMS_STARTED, by=by, subject=user, at=now, number=shown)
    return grant
