"""The parts of a statement: rows in scope, values, selections, conditions, JSON text, computed pieces."""
