"""The phone's interface: what it answers is what its OpenAPI says, and everything else is refused."""

import json
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import get_resolver

from portal.models import AuditEvent
from sls.demo.handset import Refused
from sls.models import LoginPrompt, Phone, PhoneNonce
from sls.phone.api import OPENAPI, STATUS
from tests.conftest import PLAYS, password, person
from tests.handset import PIN, code_sent_to, demo_phone, new_phone

pytestmark = pytest.mark.usefixtures("on_stage")
BASE = "/phone/api/v1"


def log_in() -> tuple[Client, str]:
    """A browser that waits for the phone of mei.lantern, and the number it shows."""
    client = Client()
    page = client.post(
        "/login/",
        {"username": PLAYS["phone_user"].username, "password": password("phone_user")},
        follow=True,
    )
    return client, re.search(r'id="prompt-number">(\d\d)<', page.content.decode())[1]


def refused(call, *args, **kwargs) -> Refused:
    with pytest.raises(Refused) as caught:
        call(*args, **kwargs)
    return caught.value


# --- The document ---------------------------------------------------------------------------------------


def test_the_document_names_the_addresses_there_are():
    served = set()
    for pattern in get_resolver().url_patterns:
        if str(pattern.pattern) != "phone/":
            continue
        for one in pattern.url_patterns:
            path = re.sub(r"<\w+:(\w+)>", r"{\1}", str(one.pattern))
            if path.startswith("api/v1/"):
                served.add(path.removeprefix("api/v1"))
    assert served == set(OPENAPI["paths"])
    assert Client().get(f"{BASE}/openapi.json").json() == OPENAPI


