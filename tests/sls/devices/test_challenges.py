"""The only proof of possession: abuse-cases.md B 22 to 37."""

from datetime import timedelta

import pytest

from portal import throttle
from portal.errors import Refused
from portal.models import Allowance
from sls import codecard
from sls.catalog import DeviceKind
from sls.devices import challenges, making
from sls.models import Challenge, ChallengeState, Purpose, SecurityDevice
from tests.conftest import DEVICES, NOW, PLAYS, person, press

pytestmark = pytest.mark.usefixtures("on_stage")
MINE, THEIRS = "m" * 64, "t" * 64
LIFE = timedelta(seconds=180)
INSTANT = timedelta(microseconds=1)
CARD, DSC = "requester", "owner"


def device_of(plays):
    return SecurityDevice.objects.get(serial=DEVICES[PLAYS[plays].username].serial)


def issue(plays=DSC, purpose=Purpose.LOGIN, session=MINE, now=NOW, user=None):
    return challenges.issue(
        user=user or person(plays),
        device=device_of(plays),
        purpose=purpose,
        session=session,
        now=now,
    )


def prove(challenge, response, *, purpose=Purpose.LOGIN, session=MINE, now=NOW):
    users = [challenge.user]
    challenges.spend(challenge, users=users, session=session, now=now)
    challenges.answer(challenge, response, users=users, purpose=purpose, session=session, now=now)


def right(challenge, plays=DSC):
    return press(plays, challenge.question)


def code_of(*args, **kwargs):
    with pytest.raises(Refused) as refused:
        prove(*args, **kwargs)
    return refused.value.code


def is_open(challenge):
    return Challenge.objects.get(pk=challenge.pk).state == ChallengeState.OPEN


@pytest.mark.parametrize("plays", [DSC, CARD])
def test_the_right_response_answers_the_challenge_and_clears_the_counts(plays):
    challenge = issue(plays)
    assert code_of(challenge, "00000000") == "invalid_response"
    assert Allowance.objects.count() == 2
    prove(challenge, right(challenge, plays))
    kept = Challenge.objects.get(pk=challenge.pk)
    assert (kept.state, kept.answered_at) == (ChallengeState.ANSWERED, NOW)
    assert not Allowance.objects.exists()


@pytest.mark.parametrize("plays", [DSC, CARD])
def test_a_response_works_once(plays):
    challenge = issue(plays)
    response = right(challenge, plays)
    prove(challenge, response)
    assert code_of(challenge, response) == "challenge_expired"
    assert code_of(Challenge.objects.get(pk=challenge.pk), response) == "challenge_expired"


# --- Purpose and session ----------------------------------------------------------------------------


@pytest.mark.parametrize("asked", Purpose)
@pytest.mark.parametrize("used", Purpose)
def test_an_answer_for_one_purpose_never_serves_another(asked, used):
    challenge = issue(purpose=asked)
    if asked == used:
        prove(challenge, right(challenge), purpose=used)
        assert not is_open(challenge)
    else:
        assert code_of(challenge, right(challenge), purpose=used) == "challenge_expired"
        assert is_open(challenge)


@pytest.mark.parametrize("session", [THEIRS, "", MINE[:-1]])
def test_an_answer_in_another_session_is_refused_before_a_try_is_spent(session):
    challenge = issue()
    assert code_of(challenge, right(challenge), session=session) == "challenge_expired"
    assert not Allowance.objects.exists()
    assert is_open(challenge)


def test_the_claim_itself_asks_for_the_session_whatever_was_checked_before():
    challenge = issue()
    with pytest.raises(Refused):
        challenges.answer(
            challenge,
            right(challenge),
            users=[],
            purpose=Purpose.LOGIN,
            session=THEIRS,
            now=NOW,
        )
    assert is_open(challenge)


def test_an_open_question_of_one_user_answers_nothing_for_another():
    lent = issue(user=person("no_device"), purpose=Purpose.SHARE)
    own = issue()
    assert code_of(own, right(lent)) == "invalid_response" or lent.question == own.question


# --- Time -------------------------------------------------------------------------------------------


def test_a_challenge_lives_for_its_seconds_and_no_longer(settings):
    assert settings.CHALLENGE_LIFE == LIFE
    challenge = issue()
    assert code_of(challenge, right(challenge), now=NOW + LIFE) == "challenge_expired"
    assert is_open(challenge)
    prove(challenge, right(challenge), now=NOW + LIFE - INSTANT)
    assert not is_open(challenge)


