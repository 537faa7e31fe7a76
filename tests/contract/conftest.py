"""The real things that a fake is compared with."""

from tests.integration.conftest import journal, migrated

__all__ = ["journal", "migrated"]
