"""What staff see of devices and shares, and what they do with devices."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from portal.models import AuditEvent, OutboxMessage, User
from sls import codecard, oath
from sls.catalog import DSC_PLUS_SUITE
from sls.devices import challenges, making, operations
from sls.devices.forms import COLUMNS, MOST_BYTES, MOST_ROWS
from sls.models import Challenge, DeviceGrant, GrantState, SecurityDevice, ShareRequest, ShareState
from tests.conftest import DEVICES, NOW, PLAYS, by, person

DEVICE_LIST = "/admin/sls/securitydevice/"
IMPORT = DEVICE_LIST + "import/"
KEY = "0123456789abcdef" * 4
CARD = "SCC-10020042"
LOST = {"reason": "lost", "may_strand": "on"}


def row(kind="dsc_plus", serial="DSC-90000001", secret=KEY, pin="0042", username=""):
    return [kind, serial, secret, pin, username]


def csv_of(*rows, header=COLUMNS):
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode()


def upload(client, content, **extra):
    file = SimpleUploadedFile("devices.csv", content, content_type="text/csv")
    return client.post(IMPORT, {"file": file, **extra})


def problems_of(page):
    return list(page.context["form"].errors["file"])


def stock():
    return SecurityDevice.objects.filter(serial__startswith="DSC-9")


def device_of(plays):
    return SecurityDevice.objects.get(serial=DEVICES[PLAYS[plays].username].serial)


def allow(plays, *codenames):
    permissions = Permission.objects.filter(codename__in=codenames)
    assert len(permissions) == len(codenames)
    person(plays).user_permissions.set(permissions)


def borrow(lender, borrower, state=ShareState.ENFORCED):
    """A share as the wizard leaves it; the borrower's own devices sleep."""
    device = device_of(lender)
    challenge = Challenge.objects.create(
        user=person(borrower),
        device=device,
        purpose="share",
        session="s" * 64,
        question="123456",
        issued_at=NOW,
        expires_at=NOW,
    )
    in_force = state == ShareState.ENFORCED
    share = ShareRequest.objects.create(
        requester=person(borrower),
        owner=person(lender),
        device=device,
        challenge=challenge,
        owner_password_mark="the mark of a password",
        state=state,
        created_at=NOW,
        expires_at=NOW,
        proven_at=NOW,
        submitted_at=NOW,
        approved_at=NOW if in_force else None,
        enforced_at=NOW if in_force else None,
    )
    if in_force:
        own = DeviceGrant.objects.filter(user=person(borrower), state="active")
        own.update(state="dormant", confirmed=False)
    DeviceGrant.objects.create(
        user=person(borrower),
        device=device,
        share=share,
        state="active" if in_force else "pending",
        confirmed=in_force,
        granted_at=NOW,
    )
    return share


@pytest.fixture
def root(log_in) -> Client:
    return log_in("administrator")


@pytest.fixture
def officer(log_in) -> Client:
    """An officer who may do nothing but what a test allows him."""
    client = log_in("officer")
    person("officer").groups.clear()
    return client


# --- Lists ------------------------------------------------------------------------------------------


def test_the_device_list_shows_owner_and_sharers_and_never_a_secret_or_a_whole_serial(root):
    borrow("owner", "requester")
    html = root.get(DEVICE_LIST).content.decode()
    line = next(tr for tr in html.split("<tr>") if "robin.savings" in tr)
    assert "•••0017" in line
    assert '<td class="field-sharers">1</td>' in line
    assert "in stock" not in html
    for device in SecurityDevice.objects.all():
        assert device.serial not in html
        assert device.secret not in html


def test_a_pending_borrower_is_not_counted_as_a_sharer(root):
    borrow("owner", "requester", state=ShareState.PENDING)
    html = root.get(DEVICE_LIST).content.decode()
    assert '<td class="field-sharers">1</td>' not in html


def test_a_device_without_an_owner_is_in_stock(root):
    assert upload(root, csv_of(row())).status_code == 302
    assert "in stock" in root.get(DEVICE_LIST).content.decode()


