"""Requests: read, measured, compiled off the loop, run within bounds, answered or exported."""
