"""
What happens when nobody acts: overdue cases are told to the leads, forgotten claims end, officers hear each
morning what waits. So no request stays without somebody who answers for it, and a date.
"""

import uuid
from collections import Counter
from datetime import datetime
from functools import partial

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.timezone import localdate

from compliance import events
from compliance.models import PendingShare, ReviewCase
from portal import audit, business_days, steps
from portal.caller import SYSTEM
from portal.models import Urgency, User
from portal.outbox.enqueue import enqueue, message
from sls.models import ShareState
from sls.sharing.queries import overdue_before

from . import persons

BATCH = 200  # cases a run; the next run goes on


@transaction.atomic(durable=True)
def escalate(*, now: datetime) -> int:
    """Tell the leads of the cases that have become overdue, of each once; how many."""
    late = _overdue(now).filter(review__escalated_at__isnull=True)
    oldest = late.order_by("submitted_at", "pk").values_list("pk", flat=True)[:BATCH]
    ids = sorted(oldest, key=str)  # the one order in which cases are locked
    if not ids:
        return 0
    ReviewCase.objects.bulk_create(
        [ReviewCase(share_id=share_id) for share_id in ids], ignore_conflicts=True
    )
    # Each by itself: two runs at once tell of each case once.
    told = [share_id for share_id in ids if _mark(share_id, now)]
    if not told:
        return 0
    leads = list(persons.entitled(persons.ASSIGN))
    fact = f"{now.isoformat()} {told[0]}"
    enqueue(
        message(user=lead, event="cases_overdue", fact=fact, now=now, number=len(told))
        for lead in leads
    )
    for share_id in told:
        audit.record(
            event=events.CASE_ESCALATED,
            by=SYSTEM,
            subject=None,
            at=now,
            share=str(share_id),
            leads=[lead.username for lead in leads],
        )
    return len(told)


def _mark(share_id: uuid.UUID, now: datetime) -> bool:
    ours = ReviewCase.objects.filter(
        pk=share_id, escalated_at__isnull=True, decided_at__isnull=True
    )
    return bool(ours.update(escalated_at=now))


@transaction.atomic(durable=True)
def assign_overdue(*, now: datetime) -> int:
    """
    An overdue case that nobody works on becomes that of the lead with the fewest claims who may take it;
    how many did.
    """
    free = _overdue(now).filter(review__escalated_at__isnull=False, review__claimed_by__isnull=True)
    shares = free.select_related(
        "requester__entity", "owner__entity", "device", "review__recommended_by__entity"
    ).defer("device__secret")
    found = list(shares.order_by("submitted_at", "pk")[:BATCH])
    if not found:
        return 0
    owners = _share_out(sorted(found, key=lambda share: str(share.pk)), now=now)
    for share_id, username in owners.items():
        audit.record(
            event=events.CASE_HANDED_OVER,
            by=SYSTEM,
            subject=None,
            at=now,
            share=str(share_id),
            to=username,
        )
    return len(owners)


def _share_out(shares: list[PendingShare], *, now: datetime) -> dict[uuid.UUID, str]:
    """Which lead got which case, by username."""
    staff = persons.entitled(persons.WORK)
    leads = list(
        persons.entitled(persons.ASSIGN).filter(pk__in=staff.values("pk")).select_related("entity")
    )
    claims = _undecided().filter(claimed_by__in=leads, share__state=ShareState.PENDING)
    load = Counter(claims.values_list("claimed_by", flat=True))
    owners = {}
    for share in shares:
        fit = [lead for lead in leads if persons.may_take(lead, share, share.review)]
        if not fit:
            continue
        lead = min(fit, key=lambda lead: (load[lead.pk], lead.username))
        free = _undecided().filter(pk=share.pk, claimed_by__isnull=True)
        if free.update(claimed_by=lead, claimed_at=now):
            load[lead.pk] += 1
            owners[share.pk] = lead.username
    return owners


def _undecided() -> QuerySet[ReviewCase]:
    return ReviewCase.objects.filter(decided_at__isnull=True)


def _waiting() -> QuerySet[PendingShare]:
    return PendingShare.objects.filter(state=ShareState.PENDING)


def _overdue(now: datetime) -> QuerySet[PendingShare]:
    return _waiting().filter(submitted_at__lt=overdue_before(now))


def release_forgotten(*, now: datetime) -> int:
    """
    Give back to the queue what was claimed too long ago and is not overdue yet, or by somebody who may work
    on cases no more; a request that waits no longer is nobody's work either. How many.
    """
    staff = list(persons.entitled(persons.WORK).values_list("pk", flat=True))
    too_long = Q(claimed_at__lte=now - settings.CLAIM_LIFE, escalated_at__isnull=True)
    stale = too_long | ~Q(claimed_by__in=staff) | ~Q(share__state=ShareState.PENDING)
    claimed = _undecided().filter(stale, claimed_by__isnull=False)
    rows = list(claimed.select_related("claimed_by").order_by("claimed_at", "pk")[:BATCH])
    return sum(steps.take(partial(_give_back, case, now=now) for case in rows))


@transaction.atomic(durable=True)
def _give_back(case: ReviewCase, *, now: datetime) -> bool:
    as_found = ReviewCase.objects.filter(
        pk=case.pk,
        claimed_by=case.claimed_by,
        claimed_at=case.claimed_at,
        decided_at__isnull=True,
    )
    if not as_found.update(claimed_by=None, claimed_at=None):
        return False
    assert case.claimed_by is not None
    audit.record(
        event=events.CASE_RELEASED,
        by=SYSTEM,
        subject=None,
        at=now,
        share=str(case.pk),
        claimed_by=case.claimed_by.username,
    )
    return True


def send_digest(*, now: datetime) -> int:
    """Tell each officer what waits, on business days and when anything does; how many were told."""
    today = localdate(now)
    if not business_days.is_business_day(today, settings.HOLIDAYS):
        return 0
    counts = {
        "waiting": _waiting().count(),
        "overdue": _overdue(now).count(),
    }
    if not counts["waiting"]:
        return 0
    officers = list(persons.entitled(persons.WORK))
    try:
        _tell(officers, counts, now=now)
    except IntegrityError:
        return 0  # told today already
    return len(officers)


@transaction.atomic(durable=True)
def _tell(officers: list[User], counts: dict[str, int], *, now: datetime) -> None:
    claimed = Counter(
        ReviewCase.objects.filter(
            share__state=ShareState.PENDING, claimed_by__in=officers
        ).values_list("claimed_by", flat=True)
    )
    enqueue(
        message(
            user=officer,
            event="cases_digest",
            fact=str(localdate(now)),
            now=now,
            urgency=Urgency.BULK,
            claimed=claimed[officer.pk],
            waiting=counts["waiting"],
            overdue=counts["overdue"],
        )
        for officer in officers
    )
