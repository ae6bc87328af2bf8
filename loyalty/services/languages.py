"""Languages and what they fall back to."""

from django.core.exceptions import ValidationError

from loyalty.models import Language


def check_fallback(language: Language, fallback: Language | None) -> None:
    """:raises ValidationError: if the fallbacks would come back to the language itself."""
    step = fallback if language.pk else None
    while step is not None:
        if step.pk == language.pk:
            raise ValidationError(f"{fallback} falls back to {language} itself.")
        step = step.fallback
