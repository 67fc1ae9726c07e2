"""Phones as such: freezing and thawing, disabling, the PIN, push messages, seamless authentication."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from portal import audit, credentials, throttle
from portal.caller import Caller
from portal.errors import Refused
from portal.models import User
from portal.models.account import normalise_username
from portal.outbox import subscriptions
from portal.outbox.enqueue import enqueue, message
from portal.sessions import end_proven_by
from sls import events, pins
from sls.devices.guards import is_below_administrator
from sls.devices.rules import StockRefusal
from sls.models import (
    DeviceGrant,
    DeviceState,
    GrantState,
    Phone,
    PhoneNonce,
    PhoneState,
    PhoneUser,
    SecurityDevice,
)
from sls.prompts import operations as prompts

from . import challenges, queries
from .challenges import Signed
from .rules import LostRefusal, PhoneRefusal


def prove(signed: Signed, *, by: Caller, now: datetime) -> None:
    """As `challenges.prove`; the last wrong PIN freezes the phone. Raises Refused."""
    try:
        challenges.prove(signed, by=by, now=now)
    except Refused as refused:
        tries_left = refused.facts.get("tries_left", 0)
        if refused.reason is PhoneRefusal.WRONG_PIN and not tries_left:
            freeze(signed.phone, reason="wrong_pin", by=by, now=now)
        raise


def freeze(phone: Phone, *, reason: str, by: Caller, now: datetime) -> bool:
    """
    Nothing on the phone counts until it is thawed: no approval, no passcode, no waiting prompt; the sessions it
    opened end, but for the caller's own. Everybody on it is told. False when it is not active. A lost phone is
    frozen whatever it leaves behind.
    """
    return _freeze(phone, reason, True, by=by, now=now)


def freeze_by_staff(
    phone: Phone, *, reason: str, by: Caller, now: datetime, may_strand: bool = False
) -> bool:
    """
    As `freeze`, for a client who calls. Raises Refused, also where a user would be left without any way in,
    unless `may_strand` says that this is meant.
    """
    with audit.refusals(
        event=events.PHONE_FROZEN, by=by, subject=None, at=now, phone=str(phone.pk)
    ):
        _refuse_persons(phone, by)
        return _freeze(phone, reason, may_strand, by=by, now=now)


@transaction.atomic(durable=True)
def _freeze(phone: Phone, reason: str, may_strand: bool, *, by: Caller, now: datetime) -> bool:
    if not may_strand:
        _refuse_stranding(phone, now=now)
    ours = Phone.objects.filter(pk=phone.pk, state=PhoneState.ACTIVE)
    if not ours.update(state=PhoneState.FROZEN, frozen_at=now):
        return False
    rows = list(queries.all_usernames_on([phone]))
    _set_devices(rows, DeviceState.ACTIVE, DeviceState.SUSPENDED)
    _end_sessions(rows, by)
    prompts.close_on(phone)
    _tell(rows, "phone_frozen", now=now, reason=reason)
    _record(events.PHONE_FROZEN, rows, by=by, now=now, phone=str(phone.pk), reason=reason)
    return True


def thaw(phone: Phone, *, by: Caller, now: datetime, reason: str = "") -> None:
    """Let a frozen phone work again; its wrong PINs are forgotten. Raises Refused."""
    with audit.refusals(
        event=events.PHONE_THAWED, by=by, subject=by.user, at=now, phone=str(phone.pk)
    ):
        _refuse_persons(phone, by)
        _thaw(phone, reason, by=by, now=now)


@transaction.atomic(durable=True)
def _thaw(phone: Phone, reason: str, *, by: Caller, now: datetime) -> None:
    ours = Phone.objects.filter(pk=phone.pk, state=PhoneState.FROZEN)
    if not ours.update(state=PhoneState.ACTIVE, frozen_at=None):
        raise Refused(LostRefusal.NOT_FROZEN)
    throttle.clear([(throttle.PIN_OF_PHONE, str(phone.pk))])
    rows = list(queries.all_usernames_on([phone]))
    _end_sessions(rows, by)  # one that came to be beside the freezing: it would be verified again
    _set_devices(rows, DeviceState.SUSPENDED, DeviceState.ACTIVE)
    _tell(rows, "phone_thawed", now=now)
    _record(events.PHONE_THAWED, rows, by=by, now=now, phone=str(phone.pk), reason=reason)


def _refuse_stranding(phone: Phone, *, now: datetime) -> None:
    stranded = [row.username for row in queries.affected_by(phone, now=now) if row.is_stranded]
    if stranded:
        raise Refused(StockRefusal.WOULD_STRAND, users=stranded)


def retire(
    phone: Phone, *, reason: str, by: Caller, now: datetime, may_strand: bool = False
) -> bool:
    """
    Staff disable a phone for good, for everybody on it; False when it is. Raises Refused, also where a user
    would be left without any way in, unless `may_strand` says that this is meant.
    """
    with audit.refusals(
        event=events.PHONE_RETIRED, by=by, subject=None, at=now, phone=str(phone.pk)
    ):
        _refuse_persons(phone, by)
        return _retire(phone, reason, may_strand, by=by, now=now)


@transaction.atomic(durable=True)
def _retire(phone: Phone, reason: str, may_strand: bool, *, by: Caller, now: datetime) -> bool:
    if not may_strand:
        _refuse_stranding(phone, now=now)
    rows = list(queries.all_usernames_on([phone]))
    if not _end_phones([phone], now=now):
        return False
    end_usernames(rows, now=now)
    prompts.close_on(phone)
    _tell(rows, "phone_disabled", now=now)
    _record(events.PHONE_RETIRED, rows, by=by, now=now, phone=str(phone.pk), reason=reason)
    return True


def _refuse_persons(phone: Phone, by: Caller) -> None:
    """
    Staff decide about others (R12), and an administrator about staff; a client thaws his own phone, with another
    device.
    """
    if by.user is None or not by.user.is_staff:
        return
    if queries.is_used_by(phone, by.user):
        raise Refused(LostRefusal.OWN_PERSON)
    rows = queries.all_usernames_on([phone])
    if is_below_administrator(by) and rows.filter(user__is_staff=True).exists():
        raise Refused(StockRefusal.STAFF_USERNAME)


def _end_sessions(rows: Sequence[PhoneUser], by: Caller) -> None:
    grants = [DeviceGrant(pk=row.grant_id, user_id=row.user_id) for row in rows]
    end_proven_by({grant.persistent_id: grant.user_id for grant in grants}, but=by.session)


def end_usernames(rows: Sequence[PhoneUser], *, now: datetime) -> None:
    """Retire usernames with their keys and what waits for them, in the caller's transaction."""
    keys = [row.pk for row in rows]
    PhoneUser.objects.filter(pk__in=keys, is_active=True).update(is_active=False, retired_at=now)
    devices = SecurityDevice.objects.filter(grants__in=[row.grant_id for row in rows])
    SecurityDevice.objects.filter(pk__in=devices.values("pk")).update(state=DeviceState.REVOKED)
    grants = DeviceGrant.objects.filter(pk__in=[row.grant_id for row in rows])
    grants.exclude(state=GrantState.ENDED).update(
        state=GrantState.ENDED, confirmed=False, ended_at=now
    )


