"""The back office's pages of partners and their API clients."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from loyalty import token_cache
from loyalty.admin_base import CachedFactsAdmin
from loyalty.errors import ValidationFailed
from loyalty.scopes import Scope
from partners.content import rate_faults
from partners.errors import MonthClosed, RateStands
from partners.models import ApiClient, Contact, ExchangeTerms, Outlet, Partner, PartnerRate
from partners.queries import rate_content
from partners.services.clients import check_scopes, create_client, remove_client, rotate_secret
from partners.services.partner import check_past


class OutletInline(TabularInline):
    model = Outlet
    extra = 0
    per_page = 20
    ordering = ["code"]


class ContactInline(TabularInline):
    model = Contact
    extra = 0


class RateFormSet(forms.BaseInlineFormSet):
    """Rates of a kind follow each other, and what was in force stands."""

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        wanted = tuple(
            rate_content(form.instance)
            for form in self.forms
            if form.has_changed() or form.instance.pk
            if not form.cleaned_data.get("DELETE")
        )
        if faults := rate_faults(wanted):
            raise forms.ValidationError([fault.message for fault in faults])
        stand = tuple(map(rate_content, self.instance.rates.all())) if self.instance.pk else ()
        try:
            check_past(stand, wanted, at=timezone.now())
        except (RateStands, MonthClosed) as error:
            raise forms.ValidationError(error.detail) from None

    def validate_unique(self) -> None:
        """Rows are judged together: each alone would meet the stored state of the others."""


class RateForm(forms.ModelForm):
    class Meta:
        model = PartnerRate
        fields = ["kind", "point_type", "rate", "valid_from", "valid_to"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, width in (("kind", "12rem"), ("rate", "8rem")):
            if name in self.fields:
                self.fields[name].widget.attrs["style"] = f"min-width:{width}"

    def validate_constraints(self) -> None:
        """The rows are judged together, by the formset."""


class RateInline(TabularInline):
    model = PartnerRate
    form = RateForm
    formset = RateFormSet
    extra = 0
    ordering = ["kind", "point_type", "valid_from"]


class ExchangeTermsInline(StackedInline):
    model = ExchangeTerms
    extra = 0


class ClientInline(TabularInline):
    """The partner's API clients; their secrets are rotated on their own pages."""

    model = ApiClient
    extra = 0
    fields = ["application", "scopes", "rate_limit_per_minute", "public"]
    readonly_fields = fields
    show_change_link = True
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Partner)
class PartnerAdmin(CachedFactsAdmin):
    list_display = ["code", "name", "kind", "status", "currency"]
    list_filter = ["kind", "status"]
    search_fields = ["code", "name"]
    fields = ["code", "name", "kind", "status", "currency", "version"]
    inlines = [OutletInline, RateInline, ExchangeTermsInline, ContactInline, ClientInline]
    readonly_fields = ["version"]

    def get_readonly_fields(self, request: HttpRequest, obj: Partner | None = None) -> list[str]:
        """A partner keeps its code, which promotions name, and the house stays the house."""
        if obj is None:
            return ["version"]
        return ["version", "code", *(["kind", "status"] if obj.is_house else [])]

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "kind":
            kinds = Partner.Kind.choices
            kwargs["choices"] = [each for each in kinds if each[0] != Partner.Kind.HOUSE]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Partner | None = None) -> bool:
        return False  # A partner with history is made INACTIVE.

    def save_model(self, request: HttpRequest, obj: Partner, form: Any, change: bool) -> None:
        if change:
            obj.version += 1
        super().save_model(request, obj, form, change)
        token_cache.clear()


class ApiClientForm(forms.ModelForm):
    """An API client by name, partner and scopes; its id and secret are made for it."""

    name = forms.CharField(max_length=255, widget=UnfoldAdminTextInputWidget())
    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in Scope], widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = ApiClient
        fields = ["partner", "scopes", "rate_limit_per_minute"]

    for_house = False  # Whether the person at the form may make clients of the house.

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["partner"].required = not self.for_house
        if self.instance.pk:
            self.fields["name"].initial = self.instance.application.name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        try:
            check_scopes(frozenset(cleaned.get("scopes", [])), cleaned.get("partner"))
        except ValidationFailed as error:
            self.add_error("scopes", error.detail)
        return cleaned


