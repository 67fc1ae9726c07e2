"""
An exception inside each Celery task, at each of its statements (abuse-cases.md 164): whatever is registered is tried,
so a new task is covered by itself.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.apps import apps
from django.db import OperationalError, connection, transaction

from compliance.review import operations as review
from portal import jobs, logs, throttle
from portal.caller import Caller
from portal.celery import app
from portal.models import (
    Allowance,
    AuditEvent,
    Channel,
    MessageState,
    OutboxAttempt,
    OutboxMessage,
    Urgency,
)
from portal.outbox.enqueue import enqueue, message
from portal.outbox.tasks import deliver, sweep
from sls.caller_check import operations as caller_check
from sls.login import operations as login
from sls.models import Phone, PhoneNonce
from sls.sharing import operations as sharing
from tests.compliance.desk import RIGHTS, at_desk, entitle, wait_for_approval
from tests.conftest import NOW, by, password, person
from tests.counting import CONTROL
from tests.sls.test_admin import device_of

app.loader.import_default_modules()
OURS = sorted(name for name in app.tasks if not name.startswith("celery."))
LATER = datetime(2026, 11, 27, 6, 0, tzinfo=UTC)  # a Friday: overdue is what came on Monday
AGAIN = LATER + timedelta(hours=1)  # every lease and pause is over
CODE, NUMBER = "204816", "+447700900123"
ERRORS = {"defect": RuntimeError, "away": OperationalError}
KNOWN = 8
ANCHOR = "portal.audit.tasks.anchor"  # writes to a file alone


def arguments(name: str) -> list[str]:
    """Of the one task that takes any."""
    return [str(OutboxMessage.objects.get(event="sms_code").pk)] if name == deliver.name else []


def at(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every task reads the clock in its own module."""
    for module in {app.tasks[name].__module__ for name in OURS}:
        monkeypatch.setattr(f"{module}.shared_now", lambda: now)


@pytest.fixture
def due(on_stage, settings, monkeypatch):
    """Something to do for every task there is."""
    for channel in Channel:
        settings.MESSAGE_CHANNELS[channel.value] = "portal.outbox.channels.folder"
    for plays in ("officer", "second_officer", "administrator"):
        entitle(plays, *RIGHTS, "assign_reviewcase")
    share = wait_for_approval()
    review.claim(share.pk, by=at_desk("second_officer"), now=NOW)
    person("second_officer").user_permissions.clear()
    person("second_officer").groups.clear()
    sharing.start(
        by=by("no_device"),
        owner_username=person("owner").username,
        owner_password=password("owner"),
        now=NOW,
    )
    caller_check.ask(
        person("owner"),
        device_id=device_of("owner").pk,
        ticket="T-1",
        reason="asks",
        by=by("support"),
        now=NOW,
    )
    for plays in ("phone_user", "stranger"):
        name = person(plays).username
        login.begin(username=name, password=password(plays), by=Caller(), now=LATER - throttle.HOUR)
    throttle.spend([(throttle.PASSWORD_OF_NAME, "nobody")], now=NOW)
    PhoneNonce.objects.create(phone=Phone.objects.get(), nonce="n", expires_at=NOW)
    OutboxMessage.objects.update(expires_at=LATER + timedelta(days=1))
    with transaction.atomic():
        enqueue([sms("sms_code", "1"), sms("sms_code_set_aside", "2")])
    OutboxMessage.objects.filter(event="sms_code_set_aside").update(
        state=MessageState.FAILED, expires_at=NOW
    )
    at(LATER, monkeypatch)


def sms(event: str, fact: str) -> OutboxMessage:
    return message(
        user=person("owner"),
        event=event,
        fact=fact,
        now=LATER,
        channel=Channel.SMS,
        to=NUMBER,
        life=timedelta(days=1),
        urgency=Urgency.NORMAL,
        code=CODE,
        minutes=10,
    )


