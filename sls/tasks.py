"""Celery jobs of the Secure Login System."""

from datetime import timedelta
from functools import partial

from celery import shared_task

from portal import sessions, steps, throttle
from portal.clock import shared_now
from sls.activation import operations as activation
from sls.caller_check import operations as caller_check
from sls.devices import operations as devices
from sls.login import operations as login
from sls.online_card import operations as online_card
from sls.phone import operations as phone
from sls.prompts import operations as prompts
from sls.sharing import completion as sharing
from sls.temporary_code import operations as temporary_code

# Rows that stop something are kept for longer than they count: one written by a machine whose clock is behind
# still counts there.
KEPT = timedelta(hours=3)


@shared_task(expires=50)
def close_expired() -> None:
    """End what nobody finished in time. Every reader compares times itself; this only tidies up."""
    now = shared_now()
    steps.take(
        [
            *(
                partial(close, now=now)
                for close in (
                    sharing.close_expired,
                    online_card.close_expired,
                    temporary_code.close_expired,
                    devices.close_expired,
                    login.close_expired,
                    prompts.close_expired,
                    activation.close_expired,
                    caller_check.close_expired,
                    sessions.forget_past,
                )
            ),
            partial(phone.forget_past_nonces, now=now - KEPT),
            partial(throttle.forget_past, now=now - KEPT),
        ]
    )
