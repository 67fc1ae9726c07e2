"""The second factor under attack: abuse-cases.md B 17 to 43, through the pages."""

import re
from contextlib import suppress
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal import audit, throttle
from portal.models import AuditEvent
from portal.throttle import PASSWORD_OF_NAME, SECOND_FACTOR_OF_USER
from sls.devices import challenges, making
from sls.devices import operations as devices
from sls.models import AttemptState, Challenge, DeviceGrant, LoginAttempt, Purpose
from tests.conftest import NOW, PLAYS, by, password, person, press, question_on, use_up

pytestmark = pytest.mark.usefixtures("on_stage")
TOKEN = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]+"')


def with_password(plays: str, client: Client | None = None) -> tuple[Client, str]:
    """A half-logged-in browser, and what its device is asked."""
    client = client or Client()
    page = client.post(
        "/login/",
        {"username": PLAYS[plays].username, "password": password(plays)},
        follow=True,
    )
    return client, question_on(page.content.decode())


def is_in(client: Client) -> bool:
    return client.get("/").status_code == 200


def code_on(page) -> str:
    found = re.search(rb'data-code="([a-z_]+)"', page.content)
    return found[1].decode() if found else ""


@pytest.mark.parametrize(
    "state", ["unknown", "inactive", "locked", "locked_factor", "locked_by_staff"]
)
def test_every_kind_of_wrong_login_is_the_same_page_byte_for_byte(state: str):
    """A 1 and A 4."""
    owner = person("owner")
    wrong = _refused_login(owner.username, "not it")
    if state == "inactive":
        owner.is_active = False
        owner.save()
    if state in ("locked", "locked_factor"):
        limit = SECOND_FACTOR_OF_USER if state == "locked_factor" else PASSWORD_OF_NAME
        use_up(limit, owner.username, timezone.now())
    if state == "locked_by_staff":
        owner.locked_at = timezone.now()
        owner.save()
    # A name of the same length, for the field shows again what was typed.
    name = "robin.savingz" if state == "unknown" else owner.username
    other = _refused_login(name, password("owner"))
    assert other[0] == wrong[0].replace(owner.username.encode(), name.encode())
    assert other[1:] == wrong[1:]


def _refused_login(name: str, typed: str):
    client = Client()
    page = client.post("/login/", {"username": name, "password": typed})
    assert code_on(page) == "invalid_credentials"
    headers = {k: v for k, v in page.headers.items() if k not in ("Set-Cookie", "Content-Length")}
    return TOKEN.sub(b"", page.content), page.status_code, headers, sorted(page.cookies)


@pytest.mark.parametrize(("seconds", "right"), [(179, True), (181, False)])
def test_a_response_is_good_for_180_seconds(seconds: int, right: bool):
    client, question = with_password("owner")
    Challenge.objects.update(
        issued_at=timezone.now() - timedelta(seconds=seconds),
        expires_at=timezone.now() + timedelta(seconds=180 - seconds),
    )
    page = client.post("/login/challenge/", {"response": press("owner", question)})
    assert is_in(client) is right
    if not right:
        assert code_on(page) == "challenge_expired"


def test_more_than_ten_minutes_between_the_factors_start_over(settings):
    client, question = with_password("owner")
    LoginAttempt.objects.update(expires_at=timezone.now())
    page = client.post("/login/challenge/", {"response": press("owner", question)})
    assert code_on(page) == "login_over"
    assert not is_in(client)


def test_a_clock_set_back_does_not_lengthen_a_life():
    """B 26: a question of the future is none."""
    client, question = with_password("owner")
    hour = timedelta(hours=1)
    Challenge.objects.update(
        issued_at=timezone.now() + hour, expires_at=timezone.now() + hour + timedelta(minutes=3)
    )
    page = client.post("/login/challenge/", {"response": press("owner", question)})
    assert code_on(page) == "challenge_expired"


