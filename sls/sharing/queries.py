"""Reading what the sharing rules look at."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db.models import (
    BigIntegerField,
    CharField,
    Count,
    DateField,
    Exists,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    UUIDField,
)
from django.db.models.functions import Coalesce
from django.utils.timezone import localdate, make_aware

from portal import business_days, credentials
from portal.compiled import compiled
from portal.identity import differences
from portal.models import Entity, PhoneNumber, User
from sls.catalog import is_shareable
from sls.devices import queries as devices
from sls.models import (
    DeviceGrant,
    DeviceState,
    GrantState,
    PasswordReset,
    PhoneUser,
    ResetState,
    ReviewPolicy,
    SecurityDevice,
    ShareRequest,
    ShareState,
)
from sls.review import SHIPPED, SIGNAL_DAYS, SIGNAL_HOURS, Policy, Rule

from .rules import Facts, Party


def shares() -> QuerySet[ShareRequest]:
    """Shares with everything the wizard's pages and rules read of them, in one query."""
    return ShareRequest.objects.select_related(
        "requester__entity", "owner__entity", "device", "challenge__device"
    )


def lendable(grants: Sequence[DeviceGrant], owner: User) -> SecurityDevice | None:
    """The owner's own usable physical device with the highest protection."""
    own = [g for g in grants if g.user_id == owner.pk and not g.is_borrowed and _is_usable(g)]
    own = [g for g in own if is_shareable(g.device.kind)]
    return max((g.device for g in own), key=lambda d: d.traits.level, default=None)


def recently_refused(*, requester: User, now: datetime) -> Exists:
    """An annotation for users as owners: was a request of this pair refused a short while ago?"""
    return Exists(
        ShareRequest.objects.filter(
            requester=requester,
            owner=OuterRef("pk"),
            state__in=[ShareState.REFUSED, ShareState.REJECTED],
            ended_at__gt=now - settings.RETRY_AFTER_REFUSAL,
        )
    )


@dataclass(frozen=True)
class Signals:
    """What the grants and the parties' lives tell besides the rules (`sls.review.SIGNALS`)."""

    new_shares: int = 0
    has_recent_change: bool = False


def facts(
    *,
    requester: User,
    owner: User,
    device: SecurityDevice,
    grants: Sequence[DeviceGrant],
    now: datetime,
    was_recently_refused: bool = False,
    signals: Signals | None = None,
    policy: Policy | None = None,
) -> Facts:
    """
    The facts about one share, from users loaded with their entities and `grants`, the live grants of
    all participants (`sls.devices.queries.live_grants`).
    """
    sharers = {g.user_id for g in grants if g.device_id == device.pk}
    taking_part = {requester.pk, owner.pk} | sharers
    of_participants = [g for g in grants if g.user_id in taking_part]
    levels = [
        g.device.traits.level
        for g in of_participants
        if g.device.traits.is_physical
        and g.device.state == DeviceState.ACTIVE
        and g.state in (GrantState.ACTIVE, GrantState.DORMANT)
    ]
    of_owner = [g for g in grants if g.user_id == owner.pk]
    of_requester = [g for g in grants if g.user_id == requester.pk]
    lent_devices = {g.device_id for g in grants if g.is_borrowed}
    seen = signals or Signals()
    return Facts(
        requester=_party(requester, now),
        owner=_party(owner, now),
        device_is_lendable=any(
            g.device_id == device.pk and not g.is_borrowed and _is_usable(g) for g in of_owner
        )
        and is_shareable(device.kind),
        device_level=device.traits.level,
        strongest_level=max(levels, default=0),
        holders_of_temporary=frozenset(
            g.user.username for g in of_participants if g.device.traits.is_temporary
        ),
        owner_borrows=any(g.is_borrowed for g in of_owner),
        requester_borrows=any(
            g.is_borrowed and g.state != GrantState.PENDING for g in of_requester
        ),
        requester_lends=any(
            not g.is_borrowed and g.device_id in lent_devices for g in of_requester
        ),
        request_is_pending=any(g.state == GrantState.PENDING for g in of_requester),
        was_recently_refused=was_recently_refused,
        new_shares=seen.new_shares,
        has_recent_change=seen.has_recent_change,
        entities_of_device=len({g.user.entity_id for g in grants if g.device_id == device.pk}),
        policy=policy or policy_of(None),
    )


