"""The programme's look-up lists: languages, currencies, communication, identity providers."""

from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Q

from loyalty.models.codes import CURRENCY, LANGUAGE, SLUG
from loyalty.patterns import check_pattern


def regular_expression(pattern: str) -> None:
    """:raises ValidationError: if a pattern is none that can be matched in linear time."""
    check_pattern(pattern)


def texts_by_language(value: Any) -> None:
    """:raises ValidationError: if translations are not texts by field, by language."""
    form = 'Give {"de": {"name": "…"}}: for each language its texts.'
    if not isinstance(value, dict):
        raise ValidationError(form)
    for language, texts in value.items():
        LANGUAGE(language)
        if not isinstance(texts, dict) or not all(isinstance(each, str) for each in texts.values()):
            raise ValidationError(form)


class Language(models.Model):
    """A language of the programme. What is missing in it is told in its fallback, and so on."""

    code = models.CharField(max_length=16, unique=True, validators=[LANGUAGE])
    name = models.CharField(max_length=200, help_text="As its speakers call it.")
    is_default = models.BooleanField(default=False, help_text="Where nothing else fits.")
    fallback = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="loyalty_language_default"
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(active=True, fallback=None),
                name="loyalty_language_default_stands",
                violation_error_message="The default language is active and has no fallback.",
            ),
            models.CheckConstraint(
                condition=~Q(fallback=F("id")),
                name="loyalty_language_not_its_own_fallback",
                violation_error_message="A language is not its own fallback.",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Currency(models.Model):
    """A currency that the programme knows, by its ISO 4217 code."""

    code = models.CharField(max_length=3, unique=True, validators=[CURRENCY])
    name = models.CharField(max_length=200)
    decimals = models.PositiveSmallIntegerField(
        default=2, validators=[MaxValueValidator(4)], help_text="Places of its minor unit."
    )
    active = models.BooleanField(default=True)

    class Meta:
        verbose_name_plural = "currencies"
        constraints = [
            models.CheckConstraint(condition=Q(decimals__lte=4), name="loyalty_currency_decimals")
        ]

    def __str__(self) -> str:
        return self.code


class CurrencyRate(models.Model):
    """What one unit of a currency is worth in the programme's, from an instant on.

    The later of two rates holds from its own start on, so that periods never overlap.
    """

    currency = models.ForeignKey(Currency, on_delete=models.CASCADE, related_name="rates")
    rate = models.DecimalField(
        max_digits=18,
        decimal_places=9,
        help_text="Units of the programme's currency for one unit, such as 0.92 for a dollar in"
        " euro.",
    )
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True, help_text="Exclusive; empty: open.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["currency", "valid_from"], name="loyalty_currencyrate_start"
            ),
            models.CheckConstraint(condition=Q(rate__gt=0), name="loyalty_currencyrate_positive"),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gt=F("valid_from")),
                name="loyalty_currencyrate_period",
                violation_error_message="A rate ends after it begins.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.currency_id} {self.rate} from {self.valid_from}"


class CommunicationCategory(models.Model):
    """What members are written to about, such as marketing; they consent category by category."""

    class LegalBasis(models.TextChoices):
        CONSENT = "CONSENT", "Consent of the member"
        CONTRACT = "CONTRACT", "Needed for the membership"
        LEGITIMATE_INTEREST = "LEGITIMATE_INTEREST", "Legitimate interest"
        LEGAL_OBLIGATION = "LEGAL_OBLIGATION", "Demanded by law"

    code = models.CharField(max_length=64, unique=True, validators=[SLUG])
    name = models.CharField(max_length=200)
    translations = models.JSONField(default=dict, blank=True, validators=[texts_by_language])
    consent_default = models.BooleanField(
        default=False, help_text="What holds until a member says otherwise."
    )
    legal_basis = models.CharField(
        max_length=20, choices=LegalBasis.choices, default=LegalBasis.CONSENT
    )
    needs_proof = models.BooleanField(
        default=False, help_text="A consent is taken only with its proof."
    )
    active = models.BooleanField(default=True)

    class Meta:
        verbose_name_plural = "communication categories"

    def __str__(self) -> str:
        return self.code


class CommunicationChannel(models.Model):
    """A way to reach members, such as e-mail."""

    code = models.CharField(max_length=64, unique=True, validators=[SLUG])
    name = models.CharField(max_length=200)
    translations = models.JSONField(default=dict, blank=True, validators=[texts_by_language])
    needs_verified_contact = models.BooleanField(
        default=False, help_text="Used only when the member has proved that the contact is theirs."
    )
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.code


class IdentityProvider(models.Model):
    """Who vouches for an alias: an e-mail address, a phone number, a social login, an app.

    A value names one member, whatever the provider: members are found by it.
    """

    class Kind(models.TextChoices):
        EMAIL = "EMAIL", "E-mail"
        PHONE = "PHONE", "Phone"
        SOCIAL = "SOCIAL", "Social login"
        CARD = "CARD", "Card scheme"
        APP = "APP", "App"

    class Verified(models.TextChoices):
        CODE = "CODE", "By a one-time code sent to it"
        PROVIDER = "PROVIDER", "By the provider's own sign-in"
        UNVERIFIED = "UNVERIFIED", "Not at all"

    code = models.CharField(max_length=64, unique=True, validators=[SLUG])
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    pattern = models.CharField(
        max_length=200,
        blank=True,
        validators=[regular_expression],
        help_text="A regular expression that the whole value matches.",
    )
    max_per_member = models.PositiveSmallIntegerField(default=1)
    quarantine = models.DurationField(
        default=timedelta(days=90), help_text="How long a value that was given up is kept."
    )
    verified = models.CharField(
        max_length=12, choices=Verified.choices, default=Verified.UNVERIFIED
    )
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.code
