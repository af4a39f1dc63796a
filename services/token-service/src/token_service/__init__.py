"""Obtains, renews and guards the tenants' tokens."""