def lock_parties(share: ShareRequest) -> None:
    """Lock both parties' rows until the transaction ends: nothing is decided about them meanwhile."""
    list(
        User.objects.locked()
        .filter(pk__in=[share.requester_id, share.owner_id])
        .order_by("pk")
        .values("pk")
    )


def facts_now(share: ShareRequest, *, now: datetime, locks: bool = True) -> Facts | None:
    """
    The facts that hold now, with both parties read anew, and locked for the last step's transaction. None
    when the proof no longer stands: a party is locked or deactivated, or the owner's password was changed.
    What the request itself brought about (its own waiting grant) is left out.
    """
    pair = (
        (User.objects.locked() if locks else User.objects.all())
        .select_related("entity")
        .annotate(
            is_locked=credentials.locked(now=now),
            was_refused=recently_refused(requester=share.requester, now=now),
            policy_version=Subquery(policy_in_force(now).values("pk")[:1]),
            policy_rules=Subquery(policy_in_force(now).values("rules")[:1]),
            new_shares=_new_shares(share, now=now),
            has_recent_change=_recently_changed(now=now),
        )
        .filter(pk__in=[share.requester_id, share.owner_id])
        .order_by("pk")
    )
    users = {user.pk: user for user in pair}
    requester, owner = users[share.requester_id], users[share.owner_id]
    unchanged = owner.get_session_auth_hash() == share.owner_password_mark
    if not unchanged or not all(u.is_active and not u.is_locked for u in users.values()):
        return None
    grants = devices.live_grants([requester, owner], now=now, sharing=share.device)
    return facts(
        requester=requester,
        owner=owner,
        device=share.device,
        grants=[grant for grant in grants if grant.share_id != share.pk],
        now=now,
        was_recently_refused=owner.was_refused,
        signals=Signals(owner.new_shares, any(user.has_recent_change for user in users.values())),
        policy=as_policy(owner.policy_version, owner.policy_rules),
    )


def _new_shares(share: ShareRequest, *, now: datetime) -> Coalesce:
    """An annotation: how many other requests for the share's device were submitted of late."""
    others = ShareRequest.objects.filter(
        device=share.device_id, submitted_at__gt=now - timedelta(days=SIGNAL_DAYS)
    ).exclude(pk=share.pk)
    counted = others.order_by().values("device").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted), 0)


def _recently_changed(*, now: datetime) -> Q:
    """An annotation for users: was a phone or a forgotten password replaced a short while ago?"""
    since = now - timedelta(hours=SIGNAL_HOURS)
    reset = PasswordReset.objects.filter(
        user=OuterRef("pk"), state=ResetState.DONE, proven_at__gt=since
    )
    number = PhoneNumber.objects.filter(entity=OuterRef("entity"), verified_at__gt=since)
    phone = PhoneUser.objects.filter(user=OuterRef("pk"), activated_at__gt=since)
    return Q(Exists(reset)) | Q(Exists(number)) | Q(Exists(phone))


def policy_in_force(now: datetime) -> QuerySet[ReviewPolicy]:
    """The dated review policy of this moment first."""
    in_force = Q(ends_at__gt=now) | Q(ends_at__isnull=True)
    return ReviewPolicy.objects.filter(in_force, starts_at__lte=now).order_by("-starts_at")


def policy_of(row: ReviewPolicy | None) -> Policy:
    """What a row says; None is what holds before the first one."""
    return as_policy(row.pk, row.rules) if row else as_policy(None, None)


def as_policy(version: int | None, rules: dict[str, Any] | None) -> Policy:
    """The policy of `policy_in_force`; where no row is, what the program ships, as `REVIEW_RULES` says."""
    if version is None or rules is None:
        return Policy(0, {code: SHIPPED[code] for code in SHIPPED if code in settings.REVIEW_RULES})
    return Policy(version, {code: Rule(**rule) for code, rule in rules.items()})


