"""`tenantkeep demo`: the main job, whole, on a stack of its own."""