def test_the_claim_itself_asks_for_the_time_whatever_was_checked_before():
    challenge = issue()
    challenges.spend(challenge, users=[], session=MINE, now=NOW)
    with pytest.raises(Refused):
        challenges.answer(
            challenge,
            right(challenge),
            users=[],
            purpose=Purpose.LOGIN,
            session=MINE,
            now=NOW + LIFE,
        )
    assert is_open(challenge)


def test_a_clock_that_was_set_back_does_not_prolong_a_life():
    challenge = issue()
    assert code_of(challenge, right(challenge), now=NOW - INSTANT) == "challenge_expired"


# --- Tries ------------------------------------------------------------------------------------------


def test_after_three_wrong_responses_the_right_one_is_refused():
    challenge = issue()
    for _ in range(3):
        assert code_of(challenge, "00000000") == "invalid_response"
    assert code_of(challenge, right(challenge)) == "challenge_expired"
    assert is_open(challenge)


def test_the_third_try_may_still_be_the_right_one():
    challenge = issue()
    for _ in range(2):
        assert code_of(challenge, "00000000") == "invalid_response"
    prove(challenge, right(challenge))


def test_new_challenges_do_not_renew_the_users_own_count():
    codes = []
    for _ in range(3):
        challenge = issue()
        codes += [code_of(challenge, "00000000") for _ in range(2)]
    assert codes == ["invalid_response"] * 5 + ["too_many_attempts"]
    fresh = issue()
    assert code_of(fresh, right(fresh)) == "too_many_attempts"
    assert code_of(fresh, right(fresh), now=NOW + LIFE - INSTANT) == "too_many_attempts"


def test_the_count_is_one_for_all_devices_and_purposes_of_a_user():
    user = person("temporary_code")
    for purpose in (Purpose.LOGIN, Purpose.SHARE, Purpose.LOGIN, Purpose.SHARE, Purpose.LOGIN):
        challenge = issue("temporary_code", purpose=purpose)
        assert code_of(challenge, "00000000", purpose=purpose) == "invalid_response"
    assert throttle.used_up([(throttle.SECOND_FACTOR_OF_USER, user.username)], now=NOW)


# --- The device -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["suspended", "revoked"])
def test_a_device_that_ended_since_proves_nothing(state):
    challenge = issue()
    SecurityDevice.objects.update(state=state)
    assert code_of(challenge, right(challenge)) == "challenge_expired"
    assert is_open(challenge)


def test_another_devices_response_is_wrong():
    challenge = issue()
    assert code_of(challenge, press("stranger", challenge.question)) == "invalid_response"


def test_a_wrong_pin_gives_a_wrong_response():
    from sls.demo import simulator

    challenge = issue()
    device = DEVICES[PLAYS[DSC].username]
    wrong = simulator.answer(device.serial, challenge.question, pin="0000")
    assert code_of(challenge, wrong) == "invalid_response"


def test_a_device_that_answers_no_questions_is_a_defect_and_no_proof():
    device = SecurityDevice.objects.get(kind=DeviceKind.TEMPORARY_CODE)
    device.kind = DeviceKind.SMS
    with pytest.raises(ValueError, match="answers no questions"):
        challenges.expected_response(device, "123456")


def test_a_question_has_six_digits_and_keeps_its_leading_zeros(monkeypatch):
    monkeypatch.setattr(challenges.secrets, "randbelow", lambda below: 7)
    assert issue().question == "000007"


def test_an_answered_question_is_never_asked_of_its_device_again(monkeypatch):
    drawn = iter([7, 7, 7, 8, 7])
    monkeypatch.setattr(challenges.secrets, "randbelow", lambda below: next(drawn))
    first = issue()
    prove(first, right(first))
    assert issue().question == "000008"
    assert issue("stranger").question == "000007"


def test_the_same_question_asked_twice_is_answered_once(monkeypatch):
    monkeypatch.setattr(challenges.secrets, "randbelow", lambda below: 7)
    first, second = issue(), issue(session=THEIRS)
    prove(first, right(first))
    from django.db import transaction

    with pytest.raises(Refused) as refused, transaction.atomic():
        prove(second, right(second), session=THEIRS)
    assert refused.value.code == "challenge_expired"
    assert is_open(second)


# --- What is typed ----------------------------------------------------------------------------------


def with_expected(monkeypatch, expected):
    monkeypatch.setattr(challenges, "expected_response", lambda device, question: expected)
    return issue()


