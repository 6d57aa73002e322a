"""The ledger's tests use the stores of tests/store."""

from tests.store.conftest import migrated_file, migrated_template, new_store, new_url, store

__all__ = ["migrated_file", "migrated_template", "new_store", "new_url", "store"]
