"""
What officers do about a case: claim, recommend, decide, and look at what is masked.

Threat: one officer who lets himself or a friend use a device, or who is made to decide about what he has not
seen. So every rule about who may stands here, whatever page, bulk action or command the call comes from:
rights and device are read anew, nobody decides about his own person, maker and checker are two persons, and
what was looked at must still be so.

Lock order: the parties' rows, the case, the share, its grants, the audit chain.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from compliance import events
from compliance.models import EvidenceSeen, PendingShare, ReviewCase, Verdict
from portal import audit
from portal.caller import Caller
from portal.errors import Refused
from portal.models import User
from sls.models import ShareRequest, ShareState
from sls.review import reviewers_of
from sls.sharing import completion
from sls.sharing.queries import lock_parties
from sls.sharing.rules import RejectionReason, ShareRefusal

from . import gathering, persons, queries
from .evidence import Evidence
from .rules import LONGEST_NOTE, CaseRefusal, Conflict, approval_reasons, rejection_reasons

# No joins in claims: see docs/architecture.md, "Shapes".
STILL_WAITING = Exists(ShareRequest.objects.filter(pk=OuterRef("share"), state=ShareState.PENDING))


def claim(share_id: uuid.UUID, *, by: Caller, now: datetime) -> ReviewCase:
    """Take a free case. Taking one's own again changes nothing. Raises Refused."""
    with _recorded(events.CASE_CLAIMED, share_id, by=by, now=now):
        return _claim(share_id, by=by, now=now)


@transaction.atomic(durable=True)
def _claim(share_id: uuid.UUID, *, by: Caller, now: datetime) -> ReviewCase:
    officer = persons.officer_of(by, persons.WORK)
    share = _waiting(share_id)
    persons.refuse_own_person(officer, share)
    _open_case(share)
    persons.refuse_maker(_case(share), officer)
    free = _undecided(share).filter(claimed_by__isnull=True)
    if free.update(claimed_by=officer, claimed_at=now):
        audit.record(event=events.CASE_CLAIMED, by=by, subject=None, at=now, share=str(share.pk))
    else:
        _waiting(share_id)
    case = _case(share)
    _refuse_others_claim(case, officer)
    return case


def release(share_id: uuid.UUID, *, by: Caller, now: datetime) -> ReviewCase:
    """Give a case back to the queue: one's own, or with the right to assign anybody's. Raises Refused."""
    with _recorded(events.CASE_RELEASED, share_id, by=by, now=now):
        return _release(share_id, by=by, now=now)


@transaction.atomic(durable=True)
def _release(share_id: uuid.UUID, *, by: Caller, now: datetime) -> ReviewCase:
    officer = persons.officer_of(by, persons.WORK)
    share = _waiting(share_id)
    claimed = _undecided(share).filter(claimed_by__isnull=False)
    if not officer.has_perm(persons.ASSIGN):
        claimed = claimed.filter(claimed_by=officer)
    if not claimed.update(claimed_by=None, claimed_at=None):
        _waiting(share_id)
        raise Refused(CaseRefusal.NOT_CLAIMED)
    audit.record(event=events.CASE_RELEASED, by=by, subject=None, at=now, share=str(share.pk))
    return _case(share)


def hand_over(share_id: uuid.UUID, *, to: str, by: Caller, now: datetime) -> ReviewCase:
    """
    Give a case to the colleague with the username `to`: one's own, or with the right to assign any case,
    to oneself as well. Raises Refused.
    """
    with _recorded(events.CASE_HANDED_OVER, share_id, by=by, now=now, to=to[:40]):
        return _hand_over(share_id, to=to, by=by, now=now)


@transaction.atomic(durable=True)
def _hand_over(share_id: uuid.UUID, *, to: str, by: Caller, now: datetime) -> ReviewCase:
    officer = persons.officer_of(by, persons.WORK)
    share = _waiting(share_id)
    persons.refuse_own_person(officer, share)
    colleague = persons.colleague_of(to, share, queries.review_of(share))
    _open_case(share)
    case = _undecided(share)
    if not officer.has_perm(persons.ASSIGN):
        case = case.filter(claimed_by=officer)
    if not case.update(claimed_by=colleague, claimed_at=now):
        _waiting(share_id)
        raise Refused(CaseRefusal.NOT_CLAIMED)
    audit.record(
        event=events.CASE_HANDED_OVER,
        by=by,
        subject=None,
        at=now,
        share=str(share.pk),
        to=colleague.username,
    )
    return _case(share)


class Judgement(NamedTuple):
    """What an officer says of a request. `seen` is the digest of the evidence he had before him."""

    verdict: Verdict
    reason: str
    note: str
    seen: str