def end_empty_phones(phones: Sequence[Phone], *, now: datetime) -> None:
    """Retire those phones that have no username left, in the caller's transaction."""
    kept = set(queries.all_usernames_on(phones).values_list("phone", flat=True))
    empty = [phone for phone in phones if phone.pk not in kept]
    if empty:
        _end_phones(empty, now=now)


def _end_phones(phones: Sequence[Phone], *, now: datetime) -> int:
    ours = Phone.objects.filter(pk__in=[phone.pk for phone in phones])
    return ours.exclude(state=PhoneState.RETIRED).update(state=PhoneState.RETIRED, ended_at=now)


def _set_devices(rows: Sequence[PhoneUser], old: DeviceState, new: DeviceState) -> None:
    devices = SecurityDevice.objects.filter(pk__in=queries.device_ids(rows), state=old)
    devices.update(state=new)


def _tell(rows: Sequence[PhoneUser], event: str, *, now: datetime, **context: Any) -> None:
    enqueue(
        message(
            user=row.user,
            event=event,
            fact=f"{row.phone_id}:{now.isoformat()}",
            now=now,
            phone=str(row.phone),
            **context,
        )
        for row in rows
    )


def _record(
    event: str, rows: Sequence[PhoneUser], *, by: Caller, now: datetime, **facts: str
) -> None:
    """One row for each username: it stands in the history of each."""
    for row in rows:
        audit.record(event=event, by=by, subject=row.user, at=now, **facts)
    if not rows:
        audit.record(event=event, by=by, subject=None, at=now, **facts)


def report_lost(*, username: str, password: str, by: Caller, now: datetime) -> None:
    """
    The public page: freezes the phone of a username whose password is right, and never says whether it did.
    """
    name = normalise_username(username)
    limits = [
        (throttle.LOST_PASSWORD_OF_NAME, name),
        (throttle.PASSWORD_FROM_ADDRESS, throttle.network(by.address)),
    ]
    if throttle.spend(limits, now=now):
        return
    user = credentials.check(name, password, now=now, limits=())
    if user is None:
        return
    throttle.give_back(limits)
    found = queries.phone_user_of(user)
    if found is not None:
        freeze(found.phone, reason="lost", by=by, now=now)


