"""Bodies: the administration of an installation."""
