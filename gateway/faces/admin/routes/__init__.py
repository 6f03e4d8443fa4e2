"""Routes: the administration of an installation."""
