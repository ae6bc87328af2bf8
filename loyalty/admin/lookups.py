"""The back office's pages of the programme's look-up lists."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from loyalty.admin_base import CachedFactsAdmin
from loyalty.models import (
    CommunicationCategory,
    CommunicationChannel,
    Currency,
    CurrencyRate,
    IdentityProvider,
    Language,
)
from loyalty.services.languages import check_fallback


class LookupAdmin(ModelAdmin):
    """A list that others name by its codes: a row keeps its code, and is ended by `active`."""

    ordering = ["code"]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return ["code"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class LanguageForm(forms.ModelForm):
    """A language whose fallbacks end somewhere."""

    class Meta:
        model = Language
        fields = ["code", "name", "is_default", "fallback", "active"]

    def clean_fallback(self) -> Language | None:
        fallback: Language | None = self.cleaned_data["fallback"]
        check_fallback(self.instance, fallback)
        return fallback


@admin.register(Language)
class LanguageAdmin(LookupAdmin):
    form = LanguageForm
    list_display = ["code", "name", "is_default", "fallback", "active"]
    list_select_related = ["fallback"]


class CurrencyRateInline(TabularInline):
    model = CurrencyRate
    extra = 0
    fields = ["valid_from", "valid_to", "rate"]
    ordering = ["-valid_from"]


@admin.register(Currency)
class CurrencyAdmin(CachedFactsAdmin, LookupAdmin):
    list_display = ["code", "name", "decimals", "active"]
    inlines = [CurrencyRateInline]


@admin.register(CommunicationCategory)
class CommunicationCategoryAdmin(LookupAdmin):
    list_display = ["code", "name", "consent_default", "legal_basis", "needs_proof", "active"]


@admin.register(CommunicationChannel)
class CommunicationChannelAdmin(LookupAdmin):
    list_display = ["code", "name", "needs_verified_contact", "active"]


@admin.register(IdentityProvider)
class IdentityProviderAdmin(LookupAdmin):
    list_display = ["code", "name", "kind", "max_per_member", "verified", "active"]
