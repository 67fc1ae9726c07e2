from django.urls import path

from . import views

urlpatterns = [
    path("mobile/", views.numbers, name="mobile"),
    path("mobile/add/", views.add, name="mobile_add"),
    path("mobile/<int:number_id>/verify/", views.send_code, name="mobile_verify"),
    path("mobile/code/", views.verify, name="mobile_code"),
    path("mobile/<int:number_id>/use/", views.use_for_login, name="mobile_use"),
]
