"""The auditors' pages: they find, show and export, and change nothing. abuse-cases.md H 130."""

import json
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone, translation

from portal import audit
from portal.audit import anchors, operations
from portal.caller import SYSTEM, Caller
from portal.models import AuditEvent, Entity, User
from tests.conftest import NOW, by, person
from tests.counting import counting

from .conftest import append

LIST = "/admin/portal/auditevent/"
EXPORT = LIST + "export/"
PEOPLE = "/admin/portal/entity/"
USERS = "/admin/portal/user/"
VIEWED = "portal.personal_data.viewed"


def allow(plays, *codenames):
    permissions = Permission.objects.filter(codename__in=codenames)
    assert len(permissions) == len(codenames)
    person(plays).user_permissions.set(permissions)


@pytest.fixture
def auditor(log_in):
    allow("auditor", "view_auditevent", "export_auditevent")
    return log_in("auditor")


def numbers(page):
    return [row.number for row in page.context["page"].rows]


def newest():
    return AuditEvent.objects.order_by("-number").first()


# --- Who may ------------------------------------------------------------------------------------------


def test_whoever_may_not_view_finds_no_page(log_in):
    client = log_in("officer")
    person("officer").groups.clear()
    for path in (LIST, f"{LIST}1/change/", EXPORT):
        assert client.get(path).status_code == 403
    assert client.post(EXPORT, {"form": "csv", "reason": "x"}).status_code == 403
    assert not AuditEvent.objects.filter(event="portal.audit.exported").exists()


def test_whoever_may_view_but_not_export_sees_no_button_and_no_page(log_in):
    allow("auditor", "view_auditevent")
    person("auditor").groups.clear()
    client = log_in("auditor")
    assert EXPORT not in client.get(LIST).content.decode()
    assert client.get(EXPORT).status_code == 403
    assert client.post(EXPORT, {"form": "csv", "reason": "x"}).status_code == 403


def test_nothing_posted_changes_or_deletes_a_row(log_in):
    client = log_in("administrator")
    row = newest()
    before = list(AuditEvent.objects.order_by("number").values())
    bulk = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    assert client.post(LIST, bulk).status_code == 405
    assert client.post(f"{LIST}{row.pk}/change/", {"event": "x", "_save": "1"}).status_code == 405
    assert client.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"{LIST}{row.pk}/delete/").status_code == 403
    assert client.post(LIST + "add/", {"number": 99, "event": "x"}).status_code == 403
    for method in ("put", "patch", "delete"):
        assert getattr(client, method)(f"{LIST}{row.pk}/change/").status_code in (403, 405)
    after = list(AuditEvent.objects.order_by("number").values())
    assert after == before


# --- The list -----------------------------------------------------------------------------------------


def test_the_list_goes_from_page_to_page_by_number(auditor):
    append(120)
    last = newest().number
    page = auditor.get(LIST)
    assert numbers(page) == list(range(last, last - 50, -1))
    assert "Newer" not in page.content.decode()
    page = auditor.get(LIST, {"before": last - 49})
    assert numbers(page) == list(range(last - 50, last - 100, -1))
    html = page.content.decode()
    assert f"?after={last - 50}" in html
    assert f"?before={last - 99}" in html
    page = auditor.get(LIST, {"after": last - 50})
    assert numbers(page) == list(range(last, last - 50, -1))
    oldest = auditor.get(LIST, {"before": 6})
    assert numbers(oldest) == [5, 4, 3, 2, 1]
    assert "Older" not in oldest.content.decode()
    for nonsense in ("x", "-1", "9" * 30, "٣"):
        assert auditor.get(LIST, {"before": nonsense}).status_code == 200


def test_the_list_is_filtered_and_keeps_its_filters_from_page_to_page(auditor):
    append(60)
    old = Caller(user=person("officer"), request_id="11111111-1111-1111-1111-111111111111")
    audit.record(event=VIEWED, by=old, subject=person("owner"), at=NOW, what="x")
    found = newest().number
    for wanted in (
        {"event": VIEWED},
        {"actor": "ada.quill"},
        {"subject": "robin.savings", "event": VIEWED},
        {"request_id": old.request_id},
        {"since": "2026-11-23T11:59", "until": "2026-11-23T12:01", "event": VIEWED},
    ):
        assert numbers(auditor.get(LIST, wanted)) == [found], wanted
    assert numbers(auditor.get(LIST, {"until": "2026-11-23T12:00"})) == []
    page = auditor.get(
        LIST, {"since": "2026-11-23T11:59", "until": "2026-11-23T12:01", "actor": ""}
    )
    html = page.content.decode()
    assert re.search(r'href="\?since=2026-11-23T11%3A59&amp;until=[^"]*before=\d+"', html)
    wrong = auditor.get(LIST, {"event": "no.such.event", "since": "yesterday"})
    assert wrong.status_code == 200
    assert wrong.context["page"] is None