def _is_usable(grant: DeviceGrant) -> bool:
    return grant.state == GrantState.ACTIVE and grant.device.state == DeviceState.ACTIVE


def _party(user: User, now: datetime) -> Party:
    entity = user.entity
    expires_on = entity.document_expires_on
    return Party(
        username=user.username,
        entity=str(entity.pk),
        identification=entity.identification(),
        document_has_expired=expires_on is not None and expires_on < localdate(now),
        has_compliance_flag=entity.compliance_flag,
    )


def redundant_grants(requester: User, *, now: datetime) -> list[DeviceGrant]:
    """The requester's own physical devices, which become redundant when the share is in force."""
    return [
        grant
        for grant in devices.usable_grants(requester, now=now)
        if grant.device.traits.is_physical and not grant.is_borrowed
    ]


@dataclass(frozen=True)
class Candidate:
    """The device that would be the one to share, under another username of the same person."""

    owner: str
    device: SecurityDevice


@compiled(
    user=BigIntegerField(),
    entity=UUIDField(),
    born=DateField(),
    document=CharField(),
    ssn=CharField(),
)
def _grants_of_namesakes(
    user: Any, entity: Any, born: Any, document: Any, ssn: Any
) -> QuerySet[DeviceGrant]:
    """Active grants on own devices, of other users of this entity or of one with the same numbers."""
    same_number = Q(document_number_index=document) | Q(ssn_index=ssn)
    namesakes = Entity.objects.filter(Q(pk=entity) | Q(date_of_birth=born) & same_number)
    return (
        DeviceGrant.objects.filter(
            user__entity__in=namesakes,
            state=GrantState.ACTIVE,
            share__isnull=True,
            device__state=DeviceState.ACTIVE,
        )
        .exclude(user=user)
        .select_related("device", "user__entity")
        .defer("device__secret", "user__password")
        .order_by("pk")
    )


def candidate(requester: User, own_level: int) -> Candidate | None:
    """
    "Can I share?", answered before any password, about usernames of the same person only; about anybody
    else nothing is read, so nothing can be told. One query, whatever the number of users.
    """
    mine = requester.entity.identification()
    grants = _grants_of_namesakes(
        user=requester.pk,
        entity=requester.entity_id,
        born=mine.date_of_birth,
        document=mine.document_number or None,  # what is missing equals nothing, as NULL does
        ssn=mine.social_security_number or None,
    )
    holders_of_temporary = {g.user_id for g in grants if g.device.traits.is_temporary}
    lenders = [
        grant
        for grant in grants
        if is_shareable(grant.device.kind)
        and grant.device.traits.level >= own_level
        and grant.user_id not in holders_of_temporary
        and (
            grant.user.entity_id == requester.entity_id
            or not differences(mine, grant.user.entity.identification())
        )
    ]
    # The strongest; among equals one of the same entity, which needs nobody's approval.
    best = max(
        lenders,
        key=lambda g: (g.device.traits.level, g.user.entity_id == requester.entity_id),
        default=None,
    )
    return Candidate(best.user.username, best.device) if best else None


def due_on(submitted_at: datetime) -> date:
    """The business day by whose end a request is to be decided, counted in the portal's time zone."""
    day = localdate(submitted_at)
    return business_days.after(day, settings.REVIEW_BUSINESS_DAYS, settings.HOLIDAYS)


def overdue_before(now: datetime) -> datetime:
    """What was submitted before this moment is overdue now."""
    days, holidays = settings.REVIEW_BUSINESS_DAYS, settings.HOLIDAYS
    last_day = business_days.before(localdate(now), days, holidays)
    return make_aware(datetime.combine(last_day + timedelta(days=1), time.min))


def owned_share(share_id: uuid.UUID, user: User) -> ShareRequest | None:
    """The share, if `user` is one of its two parties; anybody else's does not exist for him."""
    return shares().filter(Q(requester=user) | Q(owner=user), pk=share_id).first()
