"""Under /phone/."""

from django.urls import path

from . import api, views

urlpatterns = [
    path("api/v1/countries", api.countries, name="phone_api_countries"),
    path("api/v1/activation/start", api.start, name="phone_api_start"),
    path("api/v1/activation/code", api.code, name="phone_api_code"),
    path("api/v1/activation/message", api.message, name="phone_api_message"),
    path("api/v1/activation/ask", api.ask, name="phone_api_ask"),
    path("api/v1/activation/agree", api.agree, name="phone_api_agree"),
    path("api/v1/activation/activate", api.activate, name="phone_api_activate"),
    path("activation/cancel/<str:token>/", views.cancel, name="activation_cancel"),
]
