"""One answer and one cost for every kind of "no": abuse-cases.md A 1, 2, 4, 11, 16."""

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import credentials, throttle
from portal.hashers import Cheap
from portal.models import User
from tests import conftest
from tests.conftest import NOW, password, person

pytestmark = pytest.mark.usefixtures("on_stage")
NAME = "robin.calder"


@pytest.fixture
def hashes(monkeypatch):
    """Every password that is hashed, in order."""
    seen = []
    real = Cheap.encode

    def counted(self, typed, salt, iterations=None):
        seen.append(typed)
        return real(self, typed, salt, iterations)

    monkeypatch.setattr(Cheap, "encode", counted)
    return seen


def change(**columns):
    User.objects.filter(username=NAME).update(**columns)


def use_up(limit, key=NAME):
    conftest.use_up(limit, key, NOW)


def lock(**columns):
    change(locked_at=NOW)


def nothing():
    pass


CASES = {
    "right": (nothing, NAME, "right", True),
    "wrong password": (nothing, NAME, "wrong", False),
    "empty password": (nothing, NAME, "", False),
    "unknown": (nothing, "nobody.here", "right", False),
    "no username at all": (nothing, "'; -- \0 名", "right", False),
    "empty name": (nothing, "", "right", False),
    "deactivated": (lambda: change(is_active=False), NAME, "right", False),
    "deactivated and wrong": (lambda: change(is_active=False), NAME, "wrong", False),
    "password locked": (lambda: use_up(throttle.PASSWORD_OF_NAME), NAME, "right", False),
    "device locked": (lambda: use_up(throttle.SECOND_FACTOR_OF_USER), NAME, "right", False),
    "locked by staff": (lock, NAME, "right", False),
    "locked and wrong": (lambda: use_up(throttle.PASSWORD_OF_NAME), NAME, "wrong", False),
    "no usable password": (lambda: change(password=make_password(None)), NAME, "right", False),
    "no password": (lambda: change(password=""), NAME, "", False),
    "staff": (nothing, "ada.quill", "wrong", False),
}


@pytest.mark.parametrize(("prepare", "name", "typed", "expected"), CASES.values(), ids=CASES)
def test_every_answer_costs_one_query_and_one_hash(hashes, prepare, name, typed, expected):
    prepare()
    hashes.clear()
    typed = password("requester") if typed == "right" else typed
    with CaptureQueriesContext(connection) as caught:
        user = credentials.check(name, typed, now=NOW)
    assert (user == person("requester")) if expected else (user is None)
    assert len(caught) == 1
    assert len(hashes) == 1


def test_the_user_comes_with_his_entity(django_assert_num_queries):
    user = credentials.check(NAME, password("requester"), now=NOW)
    with django_assert_num_queries(0):
        assert user.entity.name == "Robin Calder"


@pytest.mark.parametrize(
    "typed", ["Robin.Calder", " robin.calder ", "ｒobin.calder", "robin.\u200bcalder"]
)
def test_every_spelling_of_a_name_is_the_same_user(typed):
    assert credentials.check(typed, password("requester"), now=NOW) == person("requester")


@pytest.mark.parametrize("typed", ["robin calder", "robin.calder.", "robin.cаlder", "robin"])
def test_a_name_that_only_looks_alike_is_nobody(typed):
    assert credentials.check(typed, password("requester"), now=NOW) is None


@pytest.mark.parametrize("change", [str.upper, str.strip, lambda p: p + " ", lambda p: " " + p])
def test_a_password_counts_as_typed(change):
    right = " Päss wörd 1 "
    user = person("requester")
    user.set_password(right)
    user.save()
    assert credentials.check(NAME, right, now=NOW)
    assert not credentials.check(NAME, change(right), now=NOW)


@pytest.mark.parametrize("length", [72, 128, 200])
def test_long_passwords_differ_in_their_last_character(length):
    user = person("requester")
    user.set_password("x" * length + "a")
    user.save()
    assert credentials.check(NAME, "x" * length + "a", now=NOW)
    assert not credentials.check(NAME, "x" * length + "b", now=NOW)


def test_no_more_than_the_longest_password_is_ever_hashed(hashes):
    credentials.check(NAME, "x" * 1_000_000, now=NOW)
    credentials.check("nobody.here", "x" * 1_000_000, now=NOW)
    assert [len(typed) for typed in hashes] == [credentials.LONGEST_PASSWORD] * 2


def test_a_lock_ends_with_its_window():
    use_up(throttle.PASSWORD_OF_NAME)
    end = NOW + throttle.PASSWORD_OF_NAME.window
    assert not credentials.check(NAME, password("requester"), now=end - timedelta(seconds=1))
    assert credentials.check(NAME, password("requester"), now=end)


def test_one_try_below_the_limit_does_not_lock():
    for _ in range(throttle.PASSWORD_OF_NAME.size - 1):
        throttle.spend([(throttle.PASSWORD_OF_NAME, NAME)], now=NOW)
    assert credentials.check(NAME, password("requester"), now=NOW)


def test_only_the_limits_asked_for_and_only_ones_own_lock():
    use_up(throttle.PASSWORD_OF_NAME)
    use_up(throttle.SECOND_FACTOR_OF_USER, "robin.savings")
    use_up(throttle.OWNER_PASSWORD_OF_NAME)
    only = (throttle.SECOND_FACTOR_OF_USER,)
    assert credentials.check(NAME, password("requester"), now=NOW, limits=only)
    assert not credentials.check(NAME, password("requester"), now=NOW)
