from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin import apps as admin_apps


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Portal"
    default = True

    def ready(self) -> None:
        """No process starts with weak keys, malformed limits or gateways, whether it runs the system checks or not."""
        from portal import throttle, vault
        from portal.outbox.channels import sms_http, webpush

        vault.parse_keys(settings.VAULT_KEYS)
        throttle.check_sizes(settings.LIMITS)
        if settings.SMS_URL:
            sms_http.gateway(settings.SMS_URL)
        webpush.public_key()


class PortalAdminConfig(admin_apps.AdminConfig):
    default_site = "portal.admin_site.PortalAdminSite"
    default = False
