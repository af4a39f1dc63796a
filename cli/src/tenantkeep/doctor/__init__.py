"""`tenantkeep doctor` and `tenantkeep support-bundle`: what is wrong here, and what to send to whoever helps."""