def recommend(share_id: uuid.UUID, said: Judgement, *, by: Caller, now: datetime) -> ReviewCase:
    """
    The maker says what he would do, and the case goes back to the queue for the checker. A recommendation
    that no longer counts is replaced. Raises Refused.
    """
    with _recorded(events.CASE_RECOMMENDED, share_id, by=by, now=now, verdict=str(said.verdict)):
        return _recommend(share_id, said, by=by, now=now)


@transaction.atomic(durable=True)
def _recommend(share_id: uuid.UUID, said: Judgement, *, by: Caller, now: datetime) -> ReviewCase:
    officer = persons.officer_of(by, persons.WORK)
    share = _waiting(share_id, locks=True)
    persons.refuse_own_person(officer, share)
    persons.refuse_weaker_device(officer, share, by=by, now=now)
    _open_case(share)
    case = _case(share)
    _refuse_others_claim(case, officer)
    _refuse_words(said)
    evidence = _same_evidence(share, said.seen, now=now)
    if queries.has_recommendation(case, evidence):
        raise Conflict(
            CaseRefusal.RECOMMENDED, who=_name(case.recommended_by), at=case.recommended_at
        )
    ours = _undecided(share).filter(_free_for(officer), recommended_at=case.recommended_at)
    if not ours.update(
        recommended_by=officer,
        recommended_at=now,
        recommendation=said.verdict,
        recommendation_reason=said.reason,
        recommendation_note=said.note.strip(),
        claimed_by=None,
        claimed_at=None,
    ):
        _waiting(share_id)
        raise Refused(CaseRefusal.RECOMMENDED)
    _keep(case, EvidenceSeen.Step.RECOMMENDATION, evidence, officer, now=now)
    audit.record(
        event=events.CASE_RECOMMENDED,
        by=by,
        subject=None,
        at=now,
        share=str(share.pk),
        verdict=str(said.verdict),
        reason=said.reason,
        evidence=evidence.digest,
    )
    return _case(share)


def decide(share_id: uuid.UUID, said: Judgement, *, by: Caller, now: datetime) -> ReviewCase:
    """
    The checker, or the only reviewer where one is enough, approves or rejects: the share is in force or
    over, and both parties are told. An approval looks at every rule again. Raises Refused, and nothing is
    done.
    """
    with _recorded(events.CASE_DECIDED, share_id, by=by, now=now, verdict=str(said.verdict)):
        return _decide(share_id, said, by=by, now=now)


@transaction.atomic(durable=True)
def _decide(share_id: uuid.UUID, said: Judgement, *, by: Caller, now: datetime) -> ReviewCase:
    officer = persons.officer_of(by, persons.DECIDE)
    share = _waiting(share_id, locks=True)
    persons.refuse_own_person(officer, share)
    persons.refuse_weaker_device(officer, share, by=by, now=now)
    _open_case(share)
    case = _case(share)
    _refuse_others_claim(case, officer)
    persons.refuse_maker(case, officer)
    if reviewers_of(share.reviewers) > 1 and not case.recommendation:
        raise Refused(CaseRefusal.RECOMMENDATION_FIRST)
    _refuse_words(said)
    evidence = _same_evidence(share, said.seen, now=now)
    _refuse_alone(share, case, said, evidence)
    ours = _undecided(share).filter(_free_for(officer), ~Q(recommended_by=officer))
    # The evidence first: a decided case takes no more of it.
    _keep(case, EvidenceSeen.Step.DECISION, evidence, officer, now=now)
    if not ours.update(
        decided_by=officer,
        decided_at=now,
        decision=said.verdict,
        decision_reason=said.reason,
        decision_note=said.note.strip(),
    ):
        _waiting(share_id)
        raise Refused(CaseRefusal.DECIDED)
    _carry_out(share, said, now=now)
    audit.record(
        event=events.CASE_DECIDED,
        by=by,
        subject=share.requester,
        at=now,
        share=str(share.pk),
        verdict=str(said.verdict),
        reason=said.reason,
        outcome=share.state,
        requester=share.requester.username,
        owner=share.owner.username,
        device=share.device.serial_masked,
        recommended_by=_name(case.recommended_by),
        evidence=evidence.digest,
    )
    return _case(share)


def unmask(share_id: uuid.UUID, *, field: str, side: str, by: Caller, now: datetime) -> str:
    """
    The whole value of one masked field of "requester" or "owner", for whoever works on the case that waits;
    put on record each time. Raises Refused.
    """
    share = queries.share_of(share_id)
    party = getattr(share, side) if share and side in gathering.SIDES else None
    facts = {"share": str(share_id), "field": field[:40], "side": side[:20]}
    with audit.refusals(event=events.EVIDENCE_UNMASKED, by=by, subject=None, at=now, **facts):
        return _unmask(share, party, field, side, facts, by=by, now=now)


