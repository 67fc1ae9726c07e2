"""Everything at DEBUG, SQL and access logs included, and no secret anywhere (abuse-cases.md 163)."""

import io
import json
import logging
import logging.config
import os
import re
import subprocess
import sys

import pytest
from django.conf import settings as project
from django.db import connection
from django.test import Client

from portal import logs
from portal.models import BrowserSession, Entity, OutboxMessage, PhoneNumber
from portal.outbox import delivery
from sls.demo import cast
from sls.models import SecurityDevice
from tests.conftest import PLAYS, password, person, press, question_on
from tests.handset import code_sent_to, enrol
from tests.journeys.test_forgotten_password import FRESH, link, proven, set_new
from tests.journeys.test_sms_codes import MOBILE, newest_code, number

PHONE_PIN = "g7#Qz"
SHARE = "/settings/user/secure-login/share/"


@pytest.fixture
def logged():
    """Everything that is logged at DEBUG, written as the product writes it."""
    buffer = io.StringIO()
    config = logs.config(level="DEBUG", form="json")
    config["handlers"]["console"]["stream"] = buffer
    config["loggers"]["django.request"]["level"] = "DEBUG"
    handlers = list(logging.getLogger().handlers)
    logging.config.dictConfig(config)
    connection.force_debug_cursor = True
    yield buffer
    connection.force_debug_cursor = False
    logging.config.dictConfig(project.LOGGING)
    logging.getLogger().handlers[:] = handlers


def share_with_device(client: Client) -> list[str]:
    """The share wizard, with one wrong response; what was typed."""
    form = {"username": PLAYS["owner"].username, "password": password("owner")}
    where = client.post(SHARE, form).url
    right = press("owner", question_on(client.get(where).content.decode()))
    wrong = right[:-1] + ("7" if right[-1] != "7" else "6")
    client.post(where, {"response": wrong})
    review = client.post(where, {"response": right}).url
    client.post(review)
    return [right, wrong]


def verify_number(client: Client) -> list[str]:
    client.post(MOBILE + f"{number().pk}/verify/", follow=True)
    client.post(MOBILE + "code/", {"response": "000000"})
    return [newest_code()]


def forget_password() -> list[str]:
    client = proven("stranger")
    set_new(client)
    return [link("stranger").split("/")[-2], FRESH]


def test_journeys_at_debug_level_log_no_secret(on_stage, log_in, logged):
    typed = ["a-wrong-password-3"]
    Client().post("/login/", {"username": PLAYS["owner"].username, "password": typed[0]})
    client = log_in("requester")
    typed += share_with_device(client)
    cookies = [cookie.value for cookie in client.cookies.values()]
    typed += verify_number(log_in("no_device"))
    who = PLAYS["no_device"].username
    enrol(who, password("no_device"), PHONE_PIN)
    typed += [PHONE_PIN, code_sent_to(who)]
    token = forget_password()
    typed += token
    Client().get(f"/settings/user/password/reset/link/{token[0]}/?next=/{token[0]}")
    Client().get("/no/such/page/?response=" + typed[0])
    for row in OutboxMessage.objects.all():
        delivery.deliver(row.pk, now=row.created_at)

    text = logged.getvalue()
    lines = [json.loads(line) for line in text.splitlines()]
    assert any(line["logger"] == "django.db.backends" for line in lines), "SQL was logged at all"
    assert any(line["logger"] == "portal.access" for line in lines)
    assert found_in(text, [*typed, *standing_secrets(), *cookies]) == []


def standing_secrets() -> list[str]:
    """What must never be on a line, as it stands in the database and in the printed cast."""
    secrets = [user.password for user in cast.USERS]
    secrets += [device.secret for device in cast.DEVICES if device.secret]
    secrets += [entity.document_number for entity in cast.ENTITIES]
    secrets += [e.open_number("document_number") for e in Entity.objects.all()]
    secrets += [row.e164 for row in PhoneNumber.objects.all()]
    secrets += [row.session_key for row in BrowserSession.objects.all()]
    secrets += [device.secret for device in SecurityDevice.objects.all()]
    secrets += [person(plays).password for plays in PLAYS]
    secrets += [project.SECRET_KEY, project.VAULT_KEYS.split(":")[1]]
    pins = [device.pin for device in cast.DEVICES if device.pin]
    return [secret for secret in [*secrets, *pins] if secret]


def found_in(text: str, secrets: list[str]) -> list[str]:
    """Short ones only where they stand alone: six digits occur in every date."""
    found = []
    for secret in secrets:
        pattern = re.escape(secret)
        if len(secret) <= 8:
            pattern = rf"(?<![\w.-]){pattern}(?![\w.-])"
        if re.search(pattern, text):
            found.append(secret)
    return found


