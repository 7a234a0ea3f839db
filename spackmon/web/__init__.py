"""What a browser meets: pages, GraphiQL, static files and the headers that protect them."""
