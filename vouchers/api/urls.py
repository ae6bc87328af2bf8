"""The addresses of vouchers, benefits and subscriptions."""

from django.urls import URLPattern, path, re_path

from loyalty.api.paths import CODE, MEMBER
from vouchers.api.authentication import VoucherAuthenticationViewSet
from vouchers.api.benefits import BenefitListViewSet, BenefitViewSet
from vouchers.api.subscriptions import PlanViewSet, SubscriptionViewSet
from vouchers.api.voucher_types import VoucherTypeViewSet
from vouchers.api.vouchers import VoucherViewSet

urlpatterns: list[URLPattern] = [
    path("program/subscription-plans/", PlanViewSet.as_view({"get": "list"})),
    path("program/benefits/", BenefitListViewSet.as_view({"get": "list"})),
    path("program/voucher-types/", VoucherTypeViewSet.as_view({"get": "list"})),
    path("vouchers/redeem/", VoucherViewSet.as_view({"post": "redeem"})),
    path("vouchers/authenticate/", VoucherAuthenticationViewSet.as_view({"post": "authenticate"})),
    re_path(
        MEMBER + r"/vouchers/$", VoucherViewSet.as_view({"get": "history", "post": "allocate"})
    ),
    re_path(MEMBER + r"/benefits/$", BenefitViewSet.as_view({"get": "list_of"})),
    re_path(rf"{MEMBER}/benefits/{CODE}/$", BenefitViewSet.as_view({"post": "act"})),
    re_path(
        MEMBER + r"/subscriptions/$",
        SubscriptionViewSet.as_view({"get": "list_of", "post": "subscribe"}),
    ),
    re_path(MEMBER + r"/subscriptions/cancel/$", SubscriptionViewSet.as_view({"post": "cancel"})),
]