def state() -> dict[str, object]:
    """What is in the tables, but for times, keys and how often something was tried."""
    found: dict[str, object] = {}
    for model in apps.get_models():
        ours = model._meta.app_label in ("portal", "sls", "compliance")
        if not ours or model._meta.proxy or model is OutboxAttempt:
            continue
        names = [field.name for field in model._meta.concrete_fields if field.choices]
        found[model.__name__] = Counter(model._base_manager.values_list(*names or ["pk"]))
        if not names:
            found[model.__name__] = model._base_manager.count()
    told = AuditEvent.objects.values_list("event", "subject")
    found["audit"] = Counter(told)
    found["messages"] = Counter(OutboxMessage.objects.values_list("event", "user", "state"))
    found["words"] = OutboxMessage.objects.exclude(context="").count()
    # Of an attempt that was lost nobody knows whether it went out: it counts for the budgets of SMS.
    spent = Allowance.objects.exclude(limit__startswith="sms_sent")
    found["spent"] = sorted(spent.values_list("limit", "key", "spent"))
    return found


@contextmanager
def breaking(at_statement: int, kind: str) -> Iterator[list[str]]:
    """The statement fails; a database that is away fails all that follow as well. What it was is in the list."""
    number = count(1)
    broken: list[str] = []
    depth = len(connection.savepoint_ids)

    def fail(execute, sql, params, many, context):
        if len(connection.savepoint_ids) == depth:
            connection.needs_rollback = False  # outside a test there is no transaction here
        if not sql.lstrip().upper().startswith(CONTROL):
            this = next(number)
            if this == at_statement or (this > at_statement and kind == "away"):
                broken.append(sql)
                raise ERRORS[kind](f"broken: {kind}")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail):
        yield broken
    connection.needs_rollback = False


@contextmanager
def undone(settings, tmp_path) -> Iterator[None]:
    """What happens inside has not happened, in files neither."""
    number = len(list(tmp_path.iterdir()))
    settings.MESSAGE_FOLDER = tmp_path / f"messages {number}"
    settings.AUDIT_ANCHOR = [str(tmp_path / f"anchors {number}.jsonl")]
    (tmp_path / f"run {number}").touch()
    around: Any = transaction.atomic()
    around._from_testcase = True  # as around a test: inside, a transaction may be durable
    with around:
        yield
        transaction.set_rollback(True)


def run(name: str, *given: str):
    return app.tasks[name].apply(args=given)


def test_every_task_of_the_project_is_found():
    assert len(OURS) >= KNOWN
    assert {name.rpartition(".")[0] for name in OURS} >= {"sls.tasks", "compliance.tasks"}


def test_every_task_is_tried_again_by_beat_or_found_by_the_sweep():
    planned = {entry["task"] for entry in jobs.BEAT_SCHEDULE.values()}
    assert set(OURS) - planned == {deliver.name}  # for that there is the sweep
    assert planned <= set(OURS)


@pytest.mark.parametrize("name", OURS)
def test_a_body_that_raises_is_told_and_the_worker_goes_on(due, name, monkeypatch, caplog):
    monkeypatch.setattr(app.tasks[name], "run", lambda *args, **kwargs: 1 / 0)
    result = run(name, *arguments(name))
    assert result.failed()
    assert [r.levelname for r in caplog.records if name in r.getMessage()] == ["ERROR"]


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("name", OURS)
def test_a_task_that_breaks_at_any_statement_tells_and_makes_up_for_it(
    due, name, kind, settings, tmp_path, monkeypatch, caplog
):
    given, again = arguments(name), sweep.name if name == deliver.name else name
    with undone(settings, tmp_path):
        before = state()
        assert run(name, *given).successful(), caplog.text
        if again != name:
            assert run(again).successful()
        wanted = state()
    assert wanted != before or name == ANCHOR, "it has nothing to do: give it something"
    for number in count(1):
        caplog.clear()
        with undone(settings, tmp_path):
            with breaking(number, kind) as broken:
                result = run(name, *given)
            if not broken:
                break  # it has no more statements
            told = [r for r in caplog.records if r.levelname in ("ERROR", "CRITICAL")]
            assert told, f"failed in silence: {broken[0]}"
            assert not any(secret in logs.scrub(caplog.text) for secret in (CODE, NUMBER))
            at(AGAIN, monkeypatch)
            result = run(again)
            assert result.successful(), f"{broken[0]}\n{result.traceback}"
            assert state() == wanted, f"after {broken[0]}"
            at(LATER, monkeypatch)
    assert number > 1
