"""
Reading one case: the request, what officers did about it, and the evidence, in a fixed number of queries.
"""

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from django.db.models import QuerySet
from django.utils.timezone import localdate

from compliance.models import EvidenceSeen, PendingShare, ReviewCase
from sls.models import ShareRequest, ShareState
from sls.review import reviewers_of
from sls.sharing import queries as sharing

from . import persons
from .evidence import Evidence
from .gathering import evidence

OFFICERS = ("claimed_by", "recommended_by", "decided_by")


@dataclass
class Case:
    """
    A share as the desk sees it. `review` is None until somebody claims it; `seen` is the stored evidence
    of its steps, the oldest first. `due_on` is the day by which the client expects an answer.
    """

    share: ShareRequest
    review: ReviewCase | None
    evidence: Evidence
    seen: list[EvidenceSeen]
    due_on: date
    is_overdue: bool

    @property
    def is_waiting(self) -> bool:
        return self.share.state == ShareState.PENDING

    @property
    def reviewers(self) -> int:
        return reviewers_of(self.share.reviewers)

    @property
    def needs_recommendation(self) -> bool:
        return self.reviewers > 1 and not self.is_recommended

    @property
    def has_void_recommendation(self) -> bool:
        is_made = bool(self.review and self.review.recommendation)
        return self.is_waiting and is_made and not self.is_recommended

    @cached_property
    def is_recommended(self) -> bool:
        made_on = [row for row in self.seen if row.step == EvidenceSeen.Step.RECOMMENDATION]
        if self.review is None or not made_on:
            return False
        return _counts(self.review, made_on[-1], self.evidence)


def shares() -> QuerySet[PendingShare]:
    """Submitted shares with everything a decision reads of them, in one query."""
    return (
        PendingShare.objects.filter(submitted_at__isnull=False)
        .select_related(
            *("requester__entity", "owner__entity", "device", "policy"),
            *(f"review__{officer}__entity" for officer in OFFICERS),
        )
        .defer("device__secret", "requester__password", "owner__password")
    )


def share_of(share_id: uuid.UUID) -> PendingShare | None:
    return shares().filter(pk=share_id).first()


def review_of(share: ShareRequest) -> ReviewCase | None:
    found: ReviewCase | None = getattr(share, "review", None)
    return found


def has_recommendation(review: ReviewCase, evidence: Evidence) -> bool:
    """
    Is there a recommendation that counts: made on these very facts, by somebody who may still work on cases?
    Maker and checker must have judged the same.
    """
    made_on = review.evidence.filter(step=EvidenceSeen.Step.RECOMMENDATION).order_by("-pk").first()
    return made_on is not None and _counts(review, made_on, evidence)


def _counts(review: ReviewCase, made_on: EvidenceSeen, evidence: Evidence) -> bool:
    maker = review.recommended_by
    same_facts = made_on.digest == evidence.digest
    return maker is not None and same_facts and persons.may_still_work(maker)


def case_of(share_id: uuid.UUID, *, now: datetime) -> Case | None:
    """The case, or None for what was never submitted to Compliance."""
    share = share_of(share_id)
    if share is None:
        return None
    assert share.submitted_at is not None
    due_on = sharing.due_on(share.submitted_at)
    seen = EvidenceSeen.objects.filter(case=share.pk).select_related("seen_by").order_by("pk")
    return Case(
        share=share,
        review=review_of(share),
        evidence=evidence(share, now=now),
        seen=list(seen),
        due_on=due_on,
        is_overdue=share.state == ShareState.PENDING and localdate(now) > due_on,
    )
