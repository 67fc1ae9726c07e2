"""The support desk's pages: a username on one page, and checking a caller."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from portal import throttle
from sls.models import CallerCheck, LoginPrompt, PromptReport
from tests.conftest import DEVICES, NOW, LogIn, person, press, question_on, use_up
from tests.counting import counting
from tests.handset import demo_phone
from tests.sls.phone.test_api import log_in as wait_for_phone
from tests.sls.test_admin import borrow, device_of

pytestmark = pytest.mark.usefixtures("on_stage")
DESK = "/admin/sls/clientrecord/"


def page_of(plays):
    return f"{DESK}{person(plays).pk}/change/"


def ask_page(plays):
    return f"/admin/sls/callercheck/ask/{person(plays).pk}/"


def wanted(plays):
    return {"ticket": "T-77", "reason": "wants to be unlocked", "device": device_of(plays).pk}


@pytest.fixture
def support(log_in: LogIn):
    return log_in("support")


# --- One username on one page ------------------------------------------------------------------------------


def test_a_whole_username_is_searched_in_whatever_spelling(support):
    assert support.get(DESK).status_code == 200
    assert support.get(DESK, {"q": " Robin.SAVINGS "}).url == page_of("owner")
    html = support.get(DESK, {"q": "robin"}).content.decode()
    assert "No username is spelt like this." in html
    assert "robin.savings" not in html


def test_the_page_shows_state_ways_in_lendings_and_what_ends(support):
    borrow("owner", "requester")
    html = support.get(page_of("owner")).content.decode()
    assert "•••0017" in html
    assert "robin.calder" in html
    html = support.get(page_of("requester")).content.decode()
    assert "borrowed from robin.savings" in html
    assert re.search(r"•••0042.*?Kept in a safe place\s*</td>\s*<td>No<", html, re.DOTALL)
    assert "No way in:" in support.get(page_of("no_device")).content.decode()
    assert "IB Key" in support.get(page_of("phone_user")).content.decode()


def test_the_page_says_why_a_client_cannot_log_in(support):
    use_up(throttle.SECOND_FACTOR_OF_USER, "robin.savings", timezone.now())
    use_up(throttle.PASSWORD_OF_NAME, "robin.savings", timezone.now())
    html = support.get(page_of("owner")).content.decode()
    assert "the password is not judged at present" in html
    assert "no device is judged at present" in html
    user = person("owner")
    user.locked_at = NOW
    user.save()
    assert "Locked by staff since" in support.get(page_of("owner")).content.decode()


def test_the_page_shows_no_personal_number_and_no_whole_serial(support):
    borrow("owner", "requester")
    html = support.get(page_of("owner")).content.decode()
    entity = person("owner").entity
    number = entity.phone_numbers.get().e164
    hidden = [entity.open_number("document_number"), number, number[-6:], "1979", "LX 204"]
    hidden += [DEVICES["robin.savings"].serial, person("owner").email]
    assert [text for text in hidden if text in html] == []


def test_the_page_takes_the_same_number_of_queries_whatever_it_shows(support):
    def queries():
        with counting() as count:
            assert support.get(page_of("owner")).status_code == 200
        return count.sql

    queries()
    before = queries()
    for borrower in ("requester", "no_device", "stranger"):
        borrow("owner", borrower)
    support.post(ask_page("owner"), wanted("owner"))
    assert queries() == before


def test_a_username_that_does_not_exist_is_not_found(support):
    for key in ("999999", "x", "9" * 30):
        assert support.get(f"{DESK}{key}/change/").status_code == 404


def test_an_open_case_of_a_denied_login_is_shown(support):
    assert not LoginPrompt.objects.exists()
    assert "the case is open" not in support.get(page_of("phone_user")).content.decode()
    wait_for_phone()
    phone = demo_phone()
    (prompt,) = phone.waiting()
    phone.decide(prompt, "deny")
    assert PromptReport.objects.exists()
    assert "the case is open" in support.get(page_of("phone_user")).content.decode()


def test_the_temporary_code_form_knows_the_username_already(support):
    html = support.get("/admin/sls/temporarycoderequest/request/?username=robin.new")
    assert 'value="robin.new"' in html.content.decode()


# --- Checking a caller ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("plays", ["owner", "requester"])
def test_the_challenge_is_read_out_and_the_response_typed(support, plays):
    where = support.post(ask_page(plays), wanted(plays)).url
    question = question_on(support.get(where).content.decode())
    html = support.post(where, {"response": press(plays, question)}).content.decode()
    assert 'data-result="passed"' in html
    assert CallerCheck.objects.get().state == "passed"
    html = support.get(where).content.decode()
    assert 'data-result="passed"' in html
    assert 'name="response"' not in html
    assert "T-77: Passed" in support.get(page_of(plays)).content.decode()


def test_a_wrong_response_and_none_are_told_apart(support):
    where = support.post(ask_page("owner"), wanted("owner")).url
    assert 'data-result="failed"' in support.post(where, {"response": "1"}).content.decode()
    where = support.post(ask_page("owner"), wanted("owner")).url
    assert 'data-result="none"' in support.post(where, {"none": "1"}).content.decode()


def test_a_colleague_sees_the_result_and_never_the_challenge(support, log_in: LogIn):
    where = support.post(ask_page("owner"), wanted("owner")).url
    question = question_on(support.get(where).content.decode())
    html = log_in("administrator").get(where).content.decode()
    assert 'data-result="waiting"' in html
    assert question not in html
    answer = log_in("administrator").post(where, {"response": "1"})
    assert answer.status_code == 409
    assert 'data-code="not_the_maker"' in answer.content.decode()


def test_a_ticket_and_a_reason_are_compulsory_and_get_asks_nothing(support):
    for missing in ("ticket", "reason", "device"):
        assert support.post(ask_page("owner"), wanted("owner") | {missing: ""}).status_code == 200
    support.get(ask_page("owner"), wanted("owner"))
    assert not CallerCheck.objects.exists()


def test_who_has_no_device_cannot_be_asked(support):
    html = support.get(ask_page("no_device")).content.decode()
    assert "Identify the caller in another way." in html


def test_a_passed_check_unlocks_and_issues_nothing(support):
    """peers.md idea 21: no desk role can both verify and override in one call."""
    use_up(throttle.SECOND_FACTOR_OF_USER, "robin.savings", timezone.now())
    where = support.post(ask_page("owner"), wanted("owner")).url
    question = question_on(support.get(where).content.decode())
    support.post(where, {"response": press("owner", question)})
    html = support.get(page_of("owner")).content.decode()
    assert "no device is judged at present" in html


def test_an_old_proof_is_asked_for_once_more(support):
    session = support.session
    session["proven_at"] = (timezone.now() - timedelta(hours=1)).isoformat()
    session.save()
    for address in (
        ask_page("owner"),
        f"/admin/sls/suspension/device/{device_of('owner').pk}/suspend/",
    ):
        page = support.get(address)
        assert page.status_code == 302
        assert page.url.startswith("/login/confirm/")
