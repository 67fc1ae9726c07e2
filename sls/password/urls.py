from django.urls import path

from . import views

urlpatterns = [
    path("password/", views.change, name="password"),
    path("password/forgot/", views.forgot, name="forgot"),
    path("password/forgot/sent/", views.forgot_sent, name="forgot_sent"),
    path("password/reset/device/", views.reset_device, name="reset_device"),
    path("password/reset/choose/", views.reset_choose, name="reset_choose"),
    path("password/reset/new/", views.reset_new, name="reset_new"),
    path("password/reset/link/<str:token>/", views.reset, name="reset"),
]