def test_the_list_asks_the_same_number_of_queries_and_never_counts(auditor):
    append(3)
    auditor.get(LIST)
    with counting() as few:
        auditor.get(LIST)
    append(300)
    anchors.write(now=timezone.now())
    with counting() as many:
        auditor.get(LIST, {"before": 200})
    assert many.sql <= few.sql + 1  # that one asks for the anchored row
    assert not [s for s in many.statements if "COUNT(" in s.upper()]
    with counting() as row:
        auditor.get(f"{LIST}100/change/")
    assert row.sql <= few.sql


def test_links_lead_from_a_row_to_its_actor_subject_and_request(auditor):
    caller = Caller(user=person("officer"), request_id="r-7")
    audit.record(event="test.done", by=caller, subject=person("owner"), at=NOW, refused="no_way")
    html = auditor.get(LIST).content.decode()
    assert "?actor=ada.quill" in html
    assert "?subject=robin.savings" in html
    assert "refused: no_way" in html
    html = auditor.get(f"{LIST}{newest().number}/change/").content.decode()
    assert f"{LIST}?request_id=r-7" in html
    assert f"{LIST}?actor=ada.quill" in html


def test_links_lead_from_a_user_to_his_events(log_in):
    html = log_in("administrator").get(f"{USERS}{person('owner').pk}/change/").content.decode()
    assert f"{LIST}?subject=robin.savings" in html
    assert f"{LIST}?actor=robin.savings" in html


# --- One row ------------------------------------------------------------------------------------------


def test_a_row_shows_its_facts_and_that_it_follows(auditor):
    audit.record(event="test.done", by=SYSTEM, subject=None, at=NOW, device="•••0017", note="<b>")
    number = newest().number
    html = auditor.get(f"{LIST}{number}/change/").content.decode()
    assert "•••0017" in html
    assert "&lt;b&gt;" in html
    assert "It follows the row before it" in html
    assert "the row is as it was written" in html
    assert "It is the newest row" in html
    assert "The row after it follows it" in auditor.get(f"{LIST}1/change/").content.decode()


def test_a_row_that_was_tampered_with_says_so(auditor):
    append(5)
    number = newest().number
    AuditEvent.objects.filter(number=number - 1).update(actor="nobody")
    AuditEvent.objects.filter(number=number - 3).delete()
    altered = auditor.get(f"{LIST}{number - 1}/change/").content.decode()
    assert "the row was altered" in altered
    assert "It follows the row before it" in altered
    orphan = auditor.get(f"{LIST}{number - 2}/change/").content.decode()
    assert "It does not follow the row before it" in orphan
    gone = auditor.get(f"{LIST}{number - 3}/change/")
    assert gone.status_code == 404
    assert auditor.get(f"{LIST}x/change/").status_code == 404


# --- The state ----------------------------------------------------------------------------------------


def test_the_list_shows_the_last_verification_and_the_newest_anchor(auditor):
    html = auditor.get(LIST).content.decode()
    assert "has not been verified yet" in html
    assert "holds no anchors" in html
    anchors.write(now=NOW)
    anchored = newest().number
    found = {"event": "portal.audit.verified", "rows": 9, "anchors": 1}
    operations._record(**found, by=SYSTEM, at=NOW, wrong=[])
    html = auditor.get(LIST).content.decode()
    assert "9 rows, unbroken" in html
    assert f"Row {anchored} is anchored (2026-11-23T12:00:00+00:00) and in its place" in html
    AuditEvent.objects.filter(number=anchored).update(hash="0" * 64)
    operations._record(**found, by=SYSTEM, at=NOW, wrong=["audit row 9"])
    html = auditor.get(LIST).content.decode()
    assert "The chain does not hold: audit row 9" in html
    assert "is not in its place" in html


# --- The export ---------------------------------------------------------------------------------------


def test_an_auditor_exports_what_he_filtered_with_a_reason(auditor):
    append(3)
    form = auditor.get(EXPORT, {"event": VIEWED, "since": "2026-11-23T11:00"}).context["form"]
    assert form["event"].value() == VIEWED
    assert form["since"].value() == "2026-11-23T11:00"
    asked = {"actor": "", "request_id": "", "form": "jsonl", "until": "2026-11-23T13:00"}
    assert "reason" in auditor.post(EXPORT, asked).context["form"].errors
    page = auditor.post(EXPORT, asked | {"reason": "inquiry 7"})
    assert page.streaming
    assert page["Content-Disposition"].endswith('.jsonl"')
    assert "no-store" in page["Cache-Control"]
    rows = [json.loads(line) for line in page.getvalue().decode().splitlines()]
    assert [row["facts"] for row in rows][-3:] == [{"step": 0}, {"step": 1}, {"step": 2}]
    assert {row["at"] for row in rows} == {"2026-11-23T12:00:00+00:00"}
    record = AuditEvent.objects.get(event="portal.audit.exported")
    assert record.actor == "dov.ledger"
    assert record.facts["reason"] == "inquiry 7"
    assert record.facts["wanted"] == {"until": "2026-11-23T13:00:00+00:00"}
    table = auditor.post(EXPORT, asked | {"form": "csv", "reason": "x"}).getvalue().decode()
    assert table.startswith('"number","at","event"')


