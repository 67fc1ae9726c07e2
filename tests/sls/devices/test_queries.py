"""Reading devices and grants."""

import pytest

from sls.devices.queries import device_list, live_grants, usable_grants
from sls.models import DeviceGrant, DeviceState, SecurityDevice
from tests.conftest import NOW, person
from tests.sls.test_admin import borrow

pytestmark = pytest.mark.usefixtures("on_stage")
CARD, DSC = "SCC-10020042", "DSC-30010017"


def another_device(plays, serial, state="active"):
    device = SecurityDevice.objects.create(kind="dsc_plus", serial=serial, created_at=NOW)
    return DeviceGrant.objects.create(
        user=person(plays),
        device=device,
        state=state,
        confirmed=state == "active",
        granted_at=NOW,
        ended_at=NOW if state == "ended" else None,
    )


def serials(rows):
    return [row.mine.serial for row in rows]


def test_the_device_list_takes_one_query_whatever_the_number_of_devices_and_shares(
    django_assert_num_queries,
):
    owner = person("owner")
    for shares in (0, 1, 3):
        for borrower in ("requester", "no_device", "temporary_code")[:shares]:
            if not DeviceGrant.objects.filter(user=person(borrower), share__isnull=False).exists():
                borrow("owner", borrower)
        another_device("owner", f"DSC-9999999{shares}")
        with django_assert_num_queries(1):
            rows = device_list(owner, now=NOW)
            shown = [
                (r.name, r.serial_masked, r.state_label, r.owner_name, r.shared_with) for r in rows
            ]
        assert sorted(len(row[4]) for row in shown)[-1] == shares
    assert len(rows) == 4


def test_a_user_without_a_device_has_an_empty_list():
    assert device_list(person("no_device"), now=NOW) == []


def test_an_owner_sees_with_whom_he_shares_and_a_borrower_whose_device_it_is():
    borrow("owner", "requester")
    (row,) = device_list(person("owner"), now=NOW)
    assert (row.owner_name, row.shared_with) == ("", ["robin.calder"])
    borrowed = device_list(person("requester"), now=NOW)[0]
    assert (borrowed.owner_name, borrowed.mine.serial) == ("robin.savings", DSC)
    assert borrowed.shared_with == ["robin.savings"]


def test_a_pending_borrower_is_not_named():
    borrow("owner", "requester", state="pending")
    (row,) = device_list(person("owner"), now=NOW)
    assert row.shared_with == []


def test_active_devices_come_first_and_then_the_strongest():
    borrow("owner", "requester")
    rows = device_list(person("requester"), now=NOW)
    assert serials(rows) == [DSC, CARD]
    assert [row.state for row in rows] == ["active", "dormant"]


def test_ended_grants_and_other_peoples_devices_are_not_listed():
    another_device("owner", "DSC-99999990", state="ended")
    assert serials(device_list(person("owner"), now=NOW)) == [DSC]


def test_a_suspended_device_shows_its_own_state():
    SecurityDevice.objects.filter(serial=DSC).update(state=DeviceState.SUSPENDED)
    (row,) = device_list(person("owner"), now=NOW)
    assert (row.state, row.state_label) == ("suspended", "Suspended")


@pytest.mark.parametrize("state", [DeviceState.SUSPENDED, DeviceState.REVOKED])
def test_only_an_active_device_is_usable(state):
    assert usable_grants(person("owner"), now=NOW).count() == 1
    SecurityDevice.objects.filter(serial=DSC).update(state=state)
    assert not usable_grants(person("owner"), now=NOW).exists()


def test_a_sleeping_pending_or_ended_grant_is_not_usable():
    borrow("owner", "requester")
    borrow("owner", "no_device", state="pending")
    another_device("owner", "DSC-99999990", state="ended")
    assert [g.device.serial for g in usable_grants(person("requester"), now=NOW)] == [DSC]
    assert not usable_grants(person("no_device"), now=NOW).exists()
    assert [g.device.serial for g in usable_grants(person("owner"), now=NOW)] == [DSC]


def test_the_last_used_device_comes_first_and_a_new_one_last():
    newest = another_device("owner", "DSC-99999990")
    assert [g.device.serial for g in usable_grants(person("owner"), now=NOW)] == [
        DSC,
        "DSC-99999990",
    ]
    DeviceGrant.objects.filter(pk=newest.pk).update(last_used_at=NOW)
    assert [g.device.serial for g in usable_grants(person("owner"), now=NOW)] == [
        "DSC-99999990",
        DSC,
    ]


def test_live_grants_are_those_of_all_who_share_a_device_with_one_of_the_users():
    borrow("owner", "requester")
    found = {
        (g.user.username, g.device.serial) for g in live_grants([person("requester")], now=NOW)
    }
    assert found == {("robin.calder", CARD), ("robin.calder", DSC), ("robin.savings", DSC)}
