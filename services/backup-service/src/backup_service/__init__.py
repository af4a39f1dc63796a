"""Plans and runs backups and restores."""