def change_pin(signed: Signed, *, pin: str, pin_key: bytes, by: Caller, now: datetime) -> list[str]:
    """Set or change the PIN that all usernames of a phone share; what is advised against. Raises Refused."""
    prove(signed, by=by, now=now)
    rows = queries.usernames_on(signed.phone)
    with audit.refusals(
        event=events.PHONE_PIN_CHANGED, by=by, subject=None, at=now, phone=str(signed.phone.pk)
    ):
        advice = check_pin(pin, [row.user for row in rows])
        signed.phone.set_pin(pins.plain(pin), pin_key)  # slow, so outside the transaction
        _change_pin(signed.phone, rows, by=by, now=now)
        return advice


@transaction.atomic(durable=True)
def _change_pin(phone: Phone, rows: Sequence[PhoneUser], *, by: Caller, now: datetime) -> None:
    ours = Phone.objects.filter(pk=phone.pk, state=PhoneState.ACTIVE)
    if not ours.update(pin_verifier=phone.pin_verifier, pin_key=phone.pin_key):
        raise Refused(PhoneRefusal.PHONE_RETIRED)
    _tell(rows, "phone_pin_changed", now=now)
    _record(events.PHONE_PIN_CHANGED, rows, by=by, now=now, phone=str(phone.pk))


def check_pin(pin: str, users: Sequence[User]) -> list[str]:
    """
    Judge a new PIN by the guidelines; what is advised against where they are only advice. A wrong form is
    always refused. Raises Refused.
    """
    found = pins.faults(pins.plain(pin), queries.personal_data(users))
    if found and (settings.PIN_GUIDELINES == pins.Guidelines.STRICT or pins.PinFault.FORM in found):
        raise Refused(PhoneRefusal.PIN_NOT_SAFE, objections=[str(fault) for fault in found])
    return [str(fault) for fault in found]


def subscribe(phone: Phone, *, subscription: str, by: Caller, now: datetime) -> None:
    """Keep where push messages to this phone go. Raises Refused."""
    with audit.refusals(
        event=events.PHONE_PUSH_CHANGED, by=by, subject=None, at=now, phone=str(phone.pk)
    ):
        try:
            accepted = subscriptions.accept(subscription)  # looks its host up
        except (subscriptions.SubscriptionRefused, OSError) as error:
            raise Refused(PhoneRefusal.ENDPOINT_NOT_ALLOWED) from error
        _set_subscription(phone, json.loads(accepted.as_json()), by=by, now=now)


def unsubscribe(phone: Phone, *, by: Caller, now: datetime) -> None:
    _set_subscription(phone, None, by=by, now=now)


@transaction.atomic(durable=True)
def _set_subscription(
    phone: Phone, subscription: dict[str, object] | None, *, by: Caller, now: datetime
) -> None:
    phone.set_subscription(subscription)
    ours = Phone.objects.filter(pk=phone.pk, state=PhoneState.ACTIVE)
    if not ours.update(subscription=phone.subscription):
        raise Refused(PhoneRefusal.PHONE_RETIRED)
    audit.record(
        event=events.PHONE_PUSH_CHANGED,
        by=by,
        subject=None,
        at=now,
        phone=str(phone.pk),
        has_push=phone.has_push,
    )


def forget_subscription(*, user: User, subscription: str, now: datetime) -> None:
    """The push service said that it exists no more. Named by the setting PUSH_GONE."""
    for row in PhoneUser.objects.filter(user=user, is_active=True).select_related("phone"):
        if row.phone.open_subscription() == subscription:
            same = Phone.objects.filter(pk=row.phone_id, subscription=row.phone.subscription)
            same.update(subscription="")


@transaction.atomic(durable=True)
def set_seamless(user: User, *, is_on: bool, by: Caller, now: datetime) -> bool:
    """Send push prompts for this username, or never; False when there is no active phone."""
    ours = PhoneUser.objects.filter(user=user, is_active=True)
    if not ours.update(is_seamless=is_on):
        return False
    if not is_on:
        prompts.close_for([user])
    enqueue(
        [message(user=user, event="seamless_changed", fact=now.isoformat(), now=now, is_on=is_on)]
    )
    audit.record(event=events.SEAMLESS_CHANGED, by=by, subject=user, at=now, is_on=is_on)
    return True


def forget_past_nonces(*, now: datetime) -> None:
    PhoneNonce.objects.filter(expires_at__lte=now).delete()
