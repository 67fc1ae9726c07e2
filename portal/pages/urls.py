from django.urls import include, path

from . import views

app_name = "settings"
urlpatterns = [
    path("", views.user_settings, name="landing"),
    path("account/", views.account_settings, name="account"),
    path("user/", views.user_settings, name="user"),
    path("user/", include("sls.activity.urls")),
    path("user/", include("sls.password.urls")),
    path("user/", include("sls.mobile.urls")),
    path("user/secure-login/", include("sls.devices.urls")),
]