def test_the_device_list_is_searched_by_a_whole_serial_number(root):
    assert "•••0042" in root.get(DEVICE_LIST, {"q": CARD}).content.decode()
    assert "•••0042" not in root.get(DEVICE_LIST, {"q": CARD[:-1]}).content.decode()


def test_the_share_list_shows_the_words_of_its_reasons_and_is_filtered_by_state(root):
    share = borrow("owner", "requester", state=ShareState.PENDING)
    share.reasons = ["other_entity", "less_secure_device", "of_an_older_release"]
    share.save()
    page = root.get("/admin/sls/sharerequest/", {"state": "pending"})
    html = page.content.decode()
    assert "The usernames belong to different entities, Less secure device, of_an_older" in html
    page = root.get("/admin/sls/sharerequest/", {"state": "enforced"})
    assert "Less secure device" not in page.content.decode()


@pytest.mark.parametrize("model", ["securitydevice", "devicegrant", "sharerequest"])
def test_a_detail_page_shows_no_secret_and_offers_no_change(root, model):
    share = borrow("owner", "requester")
    pk = {"securitydevice": share.device_id, "devicegrant": share.grant.pk}.get(model, share.pk)
    url = f"/admin/sls/{model}/{pk}/change/"
    html = root.get(url).content.decode()
    assert "•••0017" in html
    assert 'name="_save"' not in html
    for secret in (share.device.secret, share.device.serial, share.owner_password_mark):
        assert secret not in html
    assert root.post(url, {"state": "revoked"}).status_code == 403


@pytest.mark.parametrize("model", ["securitydevice", "devicegrant", "sharerequest"])
def test_rows_are_neither_added_nor_deleted_by_hand(root, model):
    share = borrow("owner", "requester")
    pk = {"securitydevice": share.device_id, "devicegrant": share.grant.pk}.get(model, share.pk)
    assert root.post(f"/admin/sls/{model}/add/", {}).status_code == 403
    assert root.post(f"/admin/sls/{model}/{pk}/delete/", {"post": "yes"}).status_code == 403
    bulk = {"action": "delete_selected", "_selected_action": str(pk), "post": "yes"}
    root.post(f"/admin/sls/{model}/", bulk)
    assert ShareRequest.objects.filter(pk=share.pk).exists()
    assert DeviceGrant.objects.filter(share=share).exists()


@pytest.mark.parametrize("model", ["securitydevice", "devicegrant", "sharerequest"])
def test_a_list_takes_the_same_number_of_queries_whatever_its_length(root, model):
    def queries():
        with CaptureQueriesContext(connection) as caught:
            assert root.get(f"/admin/sls/{model}/").status_code == 200
        return len(caught)

    borrow("owner", "requester")
    queries()  # whatever is cached is cached now
    before = queries()
    borrow("stranger", "no_device")
    borrow("other_entity", "outdated_document")
    assert upload(root, csv_of(*(row(serial=f"DSC-9{n:07}") for n in range(30)))).status_code == 302
    assert queries() == before


@pytest.mark.parametrize("model", ["securitydevice", "devicegrant", "sharerequest"])
def test_staff_without_the_permission_see_no_list(officer, model):
    assert officer.get(f"/admin/sls/{model}/").status_code == 403
    allow("officer", f"view_{model}")
    assert officer.get(f"/admin/sls/{model}/").status_code == 200


# --- Permissions ------------------------------------------------------------------------------------


def pages():
    card = device_of("requester").pk
    return {
        "import": IMPORT,
        "print": f"{DEVICE_LIST}{card}/print/",
        "revoke": f"{DEVICE_LIST}{card}/revoke/",
    }


NEEDED = {
    "import": ["add_securitydevice"],
    "print": ["view_securitydevice", "print_code_card"],
    "revoke": ["revoke_device"],
}
EVERY_OTHER = {
    "import": ["view_securitydevice", "change_securitydevice", "print_code_card", "revoke_device"],
    "print": ["view_securitydevice", "add_securitydevice", "revoke_device"],
    "revoke": ["view_securitydevice", "add_securitydevice", "print_code_card"],
}


