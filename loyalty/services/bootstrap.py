"""What must be there before anything runs. Safe to repeat."""

from django.conf import settings
from django.contrib.auth.models import Group, Permission

from loyalty.models import IdentityProvider, MasterEntity, Program

GROUPS = {
    "Programme manager": ["promotions.", "members.view_", "loyalty.", "ledger.view_", "vouchers."],
    "Helpdesk": ["members.", "ledger.view_", "vouchers.view_", "promotions.view_"],
    "Finance": ["ledger.view_", "partners.view_", "promotions.view_"],
    "Partner manager": ["partners.", "ledger.view_"],
    "Auditor": [".view_"],
}


def install() -> None:
    """Make the programme's row, its identity providers, its first masters and the staff groups."""
    Program.objects.get_or_create(
        pk=1,
        defaults={
            "name": "Laurel",
            "time_zone": settings.LAUREL_TIME_ZONE,
            "currency": settings.LAUREL_CURRENCY,
        },
    )
    # Until points were posted, the setting may still be put right.
    Program.objects.filter(time_zone_fixed=False).update(time_zone=settings.LAUREL_TIME_ZONE)
    providers = (("email", "E-mail", "EMAIL"), ("phone", "Phone", "PHONE"), ("app", "App", "APP"))
    for code, name, kind in providers:
        IdentityProvider.objects.get_or_create(code=code, defaults={"name": name, "kind": kind})
    for code, name in (("product", "Product"), ("category", "Category")):
        MasterEntity.objects.get_or_create(code=code, defaults={"name": name})
    install_groups()


def install_groups() -> None:
    """Make the staff groups; their permissions are set once, then they are the programme's own."""
    for name, wanted in GROUPS.items():
        group, new = Group.objects.get_or_create(name=name)
        if not new:
            continue
        permissions = Permission.objects.select_related("content_type")
        group.permissions.set(
            permission
            for permission in permissions
            if any(
                prefix in f"{permission.content_type.app_label}.{permission.codename}"
                for prefix in wanted
            )
        )
