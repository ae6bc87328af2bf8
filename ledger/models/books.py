"""The tables of the ledger. `ledger.services.posting` is the only code that writes the books.

Foreign keys out of them carry no database constraint: the kernel guarantees them and
`audit_ledger` proves them, and checking each one again would cost an earn a quarter more.
"""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import ExpressionWrapper, F, Q

from ledger.kernel.book import Bucket as KernelBucket
from ledger.kernel.book import Kind as KernelKind
from members.models import Member


def reference_to(model: Any, **options: Any) -> Any:
    """Declare a foreign key of the books: no constraint, no index, no way back."""
    defaults = {"db_constraint": False, "db_index": False, "related_name": "+"}
    return models.ForeignKey(model, on_delete=models.DO_NOTHING, **{**defaults, **options})


class PointType(models.Model):
    """A currency of points: redeemable points, status points, miles, cashback."""

    class DebtPolicy(models.TextChoices):
        DEBT = "DEBT", "Owe them; later earns pay first"
        CLAMP = "CLAMP", "Forgive what was spent"
        REFUSE = "REFUSE", "Refuse the reversal"

    code = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    decimals = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(4)])
    redeemable = models.BooleanField(default=True)
    qualifying = models.BooleanField(default=True, help_text="Counts towards tiers.")
    expiry = models.CharField(
        max_length=64,
        blank=True,
        help_text="How long points live, e.g. P12M/EARNED/MONTH; empty: they never expire.",
    )
    minimum = models.BigIntegerField(default=1, help_text="The least points of a redemption.")
    step = models.BigIntegerField(default=1, help_text="Redemptions are multiples of this.")
    daily_limit = models.BigIntegerField(
        null=True, blank=True, help_text="The most points a member may redeem in a local day."
    )
    debt_policy = models.CharField(
        max_length=8, choices=DebtPolicy.choices, default=DebtPolicy.DEBT
    )
    zero_earn_is_activity = models.BooleanField(default=False)
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(minimum__gte=1, step__gte=1, decimals__lte=4),
                name="ledger_pointtype_sane",
            )
        ]

    def __str__(self) -> str:
        return self.code


class PointValue(models.Model):
    """The money that one smallest unit of a point type is worth, from an instant on."""

    point_type = models.ForeignKey(PointType, on_delete=models.CASCADE, related_name="values")
    currency = models.CharField(max_length=3)
    value = models.DecimalField(max_digits=14, decimal_places=8)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["point_type", "currency", "valid_from"], name="ledger_pointvalue_start"
            ),
            models.CheckConstraint(condition=Q(value__gt=0), name="ledger_pointvalue_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.point_type_id} {self.value} {self.currency}"


class Book(models.Model):
    """A member's book: the one row that is locked, and the count of its transactions."""

    member = models.OneToOneField(
        "members.Member",
        on_delete=models.DO_NOTHING,
        primary_key=True,
        db_constraint=False,
        related_name="+",
    )
    version = models.BigIntegerField(default=0)
    last_posted_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(
        null=True, help_text="Nothing is released, expires or ends before this."
    )
    activity = ArrayField(models.CharField(max_length=64), default=list)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="book_due")
        ]

    def __str__(self) -> str:
        return f"book of {self.member_id} at {self.version}"


class Account(models.Model):
    """A member's points of one type by state: a cache of the entries, one row to read."""

    pk = models.CompositePrimaryKey("member_id", "point_type_id")
    member = reference_to("members.Member")
    point_type = reference_to(PointType)
    available = models.BigIntegerField(default=0)
    pending = models.BigIntegerField(default=0)
    locked = models.BigIntegerField(default=0)
    debt = models.BigIntegerField(default=0)
    earned = models.BigIntegerField(default=0)
    redeemed = models.BigIntegerField(default=0)
    expired = models.BigIntegerField(default=0)
    reversed = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(available__gte=0, pending__gte=0, locked__gte=0, debt__gte=0),
                name="ledger_account_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(available=0) | Q(debt=0), name="ledger_account_debt_or_available"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.point_type_id}: {self.available}"


