"""Values and decisions of backup-service: no I/O."""
