"""Everything kept: tables and queries in Postgres, keys and atomic scripts in Redis."""
