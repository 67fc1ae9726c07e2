"""The last step of an activation: the code is judged, and the phone is active or a waiting time begins."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse

from portal import audit, throttle
from portal.caller import Caller
from portal.credentials import locked
from portal.errors import Refused
from portal.models import PhoneNumber, User
from portal.outbox.enqueue import enqueue, message
from sls import events, pins
from sls.catalog import DeviceKind
from sls.devices import making
from sls.devices import operations as devices
from sls.models import (
    Phone,
    PhoneActivation,
    PhoneState,
    PhoneUser,
)
from sls.models.phone import ActivationState
from sls.phone.challenges import Credential
from sls.phone.operations import check_pin, end_empty_phones, end_usernames
from sls.phone.rules import PhoneRefusal
from sls.prompts import operations as prompts

from . import queries
from .operations import cancel_token
from .queries import Background
from .rules import READY_LIFE, ActivationRefusal, Verdict, verdict


@dataclass(frozen=True)
class Keys:
    """What a phone made: of a phone that is active already, only the OCRA key of the new username."""

    ocra_key: bytes
    public_key: str = ""
    name: str = ""
    pin: str = ""
    pin_key: bytes = b""
    credential: Credential | None = None


class Outcome(NamedTuple):
    """The username on its phone; None while the waiting time runs until `ready_at`."""

    phone_user: PhoneUser | None
    ready_at: datetime | None
    pin_advice: list[str]


def activate(
    activation: PhoneActivation,
    *,
    code: str,
    keys: Keys,
    by: Caller,
    now: datetime,
    recovery_pin: str = "",
    accepts_wait: bool = False,
) -> Outcome:
    """
    *Activate*: with the code, and for a protected username with a device's agreement, the earlier PIN, or
    after the waiting time. The user's earlier phone retires in the same transaction. Raises Refused.
    """
    user = activation.user
    with audit.refusals(event=events.PHONE_ACTIVATED, by=by, subject=user, at=now):
        background = queries.background(user)
        is_pin_right = _is_recovery_pin(background, recovery_pin, now=now)
        standing = background.standing(activation, activation.number)
        found = verdict(standing, is_pin_right=is_pin_right, accepts_wait=accepts_wait)
        if isinstance(found, ActivationRefusal):
            raise Refused(found)
        advice = check_pin(keys.pin, [user]) if keys.pin else []
        if activation.state == ActivationState.OPEN:
            _judge_code(activation, code, now=now)
            if found is Verdict.WAIT:
                return Outcome(None, _wait(activation, by=by, now=now), advice)
        elif found is Verdict.WAIT:
            _check_waited(activation, now=now)
        phone = activation.phone or _new_phone(activation, keys, now=now)
        done = _activate(activation, phone, keys.ocra_key, background, found, by=by, now=now)
    return Outcome(done, None, advice)


def _is_recovery_pin(background: Background, typed: str, *, now: datetime) -> bool:
    """The earlier phone's PIN, spent before it is judged. Raises Refused for a wrong one."""
    if not typed:
        return False
    pair = (throttle.RECOVERY_PIN_OF_USER, background.user.username)
    if throttle.spend([pair], now=now):
        raise Refused(ActivationRefusal.TOO_MANY_ATTEMPTS)
    earlier = background.earlier
    if earlier is None or not earlier.phone.is_pin(pins.plain(typed)):
        raise Refused(PhoneRefusal.WRONG_PIN, tries_left=throttle.left(pair, now=now))
    throttle.give_back([pair])
    return True


def _judge_code(activation: PhoneActivation, code: str, *, now: datetime) -> None:
    """Spends a try; the claim compares once more, so that the code counts once."""
    expires_at = activation.code_expires_at
    if not activation.code or expires_at is None or expires_at <= now:
        raise Refused(ActivationRefusal.CODE_OVER)
    of_row = (throttle.ACTIVATION_CODE_OF_ROW, str(activation.pk))
    of_user = (throttle.ACTIVATION_CODE_OF_USER, activation.user.username)
    if throttle.spend([of_row, of_user], now=now):
        raise Refused(ActivationRefusal.CODE_OVER)
    kept, _colon, _hex = activation.code.partition(":")
    if not secrets.compare_digest(activation.fingerprint(code, key_id=kept), activation.code):
        raise Refused(ActivationRefusal.WRONG_CODE, tries_left=throttle.left(of_row, now=now))


def _check_waited(activation: PhoneActivation, *, now: datetime) -> None:
    ready_at = activation.ready_at
    if ready_at is None or ready_at > now:
        when = ready_at.isoformat() if ready_at else ""
        raise Refused(ActivationRefusal.STILL_WAITING, ready_at=when)


