"""Stores of their own, out of which and into which an app is moved."""

from tests.backups.conftest import migrated, operate, shop, tenant

__all__ = ["migrated", "operate", "shop", "tenant"]
