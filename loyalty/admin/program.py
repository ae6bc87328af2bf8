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
        """Show what differs between programmes in what earns apart from all other settings."""
        others = [name for name in self.get_fields(request, obj) if name not in COUNTING]
        return [
            (None, {"fields": others}),
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