def _ours(activation: PhoneActivation, *, now: datetime) -> QuerySet[PhoneActivation]:
    """
    The row as it was read, its code unused, and the user active, not locked, with the password it began
    with: checked by the statement that changes it.
    """
    users = User.objects.annotate(is_locked=locked(now=now)).filter(
        pk=OuterRef("user"), is_active=True, is_locked=False, password=activation.user.password
    )
    rows = PhoneActivation.objects.filter(
        Exists(users),
        pk=activation.pk,
        state=activation.state,
        code=activation.code,
        expires_at__gt=now,
    )
    if activation.state == ActivationState.OPEN:
        return rows.filter(code_expires_at__gt=now)
    return rows


@transaction.atomic(durable=True)
def _wait(activation: PhoneActivation, *, by: Caller, now: datetime) -> datetime:
    """The client is told and can object: neither a device nor the PIN has spoken for this phone."""
    ready_at: datetime = now + settings.ACTIVATION_WAIT
    changed = _ours(activation, now=now).update(
        state=ActivationState.WAITING,
        code="",
        ready_at=ready_at,
        expires_at=ready_at + READY_LIFE,
    )
    if not changed:
        raise Refused(ActivationRefusal.CODE_OVER)
    told = message(
        user=activation.user,
        event="activation_waiting",
        fact=str(activation.pk),
        now=now,
        hours=int(settings.ACTIVATION_WAIT.total_seconds() // 3600),
        link=reverse("activation_cancel", args=[cancel_token(activation)]),
    )
    enqueue([told])
    audit.record(
        event=events.PHONE_WAITING,
        by=by,
        subject=activation.user,
        at=now,
        ready_at=ready_at.isoformat(),
    )
    return ready_at


def _new_phone(activation: PhoneActivation, keys: Keys, *, now: datetime) -> Phone:
    """Not saved yet: its PIN is hashed slowly, so outside the transaction."""
    phone = Phone(
        platform=activation.platform,
        name=keys.name,
        public_key=keys.public_key,
        state=PhoneState.ACTIVE,
        created_at=now,
    )
    if keys.pin:
        phone.set_pin(pins.plain(keys.pin), keys.pin_key)
    if keys.credential is not None:
        phone.credential_id = keys.credential.id
        phone.credential_key = keys.credential.key
        phone.sign_count = keys.credential.sign_count
    return phone


@transaction.atomic(durable=True)
def _activate(
    activation: PhoneActivation,
    phone: Phone,
    ocra_key: bytes,
    background: Background,
    found: Verdict,
    *,
    by: Caller,
    now: datetime,
) -> PhoneUser:
    user, earlier = activation.user, background.earlier
    if user.get_session_auth_hash() != activation.password_mark:
        raise Refused(ActivationRefusal.ACTIVATION_OVER)
    if not _ours(activation, now=now).update(state=ActivationState.DONE, code=""):
        raise Refused(ActivationRefusal.CODE_OVER)
    replaced = _retire_earlier(user, now=now)
    if phone._state.adding:
        phone.save(force_insert=True)
    elif not Phone.objects.filter(pk=phone.pk, state=PhoneState.ACTIVE).update(name=phone.name):
        raise Refused(PhoneRefusal.PHONE_RETIRED)
    is_seamless = earlier.is_seamless if earlier else True
    phone_user = _new_phone_user(activation, phone, ocra_key, is_seamless, now=now)
    if activation.number not in {number.e164 for number in background.numbers}:
        added = PhoneNumber(entity_id=user.entity_id, e164=activation.number, verified_at=now)
        PhoneNumber.objects.bulk_create([added], ignore_conflicts=True)
    told = message(
        user=user,
        event="phone_activated",
        fact=str(phone_user.pk),
        now=now,
        phone=str(phone),
        is_replaced=replaced,
    )
    enqueue([told])
    audit.record(
        event=events.PHONE_ACTIVATED,
        by=by,
        subject=user,
        at=now,
        phone=str(phone.pk),
        device=phone_user.grant.device.serial_masked,
        replaced=replaced,
        waited=found is Verdict.WAIT,
    )
    return phone_user


def _retire_earlier(user: User, *, now: datetime) -> bool:
    """One active phone for a username: the old one goes at once, with what waits on it."""
    rows = list(PhoneUser.objects.filter(user=user, is_active=True).select_related("phone"))
    if rows:
        end_usernames(rows, now=now)
        end_empty_phones([row.phone for row in rows], now=now)
        prompts.close_for([user])
    return bool(rows)


def _new_phone_user(
    activation: PhoneActivation,
    phone: Phone,
    ocra_key: bytes,
    is_seamless: bool,
    *,
    now: datetime,
) -> PhoneUser:
    device = making.new_ib_key(serial=making.new_serial("IBK"), key=ocra_key, now=now)
    device.save(force_insert=True)
    grant = devices.activate(device, activation.user, now=now)
    devices.retire(activation.user, [DeviceKind.SMS], now=now)  # KB1131
    return PhoneUser.objects.create(
        pk=activation.pk,
        phone=phone,
        user=activation.user,
        grant=grant,
        number=activation.number,
        is_seamless=is_seamless,
        activated_at=now,
    )
