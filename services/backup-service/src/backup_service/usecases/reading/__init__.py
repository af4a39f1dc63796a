"""Reading a resource of Microsoft 365 into a session: a frame that all sources share, and a class for each source.

`resource` opens the frame, has every source of the job read, and commits one restore point. A source (`mail`, …) knows
its workload and nothing of sessions, checkpoints or jobs; `sources` is the list of them.
"""
