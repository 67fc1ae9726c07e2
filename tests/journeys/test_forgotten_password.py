"""A forgotten password: the link, the device, the new password, and no way around any of them."""

import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal import throttle, vault
from portal.models import AuditEvent, OutboxMessage
from portal.outbox.rendering import render
from sls.devices import making
from sls.devices import operations as devices
from sls.models import Challenge, PasswordReset, Purpose, ResetState
from tests.conftest import NOW, PLAYS, LogIn, by, password, person, press, question_on, use_up

pytestmark = pytest.mark.usefixtures("on_stage")
FOLDER = "/settings/user/password/"
FORGOT, SENT = FOLDER + "forgot/", FOLDER + "forgot/sent/"
DEVICE, CHOOSE, NEW = (FOLDER + f"reset/{name}/" for name in ("device", "choose", "new"))
FRESH = "a fine new harbour 7"
OWNER = PLAYS["owner"].username


def ask(name=OWNER, client=None):
    return (client or Client()).post(FORGOT, {"username": name})


def link(plays="owner"):
    """The link of the newest message, as the user reads it."""
    row = OutboxMessage.objects.filter(event="password_forgotten", user=person(plays)).latest(
        "created_at"
    )
    token = json.loads(vault.sealed_field(row, "context").open_from(row))["reset_token"]
    return f"{FOLDER}reset/link/{token}/"


def opened(plays="owner", client=None):
    """A browser that went on from the link, and the page it came to."""
    client = client or Client()
    ask(PLAYS[plays].username)
    return client, client.post(link(plays), follow=True)


def proven(plays="owner"):
    client, page = opened(plays)
    client.post(DEVICE, {"response": press(plays, question_on(page.content.decode()))})
    return client


def set_new(client, new=FRESH, again=None):
    return client.post(NEW, {"new": new, "again": again or new})


def is_unchanged(plays="owner"):
    return person(plays).check_password(password(plays))


def code_on(page):
    found = re.search(rb'data-code="([a-z_]+)"', page.content)
    return found[1].decode() if found else ""


# --- The way ------------------------------------------------------------------------------------------


def test_the_link_the_device_and_the_new_password_lead_back_to_the_login(log_in: LogIn):
    elsewhere = log_in("owner")
    client = Client()
    assert "Forgot your password?" in client.get("/login/").content.decode()
    assert ask(client=client).url == SENT
    assert client.get(SENT).status_code == 200
    page = client.get(link())
    assert OWNER in page.content.decode()
    page = client.post(link(), follow=True)
    assert page.redirect_chain[-1][0] == DEVICE
    page = client.post(DEVICE, {"response": press("owner", question_on(page.content.decode()))})
    assert page.url == NEW
    page = set_new(client)
    assert page.url == "/login/"
    assert "Your new password is set" in client.get("/login/").content.decode()
    assert client.get("/").status_code == 302  # a reset logs nobody in
    assert elsewhere.get("/").status_code == 302
    assert person("owner").check_password(FRESH)
    told = OutboxMessage.objects.filter(event="password_reset")
    assert told.get().user == person("owner")
    happened = AuditEvent.objects.filter(event__startswith="sls.password").order_by("number")
    assert list(happened.values_list("event", "subject")) == [
        ("sls.password.forgotten", OWNER),
        ("sls.password.reset_started", OWNER),
        ("sls.password.reset_proven", OWNER),
        ("sls.password.reset", OWNER),
    ]


def test_after_it_the_login_still_asks_the_device():
    set_new(proven())
    client = Client()
    page = client.post("/login/", {"username": OWNER, "password": FRESH}, follow=True)
    assert page.redirect_chain[-1][0] == "/login/challenge/"
    assert client.get("/").status_code == 302


def test_a_user_who_never_had_a_device_needs_the_link_alone():
    client, page = opened("no_device")
    assert page.redirect_chain[-1][0] == NEW
    set_new(client)
    assert person("no_device").check_password(FRESH)


def test_a_locked_out_client_gets_back_in_by_the_reset():
    use_up(throttle.PASSWORD_OF_NAME, OWNER, timezone.now())
    set_new(proven())
    page = Client().post("/login/", {"username": OWNER, "password": FRESH})
    assert page.url == "/login/challenge/"


@pytest.mark.parametrize("new", ["short1", "12345678901", "password", OWNER + "1"])
def test_a_weak_new_password_is_refused(new):
    client = proven()
    assert set_new(client, new).status_code == 200
    assert is_unchanged()


def test_two_different_passwords_are_refused():
    assert code_on(set_new(proven(), again="something else 8")) == "differ"
    assert is_unchanged()


