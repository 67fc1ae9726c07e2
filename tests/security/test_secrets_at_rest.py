"""Sealed secrets in the database: moved, damaged, rotated (abuse-cases.md H 160 and 161)."""

import secrets

import pytest
from django.core.management import call_command
from django.test import Client

from portal.models import Entity
from portal.vault import VaultError
from sls.devices import challenges
from sls.models import DeviceGrant, SecurityDevice
from tests.conftest import PLAYS, password, person, press, question_on

pytestmark = pytest.mark.usefixtures("on_stage")


def device_of(plays: str) -> SecurityDevice:
    return DeviceGrant.objects.get(user=person(plays)).device


def log_in_as(plays: str, answers_with: str) -> Client:
    client = Client(raise_request_exception=False)
    form = {"username": PLAYS[plays].username, "password": password(plays)}
    page = client.post("/login/", form, follow=True)
    response = press(answers_with, question_on(page.content.decode()))
    client.post("/login/challenge/", {"response": response})
    return client


def test_sealed_values_swapped_between_rows_open_nothing():
    mine, theirs = device_of("stranger"), device_of("owner")
    mine.secret, theirs.secret = theirs.secret, mine.secret
    mine.save()
    theirs.save()
    with pytest.raises(VaultError):
        challenges.expected_response(theirs, "123456")
    for holder in ("owner", "stranger"):
        assert log_in_as("owner", holder).get("/").status_code == 302


def test_a_flipped_bit_opens_nothing():
    device = device_of("owner")
    middle = len(device.secret) // 2
    other = "A" if device.secret[middle] != "A" else "B"
    device.secret = device.secret[:middle] + other + device.secret[middle + 1 :]
    device.save()
    with pytest.raises(VaultError):
        challenges.expected_response(device, "123456")
    assert log_in_as("owner", "owner").get("/").status_code == 302


def test_keys_rotate_from_old_to_new_and_the_old_one_goes(settings):
    old, new = settings.VAULT_KEYS, f"n2:{secrets.token_hex(32)}"
    before = {e.pk: e.identification() for e in Entity.objects.all()}
    same = {(a, b) for a in before for b in before if before[a] == before[b]}

    settings.VAULT_KEYS = f"{new},{old}"
    assert log_in_as("owner", "owner").get("/").status_code == 200
    call_command("rotate_secrets", verbosity=0)
    settings.VAULT_KEYS = new

    assert log_in_as("owner", "owner").get("/").status_code == 200
    after = {e.pk: e.identification() for e in Entity.objects.all()}
    assert {(a, b) for a in after for b in after if after[a] == after[b]} == same


def test_without_the_old_key_and_without_rotation_nothing_opens(settings):
    settings.VAULT_KEYS = f"n2:{secrets.token_hex(32)}"
    assert log_in_as("owner", "owner").get("/").status_code == 302
