"""Every address of the resolver, in the limited stage of a Temporary Code (KB69)."""

import re

import pytest

from sls.access import LEFT_WHEN_LIMITED
from tests.journeys.test_temporary_devices import CARD, logged_in, shift
from tests.security.test_crawl import EVERYWHERE

LEFT = re.compile(
    r"/login/.*|/logout/|/language/|/help/.*|/demo/.*|/settings/user/secure-login/enrol/card/.*"
    r"|/settings/user/not-me/.*"
    r"|/phone/.*"  # phones sign their requests; their interface reads no session
)


@pytest.mark.usefixtures("on_stage")
@pytest.mark.parametrize("method", ["get", "post"])
def test_all_but_the_card_and_the_way_out_leads_to_the_card(method: str):
    shift(3)
    client = logged_in()
    open_to_him = {
        path
        for path in EVERYWHERE
        if not LEFT.fullmatch(path)
        for page in [getattr(client, method)(path)]
        if (page.status_code, page.headers.get("Location")) != (302, CARD)
        and page.status_code != 404
    }
    assert open_to_him == set()


def test_what_is_left_is_named_as_it_is():
    """A renamed address must not close the way out, nor a new one of that name open another."""
    from django.urls import NoReverseMatch, reverse

    unknown = []
    for name in LEFT_WHEN_LIMITED:
        for args in ([], ["00000000-0000-0000-0000-000000000007"]):
            try:
                reverse(name, args=args)
                break
            except NoReverseMatch:
                continue
        else:
            unknown.append(name)
    assert unknown == []
