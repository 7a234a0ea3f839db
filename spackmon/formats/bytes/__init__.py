"""From bytes to checked values: compression, archives, folders, JSON, XML, YAML, fields."""
