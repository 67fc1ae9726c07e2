"""
The share wizard's changes up to the proof: start, answer. What comes of it: `completion`.

The order of telling matters. Before the owner's password *and* device are proven, the wizard says the
same thing about everybody; only then does it give reasons (abuse-cases.md section 3, decision 10).
"""

from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from portal import audit, credentials, throttle
from portal.caller import Caller
from portal.errors import Refused
from portal.models import User
from portal.models.account import normalise_username
from sls import events
from sls.devices import challenges
from sls.devices.queries import live_grants
from sls.models import Purpose, ShareRequest, ShareState
from sls.models.share import OPEN

from . import queries, rules
from .rules import ShareRefusal


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
        return refuse(share, found, ShareState.DRAFT, by=by, now=now, proven_at=now)
    claim(share, ShareState.DRAFT, now=now, state=ShareState.PROVEN, proven_at=now)
    audit.record(event=events.SHARE_PROVEN, by=by, subject=share.owner, at=now, share=str(share.pk))
    return share


def claim(share: ShareRequest, was: ShareState, *, now: datetime, **columns: object) -> None:
    """Move the row on from what it `was`, once; who comes second is refused and changes nothing."""
    ours = Q(pk=share.pk, state=was)
    if was in OPEN:
        ours &= Q(expires_at__gt=now)
    if not ShareRequest.objects.filter(ours).update(**columns):
        raise Refused(ShareRefusal.START_OVER)
    for name, value in columns.items():
        setattr(share, name, value)


def refuse(
    share: ShareRequest,
    found: list[ShareRefusal],
    was: ShareState,
    *,
    by: Caller,
    now: datetime,
    **columns: object,
) -> ShareRequest:
    codes = [refusal.code for refusal in found]
    claim(
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


def _requester(by: Caller) -> User:
    assert by.user is not None, "the wizard's pages need a login"
    return by.user