def check(schema, value, where="answer"):
    """As much of JSON Schema as the document uses."""
    if "$ref" in schema:
        return check(
            OPENAPI["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], value, where
        )
    if "oneOf" in schema:
        return None
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
    assert isinstance(value, kinds[schema["type"]]), where
    assert value in schema.get("enum", [value]), where
    if schema["type"] == "object":
        return check_object(schema, value, where)
    for item in value if schema["type"] == "array" else ():
        check(schema["items"], item, f"{where}[]")
    return None


def check_object(schema, value, where):
    assert set(schema.get("required", [])) <= set(value), where
    assert set(value) <= set(schema["properties"]), where
    for name in value:
        check(schema["properties"][name], value[name], f"{where}.{name}")


def documented(phone, method: str, path: str) -> None:
    """The last answer is one that the document promises."""
    operation = OPENAPI["paths"][path][method]
    found = operation["responses"].get(
        str(phone.last.status_code), operation["responses"].get("default")
    )
    check(found["content"]["application/json"]["schema"], phone.last.json())


def test_every_answer_is_as_documented():
    phone, who = demo_phone(), PLAYS["no_device"]
    phone.call("GET", "phone", signed_as=phone.phone)
    documented(phone, "get", "/phone")
    phone.call("GET", "countries")
    documented(phone, "get", "/countries")
    started = phone.start(who.username, who.password)
    documented(phone, "post", "/activation/start")
    phone.get_code(started)
    documented(phone, "post", "/activation/code")
    phone.call(
        "POST", "activation/message", {"activation": started["activation"]}, signed_as=phone.phone
    )
    documented(phone, "post", "/activation/message")
    phone.activate(started, code_sent_to(who.username), PIN)
    documented(phone, "post", "/activation/activate")
    log_in()
    (prompt,) = phone.waiting()
    documented(phone, "get", "/prompts")
    phone.decide(prompt, "cancel")
    documented(phone, "post", "/prompts/{prompt_id}/decision")
    phone.change_pin(PIN, "uW3!k")
    documented(phone, "post", "/pin")
    phone.call("DELETE", "push", signed_as=phone.phone)
    documented(phone, "delete", "/push")
    refused(phone.start, who.username, "not it")
    documented(phone, "post", "/activation/start")


def test_the_protocol_lists_every_code_under_its_status(settings):
    protocol = settings.BASE_DIR / "docs" / "phone-protocol.md"
    text = protocol.read_text(encoding="utf-8").split("\n## 12")[1]
    for status, codes in STATUS.items():
        line = re.search(rf"^\| {status} \| (.+)$", text, re.MULTILINE)[1]
        assert set(codes) <= set(re.findall(r"`([a-z_]+)`", line)), status


# --- Malformed requests -----------------------------------------------------------------------------------

START = {"username": "mei.lantern", "password": "x", "platform": "ios"}
BAD_BODIES = [
    b"",
    b"[]",
    b"null",
    b'"text"',
    b"{",
    b"{'a': 1}",
    b'{"username": "a", "username": "b", "password": "x", "platform": "ios"}',
    json.dumps(START | {"extra": 1}).encode(),
    json.dumps(START | {"username": 1}).encode(),
    json.dumps(START | {"username": ["a"]}).encode(),
    json.dumps(START | {"username": None}).encode(),
    json.dumps(START | {"username": ""}).encode(),
    json.dumps(START | {"username": "a" * 101}).encode(),
    json.dumps(START | {"platform": "palm"}).encode(),
    json.dumps({"username": "a", "password": "b"}).encode(),
    json.dumps(START).encode().replace(b'"x"', b"NaN"),
    json.dumps(START).encode().replace(b'"x"', b"1e999"),
    json.dumps(START).encode().replace(b'"x"', b"1" * 5000),
    json.dumps(START).encode().replace(b'"x"', b"[" * 5000 + b"]" * 5000),
    b"[" * 15_000,
    json.dumps(START).encode().replace(b"mei", b"\xff\xfe"),
    json.dumps(START).encode().replace(b"mei", b"\\ud800"),
    json.dumps(START).encode().replace(b"mei", b"\\u0000"),
    json.dumps(START).encode("utf-16"),
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_a_body_that_is_not_as_documented_is_a_400(body):
    before = AuditEvent.objects.count()
    page = Client().post(f"{BASE}/activation/start", body, content_type="application/json")
    assert (page.status_code, page.json()["error"]["code"]) == (400, "malformed")
    assert AuditEvent.objects.count() == before


def test_a_body_too_long_is_a_413_and_not_read():
    page = Client().post(
        f"{BASE}/activation/start", b"[" * 100_000, content_type="application/json"
    )
    assert (page.status_code, page.json()["error"]["code"]) == (413, "malformed")


def test_a_form_a_query_string_and_a_wrong_method_are_refused():
    client = Client()
    assert client.post(f"{BASE}/activation/start", START).status_code == 400
    page = client.post(
        f"{BASE}/activation/start?username=a", json.dumps(START), content_type="application/json"
    )
    assert page.status_code == 400
    page = client.get(f"{BASE}/activation/start")
    assert (page.status_code, page.headers["Allow"]) == (405, "POST")
    assert client.patch(f"{BASE}/push").status_code == 405


# --- Cookies and origins -----------------------------------------------------------------------------------


def test_no_cookie_is_read_or_set(log_in):
    client = log_in("owner")
    for path in ("openapi.json", "countries", "phone", "prompts"):
        page = client.get(f"{BASE}/{path}", HTTP_ORIGIN="https://evil.example")
        assert not page.cookies
        assert "Access-Control-Allow-Origin" not in page.headers
    assert client.get(f"{BASE}/phone").status_code == 401
    assert Client().get(f"{BASE}/countries", HTTP_COOKIE="session=" + "a" * 40).status_code == 200


# --- Signatures ---------------------------------------------------------------------------------------------


def test_an_unsigned_call_and_a_strange_phone_are_told_the_same():
    phone = demo_phone()
    unsigned = refused(phone.call, "GET", "prompts")
    strange = new_phone()
    strange.phone = "11111111-2222-4333-8444-555555555555"
    unknown = refused(strange.call, "GET", "prompts", signed_as=strange.phone)
    strange.phone = phone.phone
    foreign = refused(strange.call, "GET", "prompts", signed_as=strange.phone)
    assert {e.code for e in (unsigned, unknown, foreign)} == {"invalid_signature"}
    assert {e.status for e in (unsigned, unknown, foreign)} == {401}


def test_each_bit_of_what_is_signed_matters():
    phone = demo_phone()
    log_in()
    (prompt,) = phone.waiting()
    path = f"{BASE}/prompts/{prompt['id']}/decision"
    body = json.dumps(
        {k: prompt[k] for k in ("attempt", "username")} | {"decision": "cancel", "number": ""}
    ).encode()
    headers = phone.headers("POST", path, body, signed_as=phone.phone)
    scheme, phone_id, when, nonce, signature = re.split("[ :]", headers["Authorization"])
    changed = {
        "method": ("PUT", path, body, (phone_id, when, nonce, signature)),
        "path": ("POST", f"{BASE}/pin", body, (phone_id, when, nonce, signature)),
        "time": ("POST", path, body, (phone_id, str(int(when) + 1), nonce, signature)),
        "nonce": ("POST", path, body, (phone_id, when, "A" * 21 + "Q", signature)),
    }
    for position in range(0, 80, 7):
        raw = bytearray(signature.encode())
        raw[position] = ord("A") if raw[position] != ord("A") else ord("B")
        changed[f"signature {position}"] = (
            "POST",
            path,
            body,
            (phone_id, when, nonce, raw.decode()),
        )
    for position in range(0, len(body), 5):
        other = bytearray(body)
        other[position] ^= 1
        changed[f"body {position}"] = (
            "POST",
            path,
            bytes(other),
            (phone_id, when, nonce, signature),
        )
    for what, (method, where, sent, parts) in changed.items():
        sent_headers = headers | {"Authorization": f"{scheme} {':'.join(parts)}"}
        if what == "method":
            continue  # a wrong method is refused before anything is read
        assert refused(phone.send, method, where, sent, sent_headers).status in (400, 401), what
    assert LoginPrompt.objects.get().state == "waiting"
    phone.send("POST", path, body, headers)  # unchanged, it counts
    assert LoginPrompt.objects.get().state == "cancelled"
    replayed = refused(phone.send, "POST", path, body, headers)
    assert (replayed.status, replayed.code) == (409, "replayed")


@pytest.mark.parametrize("shift", [-360, 360])
def test_six_minutes_off_are_refused_and_four_are_not(shift):
    phone = demo_phone()
    assert (
        refused(phone.call, "GET", "phone", signed_as=phone.phone, shift=shift).code == "clock_off"
    )
    assert phone.call("GET", "phone", signed_as=phone.phone, shift=shift * 2 // 3)


def test_a_nonce_counts_once_even_for_a_read():
    phone = demo_phone()
    nonce = "n" * 21 + "A"
    phone.call("GET", "phone", signed_as=phone.phone, nonce=nonce)
    assert (
        refused(phone.call, "GET", "phone", signed_as=phone.phone, nonce=nonce).code == "replayed"
    )
    assert PhoneNonce.objects.filter(nonce=nonce).count() == 1


@pytest.mark.parametrize("state", ["frozen", "retired"])
def test_a_phone_that_is_not_active_is_told_so_by_its_own_signature_only(state):
    phone = demo_phone()
    now = Phone.objects.get().created_at
    columns = {"frozen": {"frozen_at": now}, "retired": {"ended_at": now}}[state]
    Phone.objects.update(state=state, **columns)
    error = refused(phone.waiting)
    assert error.code == f"phone_{state}"
    strange = new_phone()
    strange.phone = phone.phone
    assert refused(strange.waiting).code == "invalid_signature"


# --- Proofs ---------------------------------------------------------------------------------------------


def test_an_approval_without_a_proof_counts_nothing():
    phone = demo_phone()
    _client, number = log_in()
    (prompt,) = phone.waiting()
    error = refused(phone.decide, prompt, "approve", number=number)
    assert (error.status, error.code) == (401, "invalid_proof")
    assert LoginPrompt.objects.get().state == "waiting"


def test_a_proof_of_another_request_is_worth_nothing():
    phone = demo_phone()
    _client, number = log_in()
    (prompt,) = phone.waiting()
    path = f"{BASE}/prompts/{prompt['id']}/decision"
    body = json.dumps(
        {k: prompt[k] for k in ("attempt", "username")} | {"decision": "approve", "number": number}
    ).encode()
    proven = phone.headers("POST", path, body, signed_as=phone.phone, pin=PIN)
    later = phone.headers("POST", path, body, signed_as=phone.phone)
    mixed = later | {"Phone-Proof": proven["Phone-Proof"]}
    assert refused(phone.send, "POST", path, body, mixed).code == "wrong_pin"


def test_the_fifth_wrong_pin_freezes_the_phone_and_a_restart_forgets_nothing():
    _client, number = log_in()
    for left in (4, 3, 2, 1, 0):
        phone = demo_phone()  # a restarted app
        (prompt,) = phone.waiting()
        error = refused(phone.decide, prompt, "approve", pin="0000", number=number)
        assert (error.code, error.error["tries_left"]) == ("wrong_pin", left)
    assert refused(demo_phone().waiting).code == "phone_frozen"
    assert Phone.objects.get().state == "frozen"
    assert LoginPrompt.objects.get().state == "cancelled"
    grant = person("phone_user").grants.get()
    assert grant.device.state == "suspended"
    assert AuditEvent.objects.filter(event="sls.phone.frozen", subject="mei.lantern").count() == 1


def test_a_right_pin_forgets_the_wrong_ones():
    phone = demo_phone()
    _client, number = log_in()
    (prompt,) = phone.waiting()
    for _ in range(4):
        refused(phone.decide, prompt, "approve", pin="0000", number=number)
    assert phone.decide(prompt, "approve", pin=PIN, number=number) == "approved"


def test_the_pin_is_nowhere_on_the_server_in_a_form_that_guessing_inverts():
    row = Phone.objects.get()
    texts = [str(value) for value in vars(row).values()]
    assert not any(PIN in text for text in texts)
    assert row.is_pin(PIN)
    assert not row.is_pin(PIN + "x")


def test_a_changed_pin_takes_the_place_of_the_old_one():
    phone = demo_phone()
    phone.change_pin(PIN, "uW3!k")
    _client, number = log_in()
    (prompt,) = phone.waiting()
    assert refused(phone.decide, prompt, "approve", pin=PIN, number=number).code == "wrong_pin"
    assert phone.decide(prompt, "approve", pin="uW3!k", number=number) == "approved"


@pytest.mark.parametrize(
    ("pin", "objection"),
    [("1234", "common"), ("300691", "birth_date"), ("9117", "document"), ("lantern"[:6], "name")],
)
def test_a_pin_against_the_guidelines_is_refused_by_name(pin, objection):
    error = refused(demo_phone().change_pin, PIN, pin)
    assert error.code == "pin_not_safe"
    assert objection in error.error["objections"]


def test_where_guidelines_are_advice_they_are_told_and_the_pin_counts(settings):
    settings.PIN_GUIDELINES = "advisory"
    phone = demo_phone()
    assert phone.change_pin(PIN, "1234")["pin_advice"] == ["common"]
    assert refused(phone.change_pin, "1234", "123").code == "pin_not_safe"


# --- Decisions -------------------------------------------------------------------------------------------


def test_another_phone_finds_no_such_prompt():
    who = PLAYS["no_device"]
    other = new_phone()
    started = other.start(who.username, who.password)
    other.get_code(started)
    other.activate(started, code_sent_to(who.username), "g7#Qz")
    _client, number = log_in()
    (prompt,) = demo_phone().waiting()
    error = refused(other.decide, prompt, "approve", pin="g7#Qz", number=number)
    assert (error.status, error.code) == (404, "unknown_prompt")


@pytest.mark.parametrize("name", ["attempt", "username"])
def test_what_was_shown_is_what_is_signed(name):
    phone = demo_phone()
    _client, number = log_in()
    (prompt,) = phone.waiting()
    other = prompt | {name: {"attempt": prompt["id"], "username": "robin.calder"}[name]}
    assert refused(phone.decide, other, "approve", pin=PIN, number=number).code == "unknown_prompt"


def test_the_second_wrong_number_ends_the_prompt():
    phone = demo_phone()
    _client, number = log_in()
    (prompt,) = phone.waiting()
    wrong = "10" if number != "10" else "11"
    for left in (1, 0):
        error = refused(phone.decide, prompt, "approve", pin=PIN, number=wrong)
        assert (error.code, error.error["tries_left"]) == ("wrong_number", left)
    assert refused(phone.decide, prompt, "approve", pin=PIN, number=number).code == "prompt_over"


def test_a_decision_counts_once():
    phone = demo_phone()
    _client, number = log_in()
    (prompt,) = phone.waiting()
    phone.decide(prompt, "approve", pin=PIN, number=number)
    for decision in ("approve", "deny", "cancel"):
        error = refused(phone.decide, prompt, decision, pin=PIN, number=number)
        assert (error.status, error.code) == (410, "prompt_over")


SINCE = {
    "deactivated": lambda user: type(user).objects.update(is_active=False),
    "password": lambda user: (user.set_password("Another-1-Password"), user.save()),
    "locked by staff": lambda user: type(user).objects.update(locked_at="2026-01-01T00:00Z"),
    "revoked": lambda user: user.grants.update(
        state="ended", confirmed=False, ended_at=Phone.objects.get().created_at
    ),
    "suspended": lambda user: user.grants.get().device.__class__.objects.update(state="suspended"),
    "frozen": lambda user: Phone.objects.update(state="frozen", frozen_at="2026-01-01T00:00Z"),
    "expired": lambda user: LoginPrompt.objects.update(expires_at="2026-01-01T00:00Z"),
    "login over": lambda user: user.login_attempts.update(expires_at="2026-01-01T00:00Z"),
}


@pytest.mark.parametrize("what", SINCE)
def test_whatever_changed_since_the_push_no_session_opens(what):
    """C 49, before the approval and after it."""
    phone = demo_phone()
    client, number = log_in()
    (prompt,) = phone.waiting()
    SINCE[what](person("phone_user"))
    error = refused(phone.decide, prompt, "approve", pin=PIN, number=number)
    assert error.code in ("prompt_over", "phone_frozen")
    client.post("/login/push/")
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("what", [w for w in SINCE if w != "expired"])
def test_whatever_changed_after_the_approval_no_session_opens(what):
    phone = demo_phone()
    client, number = log_in()
    (prompt,) = phone.waiting()
    phone.decide(prompt, "approve", pin=PIN, number=number)
    SINCE[what](person("phone_user"))
    client.post("/login/push/")
    assert "_auth_user_id" not in client.session


def test_only_the_browser_that_waits_goes_on():
    phone = demo_phone()
    client, number = log_in()
    (prompt,) = phone.waiting()
    phone.decide(prompt, "approve", pin=PIN, number=number)
    stranger = Client()
    stranger.post("/login/push/")
    assert "_auth_user_id" not in stranger.session
    before = client.session.session_key
    client.post("/login/push/")
    assert client.session["_auth_user_id"]
    assert client.session.session_key != before


def test_thirty_logins_send_five_prompts_and_leave_one_alive():
    for _ in range(30):
        Client().post(
            "/login/",
            {"username": PLAYS["phone_user"].username, "password": password("phone_user")},
        )
    assert LoginPrompt.objects.count() == 5
    assert LoginPrompt.objects.filter(state="waiting").count() <= 1


def test_resending_is_the_same_prompt_with_the_same_end():
    client, _number = log_in()
    before = LoginPrompt.objects.get()
    page = client.post("/login/push/", {"again": "1"})
    assert b'data-code="too_soon"' in page.content
    LoginPrompt.objects.update(sent_at=before.sent_at - timedelta(seconds=31))
    assert client.post("/login/push/", {"again": "1"}).url == "/login/push/"
    after = LoginPrompt.objects.get()
    assert (after.pk, after.expires_at, after.sent) == (before.pk, before.expires_at, 2)


def test_evidence_of_the_decision_is_kept():
    phone = demo_phone()
    _client, number = log_in()
    (prompt,) = phone.waiting()
    phone.decide(prompt, "approve", pin=PIN, number=number)
    kept = json.loads(LoginPrompt.objects.get().evidence)
    assert json.loads(kept["body"])["attempt"] == prompt["attempt"]
    assert kept["text"].startswith("client-portal phone request v1\nPOST\n")
