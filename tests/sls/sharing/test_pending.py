"""A request that waits, as its client sees it: when, withdraw, and what came of it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from portal.models import OutboxMessage, PhoneNumber
from portal.outbox import rendering
from sls.models import PasswordReset, ReviewPolicy, ShareRequest
from sls.sharing import completion
from sls.sharing.queries import due_on, shares
from sls.sharing.rules import RejectionReason
from tests.compliance.desk import wait_for_approval
from tests.conftest import NOW, LogIn, by, password, person, press, question_on
from tests.counting import counting
from tests.sls.sharing.test_operations import finish

HOME = "/settings/user/secure-login/"
MONDAY = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def share(on_stage):
    return wait_for_approval()


def address(share, page):
    return f"{HOME}share/{share.pk}/{page}/"


DATES = [
    (MONDAY - timedelta(days=3), "2026-11-24"),
    (MONDAY, "2026-11-25"),
    (MONDAY + timedelta(days=3), "2026-11-30"),
    (MONDAY + timedelta(days=5), "2026-12-01"),
    (MONDAY.replace(hour=23, minute=59), "2026-11-25"),
]


@pytest.mark.parametrize(("submitted_at", "expected"), DATES)
def test_an_answer_is_due_after_two_business_days(submitted_at, expected):
    assert str(due_on(submitted_at)) == expected


def test_days_and_holidays_are_settings(settings):
    settings.REVIEW_BUSINESS_DAYS = 1
    settings.HOLIDAYS = frozenset({MONDAY.date() + timedelta(days=1)})
    assert str(due_on(MONDAY)) == "2026-11-25"


def test_the_status_page_tells_when_and_offers_to_withdraw(share, log_in: LogIn):
    client = log_in("requester")
    html = client.get(address(share, "status")).content.decode()
    assert 'data-status="pending"' in html
    assert "You can expect our answer by Nov. 25, 2026." in html
    assert address(share, "withdraw") in html


def test_withdrawing_asks_first(share, log_in: LogIn):
    client = log_in("requester")
    page = client.get(address(share, "withdraw"))
    assert page.status_code == 200
    assert shares().get(pk=share.pk).state == "pending"
    done = client.post(address(share, "withdraw"))
    assert done.url == HOME
    assert shares().get(pk=share.pk).state == "cancelled"
    assert client.get(address(share, "withdraw")).url == address(share, "status")


def test_only_the_requester_withdraws(share, log_in: LogIn):
    client = log_in("other_entity")
    assert client.get(address(share, "status")).status_code == 200
    assert client.get(address(share, "withdraw")).status_code == 404
    assert client.post(address(share, "withdraw")).status_code == 404


def test_home_and_the_device_list_show_what_waits_without_another_query(share, log_in: LogIn):
    client = log_in("requester")
    client.get(HOME)
    with counting() as waiting:
        page = client.get(HOME)
    html = page.content.decode()
    assert "data-pending" in html
    assert "by Nov. 25, 2026" in html
    with counting() as home:
        page = client.get("/")
    assert "answer expected by Nov. 25, 2026" in page.content.decode()
    completion.withdraw(shares().get(pk=share.pk), by=by("requester"), now=NOW)
    with counting() as nothing:
        page = client.get(HOME)
    assert "data-pending" not in page.content.decode()
    assert waiting.sql == nothing.sql <= 4, str(waiting)
    with counting() as empty_home:
        client.get("/")
    assert home.sql == empty_home.sql, str(home)


@pytest.mark.parametrize("reason", RejectionReason, ids=lambda reason: reason.code)
def test_a_rejection_is_told_with_its_reason_and_cure(share, log_in: LogIn, reason):
    with transaction.atomic():
        completion.reject(shares().get(pk=share.pk), reason, now=NOW)
    html = log_in("requester").get(address(share, "status")).content.decode()
    assert 'data-status="rejected"' in html
    assert f'data-code="{reason.code}"' in html
    assert str(reason.cure) in html
    told = OutboxMessage.objects.filter(event="share_rejected").select_related("user__entity")
    assert told.count() == 2
    for row in told:
        letter = rendering.render(row)
        assert str(reason.sentence) in letter.text
        assert str(reason.cure) in letter.text


def test_a_rejection_is_told_in_the_language_of_its_reader(share):
    with transaction.atomic():
        completion.reject(shares().get(pk=share.pk), RejectionReason.DOCUMENT_OUTDATED, now=NOW)
    row = OutboxMessage.objects.filter(event="share_rejected").first()
    row.language = "zh-hans"
    assert "身份文件已过时" in rendering.render(row).text


def test_the_message_about_a_waiting_request_names_the_day(share):
    rows = OutboxMessage.objects.filter(event="share_pending").select_related("user__entity")
    assert all("answers by 2026-11-25" in rendering.render(row).text for row in rows)


def test_the_clients_words_go_with_the_request(log_in: LogIn):
    client = log_in("requester")
    start = {"username": "robin.trust", "password": password("other_entity")}
    page = client.post(HOME + "share/", start, follow=True)
    where = page.redirect_chain[-1][0]
    response = press("other_entity", question_on(page.content.decode()))
    review = client.post(where, {"response": response}).url
    too_long = client.post(review, {"note": "x" * 501})
    assert too_long.status_code == 200
    client.post(review, {"note": "For my trust's account."})
    assert ShareRequest.objects.get().client_note == "For my trust's account."


# --- Signals ------------------------------------------------------------------------------------------------


def reset_password():
    PasswordReset.objects.create(
        user=person("requester"),
        session="",
        password_mark="",
        state="done",
        started_at=NOW,
        expires_at=NOW,
        proven_at=NOW - timedelta(hours=23),
    )


def verify_number():
    PhoneNumber.objects.filter(entity=person("other_entity").entity).update(
        verified_at=NOW - timedelta(hours=23)
    )


def policy(**rules):
    return ReviewPolicy.objects.create(
        rules=rules,
        starts_at=NOW - timedelta(days=1),
        made_by=person("administrator"),
        made_at=NOW,
        note="Test.",
    )


ONE_IS_ENOUGH = {"threshold": 1, "holds": True, "reviewers": 1}
SIGNAL = {"threshold": 1, "holds": False, "reviewers": 2}


@pytest.mark.usefixtures("on_stage")
@pytest.mark.parametrize("change", [reset_password, verify_number])
def test_a_recent_change_on_either_side_calls_for_a_second_reviewer(change):
    policy(other_entity=ONE_IS_ENOUGH, recent_change=SIGNAL)
    change()
    share = wait_for_approval()
    assert share.findings["recent_change"] == 1
    assert (share.reasons, share.reviewers) == (["other_entity", "recent_change"], 2)


@pytest.mark.usefixtures("on_stage")
def test_without_a_recent_change_one_reviewer_is_enough():
    made = policy(other_entity=ONE_IS_ENOUGH, recent_change=SIGNAL)
    reset_password()
    PasswordReset.objects.update(proven_at=NOW - timedelta(hours=25))
    share = wait_for_approval()
    assert (share.reasons, share.reviewers, share.policy) == (["other_entity"], 1, made)


@pytest.mark.usefixtures("on_stage")
def test_a_signal_alone_holds_nothing():
    reset_password()
    share = finish()
    assert share.state == "enforced"
    assert share.findings["recent_change"] == 1
    assert share.reasons == []


@pytest.mark.usefixtures("on_stage")
def test_new_shares_of_the_device_are_counted_for_a_week():
    for days in (0, 6, 8):
        share = wait_for_approval(now=NOW - timedelta(days=days))
        completion.withdraw(share, by=by("requester"), now=NOW)
    again = wait_for_approval()
    assert again.findings["new_shares"] == 2
    assert "new_shares" in again.reasons


@pytest.mark.usefixtures("on_stage")
def test_the_entities_that_the_device_serves_are_counted_before_this_request():
    share = wait_for_approval()
    assert share.findings["several_entities"] == 1
    other = wait_for_approval("no_device")
    assert other.findings["several_entities"] == 2
    assert "several_entities" in other.reasons


def test_the_client_is_not_told_of_signals(log_in: LogIn):
    reset_password()
    share = wait_for_approval()
    assert "recent_change" in share.reasons
    html = log_in("requester").get(address(share, "status")).content.decode()
    assert "belong to different entities" in html
    assert "A phone or a password was replaced" not in html


@pytest.mark.usefixtures("on_stage")
@pytest.mark.parametrize("rules", [[], ["document_expired"]])
def test_the_setting_switches_the_shipped_rules(settings, rules):
    settings.REVIEW_RULES = rules
    share = finish("requester", "other_entity")
    assert share.state == "enforced"
