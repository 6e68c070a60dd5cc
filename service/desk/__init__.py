"""The use cases: each one transaction, each a short story of look up, decide, carry out."""
