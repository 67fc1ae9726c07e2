from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SlsConfig(AppConfig):
    name = "sls"
    verbose_name = _("Secure Login System")
