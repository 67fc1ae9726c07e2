"""The pages of the review rules: form, rehearsal, confirmation, withdrawal; and who may not."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from compliance.policy import operations, queries
from sls.models import ReviewPolicy
from sls.review import SHIPPED, Rule
from tests.compliance.desk import wait_for_approval
from tests.conftest import LogIn, by
from tests.counting import counting
from tests.sls.test_admin import allow

LIST = "/admin/sls/reviewpolicy/"
NEW = LIST + "new/"


@pytest.fixture
def lead(log_in: LogIn) -> Client:
    allow("officer", "add_reviewpolicy", "view_reviewpolicy")
    return log_in("officer")


def form(follows=0, note="One pair of eyes is enough.", starts_at="", **rules: Rule | None):
    """What the browser sends: the shipped rules, with changes."""
    sent = {"follows": follows, "note": note, "starts_at": starts_at}
    for code, shipped in SHIPPED.items():
        rule = rules.get(code, shipped)
        sent |= {f"{code}-threshold": (rule or shipped).threshold}
        sent |= {f"{code}-reviewers": (rule or shipped).reviewers}
        if rule:
            sent |= {f"{code}-is_on": "on"} | ({f"{code}-holds": "on"} if rule.holds else {})
    return sent


def scheduled(**more) -> ReviewPolicy:
    what = {
        "rules": SHIPPED,
        "starts_at": timezone.now() + timedelta(days=1),
        "note": "As before.",
        "follows": 0,
        "by": by("officer"),
        "now": timezone.now(),
    }
    return operations.schedule(**(what | more))


def hidden(html: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)">', html))


def refusal_on(answer):
    assert answer.status_code == 409
    return re.search(r'data-code="(\w+)"', answer.content.decode())[1]


def test_new_rules_are_rehearsed_confirmed_and_scheduled(lead):
    share = wait_for_approval()
    assert NEW in lead.get(LIST).content.decode()
    assert 'name="other_entity-is_on"' in lead.get(NEW).content.decode()

    html = lead.post(NEW, form(other_entity=None) | {"rehearse": "1"}).content.decode()
    assert not ReviewPolicy.objects.exists()
    assert 'data-flips="1"' in html
    assert 'data-kind="freed">1<' in html
    assert f"/admin/sls/sharerequest/{share.pk}/change/" in html
    sent = hidden(html)
    assert sent["note"] == "One pair of eyes is enough."
    assert "other_entity-is_on" not in sent

    assert lead.post(NEW, sent | {"confirm": "1"}).url == LIST
    policy = ReviewPolicy.objects.get()
    assert "other_entity" not in policy.rules
    assert policy.rules["new_shares"] == {"threshold": 2, "holds": False, "reviewers": 2}
    assert "One pair of eyes is enough." in lead.get(LIST).content.decode()
    page = lead.get(f"{LIST}{policy.pk}/change/").content.decode()
    assert "The device was shared with others" in page


def test_the_form_comes_back_as_it_was_sent(lead):
    answer = lead.post(NEW, form(other_entity=None, new_shares=Rule(threshold=5)) | {"change": "1"})
    html = answer.content.decode()
    assert 'name="new_shares-threshold" value="5"' in html
    row = re.search(r'name="other_entity-is_on"[^>]*>', html)[0]
    assert "checked" not in row
    assert not ReviewPolicy.objects.exists()


def test_a_get_never_schedules(lead):
    assert lead.get(NEW, form() | {"confirm": "1"}).status_code == 200
    assert not ReviewPolicy.objects.exists()
    assert lead.put(NEW).status_code == 405


def test_without_a_token_nothing_is_scheduled(lead):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = lead.cookies
    assert strict.post(NEW, form() | {"confirm": "1"}).status_code == 403
    assert not ReviewPolicy.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("note", " "),
        ("new_shares-threshold", "0"),
        ("new_shares-threshold", "1001"),
        ("new_shares-threshold", "many"),
        ("new_shares-reviewers", "3"),
        ("starts_at", "yesterday"),
    ],
)
def test_what_is_wrong_comes_back_with_its_error_and_is_not_scheduled(lead, field, value):
    answer = lead.post(NEW, form() | {field: value, "confirm": "1"})
    assert answer.status_code == 200
    assert 'class="errorlist"' in answer.content.decode()
    assert not ReviewPolicy.objects.exists()


def test_a_start_in_the_past_is_refused(lead):
    answer = lead.post(NEW, form(starts_at="2020-01-01T00:00") | {"confirm": "1"})
    assert refusal_on(answer) == "policy_starts_too_early"


def test_rules_rehearsed_against_others_are_not_scheduled(lead):
    sent = hidden(lead.post(NEW, form() | {"rehearse": "1"}).content.decode())
    scheduled()
    assert refusal_on(lead.post(NEW, sent | {"confirm": "1"})) == "policy_overtaken"
    assert ReviewPolicy.objects.count() == 1


def test_scheduled_rules_are_withdrawn_with_a_reason(lead):
    policy = scheduled()
    where = f"{LIST}{policy.pk}/withdraw/"
    assert where in lead.get(f"{LIST}{policy.pk}/change/").content.decode()
    assert lead.get(where).status_code == 200
    assert lead.post(where, {"note": ""}).status_code == 200
    assert ReviewPolicy.objects.exists()
    assert lead.post(where, {"note": "Not agreed with the board."}).url == LIST
    assert not ReviewPolicy.objects.exists()


def test_rules_that_are_followed_by_others_are_not_withdrawn(lead):
    first = scheduled()
    scheduled(starts_at=timezone.now() + timedelta(days=2), follows=first.pk)
    where = f"{LIST}{first.pk}/withdraw/"
    assert where not in lead.get(f"{LIST}{first.pk}/change/").content.decode()
    assert refusal_on(lead.post(where, {"note": "All wrong."})) == "policy_not_the_last"
    assert ReviewPolicy.objects.count() == 2


def test_without_the_right_no_page_answers(log_in, lead):
    policy = scheduled()
    pages = (NEW, f"{LIST}{policy.pk}/withdraw/")
    reader = log_in("support")
    assert reader.get(LIST).status_code == 403
    for where in pages:
        assert reader.get(where).status_code == 403
        assert reader.post(where, form() | {"confirm": "1"}).status_code == 403
    client = log_in("stranger")
    for where in (LIST, *pages):
        assert client.post(where, form()).status_code == 302
    assert ReviewPolicy.objects.count() == 1


def test_who_may_only_look_finds_no_button(log_in):
    allow("auditor", "view_reviewpolicy")
    assert NEW not in log_in("auditor").get(LIST).content.decode()


@pytest.mark.parametrize("where", ["new/", "1/withdraw/"])
def test_every_change_asks_for_a_fresh_proof_of_the_device(lead, where):
    session = lead.session
    session["proven_at"] = (timezone.now() - timedelta(minutes=6)).isoformat()
    session.save()
    assert lead.post(LIST + where, form()).url.startswith("/login/confirm/?next=")


def test_rows_are_neither_added_changed_nor_deleted_by_hand(log_in, lead):
    policy = scheduled()
    root = log_in("administrator")
    assert root.post(LIST + "add/").status_code == 403
    assert root.post(f"{LIST}{policy.pk}/delete/", {"post": "yes"}).status_code == 403
    assert root.post(f"{LIST}{policy.pk}/change/", {"note": "x"}).status_code == 403
    policy.refresh_from_db()
    assert policy.note == "As before."


def test_the_number_of_statements_does_not_grow_with_the_versions(lead):
    def cost():
        with counting() as count:
            lead.get(LIST)
        return count.sql

    first = scheduled()
    lead.get(LIST)
    before = cost()
    for days in range(2, 8):
        last = queries.last_policy()
        scheduled(starts_at=first.starts_at + timedelta(days=days), follows=last.pk)
    assert cost() == before


def test_the_pages_speak_chinese(lead):
    lead.cookies["language"] = "zh-hans"
    lead.post("/language/", {"language": "zh-hans"})
    html = lead.post(NEW, form() | {"rehearse": "1"}).content.decode()
    assert 'lang="zh-hans"' in html
    assert "Rehearsal" not in html
