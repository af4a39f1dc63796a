"""Recovery with nothing running: storage and the customer's recovery key are enough.

The only package of the command that knows the backup engine (ADR 0015). Its modules are imported when a command of
it runs, because the engine takes a second to load and every other command does without.
"""
