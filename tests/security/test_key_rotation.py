"""SECRET_KEY is changed while people are logged in and links are under way: docs/operations.md, Keys."""

import secrets

import pytest
from django.test import Client

from tests.journeys.test_forgotten_password import DEVICE, ask, link

pytestmark = pytest.mark.usefixtures("on_stage")


@pytest.fixture
def change_key(settings):
    def change(*, keeps_old: bool):
        old = settings.SECRET_KEY
        settings.SECRET_KEY = secrets.token_urlsafe(64)
        settings.SECRET_KEY_FALLBACKS = [old] if keeps_old else []

    return change


def test_sessions_live_on_and_are_signed_anew_while_the_old_key_still_opens(
    log_in, change_key, settings
):
    client = log_in("owner")
    change_key(keeps_old=True)
    assert client.get("/settings/").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []  # whoever came meanwhile has the new key
    assert client.get("/settings/").status_code == 200


def test_without_the_old_key_sessions_end(log_in, change_key):
    client = log_in("owner")
    change_key(keeps_old=False)
    assert client.get("/settings/").status_code == 302


@pytest.mark.parametrize("keeps_old", [True, False])
def test_links_open_as_long_as_their_key_does(change_key, keeps_old):
    ask()
    address = link()
    change_key(keeps_old=keeps_old)
    page = Client().post(address, follow=True)
    reached = bool(page.redirect_chain) and page.redirect_chain[-1][0] == DEVICE
    assert reached is keeps_old
