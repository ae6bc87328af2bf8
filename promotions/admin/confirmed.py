"""Pages that ask, show what would happen, and do it once that is confirmed."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from loyalty.errors import LoyaltyError


class ConfirmedPages:
    """The pages of an admin that show first what they would do."""

    def _page(
        self,
        request: HttpRequest,
        form_class: type[forms.Form],
        *,
        preview: Callable[[Any], str],
        confirm: Callable[[Any], Any],
        back: str,
        initial: dict[str, Any] | None = None,
        own_unit: bool = False,
        **context: str,
    ) -> HttpResponse:
        """Show a form; with it sent, what it would do; with that confirmed, do it in one unit.

        A use case is a unit itself (`own_unit`), steps are put into one.
        """
        page: Any = self
        form = form_class(request.POST or None, initial=initial)
        shown = ""
        if request.method == "POST" and form.is_valid():
            try:
                if "confirm" in request.POST:
                    with nullcontext() if own_unit else transaction.atomic():
                        confirm(form)
                    page.message_user(request, "Done.", messages.SUCCESS)
                    return redirect(back)
                shown = preview(form)
            except LoyaltyError as refusal:
                page.message_user(request, refusal.detail, messages.ERROR)
        return render(
            request,
            "promotions/standing.html",
            {
                **page.admin_site.each_context(request),
                **context,
                "form": form,
                "preview": shown,
                "back": back,
            },
        )
