"""What every service needs and none should write twice: settings, TLS, bus, delivery, vault, documents, logs."""
