"""What would happen if somebody rang this number now."""