def test_another_browsers_question_is_not_ours():
    """B 23: what session 1 was asked, typed in session 2, with session 1's ids posted along."""
    _first, question = with_password("owner")
    second, other = with_password("owner")
    assert question != other
    attempt = LoginAttempt.objects.order_by("started_at").first()
    stolen = {
        "response": press("owner", question),
        "challenge": str(attempt.challenge_id),
        "attempt": str(attempt.pk),
        "login": str(attempt.pk),
    }
    assert code_on(second.post("/login/challenge/", stolen)) == "invalid_response"
    assert not is_in(second)
    session = second.session
    session["login"] = session["login"] | {"attempt": str(attempt.pk)}
    session.save()
    assert code_on(second.post("/login/challenge/", stolen)) == "login_over"
    assert not is_in(second)


def test_an_old_response_never_serves_again():
    """B 22."""
    client, question = with_password("owner")
    response = press("owner", question)
    client.post("/login/challenge/", {"response": response})
    client.post("/logout/")
    for _ in range(3):
        client, question = with_password("owner")
        assert press("owner", question) != response
        page = client.post("/login/challenge/", {"response": response})
        assert code_on(page) == "invalid_response"


def test_leading_zeros_count():
    """B 31."""
    owner = person("owner")
    device = owner.grants.get().device
    number = next(n for n in range(10**6) if press("owner", f"{n:06}").startswith("0"))
    response = press("owner", f"{number:06}")
    challenge = challenges.issue(
        user=owner, device=device, purpose=Purpose.LOGIN, session="s", now=NOW
    )
    challenge.question = f"{number:06}"
    assert not challenges._is_right(challenge, response.lstrip("0"))
    assert not challenges._is_right(challenge, str(int(response)))
    assert challenges._is_right(challenge, response)


def test_one_counter_for_all_ways_to_guess():
    """B 29: a new question, a new login, another page: five failures in all."""
    wrongs = 0
    for _ in range(4):
        client, _question = with_password("requester") if wrongs < 5 else (Client(), "")
        for _ in range(2):
            page = client.post("/login/card/", {"response": "AAAAAA"})
            wrongs += code_on(page) == "invalid_response"
        if wrongs >= 5 or code_on(page) != "invalid_response":
            break
    assert wrongs <= 5
    page = Client().post(
        "/login/", {"username": PLAYS["requester"].username, "password": password("requester")}
    )
    if wrongs == 5:
        assert code_on(page) == "invalid_credentials"


@pytest.mark.parametrize("whose", ["foreign", "revoked", "pending", "dormant", "ended", "none"])
def test_the_chooser_takes_only_ones_own_active_devices(whose: str):
    """B 32: the same refusal for all."""
    client, _question = with_password("requester")
    grant = DeviceGrant.objects.get(user=person("requester"))
    if whose == "foreign":
        chosen = DeviceGrant.objects.get(user=person("owner")).pk
    elif whose == "none":
        chosen = 10**30
    elif whose == "revoked":
        chosen = grant.pk
        devices.revoke(
            grant.device, reason="lost", may_strand=True, by=by("support"), now=timezone.now()
        )
    else:
        card = making.new_code_card(serial="SCC-OTHER", now=NOW)
        card.save(force_insert=True)
        ended = {"ended_at": NOW} if whose == "ended" else {}
        chosen = DeviceGrant.objects.create(
            user=grant.user, device=card, state=whose, confirmed=False, granted_at=NOW, **ended
        ).pk
    page = client.post("/login/choose/", {"grant": chosen})
    assert page.status_code == 200
    assert code_on(page) == "login_over"


def test_the_card_asks_the_same_two_indexes_until_they_are_answered():
    """B 34 and B 35: reload, a new tab, a new login."""
    client, question = with_password("requester")
    for _ in range(10):
        assert question_on(client.get("/login/card/").content.decode()) == question
        assert with_password("requester")[1] == question
    client.post("/login/card/", {"response": press("requester", question)})
    assert is_in(client)
    client, later = with_password("requester")
    assert later != question


def test_a_used_pair_never_comes_again(settings):
    card = DeviceGrant.objects.get(user=person("requester")).device
    asked = []
    for number in range(60):
        now = NOW + timedelta(hours=number)
        challenge = challenges.issue(
            user=person("requester"), device=card, purpose=Purpose.LOGIN, session="s", now=now
        )
        asked.append(frozenset(challenge.question.split()))
        Challenge.objects.filter(pk=challenge.pk).update(state="answered", answered_at=now)
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("change", ["swapped", "half", "blank"])
def test_only_the_whole_response_in_its_order_is_right(change: str):
    client, question = with_password("requester")
    right = press("requester", question)
    typed = {
        "swapped": right[3:] + right[:3],
        "half": right[:3],
        "blank": f"{right[:3]} {right[3:]}",
    }
    page = client.post("/login/card/", {"response": typed[change]})
    assert page.status_code == 200
    assert not is_in(client)
    client.post("/login/card/", {"response": right.lower()})
    assert is_in(client)


