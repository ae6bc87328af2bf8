"""Partners, their outlets, and the API clients that act for them."""

from datetime import timedelta

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Func, Q

from loyalty.models import CODE
from loyalty.models.lookups import regular_expression
from loyalty.scopes import Scope


class Partner(models.Model):
    """A business that members earn or redeem at; one row, the house, is the programme itself."""

    class Kind(models.TextChoices):
        MERCHANT = "MERCHANT", "Merchant"
        SPONSOR = "SPONSOR", "Sponsor"
        EXCHANGE = "EXCHANGE", "Exchange"
        SUPPLIER = "SUPPLIER", "Supplier"
        HOUSE = "HOUSE", "The programme"

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", "Active"
        INACTIVE = "INACTIVE", "Inactive"

    code = models.CharField(max_length=64, unique=True, validators=[CODE])
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.MERCHANT)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    currency = models.CharField(max_length=3, blank=True)
    is_house = models.BooleanField(default=False, editable=False)
    version = models.BigIntegerField(default=1, db_default=1, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_house"], condition=Q(is_house=True), name="partners_partner_one_house"
            )
        ]

    def __str__(self) -> str:
        return self.code


class Outlet(models.Model):
    """A shop, restaurant or web site of a partner."""

    partner = models.ForeignKey(Partner, on_delete=models.CASCADE, related_name="outlets")
    code = models.CharField(max_length=64, validators=[CODE])
    name = models.CharField(max_length=200)
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["partner", "code"], name="partners_outlet_code")
        ]

    def __str__(self) -> str:
        return self.code


class Contact(models.Model):
    """A person or desk of a partner."""

    partner = models.ForeignKey(Partner, on_delete=models.CASCADE, related_name="contacts")
    role = models.CharField(max_length=64, help_text="Such as settlement or technical.")
    name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.role}: {self.name}"


class PartnerRate(models.Model):
    """What one smallest unit of a point type is worth between a partner and the programme.

    EARN is what the partner pays for a point that it issues, BURN what it is paid for one that is
    redeemed with it, SETTLEMENT either where there is no rate of its own: money, in the partner's
    currency. EXCHANGE is how many of its own units the partner gives for a point.
    """

    class Kind(models.TextChoices):
        EARN = "EARN", "Earn: the partner pays for a point issued"
        BURN = "BURN", "Burn: the partner is paid for a point redeemed"
        SETTLEMENT = "SETTLEMENT", "Settlement: both, where there is no other"
        EXCHANGE = "EXCHANGE", "Exchange: units of the partner for a point"

    partner = models.ForeignKey(Partner, on_delete=models.CASCADE, related_name="rates")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    # The ledger stands above this app, so its point types are named by their codes.
    point_type = models.CharField(max_length=64, validators=[CODE])
    rate = models.DecimalField(max_digits=18, decimal_places=8, validators=[MinValueValidator(0)])
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(rate__gte=0), name="partners_rate_not_negative"),
            models.CheckConstraint(
                condition=Q(valid_to=None) | Q(valid_to__gt=F("valid_from")),
                name="partners_rate_in_order",
                violation_error_message="The rate ends before it begins.",
            ),
            ExclusionConstraint(
                name="partners_rate_no_overlap",
                expressions=[
                    ("partner", RangeOperators.EQUAL),
                    ("kind", RangeOperators.EQUAL),
                    ("point_type", RangeOperators.EQUAL),
                    (
                        Func(
                            "valid_from",
                            "valid_to",
                            function="tstzrange",
                            output_field=DateTimeRangeField(),
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                violation_error_message="Two rates of a kind are in force at the same time.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.point_type} {self.rate}"


class ExchangeTerms(models.Model):
    """How an exchange partner takes points for its own units."""

    partner = models.OneToOneField(
        Partner, on_delete=models.CASCADE, primary_key=True, related_name="exchange"
    )
    unit = models.CharField(max_length=64, help_text="What the partner gives, such as miles.")
    minimum = models.BigIntegerField(default=1, validators=[MinValueValidator(1)])
    maximum = models.BigIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    step = models.BigIntegerField(default=1, validators=[MinValueValidator(1)])
    fee = models.BigIntegerField(
        default=0, validators=[MinValueValidator(0)], help_text="Points that buy no units."
    )
    account_format = models.CharField(
        max_length=200,
        validators=[regular_expression],
        help_text="A regular expression that the whole account number matches.",
    )
    fulfilment = models.DurationField(
        default=timedelta(days=2), help_text="How long it takes until the units are there."
    )

    class Meta:
        verbose_name_plural = "exchange terms"
        constraints = [
            models.CheckConstraint(
                condition=Q(minimum__gte=1, step__gte=1, fee__gte=0)
                & (Q(maximum=None) | Q(maximum__gte=F("minimum"))),
                name="partners_exchangeterms_sane",
                violation_error_message="The maximum is below the minimum.",
            )
        ]

    def __str__(self) -> str:
        return f"{self.partner_id}: {self.unit}"


class Exchange(models.Model):
    """Points that were redeemed for units of an exchange partner, and what became of them."""

    class Status(models.TextChoices):
        SENT = "SENT", "Sent to the partner"
        DONE = "DONE", "The units are there"
        FAILED = "FAILED", "Failed; the points went back"

    # Numbers of what stands above this app: the redemption's transaction, and the member.
    id = models.UUIDField(primary_key=True, help_text="That of the redemption.")
    member_id = models.BigIntegerField()
    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="+")
    account = models.CharField(max_length=64)
    point_type = models.CharField(max_length=64)
    points = models.BigIntegerField()
    units = models.BigIntegerField()
    fee = models.BigIntegerField()
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.SENT)
    reason = models.CharField(max_length=4000, blank=True)
    sent_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["partner", "status", "sent_at", "id"], name="exchange_due")]

    def __str__(self) -> str:
        return f"{self.units} for {self.points} {self.point_type}"


class ApiClient(models.Model):
    """What Laurel adds to an OAuth application: whom it acts for, and what it may do.

    Without a partner it is a house client and acts for the programme.
    """

    application = models.OneToOneField(
        settings.OAUTH2_PROVIDER_APPLICATION_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    partner = models.ForeignKey(
        Partner, null=True, blank=True, on_delete=models.PROTECT, related_name="clients"
    )
    scopes = ArrayField(models.CharField(max_length=64, choices=[(s, s) for s in Scope]))
    second_secret = models.CharField(max_length=255, blank=True, editable=False)
    second_secret_until = models.DateTimeField(null=True, blank=True)
    public = models.BooleanField(default=False)
    rate_limit_per_minute = models.PositiveIntegerField(default=6000)

    class Meta:
        verbose_name = "API client"

    def __str__(self) -> str:
        return str(self.application)
