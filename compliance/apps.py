from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class ComplianceConfig(AppConfig):
    name = "compliance"
    verbose_name = _("Compliance")

    def ready(self) -> None:
        from compliance import roles

        post_migrate.connect(
            roles.apply_after_migrate, sender=self, dispatch_uid="compliance.roles"
        )
