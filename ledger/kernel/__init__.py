"""The books in memory: pure arithmetic over one member's points.

Nothing here knows a database, a clock or a framework. `ledger.services.posting` loads a
book under its lock, calls these functions, and writes what they drafted.
"""