def test_an_export_wants_a_device_proven_lately(auditor):
    session = auditor.session
    session["proven_at"] = (timezone.now() - timedelta(minutes=6)).isoformat()
    session.save()
    for page in (auditor.get(EXPORT), auditor.post(EXPORT, {"form": "csv", "reason": "x"})):
        assert page.status_code == 302
        assert page.url.startswith("/login/confirm/")
    assert auditor.get(LIST).status_code == 200
    assert not AuditEvent.objects.filter(event="portal.audit.exported").exists()


# --- Looking at personal data -------------------------------------------------------------------------


def views():
    return AuditEvent.objects.filter(event=VIEWED).order_by("number")


def test_opening_a_person_is_recorded_before_the_page_is_shown(log_in):
    client = log_in("administrator")
    entity = person("owner").entity
    assert client.get(f"{PEOPLE}{entity.pk}/change/").status_code == 200
    row = views().get()
    assert (row.actor, row.subject) == ("edda.root", "")
    assert row.facts == {"what": "entity page", "key": str(entity.pk)}
    assert row.request_id
    assert row.address == "127.0.0.1"


def test_opening_a_user_is_recorded_with_him_as_its_subject(log_in):
    client = log_in("support")
    user = person("owner")
    assert client.get(f"{USERS}{user.pk}/change/").status_code == 200
    row = views().get()
    assert (row.actor, row.subject) == ("cleo.harbour", "robin.savings")
    assert row.facts == {"what": "user page", "key": str(user.pk)}


def test_a_list_of_persons_is_recorded_with_what_is_on_it_and_what_was_searched(log_in):
    client = log_in("administrator")
    assert client.get(PEOPLE, {"q": "Orrery"}).status_code == 200
    row = views().get()
    key = str(person("stranger").entity.pk)
    assert row.facts == {"what": "entity list", "keys": [key], "page": 1, "search": "Orrery"}
    client.get(PEOPLE, {"q": "078-05-1120"})
    assert views().last().facts["search"] == "•••-••-•120"
    client.get(USERS, {"is_staff__exact": "1"})
    assert views().last().facts["filters"] == {"is_staff__exact": "1"}
    client.get(USERS)
    assert "filters" not in views().last().facts
    assert len(views().last().facts["keys"]) == User.objects.count()


def test_opening_a_phone_is_recorded(log_in):
    from sls.models import Phone

    phone = Phone.objects.get()
    log_in("support").get(f"/admin/sls/phone/{phone.pk}/change/")
    assert views().get().facts == {"what": "phone page", "key": str(phone.pk)}


def test_what_is_not_shown_is_not_recorded_as_seen(log_in):
    client = log_in("administrator")
    client.get(f"{PEOPLE}00000000-0000-0000-0000-000000000007/change/")
    client.post(f"{PEOPLE}{person('owner').entity.pk}/change/", {"name": "x"})
    assert not views().exists()
    officer = log_in("officer")
    person("officer").groups.clear()
    assert officer.get(PEOPLE).status_code == 403
    assert not views().exists()


def test_a_look_that_cannot_be_recorded_shows_nothing(log_in, monkeypatch):
    client = log_in("administrator")
    client.raise_request_exception = False

    def broken(**row):
        raise OSError("the disk is full")

    monkeypatch.setattr("portal.audit.chain.record", broken)
    page = client.get(f"{PEOPLE}{person('owner').entity.pk}/change/")
    assert page.status_code == 500
    assert "Calder" not in page.content.decode()


def test_masked_values_stay_masked(log_in):
    client = log_in("administrator")
    entity = person("owner").entity
    html = client.get(f"{PEOPLE}{entity.pk}/change/").content.decode()
    for hidden in ("LX 204-7713", "LX2047713", entity.document_number_sealed):
        assert hidden not in html
    assert Entity.objects.count() > 3


def test_a_client_does_not_see_in_his_history_that_staff_looked(log_in):
    audit.viewed(subject=person("owner"), what="a page", by=by("officer"), at=NOW)
    from sls.activity.queries import history

    assert not [line for line in history(person("owner")) if line.by == "ada.quill"]


# --- Languages ----------------------------------------------------------------------------------------


def test_the_pages_speak_chinese(auditor):
    auditor.cookies["django_language"] = "zh-hans"
    append(1)
    for path in (LIST, f"{LIST}1/change/", EXPORT):
        html = auditor.get(path).content.decode()
        assert 'lang="zh-hans"' in html
        with translation.override("zh-hans"):
            assert translation.gettext("Audit events") != "Audit events"
