"""Gathering the evidence of one case, in a fixed number of queries."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import CharField, F, Q, QuerySet, Value
from django.utils.timezone import localdate

from portal.identity import compared_fields
from portal.models import AuditEvent, Entity, PhoneNumber, User
from sls import events
from sls.models import (
    DeviceGrant,
    PasswordReset,
    PhoneUser,
    PromptReport,
    ResetState,
    SecurityDevice,
    ShareRequest,
)
from sls.models.device import LIVE
from sls.review import Policy
from sls.sharing import queries as sharing
from sls.sharing import rules as sharing_rules

from .evidence import (
    Alert,
    AlertKind,
    Device,
    Document,
    EarlierShare,
    Evidence,
    FieldPair,
    Outcome,
    RuleResult,
    Use,
)
from .rules import MASKED_FIELDS, masked_number

EARLIER = 20  # shares shown
ALERTS_REACH = timedelta(days=30)
SIDES = ("requester", "owner")


def evidence(share: ShareRequest, *, now: datetime) -> Evidence:
    """What there is to know about the request, from a share loaded by `queries.share_of`. Five queries."""
    parties = (share.requester, share.owner)
    uses = _uses(share)
    earlier = _earlier(share)
    alerts = [*_standing_alerts(parties), *_recent_alerts(share)]
    found = sharing.facts_now(share, now=now, locks=False)
    refusals = sharing_rules.refusals(found) if found else [sharing_rules.ShareRefusal.PROOF_OVER]
    obstacles = tuple(refusal.code for refusal in refusals)
    at_stake = _device(share.device, uses[share.device_id])
    fields = _fields(share.requester.entity, share.owner.entity)
    return Evidence(
        fields=fields,
        documents=tuple(
            _document(side, user, localdate(now)) for side, user in zip(SIDES, parties, strict=True)
        ),
        rules=_rules(share, sharing.policy_of(share.policy)),
        policy_version=share.policy_id or 0,
        device=at_stake,
        devices=tuple(
            _device(grants[0].device, grants)
            for device, grants in uses.items()
            if device != share.device_id
        ),
        earlier=tuple(earlier),
        alerts=tuple(alerts),
        obstacles=obstacles,
        note=share.client_note,
        facts=_facts(share, uses, earlier, alerts, obstacles),
    )


def unmasked(share: ShareRequest, field: str, side: str) -> str:
    """
    The whole value of a masked field of "requester" or "owner"; empty when there is none. Only for the
    operation that puts on record who looked.
    """
    if field not in MASKED_FIELDS or side not in SIDES:
        return ""
    return _plain(getattr(share, side).entity, field)


def _plain(entity: Entity, field: str) -> str:
    if field == "date_of_birth":
        return entity.date_of_birth.isoformat() if entity.date_of_birth else ""
    return entity.open_number("ssn" if field == "social_security_number" else field)


def _shown(entity: Entity, field: str) -> str:
    if field == "date_of_birth":
        return f"{entity.date_of_birth.year}-••-••" if entity.date_of_birth else ""
    if field in MASKED_FIELDS:
        return masked_number(_plain(entity, field))
    if field in ("document_type", "kind"):
        return str(getattr(entity, f"get_{field}_display")())
    return str(getattr(entity, field))


def _fields(requester: Entity, owner: Entity) -> tuple[FieldPair, ...]:
    mine, theirs = requester.identification(), owner.identification()
    compared = () if requester.pk == owner.pk else compared_fields(mine, theirs)

    def pair(name: str, a: Any, b: Any) -> FieldPair:
        equal = Outcome.EQUAL if a == b else Outcome.DIFFERS
        return FieldPair(
            name=name,
            requester=_shown(requester, name),
            owner=_shown(owner, name),
            outcome=str(equal if a and b else Outcome.MISSING),
            is_compared=name in compared,
            is_masked=name in MASKED_FIELDS and bool(a or b),
        )

    return (
        pair("name", requester.name, owner.name),
        pair("kind", requester.kind, owner.kind),
        *(pair(name, getattr(mine, name), getattr(theirs, name)) for name in vars(mine)),
    )


def _document(side: str, user: User, today: date) -> Document:
    expires_on = user.entity.document_expires_on
    days = (expires_on - today).days if expires_on else None
    return Document(side, user.username, expires_on, days)


def _rules(share: ShareRequest, policy: Policy) -> tuple[RuleResult, ...]:
    return tuple(
        RuleResult(
            code=str(code),
            found=share.findings.get(code, 0),
            threshold=rule.threshold,
            holds=rule.holds,
            reviewers=rule.reviewers,
            counts=code in share.reasons,
        )
        for code, rule in policy.rules.items()
    )


def _uses(share: ShareRequest) -> dict[uuid.UUID, list[DeviceGrant]]:
    """Every grant ever of both parties and on the device at stake, by device, the newest last."""
    theirs = Q(user__in=[share.requester_id, share.owner_id])
    grants = (
        DeviceGrant.objects.filter(theirs | Q(device=share.device_id))
        .select_related("device", "user")
        .defer("device__secret", "user__password")
        .order_by("granted_at", "pk")
    )
    by_device: dict[uuid.UUID, list[DeviceGrant]] = defaultdict(list)
    for grant in grants:
        by_device[grant.device_id].append(grant)
    return by_device


def _device(device: SecurityDevice, grants: Iterable[DeviceGrant]) -> Device:
    uses = tuple(
        Use(
            username=grant.user.username,
            is_borrowed=grant.is_borrowed,
            state=grant.state,
            since=grant.granted_at,
            last_used_at=grant.last_used_at,
            ended_at=grant.ended_at,
        )
        for grant in grants
    )
    return Device(
        kind=device.kind,
        serial=device.serial_masked,
        state=device.state,
        level=device.traits.level,
        created_at=device.created_at,
        uses=uses,
    )


def _earlier(share: ShareRequest) -> list[EarlierShare]:
    parties = [share.requester_id, share.owner_id]
    rows = (
        ShareRequest.objects.filter(Q(requester__in=parties) | Q(owner__in=parties))
        .exclude(pk=share.pk)
        .select_related("requester", "owner", "device")
        .defer("requester__password", "owner__password", "device__secret")
        .order_by("-created_at", "pk")[:EARLIER]
    )
    return [
        EarlierShare(
            id=str(row.pk),
            requester=row.requester.username,
            owner=row.owner.username,
            device=str(row.device),
            state=row.state,
            reasons=tuple(row.reasons),
            decision_reason=row.decision_reason,
            created_at=row.created_at,
            ended_at=row.ended_at,
        )
        for row in rows
    ]


def _standing_alerts(parties: tuple[User, User]) -> list[Alert]:
    found = []
    for user in parties:
        holds = {
            AlertKind.LOCKED: user.locked_at is not None,
            AlertKind.DEACTIVATED: not user.is_active,
            AlertKind.FLAGGED: user.entity.compliance_flag,
        }
        found += [Alert(str(kind), user.username, None) for kind, is_so in holds.items() if is_so]
    return found


def _recent_alerts(share: ShareRequest) -> list[Alert]:
    parties = (share.requester, share.owner)
    assert share.submitted_at is not None
    # Not from now: passing time alone changes no evidence.
    since = share.submitted_at - ALERTS_REACH
    users = [user.pk for user in parties]
    entities = [user.entity_id for user in parties]

    def rows(kind: AlertKind, found: QuerySet[Any], who: str, at: str) -> QuerySet[Any, Any]:
        return (
            found.filter(**{f"{at}__gt": since})
            .order_by()
            .annotate(
                alert=Value(str(kind), output_field=CharField()),
                who=F(who),
                at_time=F(at),
            )
            .values_list("alert", "who", "at_time")
        )

    resets = PasswordReset.objects.filter(user__in=users, state=ResetState.DONE)
    numbers = PhoneNumber.objects.filter(entity__users__in=users, entity__in=entities)
    phones = PhoneUser.objects.filter(user__in=users)
    reports = PromptReport.objects.filter(user__in=users)
    names = [user.username for user in parties]
    disowned = AuditEvent.objects.filter(subject__in=names, event=events.LOGIN_DISOWNED)
    found = rows(AlertKind.PASSWORD_RESET, resets, "user__username", "proven_at").union(
        rows(AlertKind.NUMBER_VERIFIED, numbers, "entity__users__username", "verified_at"),
        rows(AlertKind.PHONE_ACTIVATED, phones, "user__username", "activated_at"),
        rows(AlertKind.LOGIN_DENIED, reports, "user__username", "reported_at"),
        rows(AlertKind.LOGIN_DISOWNED, disowned, "subject", "at"),
    )
    alerts = [Alert(kind, who, at) for kind, who, at in found if who in names]
    return sorted(alerts, key=lambda alert: (alert.at or since, alert.code, alert.username))


def _facts(
    share: ShareRequest,
    uses: dict[uuid.UUID, list[DeviceGrant]],
    earlier: list[EarlierShare],
    alerts: list[Alert],
    obstacles: tuple[str, ...],
) -> dict[str, Any]:
    """
    What a decision rests on, numbers as keyed indexes. What changes by mere use (a last login) or by the
    passing of time is left out: it would send officers back for nothing.
    """
    return {
        "share": [str(share.pk), share.state, share.findings, share.reasons, share.client_note],
        "parties": [_facts_of(user) for user in (share.requester, share.owner)],
        "device": [str(share.device_id), share.device.state],
        "uses": [
            [str(device), grant.device.state, grant.user_id, grant.state]
            for device, grants in uses.items()
            for grant in grants
            if grant.state in LIVE
        ],
        "earlier": [[row.id, row.state] for row in earlier],
        "alerts": [[alert.code, alert.username, alert.at] for alert in alerts],
        "obstacles": obstacles,
    }


def _facts_of(user: User) -> list[Any]:
    entity = user.entity
    return [
        *(user.pk, user.is_active, user.locked_at is not None, user.email),
        *(str(entity.pk), entity.name, entity.kind, entity.compliance_flag),
        entity.document_expires_on,
        list(vars(entity.identification()).values()),
    ]
