"""The back office's menu, by what a person does and not by table."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse_lazy

MENU: dict[str, list[tuple[str, str, str]]] = {
    "Promotions": [
        ("Promotions", "campaign", "promotions_promotion"),
        ("Approvals", "how_to_reg", "promotions_promotionapproval"),
        ("Event types", "celebration", "promotions_eventtype"),
        ("Sweepstakes", "trophy", "promotions_sweepstake"),
        ("Tickets", "local_activity", "promotions_ticket"),
    ],
    "Members": [
        ("Members", "group", "members_member"),
        ("May be one person", "difference", "members_duplicateflag"),
        ("Cards", "credit_card", "members_card"),
        ("Card ranges", "format_list_numbered", "members_cardrange"),
        ("Aliases", "alternate_email", "members_alias"),
        ("Released aliases", "hourglass_bottom", "members_releasedalias"),
        ("Tiers", "military_tech", "members_tier"),
        ("Ladder", "stairs", "members_ladderversion"),
        ("Segments", "groups", "members_segment"),
        ("What stages allow", "rule", "members_stagepermission"),
    ],
    "Points": [
        ("Transactions", "receipt_long", "ledger_transaction"),
        ("Balances", "account_balance", "ledger_memberpoints"),
        ("Lots", "inventory_2", "ledger_lot"),
        ("Locks", "lock", "ledger_pointlock"),
        ("Point types", "toll", "ledger_pointtype"),
    ],
    "Vouchers": [
        ("Voucher types", "confirmation_number", "vouchers_vouchertype"),
        ("Vouchers", "qr_code_2", "vouchers_voucher"),
        ("Benefits", "redeem", "vouchers_benefit"),
        ("Plans", "card_membership", "vouchers_subscriptionplan"),
        ("Subscriptions", "autorenew", "vouchers_subscription"),
    ],
    "Partners": [
        ("Partners", "storefront", "partners_partner"),
        ("API clients", "vpn_key", "partners_apiclient"),
        ("Exchanges", "currency_exchange", "partners_exchange"),
        ("Statements", "request_quote", "ledger_statement"),
    ],
    "Finance": [
        ("Liability", "account_balance_wallet", "ledger_liabilityreport"),
        ("Journal", "menu_book", "ledger_journalaccount"),
    ],
    "Programme": [
        ("Settings", "settings", "loyalty_program"),
        ("Products and masters", "category", "loyalty_master"),
        ("Entities of masters", "schema", "loyalty_masterentity"),
        ("Languages", "translate", "loyalty_language"),
        ("Currencies", "payments", "loyalty_currency"),
        ("Communication", "mail", "loyalty_communicationcategory"),
        ("Channels", "send", "loyalty_communicationchannel"),
        ("Identity providers", "fingerprint", "loyalty_identityprovider"),
        ("Jobs", "schedule", "loyalty_job"),
        ("Webhooks", "webhook", "loyalty_webhooksubscription"),
        ("Deliveries", "outbox", "loyalty_webhookdelivery"),
        ("Staff", "badge", "loyalty_user"),
    ],
}


def sections(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the menu, each item shown to those who may open it."""
    return [
        {
            "title": title,
            "items": [
                {
                    "title": name,
                    "icon": icon,
                    "link": reverse_lazy(f"admin:{table}_changelist"),
                    "permission": _permission(table),
                }
                for name, icon, table in items
            ],
        }
        for title, items in MENU.items()
    ]


def _permission(table: str) -> Any:
    app, model = table.split("_", 1)
    return lambda request: request.user.has_perm(f"{app}.view_{model}")
