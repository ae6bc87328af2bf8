"""The form by which a segment's file is sent in the back office."""

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from loyalty.errors import FieldError
from loyalty.models import IdentityProvider
from loyalty.services.uploads import BYTES_MAX
from members.services.segment_import import Wanted

MODES = [
    ("ADD", "Add the members of the file"),
    ("REMOVE", "Take the members of the file out"),
    ("REPLACE", "Replace: the file's members, and nobody else"),
]
KEYS = [("number", "Member numbers"), ("card", "Card numbers"), ("alias", "Aliases")]
ENCODINGS = [
    ("", "As the file shows (UTF-8, UTF-16)"),
    ("utf-8", "UTF-8"),
    ("utf-16", "UTF-16"),
    ("cp1252", "Windows 1252"),
    ("latin-1", "Latin 1"),
]
HEADERS = [("", "As the file shows"), ("yes", "There is one"), ("no", "There is none")]


class ImportForm(forms.Form):
    """A file of keys, and what is to become of it."""

    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget(), help_text="One member a line; up to a gibibyte."
    )
    mode = forms.ChoiceField(choices=MODES, widget=UnfoldAdminSelectWidget())
    key = forms.ChoiceField(choices=KEYS, widget=UnfoldAdminSelectWidget())
    provider = forms.ModelChoiceField(
        IdentityProvider.objects.order_by("code"),
        required=False,
        to_field_name="code",
        widget=UnfoldAdminSelectWidget(),
        help_text="Of aliases only.",
    )
    column = forms.CharField(
        required=False,
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Its name or number, if the file has several.",
    )
    header = forms.ChoiceField(choices=HEADERS, required=False, widget=UnfoldAdminSelectWidget())
    encoding = forms.ChoiceField(
        choices=ENCODINGS, required=False, widget=UnfoldAdminSelectWidget()
    )
    until = forms.SplitDateTimeField(
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget(),
        help_text="When those who come in go again. Empty: never.",
    )
    dry_run = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Count what would happen, and change nothing.",
    )
    allow_empty = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Replace even if the file names nobody.",
    )

    def clean_file(self) -> Any:
        """Refuse a file that is larger than the API takes, too."""
        file = self.cleaned_data["file"]
        if file.size > BYTES_MAX:
            raise forms.ValidationError(f"A file has up to {BYTES_MAX:,} bytes.")
        return file

    def wanted(self) -> Wanted:
        """Return what is to become of the file."""
        given = self.cleaned_data
        column = given["column"].strip()
        return Wanted(
            mode=given["mode"],
            key=given["key"],
            provider=given["provider"].code if given["provider"] else None,
            encoding=given["encoding"] or None,
            header={"yes": True, "no": False}.get(given["header"]),
            column=int(column) if column.isdecimal() else column or None,
            until=given["until"],
            dry_run=given["dry_run"],
            allow_empty=given["allow_empty"],
        )

    def tell(self, error: FieldError) -> None:
        """Show a refusal at the field that it is about."""
        name = error.pointer.strip("/")
        self.add_error(name if name in self.fields else None, error.message)
