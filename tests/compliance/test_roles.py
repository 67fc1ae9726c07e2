"""The roles of staff: what `migrate` ships, and which page of the admin opens to whom."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.utils import timezone

from compliance import roles
from portal import audit
from portal.caller import Caller
from portal.models import AuditEvent, User
from sls.demo import cast
from sls.models import DeviceGrant, Phone
from tests.conftest import LogIn, person
from tests.sls.test_admin import borrow, device_of

pytestmark = pytest.mark.usefixtures("on_stage")
PLAYERS = {
    "Compliance officer": "officer",
    "Compliance lead": "second_officer",
    "Support": "support",
    "Auditor": "auditor",
    "Security": "officer_client",
}


def names(group: Group) -> set[str]:
    rows = group.permissions.select_related("content_type")
    return {f"{row.content_type.app_label}.{row.codename}" for row in rows}


def test_every_permission_of_the_table_exists():
    assert roles.unknown_permissions() == []


def test_migrate_ships_the_groups_with_their_permissions():
    found = {group.name: names(group) for group in Group.objects.filter(name__in=roles.ROLES)}
    assert found == {role: set(wanted) for role, wanted in roles.ROLES.items()}


def test_it_mends_what_is_missing_keeps_what_was_added_and_skips_what_it_does_not_know(
    monkeypatch,
):
    group = Group.objects.get(name="Support")
    added = Permission.objects.get(codename="view_outboxmessage")
    group.permissions.set([added])
    table = roles.ROLES | {"Support": roles.ROLES["Support"] | {"compliance.view_the_moon"}}
    monkeypatch.setattr(roles, "ROLES", table)
    for _ in range(2):
        roles.apply_after_migrate(apps.get_app_config("sls"))
    assert names(group) == {"portal.view_outboxmessage"} | (
        table["Support"] - {"compliance.view_the_moon"}
    )
    assert Group.objects.filter(name="Support").count() == 1
    assert roles.unknown_permissions() == ["compliance.view_the_moon"]


def test_the_auditor_only_reads():
    looks = ("view_", "export_")
    assert all(name.split(".")[1].startswith(looks) for name in roles.ROLES["Auditor"])


def test_no_role_both_asks_for_a_code_and_confirms_it():
    both = {"sls.request_temporary_code", "sls.confirm_temporary_code"}
    assert [role for role, wanted in roles.ROLES.items() if both <= wanted] == []


def test_no_role_edits_or_deletes_rows_by_hand():
    hands = ("change_", "delete_")
    assert [
        n for wanted in roles.ROLES.values() for n in wanted if n.split(".")[1].startswith(hands)
    ] == []


def test_the_cast_plays_the_shipped_roles():
    for user in cast.USERS:
        groups = set(person(user.plays).groups.values_list("name", flat=True))
        is_group = user.staff_group in roles.ROLES
        assert groups == ({user.staff_group} if is_group else set())
        assert user.is_staff == (is_group or user.staff_group == cast.ADMINISTRATOR)


# --- Which address opens to which role (abuse-cases.md F 136) ---------------------------------------------

LEAD, SUPPORT, AUDITOR, SECURITY = "Compliance lead", "Support", "Auditor", "Security"
OFFICER = "Compliance officer"
EVERYBODY = {OFFICER, LEAD, SUPPORT, AUDITOR, SECURITY}
OPENS = {
    "/admin/": EVERYBODY,
    "/admin/portal/auditevent/": {AUDITOR, SECURITY},
    "/admin/portal/outboxmessage/": {LEAD, SUPPORT, AUDITOR},
    "/admin/portal/heartbeat/": {SECURITY},
    "/admin/compliance/pendingshare/": {OFFICER, LEAD, AUDITOR},
    "/admin/compliance/dashboard/": {OFFICER, LEAD, AUDITOR},
    "/admin/sls/reviewpolicy/": {OFFICER, LEAD, AUDITOR},
    "/admin/sls/reviewpolicy/new/": {LEAD},
    "/admin/portal/entity/": {OFFICER, LEAD, AUDITOR},
    "/admin/portal/user/": EVERYBODY,
    "/admin/portal/user/{user}/lock/": {LEAD, SUPPORT, SECURITY},
    "/admin/portal/user/{user}/unlock/": {LEAD, SUPPORT, SECURITY},
    "/admin/portal/user/add/": set(),
    "/admin/portal/user/{user}/delete/": set(),
    "/admin/portal/auditevent/{event}/change/": {AUDITOR, SECURITY},
    "/admin/portal/entity/{entity}/change/": {OFFICER, LEAD, AUDITOR},
    "/admin/sls/sharerequest/": {OFFICER, LEAD, AUDITOR},
    "/admin/sls/sharerequest/?_popup=1": {OFFICER, LEAD, AUDITOR},
    "/admin/sls/sharerequest/{share}/change/": {OFFICER, LEAD, AUDITOR},
    "/admin/sls/securitydevice/": EVERYBODY,
    "/admin/sls/securitydevice/import/": {SECURITY},
    "/admin/sls/securitydevice/{device}/print/": {SECURITY},
    "/admin/sls/securitydevice/{device}/revoke/": {SECURITY},
    "/admin/sls/suspension/": EVERYBODY,
    "/admin/sls/suspension/device/{device}/reach/": EVERYBODY,
    "/admin/sls/suspension/device/{device}/suspend/": {LEAD, SUPPORT, SECURITY},
    "/admin/sls/suspension/device/{device}/resume/": {LEAD, SECURITY},
    "/admin/sls/devicegrant/{grant}/change/": EVERYBODY,
    "/admin/sls/temporarycoderequest/": {OFFICER, LEAD, SUPPORT, AUDITOR},
    "/admin/sls/temporarycoderequest/request/": {SUPPORT},
    "/admin/sls/phone/": EVERYBODY,
    "/admin/sls/phone/{phone}/freeze/": {SUPPORT, SECURITY},
    "/admin/sls/phone/{phone}/disable/": {SUPPORT, SECURITY},
    "/admin/sls/promptreport/": {SUPPORT, AUDITOR, SECURITY},
    "/admin/sls/callercheck/": EVERYBODY - {OFFICER},
    "/admin/sls/callercheck/ask/{user}/": {SUPPORT},
    "/admin/sls/clientrecord/": EVERYBODY,
    "/admin/sls/clientrecord/{user}/change/": EVERYBODY,
    "/admin/auth/group/": set(),
}
# Django's own ways to a row one may not see: never 200, whatever the role.
NEVER = [
    "/admin/portal/auditevent/{event}/history/",
    "/admin/portal/user/{user}/history/",
    "/admin/portal/entity/{entity}/history/",
    "/admin/sls/sharerequest/{share}/history/",
    "/admin/autocomplete/?app_label=sls&model_name=devicegrant&field_name=user&term=r",
    "/admin/autocomplete/?app_label=sls&model_name=sharerequest&field_name=owner&term=r",
    "/admin/autocomplete/?app_label=portal&model_name=user&field_name=entity&term=r",
    "/admin/autocomplete/?app_label=portal&model_name=auditevent&field_name=actor&term=a",
    "/admin/portal/entity/?_to_field=document_number_index",
    "/admin/sls/securitydevice/?_to_field=secret",
    "/admin/sls/sharerequest/?_to_field=owner_password_mark",
    "/admin/r/{user_type}/{user}/",
    "/admin/sls/sharerequest/{share}/delete/",
    "/admin/sls/callercheck/add/",
    "/admin/sls/suspension/add/",
    "/admin/sls/clientrecord/add/",
]


def in_role(log_in: LogIn, role: str) -> Client:
    client = log_in(PLAYERS[role])
    person(PLAYERS[role]).groups.set([Group.objects.get(name=role)])
    return client


def places() -> dict[str, object]:
    from django.contrib.contenttypes.models import ContentType

    return {
        "user": person("stranger").pk,
        "user_type": ContentType.objects.get_for_model(User).pk,
        "event": AuditEvent.objects.order_by("number").first().pk,
        "entity": person("stranger").entity_id,
        "share": borrow("stranger", "no_device", "pending").pk,
        "device": device_of("stranger").pk,
        "grant": DeviceGrant.objects.get(device=device_of("stranger"), share=None).pk,
        "phone": Phone.objects.get().pk,
    }


@pytest.mark.parametrize("role", PLAYERS)
def test_each_address_opens_to_the_roles_of_the_table_and_to_nobody_else(log_in: LogIn, role: str):
    client, where = in_role(log_in, role), places()
    wrong = {}
    for address, opens in OPENS.items():
        status = client.get(address.format(**where)).status_code
        if status != (200 if role in opens else 403):
            wrong[address] = status
    for address in NEVER:
        status = client.get(address.format(**where)).status_code
        if status not in (302, 400, 403, 404):
            wrong[address] = status
    assert wrong == {}


def test_support_sees_neither_audit_nor_shares_in_the_index(log_in: LogIn):
    html = in_role(log_in, SUPPORT).get("/admin/").content.decode()
    assert "/admin/sls/clientrecord/" in html
    for hidden in ("auditevent", "sharerequest", "entity", "pendingshare"):
        assert f"/{hidden}/" not in html


def test_an_auditor_is_offered_no_act(log_in: LogIn):
    client, where = in_role(log_in, AUDITOR), places()
    for address in ("sls/clientrecord/{user}/change", "sls/suspension/device/{device}/reach"):
        html = client.get(f"/admin/{address}/".format(**where)).content.decode()
        for act in ("/ask/", "/lock/", "/unlock/", "/request/", "/suspend/", "/revoke/"):
            assert act not in html


def test_a_right_that_is_withdrawn_while_the_page_is_open_refuses_the_next_click(log_in: LogIn):
    """abuse-cases.md F 133"""
    client = in_role(log_in, SUPPORT)
    address = f"/admin/sls/suspension/device/{device_of('stranger').pk}/suspend/"
    assert client.get(address).status_code == 200
    person("support").groups.clear()
    posted = client.post(address, {"reason": "lost", "may_strand": "on"})
    assert posted.status_code == 403
    assert device_of("stranger").state == "active"


def test_staff_without_a_role_see_nothing(log_in: LogIn):
    client, where = log_in("support"), places()
    person("support").groups.clear()
    for address, opens in OPENS.items():
        if opens and address != "/admin/":
            assert client.get(address.format(**where)).status_code == 403, address


@pytest.mark.parametrize("column", ["is_staff", "is_active"])
def test_a_member_of_staff_who_is_deactivated_is_refused_at_the_next_click(log_in: LogIn, column):
    client = in_role(log_in, SUPPORT)
    address = f"/admin/sls/callercheck/ask/{person('stranger').pk}/"
    assert client.get(address).status_code == 200
    User.objects.filter(pk=person("support").pk).update(**{column: False})
    assert client.get(address).status_code in (302, 403)


def test_not_even_an_administrator_changes_a_role_on_a_page(log_in: LogIn):
    """Else one of them gives Support the checker's right, or deletes the officers, and no trail tells."""
    administrator = log_in("administrator")
    role = Group.objects.get(name=SUPPORT)
    rights = set(role.permissions.values_list("pk", flat=True))
    where = f"/admin/auth/group/{role.pk}/"
    page = administrator.get(where + "change/").content.decode()
    assert all(str(right) in page for right in role.permissions.all())
    assert "/history/" not in page
    for path in (where + "change/", where + "delete/", "/admin/auth/group/add/"):
        assert administrator.post(path, {"name": "x", "post": "yes"}).status_code == 403
    assert set(role.permissions.values_list("pk", flat=True)) == rights


def test_who_looks_at_a_client_on_the_desk_is_on_record_and_an_officers_work_is_not_shown(
    log_in: LogIn,
):
    client = in_role(log_in, SUPPORT)
    officer = person(PLAYERS[OFFICER])
    audit.record(
        event="compliance.case.recommended",
        by=Caller(user=officer),
        subject=None,
        at=timezone.now(),
    )
    audit.record(
        event="compliance.case.decided",
        by=Caller(user=officer),
        subject=person("stranger"),
        at=timezone.now(),
    )
    page = client.get(f"/admin/sls/clientrecord/{officer.pk}/change/").content.decode()
    look = AuditEvent.objects.order_by("number").last()
    assert (look.event, look.subject) == ("portal.personal_data.viewed", officer.username)
    assert look.facts["what"] == "support desk page"
    assert "compliance.case" not in page
