"""HTTP tools of agents: on record, checked, and run where they cannot reach what is private."""
