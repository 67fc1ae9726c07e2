"""
The share wizard's changes: start, answer, submit; withdraw, cancel, undo.

The order of telling matters. Before the owner's password *and* device are proven, the wizard says the
same thing about everybody; only then does it give reasons (abuse-cases.md section 3, decision 10).
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.db.models import Q

from portal import audit, credentials, throttle
from portal.caller import Caller
from portal.errors import Refused
from portal.models import OutboxMessage, User
from portal.models.account import normalise_username
from portal.outbox.enqueue import enqueue, message
from sls import events
from sls.devices import challenges
from sls.devices.queries import live_grants
from sls.models import DeviceGrant, GrantState, Purpose, ShareRequest, ShareState
from sls.models.device import ON_ACTIVE_DEVICE, ON_PHYSICAL_DEVICE
from sls.models.share import OPEN

from . import queries, rules
from .rules import ReviewReason, ShareRefusal

UNDO_SALT = "sls.sharing.undo"


def start(*, by: Caller, owner_username: str, owner_password: str, now: datetime) -> ShareRequest:
    """
    Steps 6: name the owner, prove his password, and put the question to his device. An earlier open
    wizard of the requester ends, so nothing proven there counts any more. Raises Refused.
    """
    requester = _requester(by)
    name = normalise_username(owner_username)
    try:
        if name == requester.username:
            raise Refused(ShareRefusal.SAME_USER)
        owner = _check_owner(name, owner_password, by=by, now=now)
        for ends_others in (False, True, True):
            try:
                return _open_wizard(requester, owner, ends_others=ends_others, by=by, now=now)
            except IntegrityError:
                continue  # the requester has an open wizard, perhaps in another tab: the newer wins
        raise Refused(ShareRefusal.START_OVER)
    except Refused as refused:
        # The owner's history shows who tried; a name that is nobody's is not kept.
        owner_named = credentials.named(name)
        audit.record_refusal(
            event=events.SHARE_STARTED, by=by, subject=owner_named, at=now, refused=refused.code
        )
        raise


def _check_owner(name: str, password: str, *, by: Caller, now: datetime) -> User:
    limits = [
        (throttle.OWNER_PASSWORD_OF_NAME, name),
        (throttle.OWNER_PASSWORD_BY_REQUESTER, by.username),
    ]
    if throttle.spend(limits, now=now):
        raise Refused(ShareRefusal.TOO_MANY_ATTEMPTS)
    owner = credentials.check(name, password, now=now)
    if owner is None:
        raise Refused(ShareRefusal.INVALID_CREDENTIALS)
    throttle.give_back(limits)
    return owner


@transaction.atomic(durable=True)
def _open_wizard(
    requester: User, owner: User, *, ends_others: bool, by: Caller, now: datetime
) -> ShareRequest:
    grants = live_grants([requester, owner], now=now)
    device = queries.lendable(grants, owner)
    if device is None:
        borrows = any(g.is_borrowed for g in grants if g.user_id == owner.pk)
        raise Refused(ShareRefusal.BORROWED_DEVICE if borrows else ShareRefusal.NO_SHAREABLE_DEVICE)
    facts = queries.facts(requester=requester, owner=owner, device=device, grants=grants, now=now)
    for refusal in rules.refusals_of_requester(facts):
        raise Refused(refusal)
    if ends_others:
        ShareRequest.objects.filter(requester=requester, state__in=OPEN).update(
            state=ShareState.CANCELLED, ended_at=now
        )
    challenge = challenges.issue(
        user=requester, device=device, purpose=Purpose.SHARE, session=by.session, now=now
    )
    share = ShareRequest.objects.create(
        requester=requester,
        owner=owner,
        device=device,
        challenge=challenge,
        owner_password_mark=owner.get_session_auth_hash(),
        created_at=now,
        expires_at=now + settings.WIZARD_LIFE,
    )
    audit.record(
        event=events.SHARE_STARTED,
        by=by,
        subject=owner,
        at=now,
        share=str(share.pk),
        device=device.serial_masked,
    )
    return share


def answer(share: ShareRequest, *, response: str, by: Caller, now: datetime) -> ShareRequest:
    """
    Step 7: prove the device. Then, and only then, the rules are told: a share that may not be becomes
    REFUSED with its reason. Raises Refused when the proof fails.
    """
    users = [share.requester, share.owner]
    with audit.refusals(
        event=events.SHARE_PROVEN, by=by, subject=share.owner, at=now, share=str(share.pk)
    ):
        challenges.spend(share.challenge, users=users, session=by.session, now=now)
        return _prove(share, response, by=by, now=now)


@transaction.atomic(durable=True)
def _prove(share: ShareRequest, response: str, *, by: Caller, now: datetime) -> ShareRequest:
    challenges.answer(
        share.challenge,
        response,
        users=[share.requester, share.owner],
        purpose=Purpose.SHARE,
        session=by.session,
        now=now,
    )
    facts = queries.facts(
        requester=share.requester,
        owner=share.owner,
        device=share.device,
        grants=live_grants([share.requester, share.owner], now=now, sharing=share.device),
        now=now,
    )
    if found := rules.refusals(facts):
        return _refuse(share, found, ShareState.DRAFT, by=by, now=now, proven_at=now)
    _claim(share, ShareState.DRAFT, now=now, state=ShareState.PROVEN, proven_at=now)
    audit.record(event=events.SHARE_PROVEN, by=by, subject=share.owner, at=now, share=str(share.pk))
    return share


def submit(share: ShareRequest, *, by: Caller, now: datetime) -> ShareRequest:
    """
    Step 8: everything once more, under the participants' lock, and then enforced at once, pending, or
    refused. Raises Refused when the share is no longer the proven one it was.
    """
    with audit.refusals(
        event=events.SHARE_SUBMITTED, by=by, subject=share.owner, at=now, share=str(share.pk)
    ):
        return _submit(share, by=by, now=now)


@transaction.atomic(durable=True)
def _submit(share: ShareRequest, *, by: Caller, now: datetime) -> ShareRequest:
    if share.challenge.session != by.session:  # a proof is not carried over to another login
        raise Refused(ShareRefusal.START_OVER)
    facts = queries.facts_now(share, now=now)
    if facts is None:
        return _refuse(share, [ShareRefusal.START_OVER], ShareState.PROVEN, by=by, now=now)
    if found := rules.refusals(facts):
        return _refuse(share, found, ShareState.PROVEN, by=by, now=now)
    reasons = rules.review_reasons(facts, frozenset(settings.REVIEW_RULES))
    if reasons:
        return _hold(share, reasons, by=by, now=now)
    return _enforce(share, ShareState.PROVEN, by=by, now=now, submitted_at=now)


def _claim(share: ShareRequest, was: ShareState, *, now: datetime, **columns: object) -> None:
    """Move the row on from what it `was`, once; who comes second is refused and changes nothing."""
    ours = Q(pk=share.pk, state=was)
    if was in OPEN:
        ours &= Q(expires_at__gt=now)
    if not ShareRequest.objects.filter(ours).update(**columns):
        raise Refused(ShareRefusal.START_OVER)
    for name, value in columns.items():
        setattr(share, name, value)


def _refuse(
    share: ShareRequest,
    found: list[ShareRefusal],
    was: ShareState,
    *,
    by: Caller,
    now: datetime,
    **columns: object,
) -> ShareRequest:
    codes = [refusal.code for refusal in found]
    _claim(
        share,
        was,
        now=now,
        state=ShareState.REFUSED,
        reasons=codes,
        ended_at=now,
        **columns,
    )
    audit.record(
        event=events.SHARE_SUBMITTED,
        by=by,
        subject=share.owner,
        at=now,
        share=str(share.pk),
        refused=codes[0],
        reasons=codes,
    )
    return share


def _hold(
    share: ShareRequest, reasons: list[ReviewReason], *, by: Caller, now: datetime
) -> ShareRequest:
    codes = [str(reason) for reason in reasons]
    _claim(
        share,
        ShareState.PROVEN,
        now=now,
        state=ShareState.PENDING,
        submitted_at=now,
        reasons=codes,
    )
    _grant(share, GrantState.PENDING, now=now)
    enqueue(_to_both(share, "share_pending", now=now))
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


def _enforce(
    share: ShareRequest, was: ShareState, *, by: Caller, now: datetime, **columns: object
) -> ShareRequest:
    """Approved, processed and enforced, in one transaction: the new device in, the old ones kept."""
    _claim(
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
    _grant(share, GrantState.ACTIVE, now=now)
    enqueue(_to_both(share, "share_enforced", now=now))
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
    _claim(share, was, now=now, state=ShareState.CANCELLED, ended_at=now)
    DeviceGrant.objects.filter(share=share).update(
        state=GrantState.ENDED, confirmed=False, ended_at=now
    )
    was_in_force = was == ShareState.ENFORCED
    if was_in_force:
        DeviceGrant.objects.filter(
            ON_ACTIVE_DEVICE, user=share.requester, state=GrantState.DORMANT
        ).update(state=GrantState.ACTIVE, confirmed=True)
        has_way_in = DeviceGrant.objects.filter(
            ON_ACTIVE_DEVICE, user=share.requester, state=GrantState.ACTIVE
        ).exists()
        if not has_way_in and not by_link:
            raise Refused(ShareRefusal.WOULD_STRAND)
    enqueue(_to_both(share, "share_cancelled" if was_in_force else "share_withdrawn", now=now))
    other = share.owner if by.user == share.requester else share.requester
    audit.record(event=event, by=by, subject=other, at=now, share=str(share.pk), by_link=by_link)


@transaction.atomic(durable=True)
def close_expired(*, now: datetime) -> int:
    """Mark wizards nobody finished in time; how many."""
    stale = ShareRequest.objects.filter(state__in=OPEN, expires_at__lte=now)
    return stale.update(state=ShareState.EXPIRED, ended_at=now)


def _to_both(share: ShareRequest, event: str, *, now: datetime) -> list[OutboxMessage]:
    words: dict[str, Any] = {
        "requester": share.requester.username,
        "owner": share.owner.username,
        "device": share.device.kind,
        "serial": share.device.serial_masked,
        "undo_token": "",
    }
    fact = str(share.pk)
    undo_link = {"undo_token": undo_token(share)}
    return [
        message(user=share.requester, event=event, fact=fact, now=now, **words),
        message(user=share.owner, event=event, fact=fact, now=now, **(words | undo_link)),
    ]


def _requester(by: Caller) -> User:
    assert by.user is not None, "the wizard's pages need a login"
    return by.user