# --- One line at a time -----------------------------------------------------------------------------


def line(message: str, *args: object, name: str = "portal", form: str = "json") -> str:
    record = logging.LogRecord(name, logging.INFO, __file__, 1, message, args, None)
    for each in (logs.WithRequest(), logs.WithoutValues()):
        each.filter(record)
    formatter = logs.Json() if form == "json" else logs.Line(logs.LINE, style="{")
    return formatter.format(record)


TOKEN = "WzcsMTc2NDAwXQ:1vNabc:2mX4vCkQhYzPq0sTuVwXyZabcdefghijklmnopqrst"


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (TOKEN, f"Internal Server Error: /settings/user/not-me/{TOKEN}/"),
        (TOKEN.replace(":", "%3A"), "GET /events/" + TOKEN.replace(":", "%3A")),
        ("+447700900123", "no route to +447700900123"),
        ("robin@", "refused by mail.example: robin@mail.example"),
        ("b" * 40, "session " + "b" * 40),
        ("LX2047713", "duplicate key\nDETAIL:  Key (number)=(LX2047713) already exists.\n"),
        ("1.k1." + "A" * 40, "1.k1." + "A" * 40),
    ],
)
@pytest.mark.parametrize("form", ["json", "line"])
def test_what_other_code_says_is_scrubbed(secret, said, form):
    assert secret not in line(said, form=form)


def test_a_telephone_number_keeps_its_last_three_digits():
    assert "+…123" in line("to +447700900123")


def test_sql_is_logged_without_its_values():
    sql = "SELECT 1 FROM t WHERE a = 'it''s secret' AND b = 'hidden'"
    text = line("(%.3f) %s; args=%s; alias=%s", 0.1, sql, ("hidden",), "default", name="django.db.backends")  # fmt: skip
    assert "SELECT 1 FROM t WHERE a = '…' AND b = '…'" in text
    assert "secret" not in text
    assert "hidden" not in text


def test_the_access_log_of_uvicorn_loses_query_strings():
    args = ("127.0.0.1:1", "GET", "/help/?q=my+password", "1.1", 200)
    text = line('%s - "%s %s HTTP/%s" %d', *args, name="uvicorn.access")
    assert "/help/ HTTP/1.1" in text
    assert "password" not in text


def test_uvicorn_finds_no_handler_for_its_access_log_after_it_has_loaded_us(tmp_path):
    """It asks so for each connection; `--no-access-log` is older than our configuration, and would be undone."""
    ask = "from logging import getLogger as of; print(of('uvicorn.access').hasHandlers(), of('uvicorn.error').hasHandlers())"
    start = "import uvicorn; uvicorn.Config('portal.asgi:application', access_log=False).load(); "
    done = subprocess.run(
        [sys.executable, "-c", start + ask],
        cwd=project.BASE_DIR,
        env=os.environ
        | {"DEMO_MODE": "1", "VAR_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "portal.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False True\n"


def test_a_trace_is_scrubbed_too():
    try:
        raise ValueError("+447700900123")
    except ValueError:
        record = logging.LogRecord("x", 40, __file__, 1, "broke", (), sys.exc_info())
    said = json.loads(logs.Json().format(record))
    assert "Traceback" in said["error"]
    assert "447700900" not in said["error"]


def test_lines_of_a_request_carry_its_id(client, db, logged):
    client.get("/help/")
    lines = [json.loads(text) for text in logged.getvalue().splitlines()]
    ids = {text["request_id"] for text in lines}
    assert len(ids) == 1
    assert re.fullmatch(r"[0-9a-f-]{36}", ids.pop())


def test_log_level_silences_django_as_well(capsys):
    config = logs.config(level="ERROR", form="line")
    config["handlers"]["console"]["stream"] = sys.stderr
    handlers = list(logging.getLogger().handlers)
    logging.config.dictConfig(config)
    try:
        logging.getLogger("django.security.csrf").warning("quiet")
        logging.getLogger("celery.app.trace").warning("quiet")
        logging.getLogger("django.request").error("loud")
    finally:
        logging.config.dictConfig(project.LOGGING)
        logging.getLogger().handlers[:] = handlers
    said = capsys.readouterr().err
    assert "quiet" not in said
    assert "loud" in said


def test_an_unknown_format_stops_the_start():
    with pytest.raises(ValueError, match="LOG_FORMAT"):
        logs.config(level="INFO", form="xml")
