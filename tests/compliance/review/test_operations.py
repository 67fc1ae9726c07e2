"""What officers do about a case: its effects row by row, and who may not."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from compliance.models import EvidenceSeen, ReviewCase, Verdict
from compliance.review import operations, queries
from compliance.review.operations import Judgement
from compliance.review.rules import Conflict
from portal import audit
from portal.caller import SYSTEM, Caller
from portal.models import AuditEvent, OutboxMessage
from sls.devices import operations as devices
from sls.models import (
    DeviceGrant,
    DeviceState,
    GrantState,
    PasswordReset,
    ResetState,
    SecurityDevice,
    ShareRequest,
    ShareState,
)
from sls.sharing import completion
from sls.sharing.queries import shares
from tests.compliance.desk import (
    RIGHTS,
    at_desk,
    decide,
    digest,
    entitle,
    recommend,
    refusal,
    wait_for_approval,
)
from tests.conftest import NOW, by, person
from tests.counting import counting

pytestmark = pytest.mark.usefixtures("on_stage")
LATER = NOW + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def _officers(on_stage):
    for plays in ("officer", "second_officer", "officer_client", "support"):
        person(plays).groups.clear()  # the rights of the roles do not count here
        entitle(plays, *RIGHTS)


@pytest.fixture
def share():
    return wait_for_approval()


@pytest.fixture
def single(share):
    """A request for which one reviewer is enough."""
    ShareRequest.objects.filter(pk=share.pk).update(reviewers=1)
    return shares().get(pk=share.pk)


def untouched(share) -> bool:
    """Nothing was decided, told or recorded as done."""
    share.refresh_from_db()
    decided = AuditEvent.objects.filter(event="compliance.case.decided")
    return (
        share.state == "pending"
        and not ReviewCase.objects.filter(decided_at__isnull=False).exists()
        and not EvidenceSeen.objects.filter(step="decision").exists()
        and not OutboxMessage.objects.exclude(event="share_pending").exists()
        and all("refused" in event.facts for event in decided)
        and DeviceGrant.objects.get(share=share).state == GrantState.PENDING
    )


# --- What is done -----------------------------------------------------------------------------------------


def test_an_approval_by_two_brings_the_share_into_force(share):
    operations.claim(share.pk, by=at_desk("officer"), now=NOW)
    recommend(share)
    case = decide(share, now=LATER)

    share.refresh_from_db()
    assert (share.state, share.approved_at, share.enforced_at) == ("enforced", LATER, LATER)
    states = dict(
        DeviceGrant.objects.filter(user=share.requester).values_list("device__kind", "state")
    )
    assert states == {"code_card": "dormant", "dsc_plus": "active"}
    assert (case.recommended_by, case.decided_by) == (person("officer"), person("second_officer"))
    assert (case.decision, case.decision_reason) == ("approve", "same_person")
    told = OutboxMessage.objects.exclude(event="share_pending").values_list(
        "event", "user__username"
    )
    assert sorted(told) == [
        ("share_enforced", share.requester.username),
        ("share_enforced", share.owner.username),
    ]
    (row,) = AuditEvent.objects.filter(event="compliance.case.decided")
    assert (row.actor, row.subject) == ("bram.teller", share.requester.username)
    assert row.facts["outcome"] == "enforced"
    assert row.facts["recommended_by"] == "ada.quill"
    (recommended,) = AuditEvent.objects.filter(event="compliance.case.recommended")
    assert recommended.actor == "ada.quill"
    assert not AuditEvent.objects.filter(event="sls.share.approved").exists()
    assert list(audit.broken_rows()) == []


def test_a_rejection_ends_the_request_and_tells_both_why(single):
    decide(single, "officer", Verdict.REJECT)

    single.refresh_from_db()
    assert (single.state, single.decision_reason) == ("rejected", "identity_unclear")
    assert single.ended_at == NOW
    assert DeviceGrant.objects.get(share=single).state == GrantState.ENDED
    own = DeviceGrant.objects.get(user=single.requester, share__isnull=True)
    assert own.state == GrantState.ACTIVE
    assert OutboxMessage.objects.filter(event="share_rejected").count() == 2


def test_each_step_keeps_what_was_seen(share):
    recommend(share)
    decide(share)

    rows = EvidenceSeen.objects.order_by("pk").values_list("step", "seen_by__username", "digest")
    assert [(step, who) for step, who, _ in rows] == [
        ("recommendation", "ada.quill"),
        ("decision", "bram.teller"),
    ]
    assert all(row.data["fields"] for row in queries.case_of(share.pk, now=NOW).seen)


def test_a_recommendation_gives_the_case_back_for_the_second_person(share):
    operations.claim(share.pk, by=at_desk("officer"), now=NOW)
    case = recommend(share)
    assert case.claimed_by is None
    assert refusal(operations.claim, share.pk, by=at_desk("officer"), now=NOW) == "same_officer"
    claimed = operations.claim(share.pk, by=at_desk("second_officer"), now=NOW)
    assert claimed.claimed_by == person("second_officer")


def test_a_claim_is_free_again_after_its_release(share):
    operations.claim(share.pk, by=at_desk("officer"), now=NOW)
    other = at_desk("second_officer")
    assert refusal(operations.release, share.pk, by=other, now=NOW) == "not_claimed"
    assert refusal(operations.claim, share.pk, by=other, now=NOW) == "claimed_by_another"
    operations.release(share.pk, by=at_desk("officer"), now=NOW)
    assert operations.claim(share.pk, by=other, now=NOW).claimed_by == other.user


def test_claiming_ones_own_case_again_changes_nothing(share):
    operations.claim(share.pk, by=at_desk("officer"), now=NOW)
    case = operations.claim(share.pk, by=at_desk("officer"), now=LATER)
    assert case.claimed_at == NOW
    assert AuditEvent.objects.filter(event="compliance.case.claimed").count() == 1


def test_a_case_is_handed_over_by_who_claimed_it_or_by_a_lead(share):
    mine = at_desk("officer")
    to = person("second_officer").username
    assert refusal(operations.hand_over, share.pk, to=to, by=mine, now=NOW) == "not_claimed"
    operations.claim(share.pk, by=mine, now=NOW)
    case = operations.hand_over(share.pk, to=to.upper(), by=mine, now=NOW)
    assert case.claimed_by == person("second_officer")
    assert refusal(operations.hand_over, share.pk, to="ada.quill", by=mine, now=NOW) == (
        "not_claimed"
    )
    entitle("officer", "assign_reviewcase")
    case = operations.hand_over(share.pk, to="ada.quill", by=at_desk("officer"), now=NOW)
    assert case.claimed_by == person("officer")


def test_a_case_is_not_handed_to_its_own_maker(share):
    entitle("second_officer", "assign_reviewcase")
    recommend(share, "officer")
    lead = at_desk("second_officer")
    assert refusal(operations.hand_over, share.pk, to="ada.quill", by=lead, now=NOW) == (
        "wrong_officer"
    )


@pytest.mark.parametrize("colleague", ["nobody.here", "robin.desk", "dov.ledger", "robin.trust"])
def test_a_case_is_not_handed_to_who_may_not_work_on_it(share, colleague):
    entitle("officer", "assign_reviewcase")
    given = {"to": colleague, "by": at_desk("officer"), "now": NOW}
    assert refusal(operations.hand_over, share.pk, **given) == "wrong_officer"


def test_a_case_is_not_handed_to_its_maker(share):
    recommend(share)
    entitle("second_officer", "assign_reviewcase")
    given = {"to": "ada.quill", "by": at_desk("second_officer"), "now": NOW}
    assert refusal(operations.hand_over, share.pk, **given) == "wrong_officer"


def test_each_act_costs_a_bounded_number_of_statements(share):
    with counting() as claiming:
        operations.claim(share.pk, by=at_desk("officer"), now=NOW)
    seen = digest(share)
    with counting() as recommending:
        recommend(share, seen=seen)
    with counting() as deciding:
        decide(share, seen=seen)
    assert claiming.sql <= 18, str(claiming)
    assert recommending.sql <= 27, str(recommending)
    assert deciding.sql <= 38, str(deciding)


# --- Four eyes, whatever the way (F 118) ----------------------------------------------------------------------


def make_owner_staff(share) -> str:
    """A party is an officer himself."""
    user = share.owner
    user.is_staff = True
    user.save()
    entitle("other_entity", *RIGHTS, "unmask_evidence", "assign_reviewcase")
    return "other_entity"


ACTS = {
    "claim": lambda share, by: operations.claim(share.pk, by=by, now=NOW),
    "hand over": lambda share, by: operations.hand_over(share.pk, to="ada.quill", by=by, now=NOW),
    "recommend": lambda share, by: recommend(share, by=by),
    "approve": lambda share, by: decide(share, by=by),
    "reject": lambda share, by: decide(share, verdict=Verdict.REJECT, by=by),
    "unmask": lambda share, by: operations.unmask(
        share.pk, field="document_number", side="owner", by=by, now=NOW
    ),
}


@pytest.mark.parametrize("who", ["the same person", "a party"])
def test_nobody_acts_on_his_own_request_under_any_username(single, who):
    entitle("officer_client", "unmask_evidence", "assign_reviewcase")
    plays = "officer_client" if who == "the same person" else make_owner_staff(single)
    for name, act in ACTS.items():
        assert refusal(act, single, at_desk(plays)) == "own_case", name
    assert untouched(single)


def test_nobody_decides_whose_data_are_those_of_a_party_in_another_entity(single):
    """The same natural person in an entity of its own, as `identity.differences` tells."""
    entity = person("officer").entity
    for name in ("date_of_birth", "citizenship", "country_of_residence", "document_type"):
        setattr(entity, name, getattr(single.requester.entity, name))
    entity.set_number("document_number", single.requester.entity.open_number("document_number"))
    entity.save()
    assert refusal(decide, single, "officer") == "own_case"


@pytest.mark.parametrize("mark", ["document", "social security number", "name and birthday"])
@pytest.mark.parametrize("whose", ["party", "maker"])
def test_one_mark_in_common_is_enough_to_be_kept_apart(share, whose: str, mark: str):
    """Data of two ages, or a field left empty, make two entities of one person: two for a share, one here."""
    one = share.owner.entity if whose == "party" else person("officer").entity
    entity = person("second_officer").entity
    match mark:
        case "document":
            one.set_number("document_number", "PA-771")
            entity.set_number("document_number", "PA-771")
        case "social security number":
            one.set_number("ssn", "078-05-1120")
            entity.set_number("ssn", "078-05-1120")
        case _:
            entity.name, entity.date_of_birth = f" {one.name.upper()}", one.date_of_birth
    one.save()
    entity.save()
    recommend(share)
    expected = {"party": "own_case", "maker": "same_officer"}[whose]
    assert refusal(decide, share, "second_officer") == expected
    assert untouched(share)


def test_an_approval_takes_two_who_agree(share):
    recommend(share, verdict=Verdict.REJECT)
    assert refusal(decide, share) == "not_agreed"
    assert untouched(share)
    decide(share, verdict=Verdict.REJECT)
    share.refresh_from_db()
    assert share.state == ShareState.REJECTED


def change_a_fact(share) -> None:
    share.owner.email = "another@example.org"
    share.owner.save()


def retire(plays: str) -> None:
    user = person(plays)
    user.is_active = False
    user.save()


VOID = {
    "facts": change_a_fact,
    "maker": lambda share: retire("officer"),
    "right": lambda share: person("officer").user_permissions.clear(),
}


@pytest.mark.parametrize("verdict", Verdict)
@pytest.mark.parametrize("changed", VOID)
def test_maker_and_checker_judge_the_same_or_there_is_no_decision(share, changed, verdict):
    recommend(share)
    VOID[changed](share)
    assert queries.case_of(share.pk, now=NOW).has_void_recommendation
    assert refusal(decide, share, verdict=verdict) == "recommendation_void"
    assert untouched(share)


def test_a_recommendation_that_no_longer_counts_is_made_anew_and_both_are_kept(share):
    recommend(share)
    change_a_fact(share)
    share = shares().get(pk=share.pk)
    recommend(share, "second_officer")
    assert refusal(decide, share) == "same_officer"
    decide(share, "officer")
    share.refresh_from_db()
    assert share.state == ShareState.ENFORCED
    seen = queries.case_of(share.pk, now=NOW).seen
    assert [(row.step, row.seen_by.username) for row in seen] == [
        ("recommendation", "ada.quill"),
        ("recommendation", "bram.teller"),
        ("decision", "ada.quill"),
    ]
    assert seen[0].digest != seen[1].digest == seen[2].digest


def test_where_one_is_enough_a_void_recommendation_binds_nobody(single):
    recommend(single, verdict=Verdict.REJECT)
    assert refusal(decide, single) == "not_agreed"
    change_a_fact(single)
    decide(shares().get(pk=single.pk))


def test_passing_time_alone_voids_no_recommendation(share):
    """An alert of the last 30 days before the request stays one, however long it waits."""
    PasswordReset.objects.create(
        user=share.owner,
        session="",
        password_mark="",
        state=ResetState.DONE,
        started_at=NOW - timedelta(days=29),
        expires_at=NOW,
        proven_at=NOW - timedelta(days=29),
    )
    share = shares().get(pk=share.pk)
    recommend(share)
    assert queries.case_of(share.pk, now=NOW + timedelta(days=3)).is_recommended


def test_what_somebody_sent_is_put_on_record_whatever_it_holds(single):
    """PostgreSQL's JSON takes no NUL."""
    entitle("officer", "unmask_evidence")
    operations.claim(single.pk, by=at_desk("officer"), now=NOW)
    sent = {"field": "document\0number", "side": "own\ud800er"}
    call = operations.unmask
    assert refusal(call, single.pk, **sent, by=at_desk("officer"), now=NOW) == "nothing_to_unmask"
    row = AuditEvent.objects.get(event="compliance.evidence.unmasked")
    assert (row.facts["field"], row.facts["side"]) == ("document\ufffdnumber", "own?er")


