"""The phone app under /phone/. Its server side has addresses of its own there."""

from django.conf import settings
from django.urls import path

from . import views

app_name = "phone_app"
urlpatterns = [
    path("", views.shell, name="shell"),
    path("sw.js", views.worker, name="worker"),
    path("manifest.webmanifest", views.manifest, name="manifest"),
    *(
        path(f"{code}/", views.shell, {"language": code}, name=f"shell_{code}")
        for code, _name in settings.LANGUAGES
    ),
]
