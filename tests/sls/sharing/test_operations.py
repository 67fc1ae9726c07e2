"""The share wizard's operations: their effects row by row."""

import uuid
from contextlib import suppress
from datetime import timedelta, timezone

import pytest
from django.db import IntegrityError
from django.utils.timezone import override

from portal import audit, throttle
from portal.errors import Refused
from portal.models import Allowance, AuditEvent, OutboxMessage
from sls.models import DeviceGrant, GrantState, SecurityDevice, ShareRequest, ShareState
from sls.sharing import completion, operations
from sls.sharing.queries import shares
from tests.conftest import NOW, by, password, person, press, use_up

pytestmark = pytest.mark.usefixtures("on_stage")
REQUESTER = "requester"


def start(requester=REQUESTER, owner="owner", *, now=NOW):
    return operations.start(
        by=by(requester),
        owner_username=person(owner).username,
        owner_password=password(owner),
        now=now,
    )


def prove(share, owner="owner", *, now=NOW):
    share = shares().get(pk=share.pk)
    return operations.answer(
        share,
        response=press(owner, share.challenge.question),
        by=by_user(share.requester),
        now=now,
    )


def by_user(user):
    from portal.caller import Caller

    return Caller(user=user, address="192.0.2.7", session="s" * 64)


def finish(requester=REQUESTER, owner="owner", *, now=NOW):
    share = start(requester, owner, now=now)
    prove(share, owner, now=now)
    share = shares().get(pk=share.pk)
    if share.state == ShareState.PROVEN:
        completion.submit(share, by=by(requester), now=now)
    return shares().get(pk=share.pk)


def code_of(call, *args, **kwargs):
    with pytest.raises(Refused) as refused:
        call(*args, **kwargs)
    return refused.value.code


def test_submit_enforces_at_once_for_the_same_entity():
    share = finish()

    assert share.state == ShareState.ENFORCED
    assert share.proven_at == share.submitted_at == share.approved_at == share.enforced_at == NOW
    states = dict(
        DeviceGrant.objects.filter(user=person(REQUESTER)).values_list("device__kind", "state")
    )
    assert states == {"code_card": GrantState.DORMANT, "dsc_plus": GrantState.ACTIVE}
    assert DeviceGrant.objects.get(user=person(REQUESTER), device__kind="dsc_plus").confirmed


def test_submit_writes_one_message_for_each_party_and_the_audit_rows():
    share = finish()

    told = OutboxMessage.objects.values_list("event", "user__username", "language")
    assert sorted(told) == [
        ("share_enforced", share.requester.username, "en"),
        ("share_enforced", share.owner.username, "en"),
    ]
    written = AuditEvent.objects.filter(event__startswith="sls.share").values_list(
        "event", "actor", "subject"
    )
    mine, theirs = share.requester.username, share.owner.username
    assert list(written) == [
        ("sls.share.started", mine, theirs),
        ("sls.share.proven", mine, theirs),
        ("sls.share.approved", mine, theirs),
    ]
    assert list(audit.broken_rows()) == []