def test_nobody_decides_who_uses_the_device_already(single):
    """A third sharer of the device at stake, whatever his data say."""
    bystander = person("officer")
    other = DeviceGrant.objects.get(user=single.owner, share__isnull=True)
    DeviceGrant.objects.filter(pk=other.pk).update(user=bystander)
    assert refusal(decide, single, "officer") == "own_case"


@pytest.mark.parametrize("lost", ["right", "staff", "active", "locked"])
def test_a_right_withdrawn_while_the_page_is_open_counts_on_the_next_click(single, lost):
    """F 133: the caller's user was loaded, with his rights, before."""
    entitle("officer", "unmask_evidence", "assign_reviewcase")
    caller = at_desk("officer")
    assert caller.user.has_perm("compliance.decide_reviewcase")
    user = person("officer")
    if lost == "right":
        user.user_permissions.clear()
        user.groups.clear()
    else:
        values = {"staff": ("is_staff", False), "active": ("is_active", False)}
        setattr(user, *values.get(lost, ("locked_at", NOW)))
        user.save()
    for name, act in ACTS.items():
        assert refusal(act, single, caller) == "not_allowed", name
    assert untouched(single)


@pytest.mark.parametrize(
    "proven", ["nothing", "another's", "weaker", "asleep", "revoked"], ids=lambda name: name
)
def test_the_officer_has_proven_a_device_at_least_as_strong(single, proven):
    caller = at_desk("officer")
    grant = DeviceGrant.objects.filter(user=caller.user)
    match proven:
        case "nothing":
            caller = replace(caller, proven_grant=None)
        case "another's":
            caller = replace(caller, proven_grant=at_desk("second_officer").proven_grant)
        case "weaker":
            SecurityDevice.objects.filter(grants__in=grant).update(kind="ib_key")
        case "asleep":
            grant.update(state="dormant", confirmed=False)
        case "revoked":
            SecurityDevice.objects.filter(grants__in=grant).update(state="revoked")
    for act in ("recommend", "approve", "reject"):
        assert refusal(ACTS[act], single, caller) == "weaker_device", act
    assert untouched(single)


