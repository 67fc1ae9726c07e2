from django.urls import path

from . import views

urlpatterns = [
    path("enrol/", views.choose, name="enrol"),
    path("enrol/phone/", views.phone, name="enrol_phone"),
]