def test_the_message_is_in_the_users_language_and_leads_to_the_configured_base():
    ask()
    row = OutboxMessage.objects.get(event="password_forgotten")
    letter = render(row)
    assert letter.to == person("owner").email
    assert "http://127.0.0.1:8000" + link() in letter.text
    assert row.expires_at - row.created_at == timedelta(minutes=30)


# --- The same answer for everybody ----------------------------------------------------------------------


def answer_for(name):
    client = Client()
    page = ask(name, client)
    headers = {k: v for k, v in page.headers.items() if k != "Set-Cookie"}
    after = client.get(SENT)
    after = re.sub(rb'name="csrfmiddlewaretoken" value="[^"]+"', b"", after.content)
    return page.status_code, page.content, headers, sorted(page.cookies), after


STATES = ["unknown", "inactive", "locked", "locked_by_staff", "staff", "no_device", "used_up", ""]


@pytest.mark.parametrize("state", STATES)
def test_the_answer_is_the_same_byte_for_byte(state):
    known = answer_for(PLAYS["stranger"].username)
    name, owner = OWNER, person("owner")
    owner.is_active = state != "inactive"
    owner.locked_at = timezone.now() if state == "locked_by_staff" else None
    owner.save()
    if state == "locked":
        use_up(throttle.PASSWORD_OF_NAME, OWNER, timezone.now())
    if state == "used_up":
        use_up(throttle.RESETS_OF_NAME, OWNER, timezone.now())
    names = {"unknown": "nobody.here", "staff": PLAYS["officer"].username}
    name = names.get(state, PLAYS[state].username if state == "no_device" else OWNER)
    assert answer_for(name) == known
    sent = OutboxMessage.objects.filter(event="password_forgotten").exclude(user=person("stranger"))
    is_sent = state in ("locked", "staff", "no_device", "")
    assert sent.count() == is_sent
    row = AuditEvent.objects.last()
    assert (row.event, "refused" in row.facts) == ("sls.password.forgotten", not is_sent)


def test_the_same_statements_run_for_a_name_that_is_nobodys():
    from tests.counting import counting

    with counting() as known:
        ask()
    with counting() as unknown:
        ask("nobody.here")
    assert known.sql == unknown.sql + 1  # the message itself


def test_messages_are_few():
    for _ in range(10):
        ask()
    assert OutboxMessage.objects.filter(event="password_forgotten").count() == 3
    for number in range(throttle.RESETS_FROM_ADDRESS.size):
        ask(f"nobody.{number}")
    ask(PLAYS["stranger"].username)
    assert OutboxMessage.objects.filter(event="password_forgotten").count() == 3


# --- No way around the second factor --------------------------------------------------------------------


def test_opening_the_link_changes_nothing():
    ask()
    for _ in range(3):
        assert Client().get(link()).status_code == 200
    assert not PasswordReset.objects.exists()
    assert not Challenge.objects.exists()


def test_no_step_is_skipped():
    client, _page = opened()
    assert client.get(NEW).url == DEVICE
    assert set_new(client).url == DEVICE
    assert is_unchanged()
    nobody = Client()
    for path in (DEVICE, CHOOSE, NEW):
        assert code_on(nobody.get(path)) == "reset_over"
        assert code_on(nobody.post(path, {"new": FRESH, "again": FRESH})) == "reset_over"
    assert is_unchanged()


def test_a_wrong_response_opens_nothing_and_counts():
    client, _page = opened()
    for _ in range(3):
        assert code_on(client.post(DEVICE, {"response": "00000000"})) == "invalid_response"
    assert code_on(client.post(DEVICE, {"response": "00000000"})) == "challenge_expired"
    assert set_new(client).url == DEVICE
    assert is_unchanged()


def test_a_locked_second_factor_is_locked_here_too():
    client, page = opened()
    use_up(throttle.SECOND_FACTOR_OF_USER, OWNER, timezone.now())
    page = client.post(DEVICE, {"response": press("owner", question_on(page.content.decode()))})
    assert code_on(page) == "too_many_attempts"
    assert is_unchanged()


def test_the_link_of_one_in_the_browser_of_another_asks_for_the_first_ones_device(log_in: LogIn):
    client = log_in("stranger")
    client, page = opened("owner", client)
    assert client.get("/").status_code == 302  # and the other one is logged out
    question = question_on(page.content.decode())
    assert code_on(client.post(DEVICE, {"response": press("stranger", question)})) == (
        "invalid_response"
    )
    assert set_new(client).url == DEVICE


def test_the_ids_of_one_reset_do_not_open_it_in_another_browser():
    proven("owner")
    theirs = PasswordReset.objects.get(user=person("owner"))
    client, _page = opened("stranger")
    session = client.session
    session["reset"] = session["reset"] | {"reset": str(theirs.pk)}
    session.save()
    assert code_on(set_new(client)) == "reset_over"
    assert is_unchanged()


