from decimal import Decimal

import factory
from django.db import transaction

from ledger.models import PointType
from vouchers.models import Benefit, SubscriptionPlan, VoucherType
from vouchers.services.stock import set_stock


class PlanFactory(factory.django.DjangoModelFactory[SubscriptionPlan]):
    """A plan at 12.00 a month; `benefits=["PARKING"]` gives it benefits."""

    class Meta:
        model = SubscriptionPlan
        skip_postgeneration_save = True

    code = factory.Sequence(lambda n: f"PLAN-{n}")
    name = factory.LazyAttribute(lambda plan: plan.code.title())
    price = "12.00"
    currency = "EUR"
    period = "P1M"

    @factory.post_generation
    def benefits(self, create, extracted, **kwargs):
        for code in extracted or ():
            self.benefits.add(BenefitFactory(code=code))


class BenefitFactory(factory.django.DjangoModelFactory[Benefit]):
    """A benefit without a quota."""

    class Meta:
        model = Benefit
        django_get_or_create = ("code",)

    code = factory.Sequence(lambda n: f"BENEFIT-{n}")
    name = factory.LazyAttribute(lambda benefit: benefit.code.title())


class VoucherTypeFactory(factory.django.DjangoModelFactory[VoucherType]):
    """A voucher worth 5.00 for 500 points; `stock=3` lets three be issued."""

    class Meta:
        model = VoucherType
        skip_postgeneration_save = True

    code = factory.Sequence(lambda n: f"VOUCHER-{n}")
    name = factory.LazyAttribute(lambda kind: kind.code.title())
    value = Decimal("5.00")
    currency = "EUR"
    points = 500
    point_type = factory.LazyFunction(lambda: PointType.objects.get(code="PTS"))

    @factory.post_generation
    def stock(self, create, extracted, **kwargs):
        if extracted is not None:
            with transaction.atomic():
                set_stock(self, extracted)
