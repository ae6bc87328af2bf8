"""The addresses of points."""

from django.urls import URLPattern, path, re_path

from ledger.api.adjustments import AdjustmentViewSet, PointLockViewSet
from ledger.api.cards import CardValidationViewSet
from ledger.api.exchanges import ExchangeViewSet
from ledger.api.partner_history import PartnerHistoryViewSet
from ledger.api.partners import PartnerViewSet
from ledger.api.program import PointTypeViewSet
from ledger.api.redemption import RedemptionViewSet
from ledger.api.standing import StandingViewSet
from ledger.api.statements import StatementViewSet
from loyalty.api.paths import CODE, MEMBER

urlpatterns: list[URLPattern] = [
    path("partners/", PartnerViewSet.as_view({"get": "page"})),
    path("partners/exchange/", PartnerViewSet.as_view({"get": "exchange"})),
    re_path(rf"^partners/{CODE}/$", PartnerViewSet.as_view({"get": "one", "put": "put"})),
    re_path(rf"^partners/{CODE}/transactions/$", PartnerHistoryViewSet.as_view({"get": "history"})),
    path("exchanges/", ExchangeViewSet.as_view({"get": "page"})),
    path("exchanges/<uuid:id>/", ExchangeViewSet.as_view({"post": "settle"})),
    path("cards/validate/", CardValidationViewSet.as_view({"post": "validate"})),
    path("program/point-types/", PointTypeViewSet.as_view({"get": "point_types"})),
    path("transactions/redeem/", RedemptionViewSet.as_view({"post": "redeem"})),
    path("transactions/lock/", PointLockViewSet.as_view({"post": "lock"})),
    path("transactions/unlock/", PointLockViewSet.as_view({"post": "unlock"})),
    path("transactions/adjust/", AdjustmentViewSet.as_view({"post": "adjust"})),
    path("members/stage/", StandingViewSet.as_view({"post": "stage"})),
    re_path(rf"{MEMBER}/points/$", StatementViewSet.as_view({"get": "status"})),
    re_path(rf"{MEMBER}/points/expiry/$", StatementViewSet.as_view({"get": "expiry"})),
    re_path(rf"{MEMBER}/points/expire/$", AdjustmentViewSet.as_view({"post": "expire"})),
]
