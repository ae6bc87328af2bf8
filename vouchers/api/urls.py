"""The addresses of vouchers, benefits and subscriptions."""

from django.urls import URLPattern, path, re_path

from loyalty.api.paths import MEMBER
from vouchers.api.subscriptions import PlanViewSet, SubscriptionViewSet

urlpatterns: list[URLPattern] = [
    path("program/subscription-plans/", PlanViewSet.as_view({"get": "list"})),
    re_path(
        MEMBER + r"/subscriptions/$",
        SubscriptionViewSet.as_view({"get": "list_of", "post": "subscribe"}),
    ),
    re_path(MEMBER + r"/subscriptions/cancel/$", SubscriptionViewSet.as_view({"post": "cancel"})),
]
