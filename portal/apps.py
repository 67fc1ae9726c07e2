from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin import apps as admin_apps
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

SHORTEST_TOKEN = 32  # characters


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = _("Portal")
    default = True

    def ready(self) -> None:
        """No process starts with weak keys, malformed limits or gateways, whether it runs the system checks or not."""
        from portal import throttle, vault
        from portal.outbox.channels import routes, webpush

        vault.parse_keys(settings.VAULT_KEYS)
        throttle.check_sizes(settings.LIMITS)
        routes.check()
        webpush.public_key()
        if 0 < len(settings.METRICS_TOKEN) < SHORTEST_TOKEN:
            raise ImproperlyConfigured("METRICS_TOKEN is weak: use 32 random characters or more.")


class PortalAdminConfig(admin_apps.AdminConfig):
    default_site = "portal.admin_site.PortalAdminSite"
    default = False
