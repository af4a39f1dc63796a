"""Plans and runs backups and restores: one member, two processes, `planner` and `worker`."""
