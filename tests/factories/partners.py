import factory

from partners.models import Outlet, Partner


class PartnerFactory(factory.django.DjangoModelFactory[Partner]):
    """A merchant; `outlets=["S1"]` gives it outlets."""

    class Meta:
        model = Partner
        skip_postgeneration_save = True

    code = factory.Sequence(lambda n: f"PARTNER-{n}")
    name = factory.LazyAttribute(lambda partner: partner.code.title())

    @factory.post_generation
    def outlets(self, create, extracted, **kwargs):
        for code in extracted or ():
            Outlet.objects.create(partner=self, code=code, name=code)
