"""Putting the cast on stage: the same start at every run, whatever was played before."""

import uuid
from datetime import datetime

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from portal import audit
from portal.caller import SYSTEM
from portal.models import Allowance, Entity, OutboxMessage, PhoneNumber, User
from sls import events
from sls.catalog import DeviceKind
from sls.devices import making
from sls.models import (
    CallerCheck,
    Challenge,
    DeviceGrant,
    GrantState,
    LoginAttempt,
    LoginPrompt,
    NumberCheck,
    OnlineCardRequest,
    PasswordReset,
    Phone,
    PhoneActivation,
    PhoneState,
    PhoneUser,
    Platform,
    PromptReport,
    SecurityDevice,
    ShareRequest,
    Suspension,
    TemporaryCodeRequest,
)

from . import cast

NAMESPACE = uuid.UUID("6a1f0c52-7a0b-4d2c-9d6e-0f5c1d5a7e11")


def is_only_audience() -> bool:
    """Is there nobody but the cast (or nobody at all) in this database?"""
    names = [user.username for user in cast.USERS]
    return not User.objects.exclude(username__in=names).exists()


@transaction.atomic(durable=True)
def recreate(*, now: datetime) -> None:
    """Bring the cast back to its start: people, passwords, devices; what they did since is forgotten."""
    names = [user.username for user in cast.USERS]
    users = User.objects.filter(username__in=names)
    serials = [device.serial for device in [*cast.DEVICES, *cast.PHONES]]
    devices_got = DeviceGrant.objects.filter(user__in=users, share__isnull=True)
    serials += devices_got.values_list("device__serial", flat=True)
    checks = NumberCheck.objects.filter(user__in=users)
    serials += checks.values_list("device__serial", flat=True)
    cards = OnlineCardRequest.objects.filter(user__in=users)
    serials += cards.values_list("device__serial", flat=True)
    _forget_phones(users)
    for forget in settings.DEMO_FORGETS:
        import_string(forget)(users)
    OutboxMessage.objects.filter(user__in=users).delete()
    LoginAttempt.objects.filter(user__in=users).delete()
    PasswordReset.objects.filter(user__in=users).delete()
    DeviceGrant.objects.filter(user__in=users).delete()
    ShareRequest.objects.filter(requester__in=users).delete()
    checks.delete()
    cards.delete()
    TemporaryCodeRequest.objects.filter(user__in=users).delete()
    CallerCheck.objects.filter(user__in=users).delete()
    Suspension.objects.filter(device__serial__in=serials).delete()
    Challenge.objects.filter(device__serial__in=serials).delete()
    Allowance.objects.all().delete()
    SecurityDevice.objects.filter(serial__in=serials).delete()
    entities = {entity.key: _entity(entity) for entity in cast.ENTITIES}
    by_name = {user.username: _user(user, entities[user.entity]) for user in cast.USERS}
    for device in [*cast.DEVICES, *cast.PHONES]:
        _device(device, by_name[device.user], now=now)
    audit.record(event=events.DEVICE_PROVISIONED, by=SYSTEM, subject=None, at=now, demo=True)


def _entity(wanted: cast.DemoEntity) -> Entity:
    entity = Entity(
        pk=uuid.uuid5(NAMESPACE, wanted.key),
        name=wanted.name,
        date_of_birth=wanted.date_of_birth,
        citizenship=wanted.citizenship,
        country_of_residence=wanted.country_of_residence,
        document_type=wanted.document_type,
        document_expires_on=wanted.document_expires_on,
    )
    entity.set_number("document_number", wanted.document_number)
    entity.set_number("ssn", wanted.ssn)
    entity.save(force_update=Entity.objects.filter(pk=entity.pk).exists())
    PhoneNumber.objects.filter(entity=entity, is_default=False).delete()
    PhoneNumber.objects.update_or_create(
        entity=entity, is_default=True, defaults={"e164": wanted.phone_number}
    )
    return entity


def _user(wanted: cast.DemoUser, entity: Entity) -> User:
    user = User.objects.filter(username=wanted.username).first() or User(username=wanted.username)
    user.entity = entity
    user.email = f"{wanted.username}@example.com"
    user.language = wanted.language
    user.is_active = True
    user.locked_at = None
    user.is_staff = wanted.is_staff
    user.is_superuser = wanted.staff_group == cast.ADMINISTRATOR
    if not (user.password and check_password(wanted.password, user.password)):
        user.password = make_password(wanted.password)
    user.save()
    if wanted.is_staff:
        user.groups.set(Group.objects.filter(name=wanted.staff_group))  # shipped with `migrate`
    return user


def _device(wanted: cast.DemoDevice, user: User, *, now: datetime) -> None:
    match wanted.kind:
        case DeviceKind.CODE_CARD:
            device = making.new_code_card(
                serial=wanted.serial, now=now, cells=list(wanted.cells.values())
            )
        case DeviceKind.TEMPORARY_CODE:
            device = making.new_temporary_code(
                serial=wanted.serial, code=wanted.temporary_code, now=now
            )
        case DeviceKind.IB_KEY:
            device = making.new_ib_key(
                serial=wanted.serial, key=bytes.fromhex(wanted.secret), now=now
            )
        case _:
            device = making.new_dsc_plus(
                serial=wanted.serial, key=bytes.fromhex(wanted.secret), pin=wanted.pin, now=now
            )
    device.save(force_insert=True)
    grant = DeviceGrant.objects.create(
        user=user,
        device=device,
        name=str(DeviceKind(device.kind).label),
        state=GrantState.ACTIVE,
        confirmed=True,
        granted_at=now,
    )
    if wanted.kind == DeviceKind.IB_KEY:
        _phone(wanted, grant, now=now)


def _phone(wanted: cast.DemoDevice, grant: DeviceGrant, *, now: datetime) -> None:
    """The phone behind the IB Key, whose other half `manage.py phone demo` is."""
    phone = Phone(
        pk=uuid.UUID(cast.phone_id(wanted.serial, "phone")),
        platform=Platform.OTHER,
        name="Demo",
        public_key=cast.handset("").public_key,
        state=PhoneState.ACTIVE,
        created_at=now,
    )
    phone.set_pin(wanted.pin, cast.pin_key(wanted))
    phone.save(force_insert=True)
    number = grant.user.entity.phone_numbers.get(is_default=True)
    PhoneUser.objects.create(
        pk=uuid.UUID(cast.phone_id(wanted.serial, "user")),
        phone=phone,
        user=grant.user,
        grant=grant,
        number=number.e164,
        activated_at=now,
    )


def _forget_phones(users: QuerySet[User]) -> None:
    phones = list(Phone.objects.filter(usernames__user__in=users).distinct())
    PromptReport.objects.filter(user__in=users).delete()
    LoginPrompt.objects.filter(phone__in=phones).delete()
    PhoneActivation.objects.filter(user__in=users).delete()
    PhoneUser.objects.filter(user__in=users).delete()
    Phone.objects.filter(pk__in=[phone.pk for phone in phones], usernames__isnull=True).delete()
