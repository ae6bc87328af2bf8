"""The back office's pages of settings and staff."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from loyalty.admin_base import CachedFactsAdmin
from loyalty.models import Program, User

admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    pass


SECTIONS = {
    "Programme": ["name", "currency", "time_zone", "time_zone_fixed", "epoch"],
    "Purchases and points": [
        "accepted_lateness",
        "future_tolerance",
        "offline_window",
        "offline_floor",
        "claim_window",
        "redemption_grace",
        "points_expiring_before",
    ],
    "Members": [
        "duplicate_policy",
        "minimum_age",
        "phone_region",
        "confirm_contact",
        "several_cards",
        "lost_card_grace",
        "closing_balance",
        "expires_after_inactivity",
        "member_schema",
    ],
    "Sign-in and PIN": [
        "session_lives",
        "refresh_lives",
        "pin_digits",
        "step_up_lives",
        "password_steps_up",
        "pin_above",
        "pin_above_per_day",
        "pin_above_at_most",
    ],
}
COUNTING = [
    "counts_points_paid",
    "counts_tax",
    "shipping_category",
    "counts_shipping",
    "gift_card_category",
    "counts_gift_cards",
    "basket_discount_lowers_lines",
    "carries_remainders",
    "returns_without_original",
]


@admin.register(Program)
class ProgramAdmin(CachedFactsAdmin):
    list_display = ["name", "time_zone", "currency", "accepted_lateness"]
    readonly_fields = ["epoch", "time_zone_fixed", "time_zone"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the settings by what they are about; what counts for promotions stands last."""
        known = {name for names in SECTIONS.values() for name in names}
        rest = [n for n in self.get_fields(request, obj) if n not in known and n not in COUNTING]
        return [
            *((title, {"fields": names}) for title, names in SECTIONS.items()),
            *([("Other settings", {"fields": rest})] if rest else []),
            (
                "What counts for promotions",
                {
                    "fields": COUNTING,
                    "description": "A change holds for purchases from now on: each keeps what held"
                    " when it was made, for its returns and replays. docs/evaluation.md has worked"
                    " tables.",
                },
            ),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
