"""Open sessions and the security history, as their user meets them."""

from django.test import Client

from portal.models import AuditEvent, BrowserSession
from sls.models import DeviceGrant
from sls.sharing import completion as sharing
from tests.conftest import NOW, PLAYS, LogIn, by, password, person
from tests.sls.sharing.test_operations import finish

SESSIONS = "/settings/user/sessions/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def test_the_page_lists_every_browser_and_marks_this_one(log_in: LogIn):
    here, elsewhere = log_in("owner"), log_in("owner")
    elsewhere.get("/", headers={"user-agent": FIREFOX})
    html = here.get(SESSIONS).content.decode()
    assert html.count("This session") == 1
    assert html.count(">End<") == 1


def test_an_ended_session_is_out_on_its_next_request(log_in: LogIn):
    here, elsewhere = log_in("owner"), log_in("owner")
    handle = BrowserSession.objects.get(session_key=elsewhere.session.session_key).handle

    here.post(f"{SESSIONS}{handle}/end/")

    assert elsewhere.get("/").status_code == 302
    assert here.get("/").status_code == 200
    assert AuditEvent.objects.filter(event="sls.session.ended").count() == 1


def test_end_all_others_leaves_this_one(log_in: LogIn):
    here, others = log_in("owner"), [log_in("owner") for _ in range(2)]
    here.post(SESSIONS + "end-others/")
    assert [client.get("/").status_code for client in others] == [302, 302]
    assert here.get(SESSIONS).status_code == 200


def test_nobody_ends_the_session_of_another_user(log_in: LogIn):
    owner, stranger = log_in("owner"), log_in("stranger")
    handle = BrowserSession.objects.get(session_key=owner.session.session_key).handle
    stranger.post(f"{SESSIONS}{handle}/end/")
    assert owner.get("/").status_code == 200


def test_a_handle_is_not_the_key(log_in: LogIn):
    client = log_in("owner")
    key = client.session.session_key
    assert key not in client.get(SESSIONS).content.decode()


def test_ending_a_grant_ends_the_sessions_opened_with_it(log_in: LogIn):
    client = log_in("owner")
    DeviceGrant.objects.filter(user=person("owner")).update(
        state="ended", confirmed=False, ended_at=NOW
    )
    assert client.get("/").status_code == 302
    assert not BrowserSession.objects.filter(user=person("owner")).exists()


def test_a_grant_that_sleeps_leaves_the_session_without_its_proof(log_in: LogIn):
    client = log_in("requester")
    finish()
    assert client.get("/").status_code == 200
    page = client.get("/settings/user/secure-login/", follow=True)
    assert page.redirect_chain[-1][0] == "/login/challenge/"


def test_a_changed_password_and_a_deactivated_user_end_the_session(log_in: LogIn):
    client = log_in("owner")
    user = person("owner")
    user.set_password("something else 1")
    user.save()
    assert client.get("/").status_code == 302
    client = log_in("stranger")
    user = person("stranger")
    user.is_active = False
    user.save()
    assert client.get("/").status_code == 302


def test_the_history_tells_both_parties_of_a_share(log_in: LogIn):
    share = finish()
    sharing.cancel(share, by=by("owner"), now=NOW)
    html = log_in("owner").get("/settings/user/history/").content.decode()
    assert "Sharing: approved and in force" in html
    assert PLAYS["requester"].username in html
    html = log_in("requester").get("/settings/user/history/").content.decode()
    assert "Sharing: cancelled" in html


def test_the_history_shows_failed_logins_and_pages_by_number(log_in: LogIn):
    for _ in range(3):
        Client().post("/login/", {"username": PLAYS["owner"].username, "password": "wrong"})
    client = log_in("owner")
    html = client.get("/settings/user/history/").content.decode()
    assert "Login completed" in html
    assert html.count("Login: refused") == 3
    assert "Somebody not logged in" in html
    assert "The person who logged in" in html
    newest = AuditEvent.objects.last().number
    older = client.get(f"/settings/user/history/?before={newest}")
    assert "Login completed" not in older.content.decode()
    for odd in ("x", "-1", "9" * 40, ""):
        assert client.get(f"/settings/user/history/?before={odd}").status_code == 200
    assert password("owner") not in html


def test_kept_fragments_of_the_device_list_follow_language_and_state(log_in: LogIn):
    """Rendered cards are kept in memory, keyed by all they show."""
    page, client = "/settings/user/secure-login/", log_in("owner")
    english = client.get(page).content.decode()
    client.cookies["django_language"] = "zh-hans"
    chinese = client.get(page).content.decode()
    assert "What must be true" in english
    assert "What must be true" not in chinese
    assert "Active" not in chinese
    client.cookies["django_language"] = "en"
    finish()
    assert PLAYS["requester"].username in client.get(page).content.decode()
