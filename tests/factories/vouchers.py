import factory

from vouchers.models import Benefit, SubscriptionPlan


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
