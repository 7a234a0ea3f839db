"""A second, slow way to answer operations, which the compiler is held against (docs/decisions).

Rows are loaded by the ORM, fields resolved one by one in Python by graphql-core, from what the schema's
descriptions say. Nothing here uses `spackmon.query` or what the schema declares about SQL: the schema is
read as the text that the server prints.
"""