def test_submit_leaves_nothing_behind_when_the_audit_insert_fails(monkeypatch):
    share = start()
    prove(share)
    monkeypatch.setattr(audit, "record", lambda **row: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        completion.submit(shares().get(pk=share.pk), by=by(REQUESTER), now=NOW)

    assert shares().get(pk=share.pk).state == ShareState.PROVEN
    assert not OutboxMessage.objects.exists()
    assert not DeviceGrant.objects.filter(share=share).exists()


def test_start_refuses_the_requesters_own_username():
    assert code_of(start, owner=REQUESTER) == "same_user"


@pytest.mark.parametrize("wrong", ["password", "unknown", "inactive", "locked"])
def test_start_says_the_same_about_every_kind_of_wrong(wrong):
    owner = person("owner")
    name, typed = owner.username, password("owner")
    if wrong == "password":
        typed = "not it"
    if wrong == "unknown":
        name = "nobody.here"
    if wrong == "inactive":
        owner.is_active = False
        owner.save()
    if wrong == "locked":
        use_up(throttle.PASSWORD_OF_NAME, owner.username, NOW)

    refused = code_of(
        operations.start, by=by(REQUESTER), owner_username=name, owner_password=typed, now=NOW
    )

    assert refused == "invalid_credentials"
    assert not ShareRequest.objects.exists()
    assert AuditEvent.objects.filter(facts__refused="invalid_credentials").count() == 1


def test_start_stops_after_ten_wrong_owner_passwords_and_does_not_lock_the_owners_login():
    for _ in range(10):
        code_of(
            operations.start,
            by=by(REQUESTER),
            owner_username=person("owner").username,
            owner_password="no",
            now=NOW,
        )
    assert code_of(start) == "too_many_attempts"
    assert not Allowance.objects.filter(limit=throttle.PASSWORD_OF_NAME.name).exists()


def test_start_refuses_an_owner_without_a_device_of_his_own():
    assert code_of(start, owner="no_device") == "no_shareable_device"


def test_start_refuses_ib_key():
    assert code_of(start, owner="phone_user") == "no_shareable_device"


def test_start_refuses_to_pass_on_a_borrowed_device():
    finish()
    assert code_of(start, "no_device", REQUESTER) == "borrowed_device"


def test_start_refuses_a_lender_who_wants_to_borrow():
    finish()
    assert code_of(start, "owner", "other_entity") == "lent_device"


def test_start_refuses_a_second_borrowed_device():
    finish()
    assert code_of(start, REQUESTER, "other_entity") == "already_shared"


def test_a_newer_wizard_ends_the_older_one_and_what_was_proven_in_it():
    older = start()
    prove(older)
    newer = start(owner="stranger")

    older = shares().get(pk=older.pk)
    assert older.state == ShareState.CANCELLED
    assert code_of(completion.submit, older, by=by(REQUESTER), now=NOW) == "start_over"
    assert shares().get(pk=newer.pk).state == ShareState.DRAFT


@pytest.mark.parametrize(
    "owner", ["other_entity", "stranger", "temporary_code", "outdated_document"]
)
def test_a_wrong_response_says_the_same_about_every_owner(owner):
    share = shares().get(pk=start(owner=owner).pk)
    wrong = f"{(int(press(owner, share.challenge.question)) + 1) % 10**8:08}"

    assert code_of(operations.answer, share, response=wrong, by=by(REQUESTER), now=NOW) == (
        "invalid_response"
    )
    assert shares().get(pk=share.pk).state == ShareState.DRAFT


@pytest.mark.parametrize(
    ("owner", "code"),
    [
        ("stranger", "different_identification"),
        ("outdated_document", "different_identification"),
        ("temporary_code", "temporary_device"),
    ],
)
def test_a_right_response_brings_the_reason(owner, code):
    share = finish(owner=owner)
    assert share.state == ShareState.REFUSED
    assert share.reasons[0] == code
    assert not DeviceGrant.objects.filter(share=share).exists()


def test_the_weaker_device_is_refused():
    share = finish("owner", REQUESTER)
    assert share.reasons[0] == "less_secure_device"


def test_equal_levels_are_all_eligible():
    assert finish("owner", "other_entity").state == ShareState.PENDING


def test_a_sharers_stronger_device_counts_too():
    """E 92: all participants count, also one who joined earlier."""
    card = SecurityDevice.objects.get(kind="code_card")
    dsc = SecurityDevice.objects.get(grants__user=person("owner"))
    DeviceGrant.objects.filter(device=dsc).delete()
    earlier = finish("owner", REQUESTER)  # the owner has nothing now, so the card is the strongest
    assert earlier.state == ShareState.ENFORCED
    DeviceGrant.objects.create(
        user=person("owner"), device=dsc, state="active", confirmed=True, granted_at=NOW
    )
    share = finish("no_device", REQUESTER)
    assert card == share.device
    assert share.reasons[0] == "less_secure_device"


def test_the_same_person_in_another_entity_waits_for_compliance():
    share = finish(owner="other_entity")
    assert share.state == ShareState.PENDING
    assert share.reasons == ["other_entity"]
    assert share.grant.state == GrantState.PENDING
    assert not share.grant.confirmed
    card = DeviceGrant.objects.get(user=person(REQUESTER), device__kind="code_card")
    assert card.state == GrantState.ACTIVE


def test_review_rules_are_switched_by_setting(settings):
    settings.REVIEW_RULES = []
    assert finish(owner="other_entity").state == ShareState.ENFORCED


def test_a_pair_that_was_just_refused_waits_for_compliance():
    finish("owner", REQUESTER)
    DeviceGrant.objects.filter(user=person("owner")).delete()
    share = finish("owner", REQUESTER, now=NOW + timedelta(hours=23))
    assert share.state == ShareState.PENDING
    assert share.reasons == ["recently_refused"]


def test_an_expired_document_or_a_flag_waits_for_compliance():
    entity = person(REQUESTER).entity
    entity.document_expires_on = NOW.date() - timedelta(days=1)
    entity.compliance_flag = True
    entity.save()
    assert finish().reasons == ["document_expired", "compliance_flag"]


def test_a_document_is_good_until_the_evening_of_its_last_day():
    """Of the portal's zone, as every date that clients see: elsewhere that day may be over."""
    entity = person(REQUESTER).entity
    entity.document_expires_on = NOW.date()
    entity.save()
    with override(timezone(timedelta(hours=-12))):
        assert finish(now=NOW + timedelta(hours=18)).reasons == []


@pytest.mark.parametrize("change", ["password", "active", "identity", "device", "temporary"])
def test_submit_checks_everything_again(change):
    share = start(owner="other_entity")
    prove(share, "other_entity")
    owner = person("other_entity")
    if change == "password":
        owner.set_password("another one 9")
        owner.save()
    if change == "active":
        owner.is_active = False
        owner.save()
    if change == "identity":
        owner.entity.citizenship = "AU"
        owner.entity.save()
    if change == "device":
        SecurityDevice.objects.filter(grants__user=owner).update(state="suspended")
    if change == "temporary":
        grant = DeviceGrant.objects.get(device__kind="temporary_code")
        DeviceGrant.objects.filter(pk=grant.pk).update(user=owner)

    with suppress(Refused):
        completion.submit(shares().get(pk=share.pk), by=by(REQUESTER), now=NOW)

    assert shares().get(pk=share.pk).state in (ShareState.PROVEN, ShareState.REFUSED)
    assert AuditEvent.objects.last().facts["refused"]
    assert not DeviceGrant.objects.filter(share=share).exists()


def test_submit_refuses_after_the_wizards_life(settings):
    share = start()
    prove(share)
    late = NOW + settings.WIZARD_LIFE
    assert code_of(completion.submit, shares().get(pk=share.pk), by=by(REQUESTER), now=late) == (
        "start_over"
    )


def test_cancel_brings_the_redundant_devices_back():
    share = finish()
    completion.cancel(share, by=by("owner"), now=NOW)

    assert shares().get(pk=share.pk).state == ShareState.CANCELLED
    card = DeviceGrant.objects.get(user=person(REQUESTER), device__kind="code_card")
    assert (card.state, card.confirmed) == (GrantState.ACTIVE, True)
    borrowed = DeviceGrant.objects.get(share=share)
    assert (borrowed.state, borrowed.confirmed, borrowed.ended_at) == (GrantState.ENDED, False, NOW)
    assert OutboxMessage.objects.filter(event="share_cancelled").count() == 2


@pytest.mark.parametrize("side", ["no_device", "owner"])
def test_cancel_is_refused_when_the_borrower_would_have_no_device_left(side):
    share = finish("no_device")
    assert code_of(completion.cancel, share, by=by(side), now=NOW) == "would_strand"
    assert shares().get(pk=share.pk).state == ShareState.ENFORCED
    assert DeviceGrant.objects.get(share=share).confirmed


def test_undo_works_once_and_without_a_login():
    share = finish("no_device")
    token = completion.undo_token(share)

    completion.undo(token, by=by("owner"), now=NOW)

    assert shares().get(pk=share.pk).state == ShareState.CANCELLED
    assert code_of(completion.undo, token, by=by("owner"), now=NOW) == "link_over"
    assert code_of(completion.undo, token + "x", by=by("owner"), now=NOW) == "link_over"


def test_withdraw_ends_a_pending_request():
    share = finish(owner="other_entity")
    completion.withdraw(share, by=by(REQUESTER), now=NOW)
    assert shares().get(pk=share.pk).state == ShareState.CANCELLED
    assert code_of(completion.withdraw, share, by=by(REQUESTER), now=NOW) == "start_over"


def test_close_expired_ends_wizards_nobody_finished(settings):
    share = start()
    assert completion.close_expired(now=NOW) == 0
    assert completion.close_expired(now=NOW + settings.WIZARD_LIFE) == 1
    assert shares().get(pk=share.pk).state == ShareState.EXPIRED


def test_the_database_refuses_a_second_open_wizard():
    twin = ShareRequest.objects.get(pk=start().pk)
    challenge = twin.challenge
    challenge.pk = uuid.uuid4()
    challenge.save(force_insert=True)
    twin.pk = uuid.uuid4()
    twin.challenge = challenge
    with pytest.raises(IntegrityError, match=r"one_open_wizard|sls_sharerequest\.requester"):
        twin.save(force_insert=True)
