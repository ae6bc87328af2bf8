-- A statement is what was settled: written once, never changed.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger_statement
    FOR EACH ROW EXECUTE FUNCTION ledger_forbid_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger_statementline
    FOR EACH ROW EXECUTE FUNCTION ledger_forbid_change();