class MemberPoints(Member):
    """A member as the points pages of the back office show them."""

    class Meta:
        proxy = True
        verbose_name = "balance"

    def __str__(self) -> str:
        return self.number


class LiabilityReport(PointType):
    """The point types as the report of what is outstanding shows them."""

    class Meta:
        proxy = True
        verbose_name = "liability"
        verbose_name_plural = "liability"

    def __str__(self) -> str:
        return self.code


class Transaction(models.Model):
    """The immutable header of one posting."""

    class Kind(models.TextChoices):
        EARN = KernelKind.EARN
        BONUS = KernelKind.BONUS
        REDEMPTION = KernelKind.REDEMPTION
        EARN_REVERSAL = KernelKind.EARN_REVERSAL
        RETURN = KernelKind.RETURN
        REDEMPTION_REVERSAL = KernelKind.REDEMPTION_REVERSAL
        RETURN_REVERSAL = KernelKind.RETURN_REVERSAL
        LOCK = KernelKind.LOCK
        UNLOCK = KernelKind.UNLOCK
        RELEASE = KernelKind.RELEASE
        EXPIRY = KernelKind.EXPIRY
        ADJUSTMENT = KernelKind.ADJUSTMENT
        TRANSFER = KernelKind.TRANSFER

    id = models.UUIDField(primary_key=True)
    member = reference_to("members.Member")
    version = models.BigIntegerField(help_text="The book's: gapless per member.")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    partner = reference_to("partners.Partner")
    reference = models.CharField(max_length=200, null=True)  # noqa: DJ001 null: ours, no caller
    digest = models.BinaryField(max_length=32, null=True)
    part = models.SmallIntegerField(default=0)
    sale = models.UUIDField(null=True)
    original = models.UUIDField(null=True)
    lock = models.UUIDField(null=True)
    occurred_at = models.DateTimeField()
    posted_at = models.DateTimeField()
    amount = models.DecimalField(max_digits=16, decimal_places=4, null=True)
    currency = models.CharField(max_length=3, null=True)  # noqa: DJ001
    outlet = models.CharField(max_length=64, null=True)  # noqa: DJ001
    purpose = models.CharField(max_length=20, null=True)  # noqa: DJ001
    reason = models.CharField(max_length=4000, null=True)  # noqa: DJ001
    request_id = models.CharField(max_length=64, null=True)  # noqa: DJ001
    tier_before = models.CharField(max_length=64, null=True)  # noqa: DJ001
    tier_after = models.CharField(max_length=64, null=True)  # noqa: DJ001
    effects = models.JSONField(default=list)
    data = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["member", "version"], name="ledger_transaction_version"
            ),
            models.UniqueConstraint(
                fields=["partner", "reference", "kind", "part"],
                condition=Q(reference__isnull=False),
                name="ledger_transaction_reference",
            ),
        ]
        indexes = [
            models.Index(
                fields=["original"],
                condition=Q(original__isnull=False),
                name="transaction_original",
            ),
            models.Index(fields=["sale"], condition=Q(sale__isnull=False), name="transaction_sale"),
            # What a partner posted, newest first: of an expression, so that no plan of a young
            # table takes it for the index by which references are found. And what may move points
            # that others issued.
            models.Index(
                ExpressionWrapper(F("partner") + 0, models.BigIntegerField()),
                "posted_at",
                "id",
                name="transaction_of_partner",
            ),
            models.Index(
                fields=["posted_at", "id"],
                condition=~Q(kind__in=["EARN", "BONUS"]) | Q(data__has_key="funders"),
                name="transaction_not_earned",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference or self.id}"


class Lot(models.Model):
    """What one promotion version gave in one transaction, with what is left by state."""

    id = models.UUIDField(primary_key=True)
    member = reference_to("members.Member")
    point_type = reference_to(PointType)
    transaction = reference_to(Transaction, db_index=True)
    version = models.BigIntegerField()
    seq = models.SmallIntegerField()
    promotion_version = models.BigIntegerField(null=True)
    partner = reference_to("partners.Partner", help_text="The partner that issued it.")
    granted = models.BigIntegerField()
    pending = models.BigIntegerField(default=0)
    available = models.BigIntegerField(default=0)
    locked = models.BigIntegerField(default=0)
    open = models.BooleanField(
        help_text="Whether anything is left; kept apart so updates stay HOT."
    )
    available_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    expiry = models.CharField(max_length=64, default="", blank=True)
    origin = models.UUIDField(null=True, help_text="The sale, where its transaction is not it.")
    moved_from = models.UUIDField(null=True, help_text="The lot it goes on with, after a merge.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(pending__gte=0, available__gte=0, locked__gte=0, granted__gt=0),
                name="ledger_lot_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(granted__gte=F("pending") + F("available") + F("locked")),
                name="ledger_lot_within_grant",
            ),
            models.CheckConstraint(
                condition=Q(open=True, pending__gt=0)
                | Q(open=True, available__gt=0)
                | Q(open=True, locked__gt=0)
                | Q(open=False, pending=0, available=0, locked=0),
                name="ledger_lot_open",
            ),
        ]
        indexes = [
            models.Index(
                fields=["member", "point_type", "expires_at", "version", "seq"],
                condition=Q(open=True),
                name="lot_spending_order",
            ),
            models.Index(
                fields=["moved_from"], condition=Q(moved_from__isnull=False), name="lot_moved_from"
            ),
        ]

    def __str__(self) -> str:
        return f"lot {self.id} of {self.granted}"


