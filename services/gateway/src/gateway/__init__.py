"""The REST API: authorisation, secrets into the vault, requests onto the bus."""
