"""What was used, what it costs, and what is left: usage items, prices, charges, reports, quotas."""
