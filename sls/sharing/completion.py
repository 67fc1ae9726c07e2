"""
How a share ends the wizard, and how it ends: submit, in force or held for review; withdraw, cancel, undo.
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core import signing
from django.db import transaction

from portal import audit
from portal.caller import Caller
from portal.errors import Refused
from portal.models import OutboxMessage
from portal.outbox.enqueue import enqueue, message
from sls import events, review
from sls.devices import queries as devices
from sls.models import DeviceGrant, GrantState, ShareRequest, ShareState
from sls.models.device import ON_KEPT_DEVICE, ON_PHYSICAL_DEVICE
from sls.models.share import OPEN
from sls.review import Outcome

from . import queries, rules
from .operations import claim, refuse
from .rules import NOTE_LENGTH, RejectionReason, ShareRefusal

UNDO_SALT = "sls.sharing.undo"


def submit(share: ShareRequest, *, note: str = "", by: Caller, now: datetime) -> ShareRequest:
    """
    Step 8: everything once more, under the participants' lock, and then enforced at once, pending, or
    refused. `note` is what the requester wants to tell Compliance, at most NOTE_LENGTH characters. Raises
    Refused when the share is no longer the proven one it was.
    """
    with audit.refusals(
        event=events.SHARE_SUBMITTED, by=by, subject=share.owner, at=now, share=str(share.pk)
    ):
        return _submit(share, note, by=by, now=now)


@transaction.atomic(durable=True)
def _submit(share: ShareRequest, note: str, *, by: Caller, now: datetime) -> ShareRequest:
    if share.challenge.session != by.session:  # a proof is not carried over to another login
        raise Refused(ShareRefusal.START_OVER)
    facts = queries.facts_now(share, now=now)
    if facts is None:
        return refuse(share, [ShareRefusal.START_OVER], ShareState.PROVEN, by=by, now=now)
    if found := rules.refusals(facts):
        return refuse(share, found, ShareState.PROVEN, by=by, now=now)
    findings = rules.findings(facts)
    judged: dict[str, Any] = {
        "findings": findings,
        "policy_id": facts.policy.version or None,
        "submitted_at": now,
        "client_note": note[:NOTE_LENGTH],
    }
    outcome = review.outcome(facts.policy, findings)
    if outcome.reviewers:
        return _hold(share, outcome, by=by, now=now, **judged)
    _enforce(share, ShareState.PROVEN, now=now, **judged)
    audit.record(
        event=events.SHARE_APPROVED,
        by=by,
        subject=share.owner,
        at=now,
        share=str(share.pk),
        outcome=ShareState.ENFORCED,
        requester=share.requester.username,
        device=share.device.serial_masked,
    )
    return share


def _hold(
    share: ShareRequest, outcome: Outcome, *, by: Caller, now: datetime, **columns: object
) -> ShareRequest:
    codes = list(outcome.reasons)
    claim(
        share,
        ShareState.PROVEN,
        now=now,
        state=ShareState.PENDING,
        reasons=codes,
        reviewers=outcome.reviewers,
        **columns,
    )
    _grant(share, GrantState.PENDING, now=now)
    enqueue(_to_both(share, "share_pending", now=now, due_on=str(queries.due_on(now))))
    audit.record(
        event=events.SHARE_SUBMITTED,
        by=by,
        subject=share.owner,
        at=now,
        share=str(share.pk),
        outcome=ShareState.PENDING,
        reasons=codes,
    )
    return share


def _enforce(share: ShareRequest, was: ShareState, *, now: datetime, **columns: object) -> None:
    """Approved, processed and enforced, in one transaction: the new device in, the old ones kept."""
    claim(
        share,
        was,
        now=now,
        state=ShareState.ENFORCED,
        approved_at=now,
        enforced_at=now,
        **columns,
    )
    kept = DeviceGrant.objects.filter(
        ON_PHYSICAL_DEVICE, user=share.requester, state=GrantState.ACTIVE
    )
    kept.update(state=GrantState.DORMANT, confirmed=False)
    if was == ShareState.PENDING:
        waiting = DeviceGrant.objects.filter(share=share, state=GrantState.PENDING)
        if not waiting.update(state=GrantState.ACTIVE, confirmed=True, granted_at=now):
            raise Refused(ShareRefusal.PROOF_OVER)
    else:
        _grant(share, GrantState.ACTIVE, now=now)
    enqueue(_to_both(share, "share_enforced", now=now))


@transaction.atomic
def approve(share: ShareRequest, *, now: datetime) -> None:
    """
    Compliance agrees to a share that waits: every rule once more, under the participants' lock, and then in
    force. The caller, whose transaction this is part of, records who decided. Raises Refused, and the
    request stays open.
    """
    devices.lock(share.device_id)  # it is not suspended or revoked meanwhile
    facts = queries.facts_now(share, now=now)
    if facts is None:
        raise Refused(ShareRefusal.PROOF_OVER)
    for refusal in rules.refusals(facts):
        raise Refused(refusal)
    _enforce(share, ShareState.PENDING, now=now)


@transaction.atomic
def reject(share: ShareRequest, reason: RejectionReason, *, now: datetime) -> None:
    """
    Compliance does not agree; both parties are told why and what now. The caller, whose transaction this
    is part of, records who decided. Raises Refused when the request waits no longer.
    """
    claim(
        share,
        ShareState.PENDING,
        now=now,
        state=ShareState.REJECTED,
        decision_reason=reason.code,
        ended_at=now,
    )
    _end_grant(share, now=now)
    enqueue(_to_both(share, "share_rejected", now=now, reason=reason.code))


def _grant(share: ShareRequest, state: GrantState, *, now: datetime) -> DeviceGrant:
    return DeviceGrant.objects.create(
        user=share.requester,
        device=share.device,
        share=share,
        name=str(share.device.get_kind_display()),
        state=state,
        confirmed=state == GrantState.ACTIVE,
        granted_at=now,
    )


def withdraw(share: ShareRequest, *, by: Caller, now: datetime) -> None:
    """The requester takes back a request that waits for approval. Raises Refused."""
    with audit.refusals(
        event=events.SHARE_WITHDRAWN, by=by, subject=share.owner, at=now, share=str(share.pk)
    ):
        _end(share, ShareState.PENDING, events.SHARE_WITHDRAWN, by=by, now=now)


def cancel(share: ShareRequest, *, by: Caller, now: datetime) -> None:
    """
    Either side ends the sharing. The borrower's own devices come back; where he has none, the sharing
    stays, for nobody is left with one factor unawares. Raises Refused.
    """
    with audit.refusals(
        event=events.SHARE_CANCELLED, by=by, subject=share.requester, at=now, share=str(share.pk)
    ):
        _end(share, ShareState.ENFORCED, events.SHARE_CANCELLED, by=by, now=now)


def undo(token: str, *, by: Caller, now: datetime) -> ShareRequest:
    """
    "This was not me", from the link in the owner's message: ends the share or request whatever it leaves
    behind. Works once, until the link expires. Raises Refused.
    """
    share = shared_by_link(token)
    with audit.refusals(
        event=events.SHARE_CANCELLED, by=by, subject=share.owner, at=now, share=str(share.pk)
    ):
        state = ShareState(share.state)
        if state not in (ShareState.ENFORCED, ShareState.PENDING):
            raise Refused(ShareRefusal.LINK_OVER)
        _end(share, state, events.SHARE_CANCELLED, by=by, now=now, by_link=True)
    return share


def undo_token(share: ShareRequest) -> str:
    return signing.dumps(str(share.pk), salt=UNDO_SALT)


def shared_by_link(token: str) -> ShareRequest:
    """The share an undo link names. Raises Refused for a forged or expired link."""
    try:
        share_id = signing.loads(token, salt=UNDO_SALT, max_age=settings.UNDO_LIFE)
    except signing.BadSignature as error:
        raise Refused(ShareRefusal.LINK_OVER) from error
    share = queries.shares().filter(pk=share_id).first()
    if share is None:
        raise Refused(ShareRefusal.LINK_OVER)
    return share


@transaction.atomic(durable=True)
def _end(
    share: ShareRequest,
    was: ShareState,
    event: str,
    *,
    by: Caller,
    now: datetime,
    by_link: bool = False,
) -> None:
    claim(share, was, now=now, state=ShareState.CANCELLED, ended_at=now)
    _end_grant(share, now=now)
    was_in_force = was == ShareState.ENFORCED
    if was_in_force:
        DeviceGrant.objects.filter(
            ON_KEPT_DEVICE, user=share.requester, state=GrantState.DORMANT
        ).update(state=GrantState.ACTIVE, confirmed=True)
        if not by_link and not devices.ways_in_now(share.requester, now=now):
            raise Refused(ShareRefusal.WOULD_STRAND)
    enqueue(_to_both(share, "share_cancelled" if was_in_force else "share_withdrawn", now=now))
    other = share.owner if by.user == share.requester else share.requester
    audit.record(event=event, by=by, subject=other, at=now, share=str(share.pk), by_link=by_link)


def _end_grant(share: ShareRequest, *, now: datetime) -> None:
    DeviceGrant.objects.filter(share=share).update(
        state=GrantState.ENDED, confirmed=False, ended_at=now
    )


@transaction.atomic(durable=True)
def close_expired(*, now: datetime) -> int:
    """Mark wizards nobody finished in time; how many."""
    stale = ShareRequest.objects.filter(state__in=OPEN, expires_at__lte=now)
    return stale.update(state=ShareState.EXPIRED, ended_at=now)


def letters(
    share: ShareRequest, *, rejection: RejectionReason | None, now: datetime
) -> list[OutboxMessage]:
    """
    What the requester and the owner would be told of an approval or a rejection: not saved, and with a link
    that undoes nothing.
    """
    if rejection is None:
        return _to_both(share, "share_enforced", now=now, undo="preview")
    return _to_both(share, "share_rejected", now=now, undo="preview", reason=rejection.code)


def _to_both(
    share: ShareRequest, event: str, *, now: datetime, undo: str = "", **more: str
) -> list[OutboxMessage]:
    words: dict[str, Any] = {
        "requester": share.requester.username,
        "owner": share.owner.username,
        "device": share.device.kind,
        "serial": share.device.serial_masked,
        "undo_token": "",
        **more,
    }
    fact = str(share.pk)
    undo_link = {"undo_token": undo or undo_token(share)}
    return [
        message(user=share.requester, event=event, fact=fact, now=now, **words),
        message(user=share.owner, event=event, fact=fact, now=now, **(words | undo_link)),
    ]
