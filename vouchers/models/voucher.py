"""Voucher types, the single codes issued from them, and what became of each."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q

from loyalty.models import CODE
from vouchers.models.subscription import check_duration


class VoucherType(models.Model):
    """What a voucher gives, where, how long, and for how many points it can be had."""

    class Gives(models.TextChoices):
        AMOUNT = "AMOUNT", "An amount of money"
        PERCENT = "PERCENT", "A percentage off"
        PRODUCT = "PRODUCT", "A product"
        TEXT = "TEXT", "What the text tells the till"

    class Codes(models.TextChoices):
        GENERATED = "GENERATED", "Made when it is issued"
        IMPORTED = "IMPORTED", "From an imported pool"

    code = models.CharField(max_length=64, unique=True, validators=[CODE])
    name = models.CharField(max_length=200)
    translations = models.JSONField(default=dict, blank=True)
    gives = models.CharField(max_length=10, choices=Gives.choices, default=Gives.AMOUNT)
    value = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Money, where it gives an amount.",
    )
    currency = models.CharField(max_length=3, blank=True)
    percent = models.DecimalField(
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )
    product = models.CharField(max_length=64, blank=True, help_text="The SKU it gives.")
    text = models.CharField(max_length=4000, blank=True)
    in_parts = models.BooleanField(
        default=False, help_text="An amount can be used bit by bit, until nothing is left."
    )
    point_type = models.ForeignKey(
        "ledger.PointType", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    points = models.BigIntegerField(
        null=True, blank=True, help_text="The price of one; empty: not for points."
    )
    at_once = models.PositiveSmallIntegerField(
        default=10, help_text="The most that one redemption buys."
    )
    per_member = models.PositiveIntegerField(
        null=True, blank=True, help_text="The most a member may have got; empty: no limit."
    )
    codes = models.CharField(max_length=10, choices=Codes.choices, default=Codes.GENERATED)
    prefix = models.CharField(
        max_length=8,
        blank=True,
        validators=[RegexValidator(r"^[A-Z0-9]*$", "Capitals and digits.")],
        help_text="Before the sixteen random characters of a code that is made.",
    )
    lives = models.CharField(
        max_length=32,
        blank=True,
        validators=[check_duration],
        help_text="From the day of issue, such as P3M; empty: it does not expire.",
    )
    reserved_for = models.CharField(
        max_length=32, default="PT15M", validators=[check_duration], help_text="A till's hold."
    )
    undo_within = models.CharField(max_length=32, default="P1D", validators=[check_duration])
    partners = models.ManyToManyField(
        "partners.Partner", blank=True, related_name="+", help_text="Where it is used; empty: all."
    )
    outlets = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    needs_member = models.BooleanField(
        default=False, help_text="The till must name its member; else whoever shows it may use it."
    )
    active_from = models.DateTimeField(null=True, blank=True)
    active_to = models.DateTimeField(null=True, blank=True)
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(gives="AMOUNT") | (Q(value__gt=0) & ~Q(currency="")),
                name="vouchers_type_amount",
            ),
            models.CheckConstraint(
                condition=~Q(gives="PERCENT") | Q(percent__gt=0), name="vouchers_type_percent"
            ),
            models.CheckConstraint(
                condition=Q(points__isnull=True) | (Q(points__gt=0) & Q(point_type__isnull=False)),
                name="vouchers_type_price",
            ),
            models.CheckConstraint(
                condition=Q(in_parts=False) | Q(gives="AMOUNT"), name="vouchers_type_parts"
            ),
        ]

    def __str__(self) -> str:
        return self.code


class VoucherStock(models.Model):
    """How many of a type can still be issued, in slots, so that tills do not queue for one row.

    A type without slots has no limit; an imported pool is its own stock.
    """

    SLOTS = 16

    voucher_type = models.ForeignKey(VoucherType, on_delete=models.CASCADE, related_name="stock")
    slot = models.PositiveSmallIntegerField()
    left = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["voucher_type", "slot"], name="vouchers_stock_slot")
        ]

    def __str__(self) -> str:
        return f"{self.left} of {self.voucher_type_id}"


class Voucher(models.Model):
    """One code. It is found by a keyed hash, and read back only by who may see it."""

    class Status(models.TextChoices):
        POOL = "POOL", "In the pool"
        ISSUED = "ISSUED", "Issued"
        RESERVED = "RESERVED", "Reserved at a till"
        USED = "USED", "Used"
        EXPIRED = "EXPIRED", "Expired"
        CANCELLED = "CANCELLED", "Cancelled"

    class Origin(models.TextChoices):
        POINTS = "POINTS", "For points"
        BENEFIT = "BENEFIT", "From a benefit"
        SWEEPSTAKE = "SWEEPSTAKE", "Won"
        PROMOTION = "PROMOTION", "From a promotion"
        ALLOCATION = "ALLOCATION", "Given by hand"

    id = models.UUIDField(primary_key=True)
    voucher_type = models.ForeignKey(VoucherType, on_delete=models.PROTECT, related_name="+")
    code_hash = models.BinaryField(max_length=32, unique=True)
    code_sealed = models.BinaryField(max_length=400)
    hint = models.CharField(max_length=4, help_text="The code's last characters.")
    member = models.ForeignKey(
        "members.Member", null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    partner = models.ForeignKey(
        "partners.Partner",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="By whom it was issued.",
    )
    status = models.CharField(max_length=10, choices=Status.choices)
    left = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    origin = models.CharField(max_length=10, choices=Origin.choices, blank=True)
    origin_id = models.UUIDField(null=True, help_text="The transaction or posting it came from.")
    issued_at = models.DateTimeField(null=True)
    valid_from = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    reserved_until = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(left__isnull=True) | Q(left__gte=0), name="vouchers_voucher_left"
            )
        ]
        indexes = [
            models.Index(fields=["member", "-id"], name="voucher_of_member"),
            models.Index(
                fields=["voucher_type", "id"], condition=Q(status="POOL"), name="voucher_pool"
            ),
            models.Index(
                fields=["origin_id"], condition=Q(origin_id__isnull=False), name="voucher_origin"
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(status__in=["ISSUED", "RESERVED"], expires_at__isnull=False),
                name="voucher_expiry",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.voucher_type_id} …{self.hint}"


class VoucherUse(models.Model):
    """A till's hold on a voucher, or its use, whole or in part."""

    class State(models.TextChoices):
        RESERVED = "RESERVED", "Reserved"
        USED = "USED", "Used"
        RELEASED = "RELEASED", "Released"
        UNDONE = "UNDONE", "Undone"

    id = models.UUIDField(primary_key=True)
    voucher = models.ForeignKey(Voucher, on_delete=models.PROTECT, related_name="uses")
    state = models.CharField(max_length=10, choices=State.choices)
    amount = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    partner = models.ForeignKey(
        "partners.Partner", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    outlet = models.CharField(max_length=64, blank=True)
    reference = models.CharField(max_length=200)
    sale = models.UUIDField(null=True, db_index=True)
    at = models.DateTimeField()
    until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | Q(amount__gt=0), name="vouchers_use_amount"
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gte=F("at")), name="vouchers_use_until"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.voucher_id}"
