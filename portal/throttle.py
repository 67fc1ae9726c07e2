"""
Every limit of the product, by name.

Counts live in the database, so they hold across processes and survive an emptied cache (R3). A try is
spent *before* it is judged, in a transaction of its own, so that a refusal's rollback cannot give it back
and forty tries at once cannot slip past the tenth. A limit that is used up stays so until its window has
passed since the last try that was still judged: later tries do not prolong it, so a stranger cannot keep
a client out for ever with one try a day.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.models import F, Q

from portal.compiled import kept_cursor
from portal.models import Allowance


@dataclass(frozen=True)
class Waits:
    """
    Growing waits between tries: none after the first `default_free` failures (or as many as `LIMITS` says),
    then FIRST_WAIT, and twice as long after each further one, up to `longest`.
    """

    name: str
    default_free: int
    longest: timedelta


@dataclass(frozen=True)
class Limit:
    """
    `default_size` tries (or what `LIMITS` says) for each key: within `window` of one another when the limit
    `slides`, as consecutive failures do; within a fixed `window` from the first when it does not. A limit
    with `waits` slows down before it is used up: a try that comes too early is refused without being
    judged, and counts for nothing.
    """

    name: str
    default_size: int
    window: timedelta
    slides: bool = True
    waits: Waits | None = None

    @property
    def size(self) -> int:
        return int(settings.LIMITS.get(self.name, self.default_size))

    def steps(self) -> list[tuple[int, timedelta]]:
        """From how many failures on which wait applies. A limit made larger waits later in proportion."""
        if self.waits is None:
            return []
        share = max(1, self.waits.default_free * self.size // self.default_size)
        failures = int(settings.LIMITS.get(self.waits.name, share)) + 1
        found, wait = [], FIRST_WAIT
        while wait < self.waits.longest:
            found.append((failures, wait))
            failures, wait = failures + 1, 2 * wait
        return [*found, (failures, self.waits.longest)]

    def wait_after(self, failures: int) -> timedelta:
        """No wait stands before the lock itself."""
        reached = [wait for least, wait in self.steps() if least <= failures < self.size]
        return reached[-1] if reached else timedelta(0)


DAY = timedelta(hours=24)
HOUR = timedelta(hours=1)
FIRST_WAIT = timedelta(seconds=5)

# Ten consecutive failures within any 24 hours (KB1132). From the fourth on 5, 10, 20, 40, 80 and 160 seconds
# lie between them, for names that nobody has as well.
PASSWORD_OF_NAME = Limit(
    "password_of_name",
    10,
    DAY,
    waits=Waits("password_of_name_without_wait", 3, timedelta(minutes=5)),
)
# The old password asked before a new one is set: an open session left alone is no place to guess.
PASSWORD_CHANGES_OF_USER = Limit("password_changes_of_user", 5, DAY)
# A browser in which this user has logged in fully before: a stranger who uses up the user's own
# limit slows the client down elsewhere, but does not lock him out here.
PASSWORD_IN_KNOWN_BROWSER = Limit("password_in_known_browser", 10, DAY)
# An office behind one address may mistype; a guesser of many names may not go on.
PASSWORD_FROM_ADDRESS = Limit(
    "password_from_address",
    100,
    HOUR,
    slides=False,
    waits=Waits("password_from_address_without_wait", 30, timedelta(minutes=1)),
)
# The second factor has a counter of its own: whoever tries it knows the password already.
SECOND_FACTOR_OF_USER = Limit("second_factor_of_user", 5, DAY)
# Challenges drawn for one user: nobody shops for a question whose answer he has seen. Counted from the
# challenges themselves (sls.devices.challenges.issue).
CHALLENGES_OF_USER = Limit("challenges_of_user", 40, HOUR)
# Each SMS costs money and disturbs somebody: nobody pumps them to a number, or at all.
SMS_OF_USER = Limit("sms_of_user", 10, DAY, slides=False)
SMS_OF_NUMBER = Limit("sms_of_number", 10, DAY, slides=False)
NEW_NUMBERS_OF_USER = Limit("new_numbers_of_user", 5, DAY, slides=False)
# Online Security Code Cards requested, confirmed or not: each is 224 values and a message.
ONLINE_CARDS_OF_USER = Limit("online_cards_of_user", 10, DAY, slides=False)
# The share wizard takes another username's password: it has limits of its own, so that guessing there
# can neither lock the owner's login nor go on for long.
OWNER_PASSWORD_OF_NAME = Limit("owner_password_of_name", 10, DAY)
OWNER_PASSWORD_BY_REQUESTER = Limit("owner_password_by_requester", 10, DAY)
# Messages "the password was right, and nobody finished the login": enough to warn, too few to bury others.
UNFINISHED_NOTICES_OF_USER = Limit("unfinished_notices_of_user", 3, DAY, slides=False)
# Forgotten passwords: a stranger may not fill somebody's mailbox, nor try names in bulk.
RESETS_OF_NAME = Limit("resets_of_name", 3, HOUR, slides=False)
RESETS_FROM_ADDRESS = Limit("resets_from_address", 20, HOUR, slides=False)
# Activating a phone takes a password too, with limits of its own and the login's lock besides.
ACTIVATION_PASSWORD_OF_NAME = Limit("activation_password_of_name", 10, DAY)
ACTIVATION_PASSWORD_FROM_ADDRESS = Limit(
    "activation_password_from_address", 100, HOUR, slides=False
)
# The public page that freezes a lost phone takes a password as well.
LOST_PASSWORD_OF_NAME = Limit("lost_password_of_name", 10, DAY)
# Activation Tokens: of one activation, and of all that a user begins.
ACTIVATION_CODE_OF_ROW = Limit("activation_code_of_row", 5, DAY)
ACTIVATION_CODE_OF_USER = Limit("activation_code_of_user", 20, DAY)
# Activation SMS are asked for without a login, so they have limits beside those of a user and a number.
SMS_FROM_ADDRESS = Limit("sms_from_address", 30, HOUR, slides=False)
SMS_OF_SITE = Limit("sms_of_site", 2000, HOUR, slides=False)
# What is handed to SMS providers, whatever asked for it (portal.outbox.budgets): wider than the limits above,
# and the last word on costs.
SMS_SENT_TO_USER = Limit("sms_sent_to_user", 30, DAY, slides=False)
SMS_SENT_TO_NUMBER = Limit("sms_sent_to_number", 30, DAY, slides=False)
SMS_SENT_TO_COUNTRY = Limit("sms_sent_to_country", 1000, HOUR, slides=False)
SMS_SENT = Limit("sms_sent", 3000, HOUR, slides=False)
# Prompts to a phone, counted from the prompts themselves: nobody wears a client out with requests.
PROMPTS_OF_USER = Limit("prompts_of_user", 5, timedelta(minutes=10))
PROMPT_NOTICES_OF_USER = Limit("prompt_notices_of_user", 1, HOUR, slides=False)
NUMBER_OF_PROMPT = Limit("number_of_prompt", 2, DAY)
# A wrong PIN is noticed here, not on the phone, so restarting the app forgets nothing; the fifth freezes it.
PIN_OF_PHONE = Limit("pin_of_phone", 5, DAY)
RECOVERY_PIN_OF_USER = Limit("recovery_pin_of_user", 5, DAY)
# What one member of staff does for clients in a day, whoever they are: enough for a desk, too little for a thief.
UNLOCKS_BY_STAFF = Limit("unlocks_by_staff", 40, DAY, slides=False)
CODE_REQUESTS_BY_STAFF = Limit("code_requests_by_staff", 20, DAY, slides=False)
CALLER_CHECKS_BY_STAFF = Limit("caller_checks_by_staff", 60, DAY, slides=False)
# Caller checks have limits of their own: the desk can neither lock a client's login nor guess its responses.
CALLER_CHECKS_OF_USER = Limit("caller_checks_of_user", 10, DAY, slides=False)
CALLER_RESPONSES_OF_USER = Limit("caller_responses_of_user", 3, DAY)

Pair = tuple[Limit, str]


def check_sizes(wanted: dict[str, str]) -> None:
    """Raises ImproperlyConfigured when `LIMITS` names no limit of this module, or no number above 0."""
    limits = [limit for limit in globals().values() if isinstance(limit, Limit)]
    known = {named.name for limit in limits for named in (limit, limit.waits) if named}
    for name, size in wanted.items():
        if name not in known or not size.isdecimal() or int(size) == 0:
            raise ImproperlyConfigured(f"LIMITS: {name}={size}; there are {sorted(known)}.")


# What the try meets that is about to be spent: an open window, a wait, a count that is full.
COUNTS = "kept.resets_at > excluded.last_at"
WAITS = "kept.opens_at > excluded.last_at"
UPSERT = f"""
INSERT INTO portal_allowance AS kept
    ("limit", "key", spent, size, slides, last_at, resets_at, refused)
