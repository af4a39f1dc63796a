"""The `tenantkeep` command: client of the gateway, and the embedded stack."""
