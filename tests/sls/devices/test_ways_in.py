"""Which ways in remain: a table of cases, and random clients who never strand anybody."""

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest

from portal.errors import Refused
from sls.catalog import DeviceKind
from sls.devices import operations as devices
from sls.devices.queries import affected_by, ways_in_now
from sls.devices.rules import NOTHING, Loss, ends_soon, strands, ways_in
from sls.models import DeviceGrant, GrantState, ShareState
from sls.sharing import completion, operations
from sls.sharing.queries import shares
from tests.conftest import NOW, PLAYS, by, password, person, press
from tests.counting import counting
from tests.sls.test_admin import borrow, device_of

OWN, LENT, TEMPORARY, SMS = UUID(int=1), UUID(int=2), UUID(int=3), UUID(int=4)


@dataclass(frozen=True)
class Grant:
    grant_id: int
    device_id: UUID
    kind: str = DeviceKind.DSC_PLUS
    state: str = "active"
    device_state: str = "active"
    expires_at: object = None
    is_borrowed: bool = False


own = Grant(1, OWN)
asleep = replace(own, state="dormant")
lent = Grant(2, LENT, is_borrowed=True)
pending = replace(lent, state="pending")
temporary = Grant(3, TEMPORARY, kind=DeviceKind.TEMPORARY_CODE, expires_at=NOW + timedelta(days=2))
sms = Grant(4, SMS, kind=DeviceKind.SMS)
suspended = replace(own, device_state="suspended")
LOSES_OWN, LOSES_LENT = Loss(devices=frozenset([OWN])), Loss(devices=frozenset([LENT]))


@pytest.mark.parametrize(
    ("held", "loss", "left"),
    [
        ([], NOTHING, []),
        ([own], NOTHING, [own]),
        ([own], LOSES_OWN, []),
        ([own], Loss(grants=frozenset([1])), []),
        ([own, temporary], LOSES_OWN, [temporary]),
        ([asleep, lent], NOTHING, [lent]),
        ([asleep, lent], LOSES_LENT, [asleep]),
        ([asleep, lent], Loss(grants=frozenset([2])), [asleep]),
        ([replace(asleep, device_state="revoked"), lent], LOSES_LENT, []),
        ([own, pending], LOSES_LENT, [own]),
        ([pending], NOTHING, []),
        ([suspended], NOTHING, []),
        ([asleep, replace(lent, device_state="suspended")], NOTHING, []),
        ([sms], NOTHING, [sms]),
        ([sms, own], NOTHING, [own]),
        ([sms, own], LOSES_OWN, []),  # SMS codes have ended with the permanent device
        ([sms, suspended], NOTHING, [sms]),
    ],
)
def test_what_is_left(held, loss, left):
    assert ways_in(held, loss) == left


@pytest.mark.parametrize(
    ("held", "is_stranded"),
    [([own], True), ([own, temporary], False), ([], False), ([suspended], False), ([lent], False)],
)
def test_only_who_had_a_way_in_is_stranded(held, is_stranded):
    assert strands(held, LOSES_OWN) is is_stranded


def test_what_ends_soon_is_told_apart():
    later = replace(temporary, expires_at=NOW + timedelta(days=4))
    assert ends_soon([own, temporary, later], NOW) == [temporary]


@pytest.mark.usefixtures("on_stage")
def test_everybody_affected_is_read_in_one_query_whatever_their_number():
    for borrower in ("requester", "no_device", "stranger"):
        borrow("owner", borrower)
        device = device_of("owner").pk
        with counting() as count:
            affected_by(device, now=NOW)
        assert count.sql == 1


@pytest.mark.usefixtures("on_stage")
def test_a_way_in_that_has_expired_keeps_nobody_from_being_stranded():
    share = borrow("owner", "temporary_code")
    DeviceGrant.objects.filter(user=share.requester, share=None).exclude(
        device__kind="temporary_code"
    ).update(state="ended", confirmed=False, ended_at=NOW)
    late = NOW + timedelta(days=60)
    with pytest.raises(Refused) as refused:
        completion.cancel(share, by=by("owner"), now=late)
    assert refused.value.code == "would_strand"


# --- Random clients ----------------------------------------------------------------------------------------

ROBINS = ["owner", "requester", "no_device", "other_entity"]


def borrow_from(chance, now):
    requester, owner = chance.sample(ROBINS, 2)
    share = operations.start(
        by=by(requester),
        owner_username=person(owner).username,
        owner_password=password(owner),
        now=now,
    )
    question = shares().get(pk=share.pk).challenge
    said = press(owner, question.question)
    operations.answer(shares().get(pk=share.pk), response=said, by=by(requester), now=now)
    completion.submit(shares().get(pk=share.pk), by=by(requester), now=now)


def end_a_share(chance, now):
    found = shares().filter(state__in=[ShareState.ENFORCED, ShareState.PENDING]).order_by("pk")
    share = chance.choice(list(found) or [None])
    if share is None:
        return
    plays = {PLAYS[name].username: name for name in ROBINS}
    side = chance.choice([share.requester, share.owner]).username
    end = completion.cancel if share.state == ShareState.ENFORCED else completion.withdraw
    end(
        share, by=by(plays[side if end is completion.cancel else share.requester.username]), now=now
    )


def let_time_pass(chance, now):
    devices.close_expired(now=now)


@pytest.mark.usefixtures("on_stage")
@pytest.mark.parametrize("seed", range(4))
def test_no_sequence_of_what_clients_may_do_strands_anybody(seed: int, settings):
    """peers.md idea 16: whoever had a way in keeps one, unless it ended by its own date."""
    settings.RETRY_AFTER_REFUSAL = timedelta(0)
    settings.CODE_CARD_MODE = "repeat"
    chance = random.Random(seed)
    done: set[str] = set()
    now = NOW
    for _step in range(60):
        now += timedelta(minutes=chance.randint(1, 30))
        act = chance.choice([borrow_from, borrow_from, end_a_share, end_a_share, let_time_pass])
        before = {plays: bool(ways_in_now(person(plays), now=now)) for plays in ROBINS}
        try:
            act(chance, now)
            done.add(act.__name__)
        except Refused as refused:
            done.add(refused.code)
        after = {plays: bool(ways_in_now(person(plays), now=now)) for plays in ROBINS}
        assert [p for p in ROBINS if before[p] and not after[p]] == [], (act.__name__, done)
    # It did happen: sharing, ending it, and being kept from ending it.
    assert {"borrow_from", "end_a_share", "would_strand"} <= done
    assert not DeviceGrant.objects.filter(state=GrantState.ACTIVE, device__state="revoked").exists()
