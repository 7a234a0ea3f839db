"""The statements of each table, a module each."""
