"""Config: what the operator decides: settings, the secret key, the protocol in force."""
