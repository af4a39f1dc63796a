"""sync-service: the directory of employees, Microsoft 365 first."""
