"""What a fresh pair of eyes found once, and must not find again."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from portal import throttle
from portal.models import Allowance, AuditEvent
from sls.models import DeviceGrant, SecurityDevice, ShareState
from sls.sharing import completion, queries
from tests.conftest import NOW, PLAYS, LogIn, by, password, person
from tests.sls.sharing.test_operations import finish, prove, start


def test_the_admins_log_out_logs_out(log_in: LogIn):
    client = log_in("administrator")
    assert client.get("/admin/").status_code == 200
    client.post("/admin/logout/")
    assert client.get("/admin/").status_code == 302
    assert client.get("/").status_code == 302


def test_the_admin_has_no_password_page_of_its_own(log_in: LogIn):
    client = log_in("administrator")
    page = client.post("/admin/password_change/", {"old_password": "x"})
    assert page.status_code == 302
    assert page.url == "/settings/user/password/"


def test_the_cast_is_kept_off_the_net(on_stage, settings):
    settings.DEMO_MODE = False
    settings.IS_LOCAL = False
    with pytest.raises(CommandError):
        call_command("demo")


@pytest.mark.parametrize("cookie", ["a\0a", '"aaaaaaaaaaaa\\000"', "x" * 40, "../" * 20])
def test_an_odd_session_cookie_is_nobody(on_stage, cookie):
    client = Client()
    client.cookies["session"] = cookie
    assert client.get("/").status_code == 302


def test_a_refused_submit_says_so(on_stage):
    share = start()
    prove(share)
    owner = person("owner")
    owner.set_password("something else 1")
    owner.save()
    completion.submit(queries.shares().get(pk=share.pk), by=by("requester"), now=NOW)
    share = queries.shares().get(pk=share.pk)
    assert (share.state, share.reasons) == (ShareState.REFUSED, ["start_over"])


def test_the_owner_sees_in_his_history_who_tried_his_password(log_in: LogIn):
    client = log_in("requester")
    owner = PLAYS["owner"].username
    client.post(
        "/settings/user/secure-login/share/", {"username": owner, "password": "not this one"}
    )
    row = AuditEvent.objects.get(event="sls.share.started")
    assert (row.subject, row.actor) == (owner, PLAYS["requester"].username)


def test_a_used_up_card_does_not_bar_the_second_device(on_stage, monkeypatch):
    card = DeviceGrant.objects.get(device__kind="code_card")
    DeviceGrant.objects.filter(pk=card.pk).update(user=person("owner"), last_used_at=NOW)
    monkeypatch.setattr("sls.codecard.draw", lambda used, mode: None)
    client = Client()
    typed = {"username": PLAYS["owner"].username, "password": password("owner")}
    assert client.post("/login/", typed).status_code == 302
    assert client.get("/login/challenge/").status_code == 200


def test_another_site_cannot_draw_challenges_for_a_logged_in_user(log_in: LogIn):
    client = log_in("owner")
    page = client.get("/login/confirm/", headers={"sec-fetch-site": "cross-site"})
    assert page.url == "/"
    assert client.get("/settings/user/secure-login/").status_code == 200


def test_asking_for_the_device_again_keeps_the_session_until_it_has_answered(log_in: LogIn):
    client = log_in("owner")
    client.get("/login/confirm/?next=/settings/user/")
    assert client.get("/settings/user/secure-login/").status_code == 200


def test_a_rate_limits_window_ends(db):
    pair = (throttle.PASSWORD_FROM_ADDRESS, "192.0.2.1")
    for minutes in range(0, 60 * 24, 30):
        assert not throttle.spend([pair], now=NOW + timedelta(minutes=minutes))
    assert Allowance.objects.get().spent <= 2


def test_one_ipv6_network_is_one_address():
    assert throttle.network("2001:db8::1") == throttle.network("2001:db8::ffff:1")
    assert throttle.network("2001:db8::1") != throttle.network("2001:db8:1::1")
    assert throttle.network("192.0.2.1") == "192.0.2.1"
    assert throttle.network("") == ""


def test_health_is_red_when_what_is_sealed_does_not_open(on_stage, settings):
    assert Client().get("/health/ready/").status_code == 200
    settings.VAULT_KEYS = "d1:" + "0123456789abcdef" * 4
    assert Client().get("/health/ready/").status_code == 503


def test_revoking_and_sharing_leave_no_grant_on_a_dead_device(on_stage):
    share = finish()
    SecurityDevice.objects.filter(pk=share.device_id).update(state="revoked")
    completion.undo(completion.undo_token(share), by=by("owner"), now=NOW)
    assert not DeviceGrant.objects.filter(device=share.device, share=share, confirmed=True).exists()
