"""The demo's cast, as others script against it: DESIGN section 7."""

import io
import json
import os
import re
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from portal import throttle
from portal.caller import SYSTEM
from portal.models import Allowance, AuditEvent, Entity, OutboxMessage, PhoneNumber, User
from portal.outbox.enqueue import enqueue, message
from sls import codecard, oath
from sls.catalog import DSC_PLUS_SUITE, IB_KEY_SUITE
from sls.demo import cast, operations, simulator
from sls.devices import challenges, making
from sls.devices import operations as devices
from sls.login import operations as login
from sls.mobile import operations as mobile
from sls.models import DeviceGrant, LoginAttempt, SecurityDevice, ShareRequest
from sls.online_card import operations as online_card
from tests.conftest import NOW, by, password, person
from tests.sls.test_admin import borrow

PARTS = {
    "requester",
    "owner",
    "no_device",
    "other_entity",
    "outdated_document",
    "stranger",
    "temporary_code",
    "phone_user",
    "officer",
    "second_officer",
    "officer_client",
    "support",
    "auditor",
    "administrator",
}


def run(*args):
    out = io.StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def printed():
    return json.loads(run("demo", "--only-json"))


# --- The JSON ---------------------------------------------------------------------------------------


def test_the_json_has_the_shape_that_others_script_against():
    content = printed()
    assert set(content) == {"users", "devices", "phones"}
    for user in content["users"]:
        assert user.keys() >= {"username", "password", "plays", "person", "entity"}
        assert all(user.values())
    for device in content["devices"]:
        assert device.keys() >= {"serial", "kind", "user", "suite", "secret", "pin", "cells"}
    assert {"serial", "user"} <= content["phones"][0].keys()


def test_every_part_is_played_once():
    users = printed()["users"]
    assert {user["plays"] for user in users} >= PARTS
    assert len({user["plays"] for user in users}) == len(users)


def test_the_parts_are_the_persons_and_entities_that_they_must_be():
    by_part = {user["plays"]: user for user in printed()["users"]}
    me = by_part["requester"]
    for part in ("owner", "no_device", "temporary_code", "officer_client"):
        assert (by_part[part]["person"], by_part[part]["entity"]) == (me["person"], me["entity"])
    for part in ("other_entity", "outdated_document"):
        assert by_part[part]["person"] == me["person"]
        assert by_part[part]["entity"] != me["entity"]
    assert by_part["stranger"]["person"] != me["person"]


def test_every_part_has_the_device_it_must_have():
    content = printed()
    parts = {user["username"]: user["plays"] for user in content["users"]}
    kinds = {}
    for device in content["devices"]:
        kinds.setdefault(parts[device["user"]], set()).add(device["kind"])
    assert kinds["requester"] == {"code_card"}
    assert kinds["owner"] == kinds["stranger"] == kinds["administrator"] == {"dsc_plus"}
    assert "temporary_code" in kinds["temporary_code"]
    assert "no_device" not in kinds
    for staff in ("officer", "second_officer", "officer_client", "support", "auditor"):
        assert kinds[staff] == {"dsc_plus"}
    assert [parts[phone["user"]] for phone in content["phones"]] == ["phone_user"]


def test_the_secrets_are_well_formed():
    for device in printed()["devices"]:
        if device["kind"] == "dsc_plus":
            assert device["suite"] == DSC_PLUS_SUITE
            assert len(bytes.fromhex(device["secret"])) >= 20
            assert len(device["pin"]) == 4
            assert not device["cells"]
        if device["kind"] == "code_card":
            assert list(device["cells"]) == [str(n) for n in range(1, codecard.CELL_COUNT + 1)]
            assert all(len(cell) == codecard.CELL_LENGTH for cell in device["cells"].values())
            assert set("".join(device["cells"].values())) <= set(codecard.ALPHABET)


def test_printing_touches_no_database():
    assert printed()["users"]  # this test may use none: it would raise


def test_the_json_is_the_same_at_every_run_wherever_it_goes(db, tmp_path):
    first = run("demo", "--only-json")
    assert run("demo", "--json", "-") == first
    file = tmp_path / "cast.json"
    assert run("demo", "--json", str(file)) == ""
    assert json.loads(file.read_text(encoding="utf-8")) == json.loads(first)
    assert run("demo") == ""


# --- The database -----------------------------------------------------------------------------------


def start_of():
    """What must be the same after every run."""
    users = User.objects.order_by("username").values_list(
        "username", "entity__name", "is_active", "is_staff", "is_superuser", "language", "email"
    )
    grants = DeviceGrant.objects.order_by("device__serial").values_list(
        "user__username", "device__serial", "device__state", "state", "confirmed"
    )
    entities = Entity.objects.order_by("pk").values_list("pk", "name", "citizenship")
    return list(users), list(grants), list(entities)


