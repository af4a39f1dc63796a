"""`tenantkeep onboard`: a tenant from nothing to productive, and how far one is."""