def test_a_weaker_device_will_do_where_a_weak_one_is_at_stake(single):
    caller = at_desk("officer")
    mine = DeviceGrant.objects.get(user=caller.user).device_id
    SecurityDevice.objects.filter(pk=mine).update(kind="ib_key")
    SecurityDevice.objects.filter(pk=single.device_id).update(kind="code_card")
    decide(single, by=caller)
    single.refresh_from_db()
    assert single.state == "enforced"


@pytest.mark.parametrize("caller", [SYSTEM, Caller(address="192.0.2.1")])
def test_a_command_without_a_person_decides_nothing(single, caller):
    for name, act in ACTS.items():
        assert refusal(act, single, caller) == "not_allowed", name
    assert untouched(single)


def test_a_command_in_an_officers_name_has_proven_no_device(single):
    assert refusal(decide, single, by=by("officer")) == "weaker_device"


def test_the_maker_never_decides(share):
    recommend(share)
    assert refusal(decide, share, "officer") == "same_officer"
    assert untouched(share)


def test_the_makers_other_username_never_decides(share):
    recommend(share)
    twin = person("second_officer")
    twin.entity = person("officer").entity
    twin.save()
    assert refusal(decide, share, "second_officer") == "same_officer"
    assert untouched(share)


def test_the_database_too_keeps_maker_and_checker_apart(share):
    recommend(share)
    with pytest.raises(IntegrityError), transaction.atomic():
        ReviewCase.objects.update(decided_by=person("officer"), decided_at=NOW, decision="approve")


