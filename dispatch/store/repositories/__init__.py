"""All SQL: functions that take an open transaction and give plain data back."""