@pytest.mark.parametrize("typed", ["00012345", "0001 2345", " 00012345 ", "0 0 0 1 2 3 4 5"])
def test_the_blanks_of_the_display_do_not_matter(monkeypatch, typed):
    prove(with_expected(monkeypatch, "00012345"), typed)


@pytest.mark.parametrize(
    "typed",
    ["12345", "12345000", "0001234", "000123450", "", " ", "0001-2345", "٠٠٠١٢٣٤٥", "é", "x" * 99],
)
def test_a_response_is_text_and_every_character_counts(monkeypatch, typed):
    assert code_of(with_expected(monkeypatch, "00012345"), typed) == "invalid_response"


def test_a_cards_values_are_right_in_capitals_and_small_letters():
    challenge = issue(CARD)
    prove(challenge, right(challenge, CARD).lower())


def test_a_cards_values_are_right_in_the_order_asked_only():
    challenge = issue(CARD)
    first, second = right(challenge, CARD)[:3], right(challenge, CARD)[3:]
    for wrong in (second + first, first, second):
        assert code_of(challenge, wrong) == "invalid_response"


# --- The card's pairs -------------------------------------------------------------------------------


def test_a_card_is_asked_the_same_pair_until_it_is_answered():
    first = issue(CARD)
    for _ in range(20):
        again = issue(CARD, session=THEIRS, now=NOW + LIFE - INSTANT)
        assert again.question == first.question
    prove(again, right(again, CARD), session=THEIRS, now=NOW + LIFE - INSTANT)
    assert issue(CARD, now=NOW + LIFE - INSTANT).question != first.question


def test_a_card_is_asked_another_pair_after_the_first_has_expired(monkeypatch):
    pairs = iter([(1, 2), (3, 4)])
    monkeypatch.setattr(codecard, "draw", lambda used, mode: next(pairs))
    assert issue(CARD).question == "1 2"
    assert issue(CARD, now=NOW + LIFE - INSTANT).question == "1 2"
    # the second challenge has prolonged the question's life, as long as it is open
    assert issue(CARD, now=NOW + 2 * LIFE).question == "3 4"


def test_a_pair_that_is_open_for_another_user_or_purpose_is_not_asked_again():
    card = issue(CARD)
    for user, purpose in (("no_device", Purpose.LOGIN), (CARD, Purpose.SHARE)):
        assert issue(CARD, purpose, user=person(user)).question != card.question


def cells_asked(times):
    cells = []
    for _ in range(times):
        challenge = issue(CARD)
        cells += challenge.question.split()
        prove(challenge, right(challenge, CARD))
    return cells


def test_each_cell_once_asks_no_cell_twice_and_ends_after_112_answers(settings):
    settings.CODE_CARD_MODE = "each_cell_once"
    settings.LIMITS = {"challenges_of_user": "1000"}
    assert len(set(cells_asked(112))) == codecard.CELL_COUNT
    with pytest.raises(Refused) as refused:
        issue(CARD)
    assert refused.value.code == "card_used_up"


def test_no_pair_twice_asks_every_pair_once(settings, monkeypatch):
    settings.CODE_CARD_MODE = "no_pair_twice"
    monkeypatch.setattr(codecard, "_INDEXES", range(1, 5))
    asked = [
        tuple(sorted(map(int, pair))) for pair in zip(*[iter(cells_asked(6))] * 2, strict=True)
    ]
    assert len(set(asked)) == 6
    with pytest.raises(Refused) as refused:
        issue(CARD)
    assert refused.value.code == "card_used_up"


def test_repeat_lets_an_answered_pair_be_asked_and_answered_again(settings, monkeypatch):
    settings.CODE_CARD_MODE = "repeat"
    monkeypatch.setattr(codecard, "draw", lambda used, mode: (17, 142))
    for _ in range(3):
        challenge = issue(CARD)
        assert (challenge.question, challenge.reusable) == ("17 142", True)
        prove(challenge, right(challenge, CARD))


def test_no_mode_lets_a_dsc_plus_question_repeat(settings):
    settings.CODE_CARD_MODE = "repeat"
    assert not issue().reusable


def test_a_new_cards_cells_are_those_that_are_expected():
    device = making.new_code_card(serial="SCC-99999999", now=NOW)
    cells = challenges.cells_of(device)
    assert len(cells) == codecard.CELL_COUNT
    assert challenges.expected_response(device, "1 224") == cells[0] + cells[-1]
    assert "".join(cells[:3]) not in device.secret