@transaction.atomic(durable=True)
def _unmask(
    share: PendingShare | None,
    party: User | None,
    field: str,
    side: str,
    facts: dict[str, str],
    *,
    by: Caller,
    now: datetime,
) -> str:
    officer = persons.officer_of(by, persons.UNMASK)
    if share is None:
        raise Refused(CaseRefusal.UNKNOWN_CASE)
    persons.refuse_own_person(officer, share)
    review = queries.review_of(share)
    if share.state != ShareState.PENDING or review is None or review.claimed_by != officer:
        raise Refused(CaseRefusal.NOT_CLAIMED)
    value = gathering.unmasked(share, field, side)
    if not value:
        raise Refused(CaseRefusal.NOTHING_TO_UNMASK)
    audit.record(event=events.EVIDENCE_UNMASKED, by=by, subject=party, at=now, **facts)
    return value


@contextmanager
def _recorded(
    event: str, share_id: uuid.UUID, *, by: Caller, now: datetime, **facts: Any
) -> Iterator[None]:
    with audit.refusals(event=event, by=by, subject=None, at=now, share=str(share_id), **facts):
        yield


# --- The case's row --------------------------------------------------------------------------------------


def _waiting(share_id: uuid.UUID, *, locks: bool = False) -> PendingShare:
    """
    The share, which waits for a decision; with its parties locked, so that nobody decides about them
    meanwhile. Raises Conflict when it waits no longer: a device that is revoked takes no lock of theirs, so
    whoever loses a claim asks once more, and says what has really happened.
    """
    if locks and (found := ShareRequest.objects.filter(pk=share_id).first()):
        lock_parties(found)
    share = queries.share_of(share_id)
    if share is None:
        raise Refused(CaseRefusal.UNKNOWN_CASE)
    review = queries.review_of(share)
    if review and review.decided_at:
        raise Conflict(CaseRefusal.DECIDED, who=_name(review.decided_by), at=review.decided_at)
    if share.state != ShareState.PENDING:
        raise Conflict(CaseRefusal.REQUEST_OVER, at=share.ended_at, state=share.state)
    return share


def _refuse_others_claim(case: ReviewCase, officer: User) -> None:
    if case.claimed_by is not None and case.claimed_by != officer:
        raise Conflict(CaseRefusal.CLAIMED, who=_name(case.claimed_by), at=case.claimed_at)


def _refuse_alone(
    share: PendingShare, case: ReviewCase, said: Judgement, evidence: Evidence
) -> None:
    """Where two are needed, both have judged the same facts; and nobody approves against a recommendation."""
    is_recommended = bool(case.recommendation) and queries.has_recommendation(case, evidence)
    if reviewers_of(share.reviewers) > 1 and not is_recommended:
        raise Refused(CaseRefusal.RECOMMENDATION_VOID)
    if said.verdict == Verdict.APPROVE and is_recommended and case.recommendation == Verdict.REJECT:
        raise Refused(CaseRefusal.NOT_AGREED)


def _refuse_words(said: Judgement) -> None:
    known = approval_reasons() if said.verdict == Verdict.APPROVE else rejection_reasons()
    if said.reason not in dict(known):
        raise Refused(CaseRefusal.UNKNOWN_REASON)
    if not 0 < len(said.note.strip()) <= LONGEST_NOTE:
        raise Refused(CaseRefusal.NOTE_MISSING)


def _carry_out(share: PendingShare, said: Judgement, *, now: datetime) -> None:
    try:
        if said.verdict == Verdict.APPROVE:
            completion.approve(share, now=now)
        else:
            completion.reject(share, RejectionReason(said.reason), now=now)  # type: ignore[call-arg]
    except Refused as refused:
        if refused.reason is ShareRefusal.START_OVER:  # withdrawn in this very moment
            raise Conflict(CaseRefusal.REQUEST_OVER) from refused
        raise


def _same_evidence(share: PendingShare, seen: str, *, now: datetime) -> Evidence:
    evidence = gathering.evidence(share, now=now)
    if seen != evidence.digest:
        raise Refused(CaseRefusal.DATA_CHANGED)
    return evidence


def _open_case(share: PendingShare) -> None:
    """The row comes with the first touch; who comes second finds it."""
    ReviewCase.objects.bulk_create([ReviewCase(share=share)], ignore_conflicts=True)


def _undecided(share: PendingShare) -> Any:
    return ReviewCase.objects.filter(STILL_WAITING, pk=share.pk, decided_at__isnull=True)


def _free_for(officer: User) -> Q:
    return Q(claimed_by__isnull=True) | Q(claimed_by=officer)


def _case(share: PendingShare) -> ReviewCase:
    officers = [f"{name}__entity" for name in queries.OFFICERS]
    return ReviewCase.objects.select_related(*officers).get(pk=share.pk)


def _keep(case: ReviewCase, step: str, evidence: Evidence, officer: User, *, now: datetime) -> None:
    EvidenceSeen.objects.create(
        case=case,
        step=step,
        seen_by=officer,
        seen_at=now,
        digest=evidence.digest,
        data=evidence.as_data(),
    )


def _name(user: User | None) -> str:
    return user.username if user else ""
