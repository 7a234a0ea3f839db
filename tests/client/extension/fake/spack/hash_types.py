class SpecHashDescriptor:
    name = "hash"


dag_hash = SpecHashDescriptor()
