"""Clocks, vaults and servers for tests; nothing here runs in production."""
