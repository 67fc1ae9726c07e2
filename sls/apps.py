from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class SlsConfig(AppConfig):
    name = "sls"
    verbose_name = _("Secure Login System")

    def ready(self) -> None:
        """Which rows waiting browsers and open apps wait for; no process starts with settings it does not know."""
        from portal.live import readers
        from sls import pins
        from sls.prompts import queries, rules

        rules.Matching(settings.NUMBER_MATCHING)
        pins.Guidelines(settings.PIN_GUIDELINES)

        readers.watch("login", queries.login_is_decided)
        readers.watch("phone", queries.phone_is_asked)
