"""Knowledge: documents in, passages out. Files are read apart, in a process that may die."""