def test_the_cards_question_is_one_users_and_one_purposes():
    """E 106 and R4: the same card, asked for two users and two purposes at the same moment."""
    card = DeviceGrant.objects.get(user=person("requester")).device
    asked = {
        challenges.issue(
            user=person(plays), device=card, purpose=purpose, session="s", now=NOW
        ).question
        for plays in ("requester", "owner")
        for purpose in (Purpose.LOGIN, Purpose.SHARE)
    }
    assert len(asked) == 4


def test_a_response_for_one_purpose_never_serves_another():
    owner = person("owner")
    challenge = challenges.issue(
        user=owner, device=owner.grants.get().device, purpose=Purpose.SHARE, session="s", now=NOW
    )
    with pytest.raises(Exception, match="challenge_expired"):
        challenges.answer(
            challenge,
            press("owner", challenge.question),
            users=[owner],
            purpose=Purpose.LOGIN,
            session="s",
            now=NOW,
        )


@pytest.mark.parametrize("change", ["password", "inactive", "revoked", "suspended"])
def test_what_changed_since_the_password_refuses_the_right_response(change: str):
    client, question = with_password("owner")
    owner = person("owner")
    device = owner.grants.get().device
    if change == "password":
        owner.set_password("another one 9")
    owner.is_active = change != "inactive"
    owner.save()
    if change == "revoked":
        devices.revoke(device, reason="lost", may_strand=True, by=by("support"), now=timezone.now())
    if change == "suspended":
        device.state = "suspended"
        device.save()
    page = client.post("/login/challenge/", {"response": press("owner", question)})
    assert page.status_code == 200
    assert not is_in(client)
    assert not LoginAttempt.objects.filter(state=AttemptState.COMPLETED).exists()


def test_an_exception_half_way_leaves_no_session_and_no_answer(monkeypatch):
    client, question = with_password("owner")
    client.raise_request_exception = False
    monkeypatch.setattr(audit, "record", lambda **row: 1 / 0)
    with suppress(ZeroDivisionError):
        page = client.post("/login/challenge/", {"response": press("owner", question)})
        assert page.status_code == 500
        assert b"Traceback" not in page.content
    monkeypatch.undo()
    assert not is_in(client)
    assert not Challenge.objects.filter(state="answered").exists()
    assert LoginAttempt.objects.get().state == AttemptState.PENDING


def test_a_second_login_in_the_same_browser_ends_the_first():
    """B 43."""
    client, question = with_password("owner")
    first = client.session.session_key
    client, newer = with_password("owner", client)
    assert client.session.session_key != first
    assert not client.session.exists(first)
    page = client.post("/login/challenge/", {"response": press("owner", question)})
    assert code_on(page) == "invalid_response"
    client.post("/login/challenge/", {"response": press("owner", newer)})
    assert is_in(client)


def test_credentials_in_the_query_string_are_not_read():
    """A 14."""
    who = PLAYS["no_device"]
    query = f"username={who.username}&password={who.password}"
    client = Client()
    assert client.get(f"/login/?{query}").status_code == 200
    client.post(f"/login/?{query}", {})
    assert not is_in(client)
    assert not AuditEvent.objects.filter(event="sls.login.completed").exists()


def test_a_strangers_wrong_passwords_do_not_lock_a_browser_the_client_knows():
    """A 10: neither by the password's count nor by the count of questions drawn."""
    client, question = with_password("owner")
    client.post("/login/challenge/", {"response": press("owner", question)})
    client.post("/logout/")
    stranger = Client()
    for _ in range(throttle.CHALLENGES_OF_USER.size + 5):
        stranger.post("/login/", {"username": PLAYS["owner"].username, "password": "not it"})
    client, question = with_password("owner", client)
    client.post("/login/challenge/", {"response": press("owner", question)})
    assert is_in(client)
