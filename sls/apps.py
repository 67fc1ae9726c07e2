from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SlsConfig(AppConfig):
    name = "sls"
    verbose_name = _("Secure Login System")

    def ready(self) -> None:
        """Which rows waiting browsers and open apps wait for."""
        from portal.live import readers
        from sls.prompts import queries

        readers.watch("login", queries.login_is_decided)
        readers.watch("phone", queries.phone_is_asked)
