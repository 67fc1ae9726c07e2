"""
Do outsiders learn from the time an answer takes whether a name exists? (abuse-cases.md A 2.)

Tries of all kinds are interleaved, so that whatever else the machine does meets them alike, and compared
by rank. The hasher is the real one.
"""

import math
import time
from collections.abc import Callable
from statistics import median

import pytest
from django.contrib.auth import hashers
from django.test import Client
from django.utils import timezone

from portal import throttle
from portal.models import Allowance, User
from tests.conftest import NOW, PLAYS, password, person, use_up

pytestmark = pytest.mark.usefixtures("on_stage")
ROUNDS = 60
KINDS = ["known", "unknown", "inactive", "locked", "locked_factor", "staff"]
NAMES = {"known": "owner", "inactive": "stranger", "staff": "officer"}
UNEQUAL = 0.001  # by chance in one of a thousand comparisons


def mann_whitney(a: list[float], b: list[float]) -> float:
    """Two-sided p that the two samples come from the same distribution; no ties are expected in times."""
    ranked = sorted([(value, 0) for value in a] + [(value, 1) for value in b])
    ranks = sum(rank for rank, (_value, of) in enumerate(ranked, 1) if of == 0)
    u = ranks - len(a) * (len(a) + 1) / 2
    mean = len(a) * len(b) / 2
    deviation = math.sqrt(len(a) * len(b) * (len(a) + len(b) + 1) / 12)
    return math.erfc(abs(u - mean) / deviation / math.sqrt(2))


def test_the_rank_test_finds_a_difference_and_none_where_there_is_none():
    same = [float(n % 37) + n / 1000 for n in range(200)]
    assert mann_whitney(same[::2], same[1::2]) > UNEQUAL
    assert mann_whitney(same[::2], [value + 10 for value in same[1::2]]) < UNEQUAL


@pytest.fixture
def names(settings) -> dict[str, str]:
    settings.LIMITS = {"password_of_name": "100000", "password_from_address": "100000"}
    settings.PASSWORD_HASHERS = ["portal.hashers.OneLaneArgon2"]
    hashers.get_hashers.cache_clear()
    hashers.get_hashers_by_algorithm.cache_clear()
    found = {kind: PLAYS[plays].username for kind, plays in NAMES.items()}
    found |= {"locked": PLAYS["requester"].username, "unknown": "nobody.here"}
    found["locked_factor"] = PLAYS["no_device"].username
    for user in User.objects.all():
        user.set_password("a password of the real hasher 1")
        user.save()
    User.objects.filter(username=found["inactive"]).update(is_active=False)
    User.objects.filter(username=found["locked"]).update(locked_at=NOW)
    use_up(throttle.SECOND_FACTOR_OF_USER, found["locked_factor"], timezone.now())
    yield found
    hashers.get_hashers.cache_clear()
    hashers.get_hashers_by_algorithm.cache_clear()


def seconds(client: Client, path: str, form: dict[str, str]) -> float:
    started = time.perf_counter()
    client.post(path, form)
    return time.perf_counter() - started


def compare(take: Callable[[str], float], rounds: int = ROUNDS) -> list[str]:
    """Which kinds differ from `unknown`, said with numbers."""
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for number in range(rounds + 3):
        for kind in KINDS[number % len(KINDS) :] + KINDS[: number % len(KINDS)]:
            took = take(kind)
            if number >= 3:  # the first ones warm everything up
                times[kind].append(took)
    found = []
    for kind in KINDS:
        p = mann_whitney(times[kind], times["unknown"])
        ratio = median(times[kind]) / median(times["unknown"])
        if p < UNEQUAL and not 0.9 < ratio < 1.1:
            found.append(f"{kind}: p = {p:.5f}, median × {ratio:.3f}")
    return found


def test_a_wrong_password_takes_as_long_for_every_kind_of_name(names):
    client = Client()

    def take(kind: str) -> float:
        return seconds(client, "/login/", {"username": names[kind], "password": "not it"})

    assert compare(take) == []


def test_every_kind_of_name_costs_one_hash_and_the_same_statements(names, monkeypatch):
    from tests.counting import counting

    counted: list[str] = []
    encode = hashers.get_hasher("default").__class__.encode
    cls = type(hashers.get_hasher("default"))
    verify = cls.verify
    monkeypatch.setattr(
        cls, "encode", lambda self, *a, **k: counted.append("hash") or encode(self, *a, **k)
    )
    monkeypatch.setattr(
        cls, "verify", lambda self, *a, **k: counted.append("hash") or verify(self, *a, **k)
    )
    costs = {}
    for kind in KINDS:
        Client().post("/login/", {"username": names[kind], "password": "not it"})
        counted.clear()
        with counting() as count:
            Client().post("/login/", {"username": names[kind], "password": "not it"})
        costs[kind] = (len(counted), count.sql, count.writes)
    assert len(set(costs.values())) == 1, costs
    assert costs["unknown"][0] == 1


@pytest.mark.parametrize("state", ["waits", "used up"])
def test_who_has_to_wait_costs_no_hash_and_little_time_whether_the_name_exists_or_not(
    names, settings, monkeypatch, state
):
    settings.LIMITS = {}
    now = timezone.now()
    for name in names.values():
        use_up(throttle.PASSWORD_OF_NAME, name, now)
        if state == "waits":
            later = now + throttle.DAY / 2
            Allowance.objects.filter(key=name).update(spent=5, opens_at=later)
    monkeypatch.setattr(hashers.PBKDF2PasswordHasher, "encode", None)
    monkeypatch.setattr(type(hashers.get_hasher("default")), "encode", None)
    monkeypatch.setattr(type(hashers.get_hasher("default")), "verify", None)
    client = Client()

    def take(kind: str) -> float:
        return seconds(client, "/login/", {"username": names[kind], "password": "not it"})

    assert compare(take, rounds=30) == []
    started = time.process_time()
    for _ in range(20):
        take("known")
    assert (time.process_time() - started) / 20 < 0.02  # with the page, and on a busy machine


def test_asking_for_a_new_password_takes_about_as_long_for_every_name(names, settings):
    settings.LIMITS = {"resets_of_name": "100000", "resets_from_address": "100000"}
    client = Client()
    forgot = "/settings/user/password/forgot/"

    def take(kind: str) -> float:
        return seconds(client, forgot, {"username": names[kind]})

    pairs = [(take("known"), take("unknown")) for _ in range(30)]  # in turn: other work slows both
    difference = abs(median(known - unknown for known, unknown in pairs))
    assert difference < 0.004, "the message's own row is all that may differ"
    assert person("owner").is_active
    assert password("owner")
