"""Restoring a restore point into a mailbox: a frame that all sources share, and a class for each source.

`run_restore` opens the frame, has every source of the order restore into it, and sums up. A source (`mail`, …) knows
its workload: where its items go, which of them are there, how they are created and compared. It knows nothing of
claims, jobs, selections or reports; `sources` is the list of them.
"""
