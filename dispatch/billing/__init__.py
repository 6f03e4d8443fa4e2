"""What is counted, what it costs and what a bill consists of: plain data and exact arithmetic."""
