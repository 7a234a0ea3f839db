"""The one writer of build data, and the inbox of what it could not write."""
