"""What backup-service does, one verb each."""
