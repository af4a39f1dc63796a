"""Stores and Microsoft 365 in memory, for the tests of sync-service."""
