"""Device list and share wizard with 1,000 and 100,000 users around them. Only when asked by name."""

from django.db import connection

from bench import people
from bench.browser import OverHttp
from bench.journeys import HOME, log_in
from bench.load import rate
from bench.measures import devices, wizard
from bench.options import Options
from bench.report import Row
from bench.server import serve
from bench.stage import Stage
from portal.models import User
from sls.models import DeviceGrant, SecurityDevice

SIZES = (1_000, 100_000)
BATCH = 5_000


def run(where: Stage, options: Options) -> list[Row]:
    lender = people.lender("lender-of-scale", 10)
    rows = []
    for size in SIZES:
        fill(size)
        with serve("portal.asgi:application", where.product, "/health/ready/") as server:
            browser = OverHttp(server.port)
            log_in(browser, lender)
            headers = {"Cookie": browser.cookie_header}
            rates = [rate(server, HOME, headers, options.seconds) for _ in range(options.rounds)]
        sql, _writes = devices.count(lender)
        _requests, wizard_sql, writes = wizard.count(f"of-{size}")
        taken = wizard.milliseconds(where, f"timed-{size}", cheap=True)
        rows += [
            Row(f"{size:,} users: device list", f"{max(rates):.0f}/s, {sql} SQL"),
            Row("  share wizard", f"{wizard.spelt(taken)}, {wizard_sql} SQL, {writes} writes"),
        ]
    return rows


def fill(size: int) -> None:
    """Up to `size` users, in pairs: one has a device, the other borrows it."""
    secret = people.dsc(b"k" * 32).secret  # sealed for another row: nobody answers with these
    here = User.objects.count()
    while here < size:
        count = min(BATCH, size - here) // 2 or 1
        entities = people.entities(count)
        names = [f"u{here + number:07}" for number in range(2 * count)]
        made = people.users(names, entities * 2, "!")
        owners, borrowers = made[:count], made[count:]
        things = SecurityDevice.objects.bulk_create(
            [
                SecurityDevice(
                    kind="dsc_plus",
                    serial=f"D-{owner.username}",
                    secret=secret,
                    created_at=people.NOW,
                )
                for owner in owners
            ]
        )
        DeviceGrant.objects.bulk_create(
            people.own(owner, thing) for owner, thing in zip(owners, things, strict=True)
        )
        people.lend_many(list(zip(owners, things, borrowers, strict=True)))
        here += 2 * count
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
