"""Settings that are malformed stop the start with their name, a reason and no stack trace."""

import os
import subprocess
import sys
from datetime import date

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from portal.environment import chosen, env

SECRET = "s3cret-of-a-provider"


def manage(var, *arguments, **variables) -> subprocess.CompletedProcess[str]:
    kept = {"PATH": os.environ["PATH"], "DEMO_MODE": "1", "VAR_DIR": str(var)}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=kept | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("SESSION_HOURS", lambda: env.int("SESSION_HOURS", 8)),
        ("SMS_PROVIDERS", lambda: env.json("SMS_PROVIDERS", default={})),
        ("HOLIDAYS", lambda: env.list("HOLIDAYS", cast=date.fromisoformat, default=[])),
    ],
)
def test_a_malformed_value_is_named_by_its_variable_alone(monkeypatch, name, read):
    monkeypatch.setenv(name, SECRET)
    with pytest.raises(ImproperlyConfigured) as caught:
        read()
    assert name in str(caught.value)
    assert SECRET not in str(caught.value)


def test_what_is_not_known_is_refused_with_what_is():
    assert chosen("LOG_FORMAT", "json", ("line", "json")) == "json"
    with pytest.raises(ImproperlyConfigured, match="LOG_FORMAT: 'xml' is none of line, json"):
        chosen("LOG_FORMAT", "xml", ("line", "json"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CODE_CARD_MODE", "twice"),
        ("REVIEW_RULES", "other_entity,other_entitty"),
        ("PHONE_COUNTRIES", "DE,XX"),
        ("PORTAL_TIME_ZONE", "Mars/Olympus"),
    ],
)
def test_no_process_starts_with_a_setting_it_does_not_know(tmp_path, name, value):
    done = manage(tmp_path, "check", **{name: value})
    assert done.returncode == 1
    assert done.stderr.startswith(f"A setting is wrong: {name}")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["verify_audit", "anchor_audit"])
def test_a_new_database_asks_for_migrate(tmp_path, command):
    done = manage(tmp_path, command)
    assert done.returncode == 1
    assert "manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_trace_is_there_for_who_asks(tmp_path):
    assert "Traceback" in manage(tmp_path, "verify_audit", "--traceback").stderr
