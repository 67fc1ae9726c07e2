"""The product's pages that the floor repeats, fetched in this process."""

from bench.browser import InProcess
from bench.journeys import HOME, log_in
from bench.people import Person
from bench.stage import Stage

from . import pages


def write_templates(where: Stage, lender: Person) -> None:
    """`lender` has exactly one device; his pages become the floor's."""
    browser = InProcess()
    log_in(browser, lender)
    by_path = {page.path: page.text for page in browser.seen if page.status == 200}
    folder = where.folder / "floor"
    pages.write(folder, "login.html", by_path["/login/"], lender.username)
    pages.write(folder, "code.html", by_path["/login/challenge/"], lender.username)
    pages.write(folder, "home.html", by_path["/"], lender.username)
    words = row_of(lender)
    variables = {
        words["serial"]: "serial",
        words["shared_with"]: "shared_with",
        words["name"]: "name",
    }
    html = browser.get(HOME).text.replace(words["shared_with"], "SHARED")
    variables = {
        "SHARED" if word == words["shared_with"] else word: v for word, v in variables.items()
    }
    pages.write_list(folder, html, lender.username, variables)


def row_of(lender: Person) -> dict[str, str]:
    return rows_of(lender)[0]


def rows_of(lender: Person) -> list[dict[str, str]]:
    """The words of his list, as the floor's table keeps them."""
    from django.utils import timezone

    from portal.models import User
    from sls.devices.queries import device_list

    user = User.objects.get(username=lender.username)
    return [
        {
            "name": row.name,
            "serial": row.serial_masked,
            "state": row.state_label,
            "shared_with": ", ".join(row.shared_with),
        }
        for row in device_list(user, now=timezone.now())
    ]
