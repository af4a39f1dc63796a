"""What an employee is, how a sync goes, and what a role is; no I/O."""
