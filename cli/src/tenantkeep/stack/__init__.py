"""The embedded stack: every server and service Tenantkeep needs, as processes of this machine."""
