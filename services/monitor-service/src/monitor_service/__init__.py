"""The ledger of all jobs and the only computation of their health."""
