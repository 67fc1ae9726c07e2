"""The queue's page: who sees it, what it shows, what it does and what it never does."""

import html
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from compliance.models import ReviewCase
from compliance.queue.rules import PAGE
from portal.models import AuditEvent
from sls.models import ShareRequest, ShareState
from tests.compliance.crowd import claim, decide, recommend, waiting
from tests.compliance.desk import entitle, wait_for_approval
from tests.conftest import LogIn, person
from tests.counting import counting

QUEUE = "/admin/compliance/pendingshare/"


@pytest.fixture
def officer(log_in: LogIn) -> Client:
    client = log_in("officer")
    entitle("officer", "view_reviewcase", "work_reviewcase")
    return client


def lines(answer) -> list[str]:
    assert answer.status_code == 200, answer.status_code
    found = re.findall(r"<tr role=\"row\">(.*?)</tr>", answer.content.decode(), re.DOTALL)[1:]
    texts = (re.sub(r"<[^>]+>", " ", line) for line in found)
    return [" ".join(html.unescape(text).split()) for text in texts]


def tabs(answer) -> dict[str, str]:
    found = re.findall(
        r'<li><a href="\?([^"]*)"[^>]*>[^<]*<span class="desk-count">([^<]+)',
        answer.content.decode(),
    )
    return dict(found)


# --- What it shows -----------------------------------------------------------------------------------


def test_a_line_says_everything_about_its_request(officer):
    waiting(
        1,
        since=timezone.now() - timedelta(days=30),
        reasons=["other_entity", "compliance_flag", "of_an_older_release"],
    )
    (line,) = lines(officer.get(QUEUE))
    for words in (
        *("waits-0", "waits Ltd 0", "waits-owner-0", "Digital Security Card+ (DSC+)", "•••0000"),
        "The usernames belong to different entities",
        "An account carries a compliance flag; of_an_older_release",
        *("Overdue", "Unclaimed", "Claim"),
    ):
        assert words in line


def test_states_and_claimers_stand_on_the_lines(officer):
    shares = waiting(4)
    claim(shares[1], person("officer"))
    claim(shares[2], person("second_officer"))
    recommend(shares[3], person("second_officer"))
    found = lines(officer.get(QUEUE))
    assert found[0].endswith("2 Unclaimed Claim")
    assert found[1].endswith("2 Claimed You")
    assert found[2].endswith("2 Claimed bram.teller")
    assert found[3].endswith("2 Awaiting the checker bram.teller")


def test_decided_requests_show_their_end_and_no_button(officer):
    share = waiting(1)[0]
    decide(share, person("second_officer"), at=timezone.now(), decision="reject")
    (line,) = lines(officer.get(QUEUE, {"stage": "decided"}))
    assert "Rejected bram.teller" in line
    assert "Overdue" not in line


def test_the_whole_serial_number_is_nowhere(officer):
    share = wait_for_approval()
    answer = officer.get(QUEUE)
    assert len(lines(answer)) == 1
    assert share.device.serial not in answer.content.decode()


def test_names_are_escaped(officer):
    share = waiting(1)[0]
    share.requester.entity.name = "<script>alert(1)</script>"
    share.requester.entity.save()
    assert "<script>alert" not in officer.get(QUEUE).content.decode()
    answer = officer.get(QUEUE, {"q": '"><script>alert(2)</script>'}).content.decode()
    assert "<script>alert" not in answer


def test_lists_are_links_with_their_counts(officer):
    shares = waiting(3)
    claim(shares[0], person("officer"))
    found = tabs(officer.get(QUEUE))
    assert found[""] == "3"
    assert found["stage=unclaimed"] == "2"
    assert found["stage=mine"] == "1"
    assert found["stage=overdue"] == "0"


def test_next_and_previous_lead_through_all_with_what_was_asked(officer):
    waiting(PAGE + 5)
    waiting(1, prefix="other", reasons=["compliance_flag"])
    first = officer.get(QUEUE, {"reason": "other_entity"})
    (following,) = re.findall(r'href="\?([^"]+)" rel="next"', first.content.decode())
    second = officer.get(f"{QUEUE}?{html.unescape(following)}")
    assert len(lines(first)) == PAGE
    assert len(lines(second)) == 5
    (back,) = re.findall(r'href="\?([^"]+)" rel="prev"', second.content.decode())
    assert lines(officer.get(f"{QUEUE}?{html.unescape(back)}")) == lines(first)


def test_the_order_is_remembered_for_the_session(officer):
    waiting(3)
    usual = lines(officer.get(QUEUE))
    assert lines(officer.get(QUEUE, {"order": "newest"})) == usual[::-1]
    assert lines(officer.get(QUEUE)) == usual[::-1]
    assert lines(officer.get(QUEUE, {"order": "oldest"})) == usual
    assert lines(officer.get(QUEUE)) == usual


def test_nonsense_in_the_address_shows_the_queue(officer):
    waiting(1)
    nonsense = {"stage": "x", "after": "x", "order": "\0", "kind": "'", "day": "2026-99-99"}
    assert len(lines(officer.get(QUEUE, nonsense))) == 1
    assert lines(officer.get(QUEUE, {"q": "\0"})) == []


