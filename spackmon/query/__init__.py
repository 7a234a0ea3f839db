"""A GraphQL selection becomes one SQL statement whose value is the answer's JSON.

`fields` says what a schema field means in SQL, `registry` reads that off the schema. `compile` walks a
selection, over `connections` (many rows) and `compilation` (values); `json_text` writes JSON in each dialect,
`unpack` and `computed` finish on the way out what SQL cannot. `service` keeps the plans and runs them.
"""
