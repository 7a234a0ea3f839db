"""A GraphQL selection becomes one SQL statement whose value is the answer's JSON.

`fields` says what a schema field means in SQL, `registry` reads that off the schema, `compile` walks a
selection, `json_text` writes JSON in each dialect, `paging` makes connections, `service` keeps the plans
and runs them.
"""
