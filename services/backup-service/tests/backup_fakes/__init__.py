"""Fakes of the ports of backup-service; each passes the suite of the real adapter (tests/contract)."""
