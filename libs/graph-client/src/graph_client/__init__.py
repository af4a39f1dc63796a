"""Microsoft Graph over httpx: token seam, transport rings, delta, budgets. Usable alone."""
