"""A Microsoft 365 tenant on localhost: Entra ID and Graph over TLS, with injectable faults."""
