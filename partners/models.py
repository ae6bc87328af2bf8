"""Partners, their outlets, and the API clients that act for them."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from loyalty.models import CODE
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
