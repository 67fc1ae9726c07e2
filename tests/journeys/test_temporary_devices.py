"""The way back in: a Temporary Code, its stages, and the Online Security Code Card (KB69, KB70, KB1873)."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal.caller import Caller
from portal.errors import Refused
from portal.models import AuditEvent
from sls.demo import simulator
from sls.devices import challenges
from sls.login import completion
from sls.models import DeviceGrant, OnlineCardRequest, SecurityDevice
from tests.conftest import PLAYS, LogIn, password, person, question_on

CARD = "/settings/user/secure-login/enrol/card/"
CODE = "/login/code/"


def code_grant():
    return DeviceGrant.objects.select_related("device").get(device__kind="temporary_code")


def code():
    return simulator.answer("TMP-50010009", "-")


def shift(days):
    """The code was read out this long ago."""
    began = timezone.now() - timedelta(days=days)
    SecurityDevice.objects.filter(kind="temporary_code").update(
        full_access_until=began + timedelta(days=2), expires_at=began + timedelta(days=12)
    )


@pytest.fixture
def read_out_today(on_stage) -> None:
    shift(0)


def at_code_page() -> Client:
    client = Client()
    who = PLAYS["temporary_code"]
    client.post("/login/", {"username": who.username, "password": password("temporary_code")})
    page = client.post("/login/choose/", {"grant": code_grant().pk})
    assert page.url == CODE
    return client


def logged_in() -> Client:
    client = at_code_page()
    page = client.post(CODE, {"response": code()})
    assert (page.status_code, page.url) == (302, "/")
    return client


@pytest.mark.usefixtures("read_out_today")
class TestAtTheLogin:
    def test_the_page_asks_for_the_code_and_offers_another_device(self):
        html = at_code_page().get(CODE).content.decode()
        assert 'name="response"' in html
        assert 'autocomplete="one-time-code"' in html
        assert 'href="/login/choose/"' in html
        assert "data-countdown" not in html
        assert code() not in html

    def test_the_code_opens_everything_and_may_be_used_again(self):
        for _ in range(2):
            client = logged_in()
            for page in ("/", "/settings/user/", "/settings/user/secure-login/"):
                assert client.get(page).status_code == 200, page

    @pytest.mark.parametrize("typed", ["  {} ", "{a} {b}", "\t{}"])
    def test_blanks_do_not_matter(self, typed):
        value = code()
        page = at_code_page().post(
            CODE, {"response": typed.format(value, a=value[:4], b=value[4:])}
        )
        assert page.status_code == 302

    def test_small_letters_are_told_before_they_cost_a_try(self):
        client = at_code_page()
        for _ in range(6):
            page = client.post(CODE, {"response": code().lower()})
            assert 'data-code="not_in_capitals"' in page.content.decode()
        assert client.post(CODE, {"response": code()}).status_code == 302

    def test_small_letters_past_the_form_are_no_answer(self):
        at_code_page()
        attempt = person("temporary_code").login_attempts.latest("started_at")
        by, now = Caller(session=attempt.session), timezone.now()
        with pytest.raises(Refused, match="invalid_response"):
            completion.complete(attempt, response=code().lower(), by=by, now=now)
        assert completion.complete(attempt, response=code(), by=by, now=now) == code_grant()

    def test_a_wrong_code_is_one_line_and_five_lock_the_second_factor(self):
        for n in range(5):
            page = at_code_page().post(CODE, {"response": "AAAAAAAA"})
            html = page.content.decode()
            assert 'data-code="invalid_response"' in html, n
            assert html.count('role="alert"') == 1
        page = Client().post(
            "/login/",
            {
                "username": PLAYS["temporary_code"].username,
                "password": password("temporary_code"),
            },
        )
        assert 'data-code="invalid_credentials"' in page.content.decode()

    def test_one_challenge_judges_three_tries(self):
        client = at_code_page()
        for _ in range(3):
            client.post(CODE, {"response": "AAAAAAAA"})
        html = client.post(CODE, {"response": code()}).content.decode()
        assert 'data-code="challenge_expired"' in html

    def test_the_code_does_not_open_the_admin_or_stand_for_another_device(self):
        client = at_code_page()
        assert client.post("/login/challenge/", {"response": code()}).url == CODE
        assert logged_in().get("/admin/").status_code == 302


class TestInTheLimitedStage:
    @pytest.fixture(autouse=True)
    def _third_day(self, on_stage):
        shift(2.01)

    def test_only_the_way_to_a_card_is_left(self):
        client = logged_in()
        assert client.get(CARD).status_code == 200
        assert client.get("/help/kb69/").status_code == 200
        assert client.post("/language/", {"language": "en", "next": "/"}).status_code == 302
        for page in (
            "/",
            "/settings/",
            "/settings/user/",
            "/settings/account/",
            "/settings/user/password/",
            "/settings/user/history/",
            "/settings/user/sessions/",
            "/settings/user/secure-login/",
            "/settings/user/secure-login/share/",
            "/settings/user/secure-login/enrol/phone/",
            "/admin/",
            "/admin/login/",
        ):
            for answer in (client.get(page), client.post(page)):
                assert (answer.status_code, answer.url) == (302, CARD), page

    def test_he_can_log_out(self):
        assert logged_in().post("/logout/").url == "/login/"

    def test_a_session_of_the_first_stage_is_narrowed_on_its_next_request(self):
        shift(1.9)
        client = logged_in()
        assert client.get("/settings/user/").status_code == 200
        shift(2.01)
        assert client.get("/settings/user/").url == CARD

    def test_a_confirmed_card_opens_everything_again(self):
        client = logged_in()
        page = client.post(CARD)
        shown = client.get(page.url)
        values = dict(
            re.findall(
                r'<th scope="row">(\d+)</th>\s*<td><code>(\w+)</code>', shown.content.decode()
            )
        )
        assert len(values) == 224
        page = client.post(page.url + "check/")
        asked = client.get(page.url).content.decode()
        response = "".join(values[index] for index in question_on(asked).split())
        key = client.session.session_key
        done = client.post(page.url, {"response": response}, follow=True)
        assert done.redirect_chain[-1][0].endswith("/done/")
        assert "data-expires" in done.content.decode()
        assert client.session.session_key != key
        assert client.get("/settings/user/").status_code == 200
        listed = client.get("/settings/user/secure-login/").content.decode()
        assert 'data-kind="online_card"' in listed
        assert 'data-kind="temporary_code"' not in listed


def test_after_twelve_days_nothing_is_left(on_stage):
    shift(11.9)
    client = logged_in()
    half = at_code_page()
    shift(12)
    page = client.get(CARD)
    assert page.status_code == 302
    assert page.url.startswith("/login/?")
    html = half.post(CODE, {"response": code()}).content.decode()
    assert 'data-code="challenge_expired"' in html
    who = PLAYS["temporary_code"]
    page = Client().post(
        "/login/", {"username": who.username, "password": password("temporary_code")}
    )
    assert page.url == "/login/challenge/"  # only the DSC+ is left
    DeviceGrant.objects.filter(device__kind="dsc_plus", user=person("temporary_code")).update(
        state="ended", confirmed=False, ended_at=timezone.now()
    )
    page = Client().post(
        "/login/", {"username": who.username, "password": password("temporary_code")}
    )
    assert 'data-code="device_required"' in page.content.decode()


def test_the_sweep_puts_the_end_on_record_once(on_stage):
    from sls.tasks import close_expired

    shift(12)
    close_expired()
    close_expired()
    row = AuditEvent.objects.get(event="sls.device.expired")
    assert (row.actor, row.subject) == ("", "robin.travel")
    assert (code_grant().state, code_grant().device.state) == ("ended", "expired")


def test_a_verified_session_costs_one_query_as_before(on_stage):
    from tests.counting import counting

    shift(0)
    client = logged_in()
    client.get("/help/")
    with counting() as count:
        client.get("/help/")
    assert count.sql <= 2, str(count)


def test_a_user_without_any_device_gets_a_card_and_stays_in(log_in: LogIn):
    client = log_in("no_device")
    assert client.get("/settings/user/secure-login/enrol/").status_code == 302  # a reload
    page = client.post("/settings/user/secure-login/enrol/", {"choice": "card"})
    assert page.url == CARD
    where = client.post(CARD).url
    card = OnlineCardRequest.objects.get()
    assert client.get(where).status_code == 200
    assert client.get(where + "?print=large").status_code == 200
    text = client.get(where + "text/")
    assert text.headers["Content-Type"].startswith("text/plain")
    assert "no-store" in text.headers["Cache-Control"]
    assert len(text.content.decode().splitlines()) == 224
    assert AuditEvent.objects.filter(event="sls.card.shown").count() == 3
    # An unconfirmed card is no device: the password still lets him in, and nothing is asked.
    assert log_in("no_device").get("/").status_code == 200
    page = client.post(where + "check/")
    card.refresh_from_db()
    response = challenges.expected_response(card.device, card.challenge.question)
    assert client.post(page.url, {"response": response}).url.endswith("/done/")
    assert client.get("/settings/user/secure-login/").status_code == 200
    # From now on the card is asked.
    who = PLAYS["no_device"]
    page = Client().post("/login/", {"username": who.username, "password": who.password})
    assert page.url == "/login/card/"


def test_a_user_with_a_permanent_device_keeps_it_and_its_session(log_in: LogIn):
    client = log_in("owner")
    listed = client.get("/settings/user/secure-login/").content.decode()
    assert f'href="{CARD}"' in listed
    where = client.post(CARD).url
    page = client.post(where + "check/")
    card = OnlineCardRequest.objects.get()
    device_of_session = client.session["otp_device_id"]
    response = challenges.expected_response(card.device, card.challenge.question)
    client.post(page.url, {"response": response})
    assert client.session["otp_device_id"] == device_of_session


def test_a_card_is_not_shown_to_a_proof_that_is_old(log_in: LogIn):
    client = log_in("owner")
    where = client.post(CARD).url
    session = client.session
    session["proven_at"] = (timezone.now() - timedelta(minutes=6)).isoformat()
    session.save()
    for page in (CARD, where, where + "text/"):
        assert client.get(page).url.startswith("/login/confirm/"), page


def test_the_card_of_somebody_else_does_not_exist(log_in: LogIn):
    where = log_in("owner").post(CARD).url
    client = log_in("stranger")
    for tail in ("", "text/", "confirm/", "done/"):
        assert client.get(where + tail).status_code == 404, tail
    assert client.post(where + "check/").status_code == 404


def test_values_with_a_blank_are_explained_and_cost_no_try(log_in: LogIn):
    client = log_in("owner")
    where = client.post(CARD).url
    page = client.post(where + "check/")
    for _ in range(4):
        html = client.post(page.url, {"response": "ABC DEF"}).content.decode()
        assert 'data-code="has_blank"' in html
    card = OnlineCardRequest.objects.get()
    response = challenges.expected_response(card.device, card.challenge.question)
    assert client.post(page.url, {"response": response}).status_code == 302


def test_wrong_values_and_a_dead_question_are_told_and_asked_anew(log_in: LogIn):
    client = log_in("owner")
    where = client.post(CARD).url
    page = client.post(where + "check/")
    for _ in range(3):
        html = client.post(page.url, {"response": "IIIIII"}).content.decode()
        assert 'data-code="invalid_response"' in html
    html = client.post(page.url, {"response": "IIIIII"}).content.decode()
    assert 'data-code="challenge_expired"' in html
    assert f'action="{where}check/"' in html
