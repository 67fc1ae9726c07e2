"""Every address of the project. What stands above the portal is included by name only."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from portal.metrics.views import metrics
from portal.outbox.views import receipt
from portal.pages import views

urlpatterns = [
    path("", views.home, name="home"),
    path("", include("sls.login.urls")),
    path("settings/", include("portal.pages.urls")),
    path("settings/user/secure-login/", include("sls.urls")),
    path("phone/", include("sls.phone_app.urls")),
    path("phone/", include("sls.phone.urls")),
    path("phone/", include("sls.activation.urls")),
    path("help/", include("portal.help.urls")),
    path("language/", views.language, name="set_language"),
    path("metrics", metrics),
    path("messages/receipts/<slug:provider>/<uuid:message_id>/", receipt),
    path("health/live/", views.live),
    path("health/ready/", views.ready),
    path("admin/", admin.site.urls),
]
handler500 = "portal.pages.broken.broken"
if settings.DEMO_MODE:
    urlpatterns.append(path("demo/", include("sls.demo.urls")))
