"""Under /phone/; the app's own pages and files come beside them."""

from django.urls import path

from . import api, views

urlpatterns = [
    path("api/v1/openapi.json", api.openapi, name="phone_api_openapi"),
    path("api/v1/phone", api.phone, name="phone_api_phone"),
    path("api/v1/prompts", api.waiting, name="phone_api_prompts"),
    path("api/v1/prompts/<uuid:prompt_id>/decision", api.decide, name="phone_api_decision"),
    path("api/v1/pin", api.pin, name="phone_api_pin"),
    path("api/v1/push", api.push, name="phone_api_push"),
    path("lost/", views.lost, name="phone_lost"),
]
