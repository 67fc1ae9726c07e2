"""Celery jobs of the Secure Login System."""

from celery import shared_task
from django.utils import timezone

from portal import throttle
from portal.models import BrowserSession
from sls.activation import operations as activation
from sls.devices import operations as devices
from sls.login import operations as login
from sls.online_card import operations as online_card
from sls.phone import operations as phone
from sls.prompts import operations as prompts
from sls.sharing import operations as sharing
from sls.temporary_code import operations as temporary_code


@shared_task(expires=50)
def close_expired() -> None:
    """End what nobody finished in time. Every reader compares times itself; this only tidies up."""
    now = timezone.now()
    sharing.close_expired(now=now)
    online_card.close_expired(now=now)
    temporary_code.close_expired(now=now)
    devices.close_expired(now=now)
    login.close_expired(now=now)
    prompts.close_expired(now=now)
    activation.close_expired(now=now)
    phone.forget_past_nonces(now=now)
    throttle.forget_past(now=now)
    BrowserSession.objects.filter(expire_date__lte=now).delete()