class Entry(models.Model):
    """Points that moved from one bucket to another: balanced because it is one row."""

    class Bucket(models.IntegerChoices):
        ISSUED = KernelBucket.ISSUED
        PENDING = KernelBucket.PENDING
        AVAILABLE = KernelBucket.AVAILABLE
        LOCKED = KernelBucket.LOCKED
        REDEEMED = KernelBucket.REDEEMED
        EXPIRED = KernelBucket.EXPIRED
        REVERSED = KernelBucket.REVERSED
        DEBT = KernelBucket.DEBT
        TRANSFERRED = KernelBucket.TRANSFERRED

    id = models.BigAutoField(primary_key=True)
    member = reference_to("members.Member")
    transaction = reference_to(Transaction, db_index=True)
    version = models.BigIntegerField()
    point_type = reference_to(PointType)
    lot = reference_to(Lot, null=True)
    source = models.SmallIntegerField(choices=Bucket.choices)
    target = models.SmallIntegerField(choices=Bucket.choices)
    points = models.BigIntegerField()

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.CheckConstraint(condition=Q(points__gt=0), name="ledger_entry_positive"),
            models.CheckConstraint(condition=~Q(source=F("target")), name="ledger_entry_moves"),
        ]
        indexes = [
            models.Index(fields=["lot"], condition=Q(lot__isnull=False), name="entry_of_lot")
        ]

    def __str__(self) -> str:
        return f"{self.points} {self.source}→{self.target}"


class PointLock(models.Model):
    """A hold on points: of an amount, or of what is left of one sale."""

    class LockClass(models.TextChoices):
        HOLD = "HOLD", "Hold"
        FRAUD = "FRAUD", "Fraud"

    id = models.UUIDField(primary_key=True, help_text="That of the LOCK transaction.")
    member = reference_to("members.Member")
    point_type = reference_to(PointType)
    partner = reference_to("partners.Partner")
    lock_class = models.CharField(max_length=8, choices=LockClass.choices)
    sale = models.UUIDField(null=True)
    until = models.DateTimeField(null=True)
    reason = models.CharField(max_length=4000, null=True)  # noqa: DJ001
    open = models.BooleanField(default=True)

    class Meta:
        indexes = [models.Index(fields=["member"], condition=Q(open=True), name="pointlock_open")]

    def __str__(self) -> str:
        return f"{self.lock_class} {self.id}"


class LockedLot(models.Model):
    """What a lock holds of one lot; `marked` if it also takes what is pending there."""

    pk = models.CompositePrimaryKey("lock_id", "lot_id")
    lock = reference_to(PointLock)
    lot = reference_to(Lot)
    member = reference_to("members.Member")
    points = models.BigIntegerField()
    marked = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(points__gte=0), name="ledger_lockedlot_not_negative")
        ]

    def __str__(self) -> str:
        return f"{self.points} of {self.lot_id}"
