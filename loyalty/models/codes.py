"""The forms of the codes by which everything is named."""

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from loyalty.dates import parse_duration

CODE = RegexValidator(r"^[A-Z0-9][A-Z0-9._-]{0,63}$", "Capitals, digits, dot, dash, underscore.")
SLUG = RegexValidator(r"^[a-z][a-z0-9_-]{0,63}$", "Lower case letters, digits, dash, underscore.")
LANGUAGE = RegexValidator(r"^[a-z]{2,3}(-[A-Z]{2})?$", "Such as en or de-AT.")
CURRENCY = RegexValidator(r"^[A-Z]{3}$", "Three capitals, as ISO 4217 has them.")


def duration(text: str) -> None:
    """:raises ValidationError: if a text is no ISO 8601 duration."""
    try:
        parse_duration(text)
    except ValueError as error:
        raise ValidationError(f"{error}.") from None