def test_an_administrator_is_bound_by_the_same_rules(share):
    assert person("administrator").is_superuser
    assert refusal(decide, share, "administrator") == "recommendation_first"
    recommend(share, "administrator")
    assert refusal(decide, share, "administrator") == "same_officer"


def test_two_reviewers_means_a_recommendation_first(share):
    assert refusal(decide, share) == "recommendation_first"
    assert untouched(share)


def test_a_request_older_than_the_policies_needs_two_reviewers(share):
    ShareRequest.objects.filter(pk=share.pk).update(reviewers=0)
    assert refusal(decide, share) == "recommendation_first"


def test_without_the_right_to_decide_one_may_recommend_only(share):
    person("officer").user_permissions.clear()
    entitle("officer", "work_reviewcase")
    assert refusal(decide, share, "officer") == "not_allowed"
    recommend(share, "officer")


def test_a_colleagues_claim_is_respected(single):
    operations.claim(single.pk, by=at_desk("second_officer"), now=NOW)
    for act in ("claim", "recommend", "approve", "reject"):
        with pytest.raises(Conflict) as conflict:
            ACTS[act](single, at_desk("officer"))
        assert conflict.value.code == "claimed_by_another"
        assert (conflict.value.who, conflict.value.at) == ("bram.teller", NOW)
    assert untouched(single)


