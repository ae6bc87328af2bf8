"""The audit finds what breaks the books: each kind of damage is done on purpose."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from ledger.models import Transaction
from ledger.services.audit import audit, invariants
from tests.factories.ledger import give

DAMAGES = {
    "accounts_equal_lots": "UPDATE ledger_account SET available = available + 1",
    "accounts_equal_entries": "UPDATE ledger_account SET earned = earned + 1",
    "lots_equal_entries": "UPDATE ledger_lot SET granted = granted + 1",
    "entries_have_accounts": "DELETE FROM ledger_account",
    "versions_gapless": "UPDATE ledger_book SET version = version + 1",
    "balances_chain": "UPDATE ledger_account SET pending = pending + 1",
    "due_instants_noted": "UPDATE ledger_book SET due_at = NULL",
    "everything_belongs": "UPDATE ledger_lot SET version = version + 7",
    "everything_posted_was_announced": "DELETE FROM loyalty_outboxevent WHERE id ="
    " (SELECT max(id) FROM loyalty_outboxevent)",
    "effects_equal_entries": "UPDATE ledger_transaction SET effects = '[]'",
    "nothing_negative": "UPDATE ledger_transaction SET effects ="
    " jsonb_set(effects, '{0,available}', '-1')",
    "posted_in_order": "UPDATE ledger_transaction SET posted_at = now() + interval '1 day'"
    " WHERE version = 1",
    "moves_of_kind": "UPDATE ledger_entry SET source = 5",
    "locks_hold_what_is_locked": "UPDATE ledger_lot SET locked = 1, available = available - 1",
    "books_sum_to_zero": "UPDATE ledger_entry SET source = 9",
    "movements_equal_balances": "UPDATE ledger_account SET available = available + 1",
    "statements_equal_ledger": "INSERT INTO ledger_statement (partner_id, month, starts_at, ends_at,"
    " currency, amount, closed_at) SELECT id, '2000-01-01', '2000-01-01', '2100-01-01', 'EUR', 0,"
    " now() FROM partners_partner",
    "measures_equal_postings": "INSERT INTO members_tiermeasure (member_id, measure, point_type,"
    " day, amount) SELECT id, 'SPEND', 0, current_date, 100 FROM members_member",
}


def test_the_audit_takes_its_time_and_leaves_the_bound_on_statements(member):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '1ms'")

    with connection.execute_wrapper(_slowly):
        assert len(audit()) == len(invariants())

    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("1ms",)
        cursor.execute("SET LOCAL statement_timeout = 0")


def _slowly(execute, sql, params, many, context):
    """Let each statement of the audit read for longer than its bound."""
    if sql.lstrip().startswith("--"):
        sql = f"SELECT found.* FROM ({sql.rstrip().rstrip(';')}) found, pg_sleep(0.005)"
    return execute(sql, params, many, context)


def test_a_lot_that_lives_longer_by_being_spent_is_not_judged(till, member, now):
    give(member, 2, lives=timedelta(days=1), expiry="P2M/ACTIVITY/NONE")
    give(member, 1, lives=timedelta(days=1))
    body = {"reference": "R1", "occurred_at": now.isoformat(), "type": "PTS", "points": 1}

    spent = till.post("/transactions/redeem/", {"member": {"number": member.number}, **body})

    assert spent.status_code == 201, spent.json()
    assert [each for each in audit() if each.violations] == []


@pytest.mark.broken_books
@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found(name, member):
    give(member, 100)
    give(member, 50)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(DAMAGES[name])

    broken = {finding.invariant.name for finding in audit() if finding.violations}

    assert name in broken


def test_every_invariant_states_its_rule():
    assert len(invariants()) == 22
    assert all(each.rule.endswith(".") for each in invariants())


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["ledger_transaction", "ledger_entry"])
@pytest.mark.parametrize("change", ["UPDATE {} SET version = 9", "DELETE FROM {}"])
def test_history_cannot_be_changed(table, change, member):
    give(member, 100)

    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change.format(table))

    assert Transaction.objects.count() == 1


@pytest.mark.django_db
def test_the_command_prints_json_and_exits_with_zero_when_clean(member, capsys):
    out = StringIO()
    call_command("audit_ledger", "--json", stdout=out)

    assert json.loads(out.getvalue())["clean"] is True


@pytest.mark.broken_books
def test_the_command_exits_with_one_and_the_rows_when_broken(member):
    give(member, 100)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_account SET available = 99")
    out = StringIO()

    with pytest.raises(SystemExit, match="1"):
        call_command("audit_ledger", "--json", stdout=out)

    found = {f["invariant"]: f for f in json.loads(out.getvalue())["findings"]}
    assert found["accounts_equal_lots"]["rows"][0]["in_lots"] == "100"