def test_the_cast_is_created_with_its_passwords_and_devices(on_stage):
    assert {user.username for user in cast.USERS} == set(
        User.objects.values_list("username", flat=True)
    )
    for user in cast.USERS:
        assert User.objects.get(username=user.username).check_password(user.password)
    for device in [*cast.DEVICES, *cast.PHONES]:
        grant = DeviceGrant.objects.get(device__serial=device.serial)
        assert (grant.user.username, grant.confirmed) == (device.user, True)
    assert [u.username for u in User.objects.filter(is_superuser=True)] == ["edda.root"]


@pytest.mark.parametrize("serial", ["SCC-10020042", "DSC-30010017", "IBK-70010003"])
def test_the_database_expects_what_the_simulator_answers(on_stage, serial):
    device = SecurityDevice.objects.get(serial=serial)
    pin = next((d.pin for d in cast.DEVICES if d.serial == serial), "")
    question = "17 142" if device.kind == "code_card" else "004711"
    expected = challenges.expected_response(device, question)
    assert simulator.answer(serial, question, pin=pin) == expected


def test_a_second_run_brings_everything_back_to_the_start(on_stage):
    start = start_of()
    passwords = dict(User.objects.values_list("username", "password"))

    borrow("owner", "requester")
    begun = login.begin(username="robin.savings", password=password("owner"), by=SYSTEM, now=NOW)
    assert begun.attempt
    devices.revoke(
        SecurityDevice.objects.get(serial="DSC-30010048"),
        reason="lost",
        may_strand=True,
        by=by("administrator"),
        now=NOW,
    )
    throttle.spend([(throttle.PASSWORD_OF_NAME, "robin.calder")], now=NOW)
    enqueue([message(user=person("owner"), event="share_withdrawn", fact="x", now=NOW)])
    user = person("stranger")
    user.set_password("another one 9")
    user.is_active, user.is_staff, user.language = False, True, "zh-hans"
    user.save()
    Entity.objects.filter(pk=person("requester").entity_id).update(citizenship="AU")
    assert start_of() != start
    audited = AuditEvent.objects.count()

    operations.recreate(now=NOW)

    assert start_of() == start
    for model in (ShareRequest, LoginAttempt, OutboxMessage, Allowance):
        assert not model.objects.exists()
    assert User.objects.get(pk=user.pk).check_password(password("stranger"))
    kept = dict(User.objects.values_list("username", "password"))
    assert {name: kept[name] for name in kept if name != user.username} == {
        name: passwords[name] for name in kept if name != user.username
    }
    assert AuditEvent.objects.count() == audited + 1


def test_a_run_leaves_other_people_alone(on_stage):
    other = User.objects.create_user(
        "somebody.else", "a long Password 9", person("stranger").entity, email="x@example.com"
    )
    device = making.new_dsc_plus(serial="DSC-90000001", key=b"k" * 20, pin="1234", now=NOW)
    devices.provision([device], owners={device.serial: other.username}, by=SYSTEM, now=NOW)
    operations.recreate(now=NOW)
    assert DeviceGrant.objects.get(device=device).user == other


def test_a_production_database_with_real_users_is_kept_clean(db, settings):
    settings.DEMO_MODE = False
    entity = Entity.objects.create(name="Somebody")
    User.objects.create_user("somebody.else", "a long Password 9", entity, email="x@example.com")
    with pytest.raises(CommandError, match="real users"):
        run("demo", "--json", "-")
    assert User.objects.count() == 1
    assert not SecurityDevice.objects.exists()
    assert not operations.is_only_audience()


def test_an_empty_production_database_takes_the_cast_with_a_warning(db, settings, capsys):
    settings.DEMO_MODE = False
    run("demo")
    assert "everybody knows the passwords" in capsys.readouterr().err
    assert operations.is_only_audience()
    run("demo")


# --- The device on the command line -----------------------------------------------------------------


def test_the_answer_command_prints_what_a_dsc_plus_displays():
    device = next(d for d in cast.DEVICES if d.serial == "DSC-30010017")
    expected = oath.ocra(DSC_PLUS_SUITE, bytes.fromhex(device.secret), "004711", pin="4826")
    for question in ("004711", "004 711"):
        assert run("answer", device.serial, question, "--pin", "4826") == expected + "\n"
    assert run("answer", device.serial, "004711", "--pin", "0000") != expected + "\n"
    assert run("answer", " dsc-30010017 ", "004711", "--pin", "4826") == expected + "\n"