def test_a_response_for_a_login_opens_no_reset_and_the_other_way_round():
    client, page = opened()
    asked = Challenge.objects.get(purpose=Purpose.RESET)
    Challenge.objects.filter(pk=asked.pk).update(purpose=Purpose.LOGIN)
    response = press("owner", question_on(page.content.decode()))
    assert code_on(client.post(DEVICE, {"response": response})) == "challenge_expired"
    login = Client()
    page = login.post("/login/", {"username": OWNER, "password": password("owner")}, follow=True)
    Challenge.objects.exclude(pk=asked.pk).update(purpose=Purpose.RESET)
    response = press("owner", question_on(page.content.decode()))
    assert code_on(login.post("/login/challenge/", {"response": response})) == "challenge_expired"


def test_a_finished_reset_is_over_in_every_tab_and_its_link_too():
    first = proven()
    second, page = opened()
    old = link()
    set_new(first)
    assert code_on(set_new(first, "another fine harbour 8")) == "reset_over"
    response = press("owner", question_on(page.content.decode()))
    assert code_on(second.post(DEVICE, {"response": response})) == "reset_over"
    assert code_on(Client().get(old)) == "link_over"
    assert code_on(Client().post(old)) == "link_over"
    assert person("owner").check_password(FRESH)


def test_two_resets_that_are_both_proven_set_one_password():
    first, second = proven(), proven()
    set_new(first)
    assert code_on(set_new(second, "another fine harbour 8")) == "reset_over"
    assert person("owner").check_password(FRESH)


@pytest.mark.parametrize(
    "change", ["password", "inactive", "locked", "revoked", "grant", "too late", "link too late"]
)
def test_what_changes_on_the_way_ends_it(change, settings):
    if change == "link too late":
        settings.RESET_LIFE = timedelta(seconds=-1)
        ask()
        assert code_on(Client().post(link())) == "link_over"
        return
    client = proven()
    owner = person("owner")
    if change == "password":
        owner.set_password("another one 9")
    owner.is_active = change != "inactive"
    owner.locked_at = NOW if change == "locked" else None
    owner.save()
    if change == "revoked":
        device = owner.grants.get().device
        devices.revoke(device, reason="lost", may_strand=True, by=by("support"), now=timezone.now())
    if change == "grant":
        owner.grants.update(state="ended", confirmed=False, ended_at=NOW)
    if change == "too late":
        PasswordReset.objects.update(expires_at=timezone.now())
    assert code_on(set_new(client)) == "reset_over"
    assert not person("owner").check_password(FRESH)
    assert not PasswordReset.objects.filter(state=ResetState.DONE).exists()


def test_who_gets_a_device_on_the_way_has_to_show_it():
    client, _page = opened("no_device")
    card = making.new_code_card(serial="SCC-77777777", now=NOW)
    card.save(force_insert=True)
    devices.hand_over(card, person("no_device"), by=by("support"), now=NOW)
    assert code_on(set_new(client)) == "reset_over"
    assert is_unchanged("no_device")


@pytest.mark.parametrize("plays", ["owner", "officer"])
def test_without_an_active_device_who_once_had_one_and_staff_are_refused(plays):
    grants = person(plays).grants
    if plays == "officer":
        from sls.models import DeviceGrant

        DeviceGrant.objects.filter(user=person(plays)).delete()
    else:
        grants.update(state="ended", confirmed=False, ended_at=NOW)
    _client, page = opened(plays)
    assert code_on(page) == "device_required"
    assert not PasswordReset.objects.exists()


@pytest.mark.parametrize("token", ["x", "%00", "eyJ:1:1", "W10:1:abc", "a" * 3000])
def test_a_forged_link_is_over(token):
    client = Client(raise_request_exception=False)
    for method in (client.get, client.post):
        assert method(f"{FOLDER}reset/link/{token}/").status_code in (404, 409)


def test_a_link_for_one_errand_is_none_for_another():
    from sls import links

    now = timezone.now()
    token = links.token(person("owner"), links.Errand.NOT_ME, life=timedelta(hours=1), now=now)
    assert code_on(Client().post(f"{FOLDER}reset/link/{token}/")) == "link_over"


def test_the_older_of_two_challenges_is_not_judged():
    client, page = opened()
    shown = re.search(rb'name="asked" value="([^"]+)"', page.content)[1].decode()
    grant = person("owner").grants.get()
    client.post(CHOOSE, {"grant": grant.pk})
    page = client.post(DEVICE, {"response": "00000000", "asked": shown})
    assert code_on(page) == "newer_login"
    response = press("owner", question_on(page.content.decode()))
    assert client.post(DEVICE, {"response": response}).url == NEW
