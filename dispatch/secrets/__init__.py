"""What a tenant keeps secret: sealed under keys of its own, opened only where it is used."""