@admin.register(ApiClient)
class ApiClientAdmin(ModelAdmin):
    """API clients. Those of the house may do anything, so only superusers touch them."""

    form = ApiClientForm
    fields = ["name", "partner", "scopes", "rate_limit_per_minute"]
    list_display = ["client_name", "partner", "client_id", "rate_limit_per_minute"]
    list_select_related = ["application", "partner"]
    search_fields = ["application__name", "application__client_id", "partner__code"]
    actions = ["rotate"]
    actions_detail = ["rotate_this"]

    @admin.display(description="Name")
    def client_name(self, client: ApiClient) -> str:
        return client.application.name

    @admin.display(description="Client id")
    def client_id(self, client: ApiClient) -> str:
        return client.application.client_id

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "partner":  # A client of the house is one without a partner.
            kwargs["queryset"] = Partner.objects.filter(is_house=False).order_by("code")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        form.for_house = request.user.is_superuser
        return form

    def has_change_permission(self, request: HttpRequest, obj: ApiClient | None = None) -> bool:
        return super().has_change_permission(request, obj) and self._is_theirs(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: ApiClient | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self._is_theirs(request, obj)

    @staticmethod
    def _is_theirs(request: HttpRequest, client: ApiClient | None) -> bool:
        of_the_house = client is not None and client.partner_id is None
        return request.user.is_superuser or not of_the_house

    def save_model(self, request: HttpRequest, obj: ApiClient, form: Any, change: bool) -> None:
        name = form.cleaned_data["name"]
        if change:
            super().save_model(request, obj, form, change)
            obj.application.name = name
            obj.application.save(update_fields=["name"])
            token_cache.clear()
            return
        made = create_client(
            name,
            partner=obj.partner,
            scopes=obj.scopes,
            rate_limit_per_minute=obj.rate_limit_per_minute,
        )
        obj.pk, obj.application = made.client.pk, made.client.application
        self._show(request, made.client_id, made.client_secret)

    def delete_model(self, request: HttpRequest, obj: ApiClient) -> None:
        remove_client(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[ApiClient]) -> None:
        clients = queryset.select_related("application")
        for client in clients:
            if self._is_theirs(request, client):
                remove_client(client)

    def _show(self, request: HttpRequest, client_id: str, secret: str) -> None:
        text = f"Client id {client_id}, secret {secret}. The secret is shown this once."
        self.message_user(request, text, messages.WARNING)

    @action(description="Rotate the secret", url_path="rotate", permissions=["rotation"])
    def rotate_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask first, then show the new secret once; the old one works for a day more."""
        client = get_object_or_404(ApiClient.objects.select_related("application"), pk=object_id)
        page = reverse("admin:partners_apiclient_change", args=[client.pk])
        if not self.has_change_permission(request, client):
            raise PermissionDenied
        if request.method == "POST":
            made = rotate_secret(client, at=timezone.now(), both_for=timedelta(days=1))
            self._show(request, made.client_id, made.client_secret)
            return redirect(page)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Rotate the secret of {client}",
            "text": "The old secret works for a day more. The new one is shown once.",
            "verb": "Rotate it",
            "back": page,
        }
        return render(request, "loyalty/ask.html", context)

    def has_rotation_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether a person of the staff may rotate secrets; whose is asked on the page."""
        return super().has_change_permission(request)

    @admin.action(
        description="Rotate the secret; the old one works for a day more", permissions=["change"]
    )
    def rotate(self, request: HttpRequest, queryset: QuerySet[ApiClient]) -> None:
        for client in queryset.select_related("application"):
            if not self.has_change_permission(request, client):
                text = f"{client} is the house's: a superuser rotates its secret."
                self.message_user(request, text, messages.ERROR)
                continue
            made = rotate_secret(client, at=timezone.now(), both_for=timedelta(days=1))
            self._show(request, made.client_id, made.client_secret)