@pytest.mark.parametrize("name", NEEDED)
def test_a_page_asks_for_its_own_permissions_and_no_other_opens_it(officer, name):
    url = pages()[name]
    allow("officer", *EVERY_OTHER[name])
    before = AuditEvent.objects.count()
    assert officer.get(url).status_code == 403
    assert officer.post(url, {"reason": "crafted"}).status_code == 403
    assert device_of("requester").state == "active"
    assert AuditEvent.objects.count() == before
    allow("officer", *NEEDED[name])
    assert officer.get(url).status_code == 200


def test_buttons_are_shown_to_whom_they_work_for(officer, root):
    url = f"{DEVICE_LIST}{device_of('requester').pk}/change/"
    links = ("/print/", "/revoke/")
    allow("officer", "view_securitydevice")
    assert not any(link in officer.get(url).content.decode() for link in links)
    assert "/import/" not in officer.get(DEVICE_LIST).content.decode()
    assert all(link in root.get(url).content.decode() for link in links)
    assert "/import/" in root.get(DEVICE_LIST).content.decode()


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("visitor", ["nobody", "client", "password_only"])
def test_without_a_staff_session_and_its_device_the_pages_lead_to_the_login(
    log_in, visitor, name, on_stage
):
    client = Client()
    if visitor == "client":
        client = log_in("owner")
    if visitor == "password_only":
        client.force_login(person("administrator"))
    url = pages()[name]
    for answer in (client.get(url), client.post(url, {"reason": "crafted"})):
        assert answer.status_code == 302
        assert answer.url.startswith("/admin/login/")
    assert device_of("requester").state == "active"


@pytest.mark.parametrize("name", NEEDED)
def test_a_post_without_the_csrf_token_changes_nothing(root, name):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = root.cookies
    answer = strict.post(pages()[name], {"reason": "crafted"})
    assert answer.status_code == 403
    assert device_of("requester").state == "active"
    assert not AuditEvent.objects.filter(event="sls.card.printed").exists()


@pytest.mark.parametrize("name", NEEDED)
def test_get_changes_nothing_and_other_methods_are_refused(root, name):
    before = AuditEvent.objects.count()
    page = root.get(pages()[name], {"reason": "in the query"})
    assert page.status_code == 200
    assert AuditEvent.objects.count() == before
    assert device_of("requester").state == "active"
    assert root.put(pages()[name]).status_code == 405


