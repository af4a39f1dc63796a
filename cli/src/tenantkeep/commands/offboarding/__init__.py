"""`tenantkeep offboard`: the end of a tenant: stop, export, shred, proof."""