# --- What has changed meanwhile (F 121, 122) -----------------------------------------------------------------


def change_entity(share, name, value):
    entity = share.requester.entity
    setattr(entity, name, value)
    entity.save()


CHANGES = {
    "name": lambda share: change_entity(share, "name", "Robin Calder-Smith"),
    "flag": lambda share: change_entity(share, "compliance_flag", True),
    "document": lambda share: change_entity(share, "document_expires_on", NOW.date()),
    "device": lambda share: SecurityDevice.objects.filter(pk=share.device_id).update(
        state=DeviceState.SUSPENDED
    ),
    "lock": lambda share: type(share.owner).objects.filter(pk=share.owner_id).update(locked_at=NOW),
    "email": lambda share: (
        type(share.owner).objects.filter(pk=share.owner_id).update(email="other@example.com")
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changed_behind_the_officers_back_is_reviewed_again(single, change):
    seen = digest(single)
    change(single)
    for step in (recommend, decide):
        for verdict in Verdict:
            assert refusal(step, single, "officer", verdict, seen=seen) == "data_changed"
    assert untouched(single)


def test_what_mere_use_changes_sends_nobody_back(single):
    seen = digest(single)
    DeviceGrant.objects.update(last_used_at=LATER)
    decide(single, "officer", seen=seen, now=NOW + timedelta(days=1))


def revoke_only(share):
    SecurityDevice.objects.filter(pk=share.device_id).update(state=DeviceState.REVOKED)


def change_password(share):
    share.owner.set_password("another-Word-2026")
    share.owner.save()


def differ(share):
    entity = share.owner.entity
    entity.set_number("document_number", "XX 000-0000")
    entity.save()


def give_a_temporary_code(share):
    with transaction.atomic():
        devices.give_temporary_code(share.requester, now=NOW)


OBSTACLES = {
    "no_shareable_device": revoke_only,
    "proof_over": change_password,
    "different_identification": differ,
    "temporary_device": give_a_temporary_code,
}


@pytest.mark.parametrize(("code", "hinder"), OBSTACLES.items(), ids=OBSTACLES)
def test_an_approval_looks_at_every_rule_again_and_the_request_stays_open(single, code, hinder):
    hinder(single)
    case = queries.case_of(single.pk, now=NOW)
    assert code in case.evidence.obstacles
    assert refusal(decide, single, "officer") == code
    assert untouched(single)
    refused = AuditEvent.objects.get(event="compliance.case.decided")
    assert refused.facts["refused"] == code
    decide(single, "officer", Verdict.REJECT)


def test_a_locked_party_stands_in_the_way_of_an_approval(single):
    CHANGES["lock"](single)
    assert refusal(decide, single, "officer") == "proof_over"


def test_the_requests_own_waiting_grant_is_no_obstacle(single):
    assert queries.case_of(single.pk, now=NOW).evidence.obstacles == ()


def test_a_revoked_device_ends_the_request_and_the_page_says_so(single):
    seen = digest(single)
    devices.revoke(single.device, reason="lost", may_strand=True, by=by("support"), now=NOW)
    assert refusal(decide, single, "officer", seen=seen) == "request_over"


def test_a_device_revoked_between_the_look_and_the_claim_is_no_decision_of_a_colleague(
    single, monkeypatch
):
    """Revoking takes no lock of the parties, so this happens on PostgreSQL."""
    seen, look = digest(single), operations._open_case

    def and_then_it_is_over(share):
        look(share)
        ShareRequest.objects.filter(pk=share.pk).update(state=ShareState.CANCELLED, ended_at=NOW)

    monkeypatch.setattr(operations, "_open_case", and_then_it_is_over)
    for act in (decide, recommend):
        assert refusal(act, single, "officer", seen=seen) == "request_over"
    assert refusal(operations.claim, single.pk, by=at_desk("officer"), now=NOW) == "request_over"


def test_a_withdrawn_request_is_a_conflict_with_nothing_done(single):
    seen = digest(single)
    completion.withdraw(shares().get(pk=single.pk), by=by("requester"), now=NOW)
    for act in (decide, recommend):
        assert refusal(act, single, "officer", seen=seen) == "request_over"
    assert refusal(operations.claim, single.pk, by=at_desk("officer"), now=NOW) == "request_over"
    assert not ReviewCase.objects.exists()


def test_who_comes_second_learns_who_decided(single):
    seen = digest(single)
    decide(single, "officer", now=LATER)
    with pytest.raises(Conflict) as conflict:
        decide(single, "second_officer", Verdict.REJECT, seen=seen)
    assert conflict.value.code == "already_decided"
    assert (conflict.value.who, conflict.value.at) == ("ada.quill", LATER)
    row = AuditEvent.objects.filter(facts__refused="already_decided").get()
    assert row.facts["other"] == "ada.quill"


def test_a_second_recommendation_is_refused_with_the_first_makers_name(share):
    recommend(share)
    with pytest.raises(Conflict) as conflict:
        recommend(share, "second_officer")
    assert (conflict.value.code, conflict.value.who) == ("already_recommended", "ada.quill")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"reason": ""}, "unknown_reason"),
        ({"reason": "identity_unclear"}, "unknown_reason"),
        ({"verdict": Verdict.REJECT, "reason": "same_person"}, "unknown_reason"),
        ({"note": " \n"}, "note_missing"),
        ({"note": "x" * 2001}, "note_missing"),
        ({"seen": ""}, "data_changed"),
        ({"seen": "0" * 64}, "data_changed"),
    ],
)
def test_a_decision_has_a_fitting_reason_a_note_and_what_was_seen(single, words, code):
    said = Judgement(Verdict.APPROVE, "same_person", "Seen.", digest(single))._replace(**words)
    at = {"by": at_desk("officer"), "now": NOW}
    assert refusal(operations.decide, single.pk, said, **at) == code
    assert refusal(operations.recommend, single.pk, said, **at) == code
    assert untouched(single)