# --- Import -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with BOM"])
@pytest.mark.parametrize("ends", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
def test_an_import_takes_devices_into_stock_and_hands_over_those_with_a_username(root, mark, ends):
    content = csv_of(
        row(username=" Robin.New "),
        row(serial="dsc-90000002", secret=KEY.upper(), pin="1234"),
        row("code_card", "SCC-90000003", "", ""),
    )
    before = AuditEvent.objects.count()
    page = upload(root, mark + content.replace(b"\r\n", ends))
    assert (page.status_code, page.headers["Location"]) == (302, DEVICE_LIST)

    grant = DeviceGrant.objects.get(device__serial="DSC-90000001")
    assert (grant.user, grant.state, grant.confirmed) == (person("no_device"), "active", True)
    assert not DeviceGrant.objects.filter(device__serial="DSC-90000002").exists()
    first, second = stock().order_by("serial")
    for device, pin in ((first, "0042"), (second, "1234")):
        expected = oath.ocra(DSC_PLUS_SUITE, bytes.fromhex(KEY), "123456", pin=pin)
        assert challenges.expected_response(device, "123456") == expected
    handed_over, written = AuditEvent.objects.filter(number__gt=before)
    assert (handed_over.event, handed_over.subject) == ("sls.grant.started", "robin.new")
    assert OutboxMessage.objects.get(event="device_handed_over").user == person("no_device")
    assert (written.event, written.actor) == ("sls.device.provisioned", "edda.root")
    assert written.facts == {
        "serials": ["•••0001", "•••0002", "•••0003"],
        "handed_over": [["•••0001", "robin.new"]],
    }


def test_a_card_gets_new_random_cells_or_those_of_the_file(root):
    given = "".join(codecard.new_cells())
    cards = [
        row("code_card", "SCC-90000001", "", ""),
        row("code_card", "SCC-90000002", "", ""),
        row("code_card", "SCC-90000003", given.lower(), ""),
    ]
    assert upload(root, csv_of(*cards)).status_code == 302
    first, second, third = (
        challenges.cells_of(SecurityDevice.objects.get(serial=card[1])) for card in cards
    )
    assert len(first) == len(second) == codecard.CELL_COUNT
    assert first != second
    assert "".join(third) == given


def test_an_imported_secret_is_sealed_and_stands_in_no_page_or_message(root):
    page = upload(root, csv_of(row(), row(serial="=1+1")))
    assert KEY not in page.content.decode()
    assert upload(root, csv_of(row())).status_code == 302
    assert KEY not in stock().get().secret
    assert KEY not in str(list(AuditEvent.objects.values_list("facts", flat=True)))


BAD_ROWS = {
    "unknown kind": (row("ib_key"), "the kind must be dsc_plus or code_card"),
    "kind in capitals": (row("DSC_PLUS"), "the kind must be"),
    "short key": (row(secret="ab" * 19), "20 to 64 bytes in hex"),
    "long key": (row(secret="ab" * 65), "20 to 64 bytes in hex"),
    "odd key": (row(secret="ab" * 20 + "a"), "20 to 64 bytes in hex"),
    "key not hex": (row(secret="xy" * 20), "20 to 64 bytes in hex"),
    "key missing": (row(secret=""), "20 to 64 bytes in hex"),
    "three digits": (row(pin="042"), "PIN of a DSC+ must be 4 digits"),
    "five digits": (row(pin="00042"), "PIN of a DSC+ must be 4 digits"),
    "other digits": (row(pin="٠٠٤٢"), "PIN of a DSC+ must be 4 digits"),
    "PIN missing": (row(pin=""), "PIN of a DSC+ must be 4 digits"),
    "card with PIN": (row("code_card", secret="", pin="1234"), "a card has no PIN"),
    "card with few cells": (row("code_card", secret="A3D" * 223, pin=""), "its 224 values"),
    "card with zero": (row("code_card", secret="A30" * 224, pin=""), "its 224 values"),
    "serial missing": (row(serial=""), "serial number must be"),
    "serial short": (row(serial="DSC-900"), "serial number must be"),
    "serial long": (row(serial="D" * 33), "serial number must be"),
    "formula": (row(serial="=HYPERLINK(1)"), "serial number must be"),
    "formula with plus": (row(serial="+12345678"), "serial number must be"),
    "formula with minus": (row(serial="-12345678"), "serial number must be"),
    "formula with at": (row(serial="@SUM(A1:A9)"), "serial number must be"),
    "markup": (row(serial="<script>alert(1)"), "serial number must be"),
    "known serial": (row(serial="DSC-30010017"), "exists already"),
    "known serial in small letters": (row(serial="dsc-30010017"), "exists already"),
    "unknown user": (row(username="nobody.here"), "unknown or deactivated"),
    "formula as user": (row(username="=robin.new"), "unknown or deactivated"),
    "four cells": (row()[:4], "must have five cells"),
    "six cells": ([*row(), ""], "must have five cells"),
}


@pytest.mark.parametrize(("bad", "words"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_one_bad_row_is_named_by_its_line_and_nothing_is_imported(root, bad, words):
    before = SecurityDevice.objects.count(), AuditEvent.objects.count()
    page = upload(root, csv_of(row(serial="DSC-90000009"), bad))
    assert page.status_code == 200
    (problem,) = problems_of(page)
    assert problem.startswith("Line 3: ")
    assert words in problem
    assert "<script>alert" not in page.content.decode()
    assert (SecurityDevice.objects.count(), AuditEvent.objects.count()) == before


def test_every_problem_is_listed_in_the_order_of_the_lines(root):
    content = csv_of(
        row(pin="1"), row(serial="DSC-90000002"), row(kind="x"), row(secret="", username="nobody")
    )
    assert [problem.partition(":")[0] for problem in problems_of(upload(root, content))] == [
        "Line 2",
        "Line 4",
        "Line 4",
        "Line 5",
        "Line 5",
        "Line 5",
    ]


def test_a_serial_number_twice_in_the_file_is_refused_whatever_its_case(root):
    page = upload(root, csv_of(row(), [], row(serial="dsc-90000001")))
    assert problems_of(page) == ["Line 4: the serial number stands in line 2 already."]


def test_a_deactivated_username_gets_no_device(root):
    User.objects.filter(pk=person("no_device").pk).update(is_active=False)
    page = upload(root, csv_of(row(username="robin.new")))
    assert problems_of(page) == ["Line 2: the username is unknown or deactivated."]


BAD_FILES = {
    "no header": (csv_of(header=row()), "the header must be kind,serial,secret,pin,username"),
    "another order": (csv_of(row(), header=COLUMNS[::-1]), "the header must be"),
    "a column more": (csv_of(row(), header=[*COLUMNS, "note"]), "the header must be"),
    "semicolons": (csv_of(row()).replace(b",", b";"), "the header must be"),
    "no rows": (csv_of(), "The file has no rows"),
    "only blank lines": (csv_of() + b"\r\n\r\n", "The file has no rows"),
    "not UTF-8": (csv_of(row()) + "é".encode("latin-1"), "Line 3: this is not UTF-8"),
    "UTF-16": (csv_of(row()).decode().encode("utf-16"), "Line 1: this is not UTF-8"),
    "an open quote": (csv_of(row()) + b'dsc_plus,"DSC', "this is not CSV"),
    "text behind a quote": (csv_of() + b'dsc_plus,"DSC"x,,,\n', "Line 2: this is not CSV"),
}


@pytest.mark.parametrize(("content", "words"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_is_no_import_is_refused_as_a_whole(root, content, words):
    (problem,) = problems_of(upload(root, content))
    assert words in problem
    assert not stock().exists()


def test_without_a_file_the_field_is_required(root):
    assert problems_of(root.post(IMPORT, {})) == ["This field is required."]
    assert problems_of(upload(root, b"")) == ["The submitted file is empty."]


def test_a_file_may_have_one_megabyte_and_not_a_byte_more(root):
    content = csv_of(row())
    page = upload(root, content + b"\n" * (MOST_BYTES + 1 - len(content)))
    assert problems_of(page) == ["The file is larger than 1 MB."]
    assert upload(root, content + b"\n" * (MOST_BYTES - len(content))).status_code == 302


def test_a_file_may_have_five_thousand_rows_and_not_one_more(root):
    rows = [row(serial=f"DSC-9{n:07}") for n in range(MOST_ROWS + 1)]
    content = csv_of(*rows)
    assert len(content) < MOST_BYTES
    assert problems_of(upload(root, content)) == [f"The file has more than {MOST_ROWS} rows."]
    assert upload(root, csv_of(*rows[1:])).status_code == 302
    assert stock().count() == MOST_ROWS


def test_a_serial_number_that_was_imported_meanwhile_is_refused_with_a_code(root, monkeypatch):
    assert upload(root, csv_of(row())).status_code == 302
    monkeypatch.setattr("sls.devices.queries.known_serials", lambda serials: set())
    page = upload(root, csv_of(row(serial="DSC-90000002"), row()))
    assert page.status_code == 409
    assert 'role="alert" data-code="serial_taken"' in page.content.decode()
    assert stock().count() == 1
    assert AuditEvent.objects.last().facts == {"refused": "serial_taken"}


def test_a_failing_audit_insert_leaves_no_device_behind(on_stage, monkeypatch):
    device = making.new_dsc_plus(serial="DSC-90000001", key=b"k" * 20, pin="1", now=NOW)
    monkeypatch.setattr("portal.audit.record", lambda **row: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        operations.provision(
            [device], owners={device.serial: "robin.new"}, by=by("administrator"), now=NOW
        )
    assert not stock().exists()
    assert not DeviceGrant.objects.filter(user=person("no_device")).exists()


def test_nobody_imports_a_device_for_his_own_person(log_in):
    client = log_in("officer_client")
    allow("officer_client", "add_securitydevice")
    page = upload(client, csv_of(row(username="robin.trust")))
    assert page.status_code == 409
    assert 'data-code="own_person"' in page.content.decode()
    assert not stock().exists()
    assert upload(client, csv_of(row(username="mei.lantern"))).status_code == 302


# --- Print ------------------------------------------------------------------------------------------


def print_url(plays="requester"):
    return f"{DEVICE_LIST}{device_of(plays).pk}/print/"


def test_a_new_card_is_printed_with_all_its_cells_and_every_look_is_on_record(root):
    cells = DEVICES[PLAYS["requester"].username].cells
    shown_first = root.get(print_url()).content.decode()
    assert not any(f"<code>{cell}</code>" in shown_first for cell in cells.values())
    for look in (1, 2):
        html = "".join(
            line.strip() for line in root.post(print_url()).content.decode().splitlines()
        )
        for index, cell in cells.items():
            assert f'<th scope="row">{index}</th><td><code>{cell}</code>' in html
        looks = AuditEvent.objects.filter(event="sls.card.printed", actor="edda.root")
        assert [event.facts for event in looks] == [{"device": "•••0042"}] * look
    assert html.count('<th scope="row">') == 224


def test_a_card_that_has_answered_is_not_printed(root, log_in):
    log_in("requester")
    page = root.post(print_url())
    assert page.status_code == 409
    html = page.content.decode()
    assert 'role="alert" data-code="card_in_use"' in html
    assert "<code>card_in_use</code>" in html
    assert html.count("<code>") == 1
    written = AuditEvent.objects.last()
    assert (written.event, written.facts["refused"]) == ("sls.card.printed", "card_in_use")


def test_an_open_question_does_not_keep_a_card_from_being_printed(root):
    challenges.issue(
        user=person("requester"),
        device=device_of("requester"),
        purpose="login",
        session="s" * 64,
        now=NOW,
    )
    assert root.post(print_url()).status_code == 200


def test_neither_another_device_nor_a_revoked_card_is_printed(root):
    page = root.post(print_url("owner"))
    assert 'data-code="not_printable"' in page.content.decode()
    SecurityDevice.objects.filter(serial=CARD).update(state="revoked")
    page = root.post(print_url())
    assert 'data-code="not_printable"' in page.content.decode()


def test_nobody_prints_the_card_of_his_own_person(log_in):
    client = log_in("officer_client")
    allow("officer_client", *NEEDED["print"])
    page = client.post(print_url())
    assert page.status_code == 409
    assert 'data-code="own_person"' in page.content.decode()
    assert page.content.decode().count("<code>") == 1  # the refusal's code, and no cell


def test_a_device_that_does_not_exist_is_not_found(root):
    nowhere = "00000000-0000-4000-8000-000000000000"
    assert root.post(f"{DEVICE_LIST}{nowhere}/print/").status_code == 404
    assert root.post(f"{DEVICE_LIST}{nowhere}/revoke/", {"reason": "lost"}).status_code == 404


# --- Revoke -----------------------------------------------------------------------------------------


def revoke_url(plays="owner"):
    return f"{DEVICE_LIST}{device_of(plays).pk}/revoke/"


def test_the_confirmation_names_everybody_affected_and_what_each_has_left(root):
    borrow("owner", "requester")
    borrow("owner", "no_device")
    affected = root.get(revoke_url()).context["affected"]
    assert [(row.username, row.is_owner, [d.serial for d in row.left]) for row in affected] == [
        ("robin.savings", True, []),
        ("robin.calder", False, [CARD]),
        ("robin.new", False, []),
    ]
    html = root.get(revoke_url()).content.decode()
    assert html.count("this username can no longer log in") == 2


def test_a_device_that_is_itself_revoked_or_only_requested_is_not_left(root):
    borrow("owner", "requester")
    SecurityDevice.objects.filter(serial=CARD).update(state="revoked")
    borrow("other_entity", "owner", state=ShareState.PENDING)
    assert [row.left for row in root.get(revoke_url()).context["affected"]] == [[], []]


def test_the_confirmation_takes_the_same_number_of_queries_whatever_the_number_of_users(root):
    def queries():
        with CaptureQueriesContext(connection) as caught:
            assert root.get(revoke_url()).status_code == 200
        return len(caught)

    queries()
    before = queries()
    for borrower in ("requester", "no_device", "temporary_code"):
        borrow("owner", borrower)
    assert queries() == before


def test_the_last_way_in_is_revoked_only_by_somebody_who_says_that_he_means_it(root):
    borrow("owner", "requester")  # whose own card sleeps, and wakes
    html = root.get(revoke_url()).content.decode()
    assert "No way in would remain for robin.savings." in html
    assert "No way in would remain for robin.calder." not in html
    assert "/temporarycoderequest/request/?username=robin.savings" in html
    page = root.post(revoke_url(), {"reason": "lost"})
    assert page.status_code == 409
    assert 'data-code="would_strand_users"' in page.content.decode()
    row = AuditEvent.objects.last()
    assert (row.facts["refused"], row.facts["users"]) == ("would_strand_users", ["robin.savings"])
    assert device_of("owner").state == "active"
    assert set(device_of("owner").grants.values_list("state", flat=True)) == {"active"}


def test_nobody_is_asked_when_everybody_has_something_left(root):
    held = SecurityDevice.objects.get(serial="TMP-50010009")
    url = f"{DEVICE_LIST}{held.pk}/revoke/"
    assert 'name="may_strand"' not in root.get(url).content.decode()
    assert root.post(url, {"reason": "over"}).status_code == 302


def test_revoking_ends_the_device_for_all_and_brings_back_what_slept_for_it(root):
    share = borrow("owner", "requester")
    page = root.post(revoke_url(), LOST | {"reason": " stolen in the train "})
    assert (page.status_code, page.headers["Location"]) == (302, DEVICE_LIST)

    assert device_of("owner").state == "revoked"
    assert set(share.device.grants.values_list("state", "confirmed")) == {("ended", False)}
    assert ShareRequest.objects.get(pk=share.pk).state == ShareState.CANCELLED
    own = DeviceGrant.objects.get(device__serial=CARD)
    assert (own.state, own.confirmed) == (GrantState.ACTIVE, True)
    rows = AuditEvent.objects.filter(event="sls.device.revoked", actor="edda.root")
    assert [row.subject for row in rows.order_by("number")] == ["", "robin.calder", "robin.savings"]
    assert rows.order_by("number")[0].facts == {
        "device": "•••0017",
        "users": ["robin.calder", "robin.savings"],
        "stranded": ["robin.savings"],
        "reason": "stolen in the train",
    }


def test_a_sleeping_device_that_was_revoked_itself_does_not_come_back(root):
    borrow("owner", "requester")
    SecurityDevice.objects.filter(serial=CARD).update(state="revoked")
    root.post(revoke_url(), LOST)
    assert DeviceGrant.objects.get(device__serial=CARD).state == GrantState.DORMANT


def test_sessions_opened_with_a_revoked_device_are_no_longer_proven(root, log_in):
    client = log_in("owner")
    assert client.get("/settings/user/secure-login/").status_code == 200
    root.post(revoke_url(), LOST)
    assert not client.get("/settings/").wsgi_request.user.is_verified()


@pytest.mark.parametrize("reason", [None, "", " \t\n ", "x" * 501])
def test_a_reason_is_compulsory(root, reason):
    page = root.post(revoke_url(), {} if reason is None else {"reason": reason})
    assert page.status_code == 200
    assert page.context["form"].errors["reason"]
    assert device_of("owner").state == "active"


def test_revoking_twice_is_told_and_recorded_once(root):
    root.post(revoke_url(), LOST)
    assert "is revoked already" in root.get(revoke_url()).content.decode()
    page = root.post(revoke_url(), LOST | {"reason": "lost again"}, follow=True)
    assert "It was revoked already." in page.content.decode()
    assert AuditEvent.objects.filter(event="sls.device.revoked", subject="").count() == 1


@pytest.mark.parametrize("plays", ["officer_client", "owner", "other_entity"])
def test_nobody_revokes_a_device_of_his_own_person(log_in, plays):
    client = log_in("officer_client")
    allow("officer_client", "revoke_device")
    page = client.post(revoke_url(plays), {"reason": "mine, under another name"})
    assert page.status_code == 409
    assert 'role="alert" data-code="own_person"' in page.content.decode()
    assert device_of(plays).state == "active"
    assert AuditEvent.objects.last().facts["refused"] == "own_person"


def test_nobody_revokes_a_device_that_his_own_person_borrows(log_in):
    borrow("stranger", "no_device")
    client = log_in("officer_client")
    allow("officer_client", "revoke_device")
    page = client.post(revoke_url("stranger"), {"reason": "mine as well"})
    assert 'data-code="own_person"' in page.content.decode()
    assert device_of("stranger").state == "active"


@pytest.mark.parametrize("plays", ["administrator", "lead", "support"])
def test_a_device_of_staff_is_taken_away_shown_and_given_by_an_administrator(log_in, root, plays):
    """Else Security gives himself an administrator's second factor, or shuts the house out."""
    client = log_in("officer")
    allow("officer", "revoke_device", "add_securitydevice", "view_securitydevice")
    page = client.post(revoke_url(plays), LOST)
    assert 'data-code="staff_username"' in page.content.decode()
    assert device_of(plays).state == "active"
    given = csv_of(row(username=PLAYS[plays].username))
    assert 'data-code="staff_username"' in upload(client, given).content.decode()
    assert not stock().exists()
    assert upload(root, csv_of(row(username=PLAYS["lead"].username))).status_code == 302


@pytest.mark.parametrize("act", ["import/", "{device}/print/"])
def test_devices_are_imported_and_shown_after_a_fresh_proof_only(root, settings, act):
    settings.PROOF_STAYS_FRESH = timedelta(0)
    where = DEVICE_LIST + act.format(device=SecurityDevice.objects.get(serial=CARD).pk)
    for answer in (root.get(where), root.post(where)):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/login/confirm/")


def test_who_owns_a_card_reads_in_his_history_that_it_was_shown(root):
    card = SecurityDevice.objects.get(serial=CARD)
    assert root.post(f"{DEVICE_LIST}{card.pk}/print/").status_code == 200
    written = AuditEvent.objects.get(event="sls.card.printed")
    assert written.subject == card.grants.get().user.username


def test_the_device_of_somebody_else_may_be_revoked_by_the_same_member_of_staff(log_in):
    client = log_in("officer_client")
    allow("officer_client", "revoke_device")
    assert client.post(revoke_url("stranger"), LOST).status_code == 302
    assert device_of("stranger").state == "revoked"


# --- Lists are no oracles ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lookup",
    [
        "portal/user/?password__startswith=argon2",
        "portal/user/?entity__document_number_index__startswith=a",
        "portal/user/?is_staff__in=1",
        "portal/entity/?ssn_index__startswith=a",
        "portal/entity/?date_of_birth__gte=1979-03-04",
        "portal/outboxmessage/?context__contains=2",
        "portal/outboxmessage/?state__regex=s",
        "sls/securitydevice/?secret__startswith=v",
        "sls/sharerequest/?owner_password_mark__startswith=a",
        "sls/sharerequest/?requester__password__startswith=a",
        "portal/user/?is_staff__exact=%00",
        "portal/user/?q=%00",
    ],
)
def test_a_list_is_narrowed_by_nothing_that_it_does_not_offer(root: Client, lookup: str):
    assert root.get(f"/admin/{lookup}").status_code == 400


@pytest.mark.parametrize(
    "offered",
    [
        "portal/user/?is_staff__exact=1&locked_at__isnull=False",
        "portal/outboxmessage/?state__exact=failed&created_at__gte=2026-01-01T00:00:00Z",
        "sls/sharerequest/?submitted_at__gte=2026-01-01T00:00:00Z&reviewers__exact=0",
        "sls/securitydevice/?kind__exact=dsc_plus&state__exact=active",
        "sls/suspension/?resumed_at__isempty=1",
    ],
)
def test_what_it_offers_and_what_the_dashboard_links_to_narrows_it(root: Client, offered: str):
    assert root.get(f"/admin/{offered}").status_code == 200
