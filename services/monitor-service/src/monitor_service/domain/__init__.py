"""What became of jobs, how their outcomes add up, and what health follows from it."""
