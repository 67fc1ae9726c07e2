"""What the journeys may cost in SQL: the budgets of the product, asserted."""

from datetime import timedelta

from django.test import Client

from portal.models import User
from sls.demo import operations as demo
from sls.devices import challenges, making
from sls.models import Challenge, ChallengeState, DeviceGrant, Purpose
from tests.conftest import NOW, PLAYS, LogIn, password, person, press, question_on
from tests.counting import counting

HOME = "/settings/user/secure-login/"


def share_all_the_way(client: Client):
    """From the list's Share Device to the status: seven requests."""
    client.get(HOME + "share/")
    page = client.post(
        HOME + "share/",
        {"username": PLAYS["owner"].username, "password": password("owner")},
    )
    where = page.url
    page = client.get(where)
    response = press("owner", question_on(page.content.decode()))
    where = client.post(where, {"response": response}).url
    client.get(where)
    where = client.post(where).url
    return client.get(where)


def test_the_whole_wizard_costs_at_most_44_statements_and_18_writes(log_in: LogIn):
    client = log_in("requester")
    client.get(HOME)
    with counting() as count:
        page = share_all_the_way(client)
    assert 'data-status="enforced"' in page.content.decode()
    assert count.sql <= 44, f"{count.sql}\n{count}"
    assert count.writes <= 18, f"{count.writes}\n{count}"


def test_the_device_list_costs_at_most_4_statements_and_writes_nothing(log_in: LogIn):
    client = log_in("owner")
    client.get(HOME)
    with counting() as few:
        client.get(HOME)
    owner = person("owner")
    for number in range(10):
        card = making.new_code_card(serial=f"MORE-{number:04}", now=NOW)
        card.save(force_insert=True)
        for user in [owner, *User.objects.exclude(pk=owner.pk)[:5]]:
            DeviceGrant.objects.create(
                user=user,
                device=card,
                state="dormant",
                confirmed=False,
                granted_at=NOW,
                share_id=None if user == owner else _share(user, owner, card),
            )
    with counting() as many:
        client.get(HOME)
    assert many.sql <= few.sql <= 4, str(many)
    assert many.writes == 0


def _share(user, owner, device):
    from sls.models import ShareRequest

    challenge = Challenge.objects.create(
        user=user,
        device=device,
        purpose=Purpose.SHARE,
        session="",
        question="1 2",
        issued_at=NOW,
        expires_at=NOW,
    )
    return ShareRequest.objects.create(
        requester=user,
        owner=owner,
        device=device,
        challenge=challenge,
        state="cancelled",
        created_at=NOW,
        expires_at=NOW,
        ended_at=NOW,
    ).pk


def test_verifying_a_response_costs_at_most_6_statements(on_stage):
    owner = person("owner")
    device = owner.grants.get().device
    challenge = challenges.issue(
        user=owner, device=device, purpose=Purpose.LOGIN, session="s", now=NOW
    )
    response = press("owner", challenge.question)
    with counting() as count:
        found = Challenge.objects.select_related("device").get(pk=challenge.pk)
        challenges.spend(found, users=[owner], session="s", now=NOW)
        challenges.answer(
            found, response, users=[owner], purpose=Purpose.LOGIN, session="s", now=NOW
        )
    assert count.sql <= 6, str(count)
    assert Challenge.objects.get(pk=challenge.pk).state == ChallengeState.ANSWERED


def test_a_login_costs_at_most_26_statements_and_14_writes(on_stage):
    client = Client()
    with counting() as count:
        client.get("/login/")
        page = client.post(
            "/login/", {"username": PLAYS["owner"].username, "password": password("owner")}
        )
        page = client.get(page.url)
        response = press("owner", question_on(page.content.decode()))
        page = client.post("/login/challenge/", {"response": response})
        client.get(page.url)
    assert client.session["otp_device_id"]
    assert count.sql <= 26, f"{count.sql}\n{count}"
    assert count.writes <= 14, f"{count.writes}\n{count}"


def test_costs_do_not_grow_with_what_happened_before(on_stage):
    """Five hundred answered challenges later, a question is still drawn with one look-up."""
    owner = person("owner")
    device = owner.grants.get().device
    Challenge.objects.bulk_create(
        Challenge(
            user=owner,
            device=device,
            purpose=Purpose.LOGIN,
            session="",
            question=f"{n:06}",
            state=ChallengeState.ANSWERED,
            issued_at=NOW,
            expires_at=NOW,
            answered_at=NOW,
        )
        for n in range(500)
    )
    with counting() as count:
        challenges.issue(
            user=owner,
            device=device,
            purpose=Purpose.LOGIN,
            session="s",
            now=NOW + timedelta(days=1),
        )
    assert count.sql == 2, str(count)
    assert demo.is_only_audience()