def test_an_empty_list_says_so(officer):
    assert "There is no request in this list." in officer.get(QUEUE).content.decode()
    assert "No request matches." in officer.get(QUEUE, {"q": "nobody"}).content.decode()


def test_the_queue_speaks_chinese(officer):
    waiting(1, since=timezone.now() - timedelta(days=30))
    officer.cookies["django_language"] = "zh-hans"
    page = officer.get(QUEUE).content.decode()
    for words in ("等待合规部门处理的请求", "已逾期", "未受理", "受理waits-0的请求"):
        assert words in page, words


# --- Who may -----------------------------------------------------------------------------------------


def test_staff_without_the_permission_see_nothing(log_in):
    client = log_in("officer")
    person("officer").groups.clear()
    assert client.get(QUEUE).status_code == 403
    assert client.post(QUEUE, {"claim": str(waiting(1)[0].pk)}).status_code == 403
    assert not ReviewCase.objects.exists()


def test_who_may_only_look_finds_no_button_and_no_way_around_it(log_in):
    client = log_in("auditor")
    person("auditor").groups.clear()
    entitle("auditor", "view_reviewcase")
    share = waiting(1)[0]
    page = client.get(QUEUE)
    assert len(lines(page)) == 1
    assert 'name="claim"' not in page.content.decode()
    assert client.post(QUEUE, {"claim": str(share.pk)}).status_code == 403
    assert not ReviewCase.objects.exists()


# --- What it does ------------------------------------------------------------------------------------


def test_claim_takes_the_request_and_opens_it(officer):
    share = wait_for_approval()
    answer = officer.post(QUEUE, {"claim": str(share.pk)})
    assert (answer.status_code, answer.url) == (302, f"{QUEUE}{share.pk}/")
    assert ReviewCase.objects.get(share=share).claimed_by == person("officer")


def test_a_request_somebody_else_has_claimed_stays_his(officer):
    share = wait_for_approval()
    claim(share, person("second_officer"))
    answer = officer.post(f"{QUEUE}?reason=other_entity", {"claim": str(share.pk)}, follow=True)
    assert answer.redirect_chain == [(f"{QUEUE}?reason=other_entity", 302)]
    assert len(list(answer.context["messages"])) == 1
    assert ReviewCase.objects.get(share=share).claimed_by == person("second_officer")


def test_a_claim_needs_a_freshly_proven_device(officer):
    share = wait_for_approval()
    session = officer.session
    session["proven_at"] = (timezone.now() - timedelta(hours=1)).isoformat()
    session.save()
    answer = officer.post(QUEUE, {"claim": str(share.pk)})
    assert answer.status_code == 302
    assert answer.url.startswith("/login/confirm/")
    assert not ReviewCase.objects.exists()


def test_a_claim_needs_its_token():
    client = Client(enforce_csrf_checks=True)
    assert client.post(QUEUE, {"claim": "x"}).status_code == 403


@pytest.mark.parametrize("claimed", ["", "nothing", "00000000-0000-0000-0000-000000000000"])
def test_a_claim_of_nothing_does_nothing(officer, claimed):
    assert officer.post(QUEUE, {"claim": claimed}).status_code == 302
    assert not ReviewCase.objects.exists()


# --- What it never does ------------------------------------------------------------------------------


@pytest.fixture
def root(log_in: LogIn) -> Client:
    return log_in("administrator")


@pytest.mark.parametrize("way", ["add/", "{pk}/delete/", "{pk}/change/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_requests_are_neither_added_changed_nor_deleted_by_hand(root, way, method):
    share = wait_for_approval()
    address = QUEUE + way.format(pk=share.pk)
    answer = getattr(root, method)(address, {"post": "yes", "state": "enforced"})
    assert answer.status_code in (302, 403, 404, 405)
    if answer.status_code == 302:
        assert method == "get"
    assert ShareRequest.objects.get(pk=share.pk).state == ShareState.PENDING


@pytest.mark.parametrize("action", ["delete_selected", "approve", "reject", "decide"])
def test_nothing_is_done_to_several_requests_at_once(root, action):
    share = wait_for_approval()
    before = AuditEvent.objects.count()
    crafted = {"action": action, "_selected_action": [str(share.pk)], "post": "yes"}
    root.post(QUEUE, crafted)
    assert ShareRequest.objects.get(pk=share.pk).state == ShareState.PENDING
    assert not ReviewCase.objects.exists()
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_are_refused(root, method):
    assert getattr(root, method)(QUEUE).status_code == 405


# --- Costs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3 * PAGE])
def test_a_page_takes_five_queries_whatever_waits(officer, count):
    for share in waiting(count)[::2]:
        claim(share, person("officer"))
    for query in ("", "?stage=mine", "?q=waits-0", "?reason=other_entity&order=newest"):
        officer.get(QUEUE + query)
        officer.get(QUEUE + "?order=oldest")
        with counting() as counted:
            officer.get(QUEUE + query.replace("&order=newest", ""))
        assert counted.sql == 5, counted
        assert counted.writes == 0


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "1999-12-31", "2026-02-30", "today"])
def test_a_day_that_no_calendar_of_ours_has_narrows_nothing(officer, settings, day: str):
    settings.TIME_ZONE = "Asia/Shanghai"
    for stage in ("waiting", "decided"):
        assert officer.get(QUEUE, {"stage": stage, "day": day}).status_code == 200