VALUES {{rows}}
ON CONFLICT ("limit", "key") DO UPDATE SET
    spent = CASE WHEN NOT {COUNTS} THEN 1
                 WHEN {WAITS} THEN kept.spent
                 WHEN kept.spent < excluded.size THEN kept.spent + 1
                 ELSE excluded.size + 1 END,
    resets_at = CASE WHEN NOT {COUNTS} THEN excluded.resets_at
                     WHEN {WAITS} THEN kept.resets_at
                     WHEN kept.spent < excluded.size AND excluded.slides THEN excluded.resets_at
                     ELSE kept.resets_at END,
    opens_at = CASE WHEN {COUNTS} AND ({WAITS} OR kept.spent >= excluded.size) THEN kept.opens_at
                    {{steps}} END,
    refused = COALESCE({COUNTS} AND ({WAITS} OR kept.spent >= excluded.size), FALSE),
    size = excluded.size,
    slides = excluded.slides,
    last_at = excluded.last_at
RETURNING "limit", refused
"""  # noqa: S608
STEP = f'WHEN {COUNTS} AND excluded."limit" = %s AND kept.spent + 1 >= %s THEN %s'


def spend(pairs: Iterable[Pair], *, now: datetime) -> frozenset[str]:
    """
    Spend one try of each limit and key, in one statement; the names of the limits that are used up, or
    whose wait is not over.

    Call it outside the transaction that judges the try. Pairs are sorted so that two callers cannot
    wait for each other's row.
    """
    when = connection.ops.adapt_datetimefield_value
    wanted = sorted({(limit.name, key[:80]): limit for limit, key in pairs}.items())
    values = [
        (name, key, 1, limit.size, limit.slides, when(now), when(now + limit.window), False)
        for (name, key), limit in wanted
    ]
    steps = [
        (limit.name, failures, when(now + wait))
        for limit in dict.fromkeys(limit for _pair, limit in wanted)
        for failures, wait in reversed(limit.steps())
    ]
    rows = ", ".join(["(%s, %s, %s, %s, %s, %s, %s, %s)"] * len(values))
    statement = UPSERT.format(rows=rows, steps=" ".join([STEP] * len(steps)))
    with kept_cursor() as cursor:
        cursor.execute(statement, [cell for row in [*values, *steps] for cell in row])
        return frozenset(name for name, refused in cursor.fetchall() if refused)


def network(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 network of an IPv6 one."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


def used_up(pairs: Iterable[Pair], *, now: datetime) -> frozenset[str]:
    """The names of the limits that are used up or wait already; spends nothing."""
    shut = Q(spent__gte=F("size")) | Q(opens_at__gt=now)
    full = Allowance.objects.filter(_any(pairs), shut, resets_at__gt=now)
    return frozenset(full.values_list("limit", flat=True))


def longest_wait(pairs: Iterable[Pair], *, now: datetime) -> timedelta:
    """
    How long the next try has to wait after the last one that was judged. The whole wait, not what is left
    of it: the page that says so is then the same whenever it is asked.
    """
    wanted = list(pairs)
    limits = {limit.name: limit for limit, _key in wanted}
    rows, values = _rows(wanted)
    when = connection.ops.adapt_datetimefield_value(now)
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT "limit", spent FROM portal_allowance'  # noqa: S608
            f" WHERE ({rows}) AND opens_at > %s AND resets_at > %s",
            [*values, when, when],
        )
        waits = [limits[name].wait_after(spent) for name, spent in cursor.fetchall()]
    return max(waits, default=timedelta(0))


def left(pair: Pair, *, now: datetime) -> int:
    """How many tries are left; spends nothing."""
    limit, key = pair
    row = Allowance.objects.filter(limit=limit.name, key=key[:80], resets_at__gt=now).first()
    return max(0, limit.size - row.spent) if row else limit.size


def give_back(pairs: Iterable[Pair]) -> None:
    """
    Take back one try that turned out right, or was not judged; the failures before it stay, and the wait
    that it began ends.
    """
    _change(
        "UPDATE portal_allowance SET spent = spent - 1, opens_at = NULL WHERE spent > 0 AND", pairs
    )


def clear(pairs: Iterable[Pair]) -> None:
    """Forget the failures: after a full success, or by a documented unlock."""
    _change("DELETE FROM portal_allowance WHERE", pairs)


def _change(statement: str, pairs: Iterable[Pair]) -> None:
    """Change the rows of `pairs`, locked in the order in which `spend` locks them."""
    rows, values = _rows(pairs)
    lock = "FOR UPDATE" if connection.vendor == "postgresql" else ""
    chosen = f'SELECT id FROM portal_allowance WHERE {rows} ORDER BY "limit", "key" {lock}'  # noqa: S608
    with kept_cursor() as cursor:
        cursor.execute(f"{statement} id IN ({chosen})", values)


def _rows(pairs: Iterable[Pair]) -> tuple[str, list[str]]:
    """A condition for the rows of `pairs`, and its values. No pairs mean no rows."""
    wanted = [(limit.name, key[:80]) for limit, key in pairs]
    condition = " OR ".join(['("limit" = %s AND "key" = %s)'] * len(wanted))
    return condition or "1 = 0", [cell for row in wanted for cell in row]


def forget_past(*, now: datetime) -> None:
    """Delete what no longer counts; every reader compares the time itself, this only tidies up."""
    Allowance.objects.filter(resets_at__lte=now).delete()


def _any(pairs: Iterable[Pair]) -> Q:
    wanted = Q(pk__in=[])  # an empty Q would mean every row: no pairs must mean none
    for limit, key in pairs:
        wanted |= Q(limit=limit.name, key=key[:80])
    return wanted
