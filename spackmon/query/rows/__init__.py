"""Which rows: filters, orders, pages, lookups, relations."""