@pytest.mark.parametrize("question", ["17 142", "17, 142", " 17  142 ", "17,142"])
def test_the_answer_command_reads_a_cards_two_cells_in_their_order(question):
    cells = next(d for d in cast.DEVICES if d.kind == "code_card").cells
    assert run("answer", "SCC-10020042", question) == f"{cells['17']}{cells['142']}\n"


def test_the_answer_command_needs_no_pin_for_an_ib_key():
    (phone,) = cast.PHONES
    expected = oath.ocra(IB_KEY_SUITE, bytes.fromhex(phone.secret), "123456")
    assert run("answer", phone.serial, "123456") == expected + "\n"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["DSC-00000000", "123456"], "no such device"),
        (["DSC-30010017", "12345", "--pin", "4826"], "six digits"),
        (["DSC-30010017", "12345a", "--pin", "4826"], "six digits"),
        (["DSC-30010017", "123456"], "PIN"),
        (["SCC-10020042", "17"], "Not a question"),
        (["SCC-10020042", "17 17"], "Not two different"),
        (["SCC-10020042", "0 225"], "Not a question"),
    ],
)
def test_the_answer_command_says_what_is_wrong(args, words):
    with pytest.raises(CommandError, match=words):
        run("answer", *args)


def test_the_temporary_code_opens_a_login_and_lasts_the_evening_from_every_start_on(on_stage):
    later = NOW + timedelta(days=30)
    operations.recreate(now=later)
    device = SecurityDevice.objects.get(kind="temporary_code")
    assert device.full_access_until == later + timedelta(days=2)
    code = next(d["code"] for d in printed()["devices"] if d["kind"] == "temporary_code")
    assert run("answer", device.serial, "-").strip() == code
    assert challenges.expected_response(device, "") == code


def test_what_the_cast_got_for_the_time_being_is_forgotten(on_stage):
    before = SecurityDevice.objects.count()
    card = online_card.request(by=by("no_device"), now=NOW)
    mobile.send_code(PhoneNumber.objects.get(entity=card.user.entity_id), by=by("owner"), now=NOW)
    devices.give_temporary_code(person("stranger"), now=NOW)
    operations.recreate(now=NOW)
    assert SecurityDevice.objects.count() == before


def test_support_and_officers_may_issue_a_code_together(on_stage):
    assert person("support").has_perm("sls.request_temporary_code")
    assert not person("support").has_perm("sls.confirm_temporary_code")
    assert person("officer").has_perm("sls.confirm_temporary_code")
    assert not person("officer").has_perm("sls.request_temporary_code")


# --- The page ---------------------------------------------------------------------------------------


def holder_on(page):
    return re.findall(r'class="dsc"[^>]*data-holder="([^"]+)"', page.content.decode())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("hold", "holder"),
    [
        ("", "robin.savings"),
        ("DSC-30010048", "tamsin.orrery"),
        ("SCC-10020042", "robin.savings"),
        ("<x>", "robin.savings"),
    ],
)
def test_the_page_has_one_dsc_in_hand_the_owners_unless_another_is_asked_for(client, hold, holder):
    page = client.get("/demo/", {"hold": hold})
    assert holder_on(page) == [holder]
    assert page.content.decode().count('class="code-card"') == 1


@pytest.mark.django_db
def test_the_page_shows_the_newest_messages_and_leads_to_the_older_ones(client, settings):
    settings.MESSAGE_FOLDER.mkdir(parents=True)
    for number in range(7):
        file = settings.MESSAGE_FOLDER / f"{number}.json"
        words = {"subject": f"Message {number}", "to": "a", "channel": "email", "text": "t"}
        file.write_text(json.dumps(words | {"sent_at": "2026"}), encoding="utf-8")
        os.utime(file, (number, number))
    first = client.get("/demo/").content.decode()
    older = client.get("/demo/", {"messages": "2"}).content.decode()
    assert re.findall(r"Message (\d)", first) == ["6", "5", "4", "3", "2"]
    assert "messages=2" in first
    assert re.findall(r"Message (\d)", older) == ["1", "0"]
    assert "messages=3" not in older


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["0", "-1", "x", "9999999999", "٣", "²"])
def test_a_page_that_does_not_exist_is_not_an_error(client, page):
    assert client.get("/demo/", {"messages": page}).status_code == 200


@pytest.mark.django_db
def test_a_card_is_there_as_plain_text_and_nothing_else_is(client):
    page = client.get("/demo/cards/SCC-10020042.txt")
    assert page.headers["Content-Type"].startswith("text/plain")
    lines = page.content.decode().splitlines()
    cells = next(d.cells for d in cast.DEVICES if d.serial == "SCC-10020042")
    assert lines == [f"{index} {value}" for index, value in cells.items()]
    assert client.get("/demo/cards/DSC-30010017.txt").status_code == 404