def test_an_unknown_request_is_refused():
    unknown = uuid.uuid4()
    assert refusal(operations.claim, unknown, by=at_desk("officer"), now=NOW) == "unknown_case"
    assert queries.case_of(unknown, now=NOW) is None


def test_nothing_is_left_behind_when_the_audit_insert_fails(single, monkeypatch):
    monkeypatch.setattr(audit, "record", lambda **row: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        decide(single, "officer")
    assert untouched(single)


# --- Unmasking ----------------------------------------------------------------------------------------------


def test_unmasking_shows_the_value_and_puts_the_look_on_record(share):
    entitle("officer", "unmask_evidence")
    operations.claim(share.pk, by=at_desk("officer"), now=NOW)
    asked = {"field": "document_number", "side": "requester", "by": at_desk("officer"), "now": NOW}
    assert operations.unmask(share.pk, **asked) == "LX2047713"
    (row,) = AuditEvent.objects.filter(event="compliance.evidence.unmasked")
    assert (row.actor, row.subject) == ("ada.quill", share.requester.username)
    assert row.facts == {"share": str(share.pk), "field": "document_number", "side": "requester"}
    assert "7713" not in str(row.facts)


@pytest.mark.parametrize(
    ("field", "side"),
    [
        ("name", "requester"),
        ("document_number", "device"),
        ("social_security_number", "owner"),
        ("password", "owner"),
    ],
)
def test_only_masked_fields_with_a_value_are_shown(share, field, side):
    entitle("officer", "unmask_evidence")
    operations.claim(share.pk, by=at_desk("officer"), now=NOW)
    asked = {"field": field, "side": side, "by": at_desk("officer"), "now": NOW}
    assert refusal(operations.unmask, share.pk, **asked) == "nothing_to_unmask"


@pytest.mark.parametrize("case", ["free", "another's", "decided", "withdrawn"])
def test_unmasking_is_for_whoever_works_on_a_case_that_waits(single, case):
    for plays in ("officer", "second_officer"):
        entitle(plays, "unmask_evidence")
    if case != "free":
        operations.claim(single.pk, by=at_desk("officer"), now=NOW)
    if case == "decided":
        decide(single, "officer")
    if case == "withdrawn":
        completion.withdraw(single, by=by("requester"), now=NOW)
    caller = at_desk("second_officer" if case == "another's" else "officer")
    asked = {"field": "document_number", "side": "requester", "by": caller, "now": NOW}
    assert refusal(operations.unmask, single.pk, **asked) == "not_claimed"


def test_unmasking_needs_its_own_right(share):
    asked = {"field": "document_number", "side": "owner", "by": at_desk("officer"), "now": NOW}
    assert refusal(operations.unmask, share.pk, **asked) == "not_allowed"


# --- Kept for good --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: EvidenceSeen.objects.update(data={}),
        lambda: EvidenceSeen.objects.all()._raw_delete("default"),
        lambda: ReviewCase.objects.update(decision_note="another"),
        lambda: ReviewCase.objects.update(decided_at=None, decided_by=None, decision=""),
        lambda: ReviewCase.objects.all()._raw_delete("default"),
    ],
)
def test_evidence_and_decided_cases_are_never_changed_or_deleted(single, triggers, attempt):
    decide(single, "officer")
    with pytest.raises(DatabaseError, match="never"), transaction.atomic():
        attempt()
    assert ReviewCase.objects.get().decision == "approve"
    assert EvidenceSeen.objects.get().data["fields"]


def test_an_open_case_is_never_deleted_but_changes(share, triggers):
    operations.claim(share.pk, by=at_desk("officer"), now=NOW)
    with pytest.raises(DatabaseError, match="never"), transaction.atomic():
        ReviewCase.objects.all()._raw_delete("default")
    operations.release(share.pk, by=at_desk("officer"), now=NOW)


@pytest.mark.parametrize("model", [ReviewCase, ShareRequest])
def test_django_deletes_no_decided_request_either(single, model):
    decide(single, "officer")
    with pytest.raises(IntegrityError):
        model.objects.filter(pk=single.pk).delete()


def test_the_demo_forgets_what_the_desk_kept_of_its_cast(single, triggers):
    from sls.demo import operations as demo

    decide(single, "officer")
    demo.recreate(now=LATER)
    assert not ReviewCase.objects.exists()
    again = wait_for_approval(now=LATER)
    ShareRequest.objects.filter(pk=again.pk).update(reviewers=1)
    for plays in ("officer", "second_officer"):
        entitle(plays, *RIGHTS)
    decide(shares().get(pk=again.pk), "officer", now=LATER)
    with pytest.raises(DatabaseError, match="never"), transaction.atomic():
        EvidenceSeen.objects.update(digest="")
