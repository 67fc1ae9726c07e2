"""The page of one case: what it shows to whom, every act, and every way around them."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from compliance.models import EvidenceSeen, ReviewCase, Verdict
from compliance.review import operations
from portal.models import AuditEvent, OutboxMessage
from sls.models import ShareRequest
from sls.sharing import completion
from sls.sharing.queries import shares
from tests.compliance.desk import at_desk, decide, digest, entitle, recommend, wait_for_approval
from tests.conftest import LogIn, by, person
from tests.counting import counting

QUEUE = "/admin/compliance/pendingshare/"
RIGHTS = ("view_reviewcase", "work_reviewcase", "decide_reviewcase")
ACTS = ("claim", "release", "hand-over", "recommend", "decide", "unmask")
VERDICT = {"verdict": "approve", "reason": "same_person", "note": "Looked at everything."}
NUMBER = "LX2047713"  # as it is kept


@pytest.fixture
def share(on_stage) -> ShareRequest:
    for plays in ("officer", "second_officer", "officer_client", "auditor", "support"):
        person(plays).groups.clear()  # each test says which rights count
    return wait_for_approval(now=timezone.now(), note="I have moved my savings.")


@pytest.fixture
def officer(log_in: LogIn) -> Client:
    person("officer").groups.clear()
    entitle("officer", *RIGHTS)
    return log_in("officer")


@pytest.fixture
def second(log_in: LogIn) -> Client:
    person("second_officer").groups.clear()
    entitle("second_officer", *RIGHTS)
    return log_in("second_officer")


def page(share, act=""):
    return f"{QUEUE}{share.pk}/" + (f"{act}/" if act else "")


def shown(client: Client, share) -> str:
    answer = client.get(page(share))
    assert answer.status_code == 200
    return answer.content.decode()


def verdict(share, **more):
    return VERDICT | {"seen": digest(share, timezone.now())} | more


def judge(client: Client, share, act: str, **more):
    """Both steps of a recommendation or a decision."""
    sent = verdict(share, **more)
    preview = client.post(page(share, act), sent)
    assert preview.status_code == 200, preview
    return client.post(page(share, act), sent | {"confirmed": "1"})


def refusal_on(answer) -> str:
    assert answer.status_code == 409
    html = answer.content.decode()
    assert "Nothing was done." in html
    return re.search(r'data-code="(\w+)"', html)[1]


def state_of(share) -> str:
    return ShareRequest.objects.get(pk=share.pk).state


def stage_on(html: str) -> str:
    return re.search(r'data-stage="(\w+)"', html)[1]


def claimed(share, plays="officer"):
    entitle(plays, *RIGHTS)
    operations.claim(share.pk, by=at_desk(plays), now=timezone.now())


# The journey


def test_two_officers_bring_a_case_from_the_queue_to_its_decision(share, officer, second):
    assert stage_on(shown(officer, share)) == "free"
    assert officer.post(page(share, "claim")).url == page(share)
    html = shown(officer, share)
    assert stage_on(html) == "mine"
    assert page(share, "recommend") in html
    assert page(share, "decide") not in html

    assert judge(officer, share, "recommend").url == page(share)
    html = shown(officer, share)
    assert stage_on(html) == "recommended"
    assert page(share, "claim") not in html

    assert second.post(page(share, "claim")).url == page(share)
    html = shown(second, share)
    assert 'data-recommendation="approve"' in html
    assert page(share, "recommend") not in html
    assert judge(second, share, "decide").url == page(share)

    assert state_of(share) == "enforced"
    html = shown(second, share)
    assert stage_on(html) == "decided"
    assert 'data-decision="approve"' in html
    for act in ACTS:
        assert page(share, act) not in html


def test_one_officer_is_enough_where_the_policy_says_so(officer, share):
    ShareRequest.objects.update(reviewers=1)
    claimed(share)
    html = shown(officer, share)
    assert page(share, "decide") in html
    assert page(share, "recommend") not in html
    assert judge(officer, share, "decide", verdict="reject", reason="identity_unclear").url
    assert state_of(share) == "rejected"


# What the page shows


def test_the_evidence_stands_side_by_side_with_its_differences_in_words(share, officer):
    owner = share.owner.entity
    owner.citizenship = "CA"
    owner.save()
    html = shown(officer, share)
    row = re.search(
        r'<tr role="row" data-field="citizenship" data-outcome="differs">.*?</tr>', html, re.S
    )[0]
    assert "≠" in row
    assert "Different" in row
    assert "NZ" in row
    assert "CA" in row
    assert 'data-field="document_number" data-outcome="equal"' in html
    assert 'data-code="different_identification"' in html  # what stands against an approval
    assert "I have moved my savings." in html
    assert "as shipped" in html
    assert re.search(r'data-rule="other_entity">.*?Counts</strong>', html, re.S)


def test_no_page_shows_a_whole_number(share, officer):
    claimed(share)
    for html in (
        shown(officer, share),
        officer.post(page(share, "recommend"), verdict(share)).content.decode(),
    ):
        assert NUMBER not in html
        assert "1979-03-14" not in html
        assert share.device.serial not in html


def test_what_the_client_wrote_is_text(log_in, officer):
    share = wait_for_approval(now=timezone.now(), note="<script>alert(1)</script>")
    html = shown(officer, share)
    assert "<script>alert(1)" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_each_look_at_the_evidence_is_on_record(share, officer):
    shown(officer, share)
    event = AuditEvent.objects.order_by("number").last()
    assert (event.event, event.actor) == ("portal.personal_data.viewed", "ada.quill")
    assert event.subject == share.requester.username
    assert event.facts == {
        "what": "review case",
        "share": str(share.pk),
        "owner": share.owner.username,
    }


def test_nothing_is_shown_when_the_look_cannot_be_recorded(share, officer, monkeypatch):
    def fail(**row):
        raise RuntimeError

    monkeypatch.setattr("portal.audit.chain.record", fail)
    with pytest.raises(RuntimeError):
        officer.get(page(share))


def test_the_history_tells_who_did_and_who_tried(share, officer, second):
    claimed(share)
    assert refusal_on(second.post(page(share, "claim"))) == "claimed_by_another"
    judge(officer, share, "recommend", verdict="reject", reason="identity_unclear")
    html = shown(second, share)
    history = html[html.index('id="history"') :]
    assert history.index("Recommended") < history.index("claimed_by_another")
    assert "bram.teller" in history
    assert "Reject, We could not confirm that both usernames are yours" in history


def test_the_page_costs_a_fixed_number_of_statements(share, officer):
    claimed(share)
    shown(officer, share)

    def cost():
        with counting() as count:
            shown(officer, share)
        return count

    before = cost()
    assert before.sql <= 16, str(before)
    for _ in range(5):
        operations.release(share.pk, by=at_desk("officer"), now=timezone.now())
        operations.claim(share.pk, by=at_desk("officer"), now=timezone.now())
    after = cost()
    assert after.sql == before.sql, str(after)


# The confirmation


@pytest.mark.parametrize(
    ("more", "english", "chinese"),
    [
        ({}, "a security device is now shared", "安全设备"),
        (
            {"verdict": "reject", "reason": "document_outdated"},
            "An identification document is out of date",
            "身份",
        ),
    ],
)
def test_both_language_versions_are_read_before_anything_is_sent(
    share, officer, more, english, chinese
):
    claimed(share)
    before = OutboxMessage.objects.count()
    html = officer.post(page(share, "recommend"), verdict(share, **more)).content.decode()
    letters = re.findall(
        r'<article lang="([\w-]+)" data-side="(\w+)" data-sent="(\w+)">(.*?)</article>', html, re.S
    )
    assert [letter[:3] for letter in letters] == [
        ("en", "requester", "yes"),
        ("zh-hans", "requester", "no"),
        ("en", "owner", "yes"),
        ("zh-hans", "owner", "no"),
    ]
    assert english in letters[0][3]
    assert chinese in letters[1][3]
    assert OutboxMessage.objects.count() == before
    assert not ReviewCase.objects.get().recommended_by


def test_the_message_comes_first_in_the_language_of_the_client(share, officer):
    share.requester.language = "zh-hans"
    share.requester.save()
    claimed(share)
    html = officer.post(page(share, "recommend"), verdict(share)).content.decode()
    assert 'lang="zh-hans" data-side="requester" data-sent="yes"' in html
    assert 'lang="en" data-side="requester" data-sent="no"' in html


def test_the_preview_holds_no_link_that_undoes_anything(share, officer):
    claimed(share)
    html = officer.post(page(share, "recommend"), verdict(share)).content.decode()
    [*links] = re.findall(r"/undo/([^/\s<]+)/", html)
    assert links
    assert set(links) == {"preview"}


def test_the_previewed_message_is_the_one_that_is_sent(share, officer):
    from portal.outbox import rendering

    ShareRequest.objects.update(reviewers=1)
    claimed(share)
    sent = verdict(share, verdict="reject", reason="identity_unclear")
    html = officer.post(page(share, "decide"), sent).content.decode()
    officer.post(page(share, "decide"), sent | {"confirmed": "1"})
    row = OutboxMessage.objects.get(event="share_rejected", user=share.requester)
    for line in filter(None, rendering.render(row).text.split("\n")):
        assert line.replace("'", "&#x27;").replace('"', "&quot;") in html, line


def test_whoever_wants_to_change_his_words_finds_them_again(share, officer):
    claimed(share)
    html = officer.post(page(share, "recommend"), verdict(share, change="1")).content.decode()
    assert "Looked at everything." in html
    assert stage_on(html) == "mine"


@pytest.mark.parametrize(
    "wrong",
    [
        {"note": " "},
        {"note": "x" * 2001},
        {"reason": "identity_unclear"},
        {"reason": "no_reason"},
        {"verdict": "postpone"},
        {"seen": "x"},
    ],
)
def test_what_is_wrong_comes_back_and_nothing_is_done(share, officer, wrong):
    claimed(share)
    answer = officer.post(page(share, "recommend"), verdict(share, **wrong) | {"confirmed": "1"})
    assert answer.status_code == 200
    assert not ReviewCase.objects.get().recommended_by


# Conflicts


def flag(entity) -> None:
    entity.compliance_flag = True
    entity.save()


@pytest.mark.parametrize("act", ["recommend", "decide"])
def test_changed_data_stop_a_verdict_before_and_after_the_preview(share, officer, act):
    if act == "decide":
        ShareRequest.objects.update(reviewers=1)
    claimed(share)
    sent = verdict(share)
    flag(share.owner.entity)
    preview = officer.post(page(share, act), sent).content.decode()
    assert 'data-code="data_changed"' in preview
    assert 'name="confirmed"' not in preview
    answer = officer.post(page(share, act), sent | {"confirmed": "1"})
    assert refusal_on(answer) == "data_changed"
    assert state_of(share) == "pending"
    html = shown(officer, share)
    assert sent["note"] in html  # what was typed is not lost
    assert "What you had filled in is still here." in html


def test_data_that_changed_since_the_recommendation_ask_for_another_one(share, officer, second):
    claimed(share)
    recommend(share, now=timezone.now())
    claimed(share, "second_officer")
    sent = verdict(share)
    flag(share.owner.entity)
    answer = second.post(page(share, "decide"), sent, follow=True)
    html = answer.content.decode()
    assert "The data have changed." in html
    assert "The recommendation no longer counts" in html
    assert sent["note"] in html
    assert page(share, "recommend") in html
    assert page(share, "decide") not in html
    again = verdict(share, confirmed="1")
    assert second.post(page(share, "recommend"), again).status_code == 302
    assert ReviewCase.objects.get().recommended_by == person("second_officer")
    assert not [key for key, _ in second.session.items() if key.startswith("verdict on")]


def test_a_withdrawn_request_is_not_decided(share, officer):
    claimed(share)
    sent = verdict(share, confirmed="1")
    completion.withdraw(shares().get(pk=share.pk), by=by("requester"), now=timezone.now())
    assert refusal_on(officer.post(page(share, "recommend"), sent)) == "request_over"
    assert state_of(share) == "cancelled"
    assert stage_on(shown(officer, share)) == "over"


def test_who_comes_second_reads_who_was_faster(share, officer, second):
    ShareRequest.objects.update(reviewers=1)
    claimed(share, "second_officer")
    sent = verdict(share, confirmed="1")
    decide(share, now=timezone.now())
    answer = officer.post(page(share, "decide"), sent)
    assert refusal_on(answer) == "already_decided"
    assert "bram.teller" in answer.content.decode()
    assert ReviewCase.objects.get().decided_by == person("second_officer")


def test_the_maker_does_not_decide_by_a_crafted_request(share, officer):
    claimed(share)
    recommend(share, now=timezone.now())
    answer = officer.post(page(share, "decide"), verdict(share, confirmed="1"))
    assert refusal_on(answer) == "same_officer"
    assert state_of(share) == "pending"


def test_nobody_sees_or_works_on_his_own_case(share, log_in):
    entitle("officer_client", *RIGHTS, "unmask_evidence")
    client = log_in("officer_client")
    looks = AuditEvent.objects.filter(event="portal.personal_data.viewed")
    assert refusal_on(client.get(page(share))) == "own_case"
    assert not looks.exists()
    assert refusal_on(client.post(page(share, "claim"))) == "own_case"
    for act in ("recommend", "decide"):
        answer = client.post(page(share, act), verdict(share, confirmed="1"))
        assert refusal_on(answer) == "own_case"
    answer = client.post(page(share, "unmask"), {"what": "requester:document_number"})
    assert refusal_on(answer) == "own_case"
    assert state_of(share) == "pending"


# Who may, and how


def test_gets_never_do_anything(share, officer):
    claimed(share)
    before = AuditEvent.objects.count()
    for act in ACTS:
        assert officer.get(page(share, act), verdict(share, confirmed="1")).status_code == 405
    assert officer.post(page(share)).status_code == 405
    assert AuditEvent.objects.count() == before
    assert state_of(share) == "pending"


def test_without_a_token_nothing_is_done(share, officer):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = officer.cookies
    for act in ACTS:
        assert strict.post(page(share, act), verdict(share, confirmed="1")).status_code == 403
    assert not ReviewCase.objects.exists()


def test_every_act_asks_for_a_fresh_proof_and_comes_back_to_the_case(share, officer):
    session = officer.session
    session["proven_at"] = (timezone.now() - timedelta(minutes=6)).isoformat()
    session.save()
    for act in ACTS:
        answer = officer.post(page(share, act), verdict(share, confirmed="1"))
        assert (
            answer.url
            == f"/login/confirm/?next=%2Fadmin%2Fcompliance%2Fpendingshare%2F{share.pk}%2F"
        )
    assert not ReviewCase.objects.exists()


@pytest.mark.parametrize("sent", [{}, {"confirmed": "1"}])
def test_what_was_filled_in_is_still_there_after_the_proof(share, officer, sent):
    officer.post(page(share, "claim"))
    session = officer.session
    fresh = session["proven_at"]
    session["proven_at"] = (timezone.now() - timedelta(minutes=6)).isoformat()
    session.save()
    typed = verdict(share, note="Both <documents> compared", **sent)
    assert officer.post(page(share, "recommend"), typed).url.startswith("/login/confirm/")
    session = officer.session
    session["proven_at"] = fresh
    session.save()
    shown, later = (officer.get(page(share)).content.decode() for _ in range(2))
    assert "Both &lt;documents&gt; compared" in shown
    assert re.search(rf'value="{typed["verdict"]}"[^>]* checked', shown)
    assert re.search(rf'value="{typed["reason"]}"[^>]* selected', shown)
    assert "Both &lt;documents&gt; compared" not in later


def test_without_the_right_no_page_answers(share, log_in):
    staff = log_in("support")
    assert staff.get(page(share)).status_code == 403
    for act in ACTS:
        assert staff.post(page(share, act), verdict(share, confirmed="1")).status_code == 403
    assert staff.get(page(share, "seen/1")).status_code == 403
    client = log_in("stranger")
    for act in ("", *ACTS):
        assert client.post(page(share, act)).status_code == 302
    assert not ReviewCase.objects.exists()


def test_who_may_only_look_finds_nothing_to_press(share, log_in):
    entitle("auditor", "view_reviewcase")
    html = shown(log_in("auditor"), share)
    for act in ACTS:
        assert page(share, act) not in html


def test_a_right_withdrawn_counts_on_the_next_click(share, officer):
    claimed(share)
    person("officer").user_permissions.clear()
    assert officer.post(page(share, "recommend"), verdict(share)).status_code == 403


def test_a_case_that_does_not_exist_is_not_found(officer):
    nothing = QUEUE + "00000000-0000-0000-0000-000000000007/"
    assert officer.get(nothing).status_code == 404
    assert refusal_on(officer.post(nothing + "claim/")) == "unknown_case"


def test_a_draft_is_no_case(share, officer):
    ShareRequest.objects.update(state="draft", submitted_at=None)
    assert officer.get(page(share)).status_code == 404


# Handing over


def test_a_case_is_handed_over_and_given_back(share, officer, second):
    claimed(share)
    assert officer.post(page(share, "hand-over"), {"to": "bram.teller"}).url == page(share)
    assert ReviewCase.objects.get().claimed_by == person("second_officer")
    assert stage_on(shown(officer, share)) == "claimed_by_another"
    assert refusal_on(officer.post(page(share, "release"))) == "not_claimed"
    assert second.post(page(share, "release")).url == page(share)
    assert ReviewCase.objects.get().claimed_by is None


@pytest.mark.parametrize("to", ["", "nobody", "robin.calder", "robin.desk"])
def test_nobody_else_is_given_a_case(share, officer, to):
    claimed(share)
    assert refusal_on(officer.post(page(share, "hand-over"), {"to": to})) == "wrong_officer"
    assert ReviewCase.objects.get().claimed_by == person("officer")


# In full


def test_a_field_is_shown_in_full_once_and_the_look_is_on_record(share, officer):
    entitle("officer", "unmask_evidence")
    assert 'value="requester:document_number"' not in shown(officer, share)
    claimed(share)
    assert 'value="requester:document_number"' in shown(officer, share)
    answer = officer.post(page(share, "unmask"), {"what": "requester:document_number"})
    assert f'id="unmasked">{NUMBER}<' in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    event = AuditEvent.objects.order_by("number").last()
    assert (event.event, event.subject) == ("compliance.evidence.unmasked", "robin.calder")
    assert NUMBER not in str(event.facts)
    assert NUMBER not in shown(officer, share)


@pytest.mark.parametrize("what", ["", "requester", "requester:name", "thief:document_number", ":"])
def test_only_masked_fields_of_the_parties_are_shown_in_full(share, officer, what):
    entitle("officer", "unmask_evidence")
    claimed(share)
    answer = officer.post(page(share, "unmask"), {"what": what})
    assert refusal_on(answer) == "nothing_to_unmask"


def test_without_the_right_nothing_is_unmasked(share, officer):
    claimed(share)
    assert 'value="requester:document_number"' not in shown(officer, share)
    answer = officer.post(page(share, "unmask"), {"what": "requester:document_number"})
    assert answer.status_code == 403


# In a year


def test_what_was_seen_is_read_again_as_it_was(share, officer):
    claimed(share)
    recommend(share, now=timezone.now())
    entity = share.owner.entity
    entity.citizenship = "CA"
    entity.save()
    seen = EvidenceSeen.objects.get()
    html = shown(officer, share)
    where = page(share, f"seen/{seen.pk}")
    assert where in html
    assert "no longer counts" in html
    assert 'data-field="citizenship" data-outcome="differs"' in html
    html = officer.get(where).content.decode()
    assert 'data-field="citizenship" data-outcome="equal"' in html
    assert seen.digest in html
    assert "ada.quill" in html
    assert "<form" not in html[html.index('id="content-main"') :]
    event = AuditEvent.objects.order_by("number").last()
    assert event.facts["what"] == "evidence as seen"
    assert officer.get(page(share, f"seen/{seen.pk + 1}")).status_code == 404


def test_verdicts_of_the_form_are_those_of_the_model():
    assert set(Verdict.values) == {"approve", "reject"}
