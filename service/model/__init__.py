"""Frozen values that travel between the layers; all times are epoch milliseconds, UTC."""
