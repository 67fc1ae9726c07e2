from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class SlsConfig(AppConfig):
    name = "sls"
    verbose_name = _("Secure Login System")

    def ready(self) -> None:
        """Which rows waiting browsers and open apps wait for; no process starts with settings it does not know."""
        from portal.environment import chosen
        from portal.live import readers
        from sls import codecard, numbers, pins, review
        from sls.prompts import queries, rules

        chosen("NUMBER_MATCHING", settings.NUMBER_MATCHING, rules.Matching)
        chosen("PIN_GUIDELINES", settings.PIN_GUIDELINES, pins.Guidelines)
        chosen("CODE_CARD_MODE", settings.CODE_CARD_MODE, codecard.CardMode)
        for code in settings.REVIEW_RULES:  # a rule that is misspelt would hold no request
            chosen("REVIEW_RULES", code, review.SHIPPED)
        for country in settings.PHONE_COUNTRIES:
            chosen("PHONE_COUNTRIES", country, sorted(numbers.allowed_countries(())))

        readers.watch("login", queries.login_is_decided)
        readers.watch("phone", queries.phone_is_asked)
