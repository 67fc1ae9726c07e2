"""Reading phones and the usernames on them."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from portal.models import User
from sls.devices.queries import Affected, affected_by_loss
from sls.devices.rules import Loss
from sls.models import DeviceGrant, GrantState, Phone, PhoneUser
from sls.models.device import LIVE
from sls.pins import PersonalData


def usernames_on(phone: Phone) -> list[PhoneUser]:
    """The usernames that are active on the phone, with their devices."""
    rows = PhoneUser.objects.filter(phone=phone, is_active=True, grant__state=GrantState.ACTIVE)
    return list(
        rows.select_related("user__entity", "grant__device")
        .defer("grant__device__secret")
        .order_by("activated_at", "pk")
    )


def all_usernames_on(phones: Collection[Phone]) -> QuerySet[PhoneUser]:
    """Those that are not retired, whatever became of their devices."""
    rows = PhoneUser.objects.filter(phone__in=phones, is_active=True)
    return rows.select_related("user", "phone").order_by("user__username")


def phone_user_of(user: User) -> PhoneUser | None:
    """The username on its phone, unless its IB Key has ended."""
    rows = PhoneUser.objects.filter(user=user, is_active=True, grant__state__in=LIVE)
    return rows.select_related("phone").first()


def personal_data(users: Collection[User]) -> PersonalData:
    """What the PIN of a phone with these usernames is compared with."""
    entities = {user.entity_id: user.entity for user in users}.values()
    numbers = [n.e164 for entity in entities for n in entity.phone_numbers.all()]
    documents = [
        entity.open_number(name) for entity in entities for name in ("document_number", "ssn")
    ]
    births = {entity.date_of_birth for entity in entities if entity.date_of_birth}
    names = [entity.name for entity in entities] + [user.username for user in users]
    return PersonalData(
        dates_of_birth=tuple(births),
        documents=tuple(filter(None, documents)),
        phone_numbers=tuple(numbers),
        names=tuple(names),
    )


def is_used_by(phone: Phone, by: User) -> bool:
    """Does a username on the phone have the same person behind it as this member of staff?"""
    users = User.objects.filter(phones__phone=phone, phones__is_active=True)
    return any(
        by.entity.may_be_same_person_as(user.entity) for user in users.select_related("entity")
    )


def affected_by(phone: Phone, *, now: datetime) -> list[Affected]:
    """Everybody on the phone, and what he has left without it."""
    rows = list(all_usernames_on([phone]))
    loss = Loss(grants=frozenset(row.grant_id for row in rows))
    return affected_by_loss([row.user_id for row in rows], loss, now=now)


def device_ids(rows: Collection[PhoneUser]) -> list[UUID]:
    grants = DeviceGrant.objects.filter(pk__in=[row.grant_id for row in rows])
    return list(grants.values_list("device", flat=True))
