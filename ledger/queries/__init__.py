"""Reads of the ledger, by topic."""
